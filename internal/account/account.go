// Package account is what ends everything else that is a user's.
package account

import "errors"

// ErrDeleted says that the user has deleted the account: it can neither be read nor written to any more, though its
// tokens are valid for up to a day.
var ErrDeleted = errors.New("account deleted")
