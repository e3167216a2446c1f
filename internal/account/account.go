// Package account is what ends everything else that is a user's.
package account

import "errors"

// ErrDeleted says that the user has deleted the account: it can neither be read nor written to any more, though its
// tokens are valid for up to a day.
var ErrDeleted = errors.New("account deleted")

// ErrUnavailable says that the account could not be deleted in time, or not all of it; the same call goes on with it.
var ErrUnavailable = errors.New("accounts are unavailable")
