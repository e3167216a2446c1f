// Package accounts provides a user's account: the profile, the changes that a client syncs, and the account's end.
package accounts

import (
	"errors"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// ErrDeleted says that the user has deleted the account: it can neither be read nor written to any more, though its
// tokens are valid for up to a day.
var ErrDeleted = errors.New("account deleted")

// MaxName is Cognito's limit for a subject and for a user name, in characters.
const MaxName = 128

// CheckName returns what is wrong with a subject or a user name, which Cognito makes of visible ASCII, or "".
func CheckName(name string) string {
	for _, problem := range []string{validate.Required(name), validate.VisibleASCII(name), validate.AtMost(name, MaxName)} {
		if problem != "" {
			return problem
		}
	}
	return ""
}
