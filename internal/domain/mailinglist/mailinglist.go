// Package mailinglist is who gets our mails: who has subscribed, who was welcomed, and whom nothing may be sent to.
package mailinglist

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// A Kind says what is kept of an address.
type Kind string

// What is kept of an address. A new item of each of the first two is followed by one mail.
const (
	Pending    Kind = "pending"      // has asked to subscribe, and has to confirm it by the link in a mail
	Subscribed Kind = "subscription" // is welcomed by a mail
	Suppressed Kind = "suppression"  // has bounced or complained: nothing is sent there
)

// ConfirmWithin is how long a pending subscription can be confirmed, and its link is good. Whoever asks again later gets
// another mail.
const ConfirmWithin = 24 * time.Hour

// A Key names what a mail is sent for. Whoever subscribes, leaves and subscribes again has two subscriptions, with two ids.
type Key struct {
	Address string    // as [email.Address.Key] has it
	Kind    Kind      // Pending or Subscribed
	ID      uuid.UUID // of version 7
}

// A Subscription is an address that has subscribed, or has asked to.
type Subscription struct {
	Key
	To        email.Address
	Language  string // a BCP 47 tag; empty when the subscriber has not chosen
	Link      string // of a pending one, where it is confirmed; of a subscription, where it is left
	CreatedAt time.Time
}

// ErrNotFound says that there is no such subscription: it was left, was replaced, or has expired.
var ErrNotFound = errors.New("subscription not found")
