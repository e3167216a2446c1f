package mailinglist

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A Claim is the right to send a subscription's mail, which nobody else has at the same time.
type Claim struct {
	Subscription
	Holder uuid.UUID // drawn for this claim, so that a later one is not taken for it
	Until  time.Time // from then on others may claim the mail
}

// A ClaimedError says that somebody else has the claim.
type ClaimedError struct {
	Until time.Time
}

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("the mail is claimed until %s", e.Until.UTC().Format(time.RFC3339Nano))
}
