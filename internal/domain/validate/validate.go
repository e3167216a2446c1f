// Package validate provides checks of user input. It collects all problems, so that a user can fix
// them at once.
//
//	var invalid validate.Error
//	invalid.Check("title", validate.Required(title), validate.AtMost(title, 200))
//	return invalid.OrNil()
//
// The functions that check a value return the problem with its remedy, or "" if the value is valid.
package validate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Error lists all problems of user input.
type Error struct {
	Problems []Problem
}

// A Problem is the problem of one field, with its remedy. It never repeats the field's value.
type Problem struct {
	Field   string // its name in the API: displayName
	Problem string // for example: has 81 characters; at most 80 are allowed
}

func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Field + " " + problem.Problem
	}
	return "invalid: " + strings.Join(texts, "; ")
}

// Check adds the first of problems that is not empty, so that each field has at most one.
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

// Required checks that s is not empty.
func Required(s string) string {
	if s == "" {
		return "is empty; it is required"
	}
	return ""
}

// NotBlank checks that s has a character other than white space.
func NotBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is only spaces; write at least one visible character"
	}
	return ""
}

// UTF8 checks that s is valid UTF-8.
func UTF8(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

// NoControl checks that s has no control characters other than the allowed ones.
func NoControl(s, allowed string) string {
	for _, r := range s {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return fmt.Sprintf("has the control character %U; remove it", r)
		}
	}
	return ""
}

// AtMost checks that s has at most limit characters (Unicode code points).
func AtMost(s string, limit int) string {
	if n := utf8.RuneCountInString(s); n > limit {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, limit)
	}
	return ""
}

// VisibleASCII checks that s has only visible ASCII characters.
func VisibleASCII(s string) string {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return fmt.Sprintf("has the character %U; only visible ASCII is allowed", r)
		}
	}
	return ""
}

// MaxUserName is Cognito's limit of a subject and of a user name, in characters.
const MaxUserName = 128

// UserName checks a subject or a user name. Those of Cognito consist of visible ASCII.
func UserName(s string) string {
	for _, problem := range []string{Required(s), VisibleASCII(s), AtMost(s, MaxUserName)} {
		if problem != "" {
			return problem
		}
	}
	return ""
}

// MaxLanguageTag is the limit of a language tag, in characters: RFC 5646, 4.4.1, requires support
// for that many.
const MaxLanguageTag = 35

// LanguageTag checks that s is empty or a BCP 47 tag such as de or pt-BR. It checks only the
// syntax: the registry of subtags grows every year.
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
