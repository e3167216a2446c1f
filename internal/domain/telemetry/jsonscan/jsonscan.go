// Package jsonscan provides a JSON scanner that reads in place: it copies only strings with
// escapes, and passes over each byte once.
//
// It is as strict as RFC 8259, and stricter in two points: text must be valid UTF-8, escapes
// included, and nothing is nested deeper than [MaxDepth]. It does not detect duplicate names in an
// object; the caller, which reads the names, does.
package jsonscan

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is the number of objects and arrays that may be open at a time.
const MaxDepth = 32

// Errors of a text.
var (
	ErrSyntax = errors.New("not JSON")
	ErrDepth  = errors.New("nested too deeply")
	ErrUTF8   = errors.New("not UTF-8") // or half a surrogate pair
)

// A Kind is the type of a value, named by its first byte.
type Kind byte

// The kinds.
const (
	Object  Kind = '{'
	Array   Kind = '['
	String  Kind = '"'
	Number  Kind = '0'
	True    Kind = 't'
	False   Kind = 'f'
	Null    Kind = 'n'
	invalid Kind = 0 // no value begins here
)

// A Value is a value as written, already checked. Its bytes are a part of the scanned text.
type Value struct {
	Raw     []byte
	Kind    Kind
	escaped bool // a string with escapes
}

// Text returns the decoded string: a part of the scanned text if it has no escapes, else a copy. It
// returns nil if the value is not a string.
func (v Value) Text() []byte {
	if v.Kind != String {
		return nil
	}
	inner := v.Raw[1 : len(v.Raw)-1]
	if !v.escaped {
		return inner
	}
	buffer := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			buffer = append(buffer, inner[i])
			continue
		}
		i++
		switch c := inner[i]; c {
		case 'u':
			r := hex4(inner[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				r = utf16.DecodeRune(r, hex4(inner[i+3:]))
				i += 6
			}
			buffer = utf8.AppendRune(buffer, r)
		case 'b':
			buffer = append(buffer, '\b')
		case 'f':
			buffer = append(buffer, '\f')
		case 'n':
			buffer = append(buffer, '\n')
		case 'r':
			buffer = append(buffer, '\r')
		case 't':
			buffer = append(buffer, '\t')
		default: // " \ /
			buffer = append(buffer, c)
		}
	}
	return buffer
}

// Int returns a number that is written without fraction and exponent, if it fits an int64.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.Raw), 10, 64)
	return n, err == nil
}

// A Scanner scans one text. After an error its methods return zero values and More returns false,
// so that callers check Err once, at the end.
type Scanner struct {
	text    []byte
	at      int
	depth   int
	objects uint64 // one bit per depth: set if the value open there is an object
	first   bool   // no member of the value opened last has been read
	err     error
}

// New returns a Scanner at the start of text.
func New(text []byte) Scanner { return Scanner{text: text} }

// Err returns the first error in the text as far as it was read.
func (s *Scanner) Err() error { return s.err }

// Kind returns the type of the next value without reading it.
func (s *Scanner) Kind() Kind {
	s.space()
	if s.at >= len(s.text) {
		return invalid
	}
	switch c := s.text[s.at]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return invalid
}

// Open enters the next value, which must be an object or array of that kind; any other value is an
// error. More reports whether it has members.
func (s *Scanner) Open(kind Kind) {
	if s.Kind() != kind {
		s.fail(ErrSyntax)
		return
	}
	s.enter(kind)
}

func (s *Scanner) enter(kind Kind) {
	if s.depth == MaxDepth {
		s.fail(ErrDepth)
		return
	}
	s.at++
	s.objects &^= 1 << s.depth
	if kind == Object {
		s.objects |= 1 << s.depth
	}
	s.depth++
	s.first = true
}

// More advances to the next member of the object or array that was opened last, or leaves it after
// the last one. The caller reads the member before it calls More again: in an object with Name, and
// then with Value or Open.
func (s *Scanner) More() bool {
	if s.err != nil {
		return false
	}
	s.space()
	if s.at >= len(s.text) {
		s.fail(ErrSyntax)
		return false
	}
	end := byte(']')
	if s.objects>>(s.depth-1)&1 == 1 {
		end = '}'
	}
	switch c := s.text[s.at]; {
	case c == end:
		s.at++
		s.depth--
		s.first = false
		return false
	case s.first:
		s.first = false
	case c == ',':
		s.at++
	default:
		s.fail(ErrSyntax)
		return false
	}
	return true
}

// Name reads the name of the next member of an object.
func (s *Scanner) Name() Value {
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		s.fail(ErrSyntax)
		return Value{}
	}
	name := s.string()
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != ':' {
		s.fail(ErrSyntax)
		return Value{}
	}
	s.at++
	return name
}

