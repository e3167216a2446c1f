// Package profile is what a signed-in user tells the others about himself or herself.
package profile

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a profile's fields, in characters (Unicode code points), as the database counts them.
const (
	MaxSubject     = 128 // Cognito's limit for a subject
	MaxDisplayName = 80
	MaxBio         = 500
	MaxLanguage    = 35 // RFC 5646 asks that this much be kept
)

// ErrNotFound says that the subject has no profile yet.
var ErrNotFound = errors.New("profile not found")

// ErrUnavailable says that profiles cannot be read or written for the moment; the same call may work later.
var ErrUnavailable = errors.New("profiles are unavailable")

// A Profile is one user's. Text is kept as it was given: nothing is trimmed, folded or escaped.
type Profile struct {
	Subject     string // the user's sub in the sign-in's tokens, never shown to others
	DisplayName string // required, one line
	Bio         string // may be empty; the only control characters are line feeds and tabs
	Language    string // a BCP 47 tag such as de or pt-BR; empty when the user has not chosen
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// InvalidError lists everything that is wrong with a profile, so that a user can correct it in one go.
type InvalidError struct {
	Problems []Problem
}

// A Problem is what is wrong with one field and what would be right. It never repeats the field's value.
type Problem struct {
	Field   string // the Go field's name: DisplayName
	Problem string // has 81 characters; at most 80 are allowed
}

func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Field + " " + problem.Problem
	}
	return "invalid profile: " + strings.Join(texts, "; ")
}

// ValidSubject tells whether s can be the subject of a profile.
func ValidSubject(s string) bool {
	return empty(s) == "" && notVisibleASCII(s) == "" && tooLong(s, MaxSubject) == ""
}

// Validate returns nil or an [*InvalidError] with all problems. Times are not looked at: the store sets them.
func (p Profile) Validate() error {
	var invalid InvalidError
	check := func(field string, problems ...string) {
		for _, problem := range problems {
			if problem != "" {
				invalid.Problems = append(invalid.Problems, Problem{Field: field, Problem: problem})
				return
			}
		}
	}
	check("Subject", empty(p.Subject), notVisibleASCII(p.Subject), tooLong(p.Subject, MaxSubject))
	check("DisplayName", empty(p.DisplayName), notUTF8(p.DisplayName), control(p.DisplayName, ""), blank(p.DisplayName), tooLong(p.DisplayName, MaxDisplayName))
	check("Bio", notUTF8(p.Bio), control(p.Bio, "\n\t"), tooLong(p.Bio, MaxBio))
	check("Language", notLanguageTag(p.Language), tooLong(p.Language, MaxLanguage))
	if len(invalid.Problems) == 0 {
		return nil
	}
	return &invalid
}

func empty(s string) string {
	if s == "" {
		return "is empty; it is required"
	}
	return ""
}

func blank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is only spaces; write at least one visible character"
	}
	return ""
}

func notUTF8(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

func control(s, allowed string) string {
	for _, r := range s {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return fmt.Sprintf("has the control character %U; remove it", r)
		}
	}
	return ""
}

func tooLong(s string, most int) string {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, most)
	}
	return ""
}

func notVisibleASCII(s string) string {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return fmt.Sprintf("has the character %U; only visible ASCII is allowed", r)
		}
	}
	return ""
}

// notLanguageTag holds s against the outline of a tag only: which subtags exist is a list that grows every year.
func notLanguageTag(s string) string {
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
	return ""
}
