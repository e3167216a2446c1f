// Package validate collects what is wrong with what a user has written, so that it can be corrected in one go.
//
//	var invalid validate.Error
//	invalid.Check("title", validate.Required(title), validate.AtMost(title, 200))
//	return invalid.OrNil()
//
// The functions that look at a value return the problem with its remedy, or "" when there is none.
package validate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Error lists everything that is wrong with what a user has written.
type Error struct {
	Problems []Problem
}

// A Problem is what is wrong with one field and what would be right. It never repeats the field's value.
type Problem struct {
	Field   string // as the client names it: displayName
	Problem string // has 81 characters; at most 80 are allowed
}

func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Field + " " + problem.Problem
	}
	return "invalid: " + strings.Join(texts, "; ")
}

// Check adds the first of the problems that is one, so that each field has one at most.
func (e *Error) Check(field string, problems ...string) {
	for _, problem := range problems {
		if problem != "" {
			e.Problems = append(e.Problems, Problem{Field: field, Problem: problem})
			return
		}
	}
}

// OrNil returns e, or nil when it has no problems.
func (e *Error) OrNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// Required wants s to be there.
func Required(s string) string {
	if s == "" {
		return "is empty; it is required"
	}
	return ""
}

// NotBlank wants s to have more than spaces.
func NotBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is only spaces; write at least one visible character"
	}
	return ""
}

// UTF8 wants s to be valid UTF-8.
func UTF8(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

// NoControl wants s to have no control characters but the allowed ones.
func NoControl(s, allowed string) string {
	for _, r := range s {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return fmt.Sprintf("has the control character %U; remove it", r)
		}
	}
	return ""
}

// AtMost wants s to have no more characters (Unicode code points) than most.
func AtMost(s string, most int) string {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, most)
	}
	return ""
}

// VisibleASCII wants s to have no other characters.
func VisibleASCII(s string) string {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return fmt.Sprintf("has the character %U; only visible ASCII is allowed", r)
		}
	}
	return ""
}

// MaxUserName is Cognito's limit for a subject and for a user name, in characters.
const MaxUserName = 128

// UserName checks a subject or a user name, which Cognito makes of visible ASCII.
func UserName(s string) string {
	for _, problem := range []string{Required(s), VisibleASCII(s), AtMost(s, MaxUserName)} {
		if problem != "" {
			return problem
		}
	}
	return ""
}

// MaxLanguageTag is how many characters of a language tag are kept: RFC 5646, 4.4.1, asks for that many.
const MaxLanguageTag = 35

// LanguageTag wants s to be empty, or a BCP 47 tag such as de or pt-BR. It is held against the outline of one only: which
// subtags exist is a list that grows every year.
func LanguageTag(s string) string {
	if s == "" {
		return ""
	}
	const remedy = "is not a BCP 47 language tag such as en or pt-BR"
	for i, subtag := range strings.Split(s, "-") {
		if len(subtag) == 0 || len(subtag) > 8 || (i == 0 && len(subtag) < 2) {
			return remedy
		}
		for _, r := range subtag {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			digit := r >= '0' && r <= '9'
			if !letter && (i == 0 || !digit) {
				return remedy
			}
		}
	}
	return AtMost(s, MaxLanguageTag)
}
