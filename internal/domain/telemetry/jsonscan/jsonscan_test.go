package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
)

var seeds = []string{
	`{"id":"0199","n":-12.5e+3,"o":{"a":[1,"b",true,false,null,{}],"":[]}}`, ` [ 1 , "two" ] `,
	`"a"`, `0`, `-0`, `-`, `01`, `1.`, `.5`, `1e`, `1e5`, `1E-07`, `+1`,
	`true`, `tru`, `trueish`, `null`, `nul`, `falsé`, `{}`, `[]`, `[,]`, `[1,]`, `[1 2]`, `{"a"}`,
	`{"a":}`, `{"a":1,}`, `{a:1}`, `{"a" : 1 "b":2}`, `{"a":1}}`, `[]]`, `[`, `{`, `{"a"`,
	`{"a":`, `"`, `"\`, `"\"`, `"\u`, `"\u00e9"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\ude00\ud83d"`,
	`"\ud83d\u0041"`, `"\ud83dA"`, `"\x41"`, `"\u00zz"`, `"\"\\\/\b\f\n\r\t"`, "\"\n\"",
	"\"ab\ncdefghijkl\"", "\"\x00\"",
	"\"\x7f\"", "\"\xff\"", "\"가나다라마바사\"", "\"1234567가\xed\xa0\x80\"", "\xef\xbb\xbf{}", "[\xff]",
	``, ` `, "\t\r\n0", "\v0", `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`,
	`"a b"`, `" "`, "\"\x80\"", "\"\x1f\"", `"\ud83d`, `"\ud83d\`, `"\ud83dxude00"`,
	`"\ud83d\xde00"`, `"\ud83d\ude0"`, `"\uAbCd\uaffa\uFAAF\uefbe"`, `"\uG000"`, `"\ug000"`,
	`"\u/000"`, `"\u:000"`, `trux`, `[nall]`, `falsE`, `{"a":1,`, `{"a":1, `, `{1}`, `{[]}`,
	`{"a":1,2}`, `{"a" 1}`, `{"a";1}`, `{"a":1,"a":2,"b":{"a":1}}`,
	`[{"a":{}},[[]],{"b":[{},[1]]},[{}]]`, `[{},[}]`, `[[],{]]`,
	`"\ud83d\ude00x\u00e9y\ud83d\ude00\\z"`, `1E400`, `-0.0e-0`, `1e+`, `00`, `-01`, `1_0`, `0x1`,
	`NaN`, "1\x00", "\u2028", "\u00a01", `"12345678"`, `"1234567\"89"`, `"123456\u0041"`, `[1]x`,
	`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `1.0`,
}

// FuzzScanner compares the scanner with encoding/json, which accepts more: deeper nesting up to a
// limit of its own, invalid UTF-8, and halves of surrogate pairs.
func FuzzScanner(f *testing.F) {
	for _, seed := range append(seeds, strings.Repeat("[", 33)+strings.Repeat("]", 33),
		strings.Repeat(`{"a":`, 32)+"1"+strings.Repeat("}", 32)) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		wantErr := decoder.Decode(&want)
		if wantErr == nil {
			if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
				wantErr = errors.New("more than one value")
			}
		}

		s := jsonscan.New(text)
		got := read(&s)
		s.End()
		atOnce := jsonscan.New(text)
		value := atOnce.Value()
		atOnce.End()
		if !errors.Is(atOnce.Err(), s.Err()) {
			t.Fatalf("step by step: %v, at once: %v", s.Err(), atOnce.Err())
		}

		switch err := s.Err(); {
		case errors.Is(err, jsonscan.ErrUTF8): // the rest may be anything
			if utf8.Valid(text) && wantErr == nil && !replaced(text) {
				t.Errorf("%v, but the text is valid UTF-8", err)
			}
		case errors.Is(err, jsonscan.ErrDepth):
			if depth(text) <= jsonscan.MaxDepth {
				t.Errorf("%v, but the text is not", err)
			}
		case (err == nil) != (wantErr == nil):
			t.Errorf("error %v, want %v", err, wantErr)
		case err == nil && !reflect.DeepEqual(got, want):
			t.Errorf("read %#v, want %#v", got, want)
		case err == nil && !bytes.Equal(value.Raw, bytes.TrimSpace(text)):
			t.Errorf("raw %q", value.Raw)
		case err == nil && (!utf8.Valid(text) || depth(text) > jsonscan.MaxDepth):
			t.Error("accepted, but it is not UTF-8 or nested too deeply")
		case err == nil && replaced(text) && !bytes.ContainsRune(text, utf8.RuneError) &&
			!bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`)):
			t.Error("accepted, but it has half a surrogate pair")
		}
	})
}

// replaced reports whether encoding/json decodes the text to a string with U+FFFD, which it
// substitutes for invalid characters.
func replaced(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if decoded, ok := token.(string); ok && strings.ContainsRune(decoded, utf8.RuneError) {
			return true
		}
	}
}

// depth returns the largest number of open brackets, including those in strings: it is at least the
// depth.
func depth(text []byte) int {
	open, most := 0, 0
	var quoted, escaped bool
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			most = max(most, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return most
}

// read decodes a value as encoding/json does: of duplicate names, the last one counts.
func read(s *jsonscan.Scanner) any {
	switch s.Kind() {
	case jsonscan.Object:
		object := map[string]any{}
		for s.Open(jsonscan.Object); s.More(); {
			name := s.Name()
			if value := read(s); s.Err() == nil {
				object[string(name.Text())] = value
			}
		}
		return object
	case jsonscan.Array:
		array := []any{}
		for s.Open(jsonscan.Array); s.More(); {
			array = append(array, read(s))
		}
		return array
	}
	value := s.Value()
	if s.Err() != nil {
		return nil
	}
	switch value.Kind {
	case jsonscan.String:
		return string(value.Text())
	case jsonscan.Number:
		return json.Number(value.Raw)
	case jsonscan.True, jsonscan.False:
		return value.Kind == jsonscan.True
	}
	return nil
}

func TestValue_Int(t *testing.T) {
	for _, text := range seeds {
		s := jsonscan.New([]byte(text))
		value := s.Value()
		s.End()
		want, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if s.Err() != nil {
			continue
		}
		if got, ok := value.Int(); got != want && ok || ok != (err == nil) {
			t.Errorf("%s is %d, %t; want %d, %v", text, got, ok, want, err)
		}
	}
}

// The scanner reads events of Firehose in place: a batch is several megabytes.
func TestScanner_allocates_nothing(t *testing.T) {
	text := []byte(strings.Repeat(" ", 100) + `{"name":{"a":[1,2.5,true,"` +
		strings.Repeat("text ", 100) + `"]},"escaped":"\u00e9"}`)
	if allocations := testing.AllocsPerRun(100, func() {
		s := jsonscan.New(text)
		for s.Open(jsonscan.Object); s.More(); {
			if name := s.Name(); len(name.Text()) > 0 {
				s.Value()
			}
		}
		s.End()
		if s.Err() != nil {
			t.Error(s.Err())
		}
	}); allocations > 0 {
		t.Errorf("%g allocations", allocations)
	}
}

func TestScanner_More_ends_after_an_error(t *testing.T) {
	for _, text := range []string{`{"a":[1,{"b":2]}`, `{"a":1 "b":2}`, `{"a":1`, `{"a":01,"b":2}`} {
		s := jsonscan.New([]byte(text))
		rounds := 0
		for s.Open(jsonscan.Object); s.More(); rounds++ {
			s.Name()
			s.Value()
		}
		if !errors.Is(s.Err(), jsonscan.ErrSyntax) || rounds > 1 {
			t.Errorf("%s: error %v after %d rounds", text, s.Err(), rounds)
		}
		if value := s.Value(); value.Kind != 0 || s.More() || s.Kind() != 0 {
			t.Errorf("%s: more after the error: %v", text, value)
		}
	}
}
