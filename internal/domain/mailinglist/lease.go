package mailinglist

import (
	"time"

	"github.com/google/uuid"
)

// A Lease is the right to send a subscription's mail, which one process has at a time.
type Lease struct {
	Subscription
	Holder uuid.UUID // random, to tell this lease from later ones
	Until  time.Time // end of the lease; other processes may lease the mail after it
}
