// Package retry is how the domain's adapters say that trying again may help.
package retry

import "errors"

// ErrLater says that something is away for the moment, a database or a service: the same call may work later. It is never
// the caller's mistake.
var ErrLater = errors.New("unavailable for the moment; try again later")