// Value reads the next value, including all nested values.
func (s *Scanner) Value() Value {
	switch kind := s.Kind(); kind {
	case String:
		return s.string()
	case Number:
		return s.number()
	case True:
		return s.literal("true", True)
	case False:
		return s.literal("false", False)
	case Null:
		return s.literal("null", Null)
	case Object, Array:
		from := s.at
		s.enter(kind)
		for s.More() {
			if kind == Object {
				s.Name()
			}
			s.Value()
		}
		if s.err == nil {
			return Value{Raw: s.text[from:s.at], Kind: kind}
		}
	default:
		s.fail(ErrSyntax)
	}
	return Value{}
}

// End records an error unless the text ends here.
func (s *Scanner) End() {
	s.space()
	if s.at < len(s.text) {
		s.fail(ErrSyntax)
	}
}

// fail records the first error and skips the rest of the text.
func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.at = len(s.text)
}

func (s *Scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// Masks for each byte of a 64-bit word.
const (
	ones = 0x0101_0101_0101_0101
	tops = 0x8080_8080_8080_8080
)

// plain returns how many of the eight bytes from the start need no further check in a string: ASCII
// other than quotes, backslashes and control characters.
func plain(word uint64) int {
	quote, backslash := word^(ones*'"'), word^(ones*'\\')
	found := word | (word-ones*' ')&^word | (quote-ones)&^quote | (backslash-ones)&^backslash
	return bits.TrailingZeros64(found&tops) / 8
}

// string reads a string, from its opening quote to after its closing one.
func (s *Scanner) string() Value {
	text, from := s.text, s.at
	i, escaped, ascii := from+1, false, true
	for {
		for i+8 <= len(text) {
			n := plain(binary.LittleEndian.Uint64(text[i:]))
			i += n
			if n < 8 {
				break
			}
		}
		if i >= len(text) {
			break
		}
		switch c := text[i]; {
		case c == '"':
			value := Value{Raw: text[from : i+1], Kind: String, escaped: escaped}
			if !ascii && !utf8.Valid(value.Raw) {
				s.fail(ErrUTF8)
				return Value{}
			}
			s.at = i + 1
			return value
		case c == '\\':
			escaped = true
			length, err := escape(text[i:])
			if err != nil {
				s.fail(err)
				return Value{}
			}
			i += length
		case c < ' ':
			s.fail(ErrSyntax)
			return Value{}
		default:
			ascii = ascii && c < utf8.RuneSelf
			i++
		}
	}
	s.fail(ErrSyntax)
	return Value{}
}

// escape returns the length of the escape at the start of text, or of the two escapes that are one
// character.
func escape(text []byte) (length int, err error) {
	if len(text) < 2 {
		return 0, ErrSyntax
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, ErrSyntax
	}
	r := hex4(text[2:])
	switch {
	case r < 0:
		return 0, ErrSyntax
	case !utf16.IsSurrogate(r):
		return 6, nil
	case len(text) < 8 || text[6] != '\\' || text[7] != 'u':
		return 0, ErrUTF8
	}
	if utf16.DecodeRune(r, hex4(text[8:])) == utf8.RuneError {
		return 0, ErrUTF8
	}
	return 12, nil
}

// hex4 returns the value of the next four hexadecimal digits, or -1 if they are not all digits.
func hex4(digits []byte) rune {
	if len(digits) < 4 {
		return -1
	}
	n := rune(0)
	for _, c := range digits[:4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return n
}

// number reads a number: "Numbers" in RFC 8259.
func (s *Scanner) number() Value {
	text, from := s.text, s.at
	i := from
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else {
		i = s.digits(i)
	}
	if i < len(text) && text[i] == '.' {
		i = s.digits(i + 1)
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		i = s.digits(i)
	}
	if s.err != nil {
		return Value{}
	}
	s.at = i
	return Value{Raw: text[from:i], Kind: Number}
}

// digits returns the position after at least one digit.
func (s *Scanner) digits(i int) int {
	from := i
	for i < len(s.text) && '0' <= s.text[i] && s.text[i] <= '9' {
		i++
	}
	if i == from {
		s.fail(ErrSyntax)
	}
	return i
}

func (s *Scanner) literal(word string, kind Kind) Value {
	from := s.at
	if len(s.text)-from < len(word) || string(s.text[from:from+len(word)]) != word {
		s.fail(ErrSyntax)
		return Value{}
	}
	s.at += len(word)
	return Value{Raw: s.text[from:s.at], Kind: kind}
}
