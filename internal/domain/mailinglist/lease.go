package mailinglist

import (
	"time"

	"github.com/google/uuid"
)

// A Lease is the right to send a subscription's mail, which one process has at a time.
type Lease struct {
	Subscription
	Holder uuid.UUID // drawn for this lease, so that a later one is not taken for it
	Until  time.Time // from then on other processes may lease the mail
}
