// Package accounts provides a user's account: the profile, the changes that a client syncs, and the
// deletion of the account.
package accounts

import "github.com/ashlar-cdk/ashlar/internal/domain"

// ErrDeleted reports that the user has deleted the account. It can no longer be read or changed,
// although its tokens are valid for up to a day.
var ErrDeleted = domain.NewError(domain.Forbidden, "account_deleted",
	"You have deleted your account. Sign out.")
