// Package mailinglist provides the subscriptions of the mailing list and the sender of their mails:
// the confirmation of a pending subscription and the welcome to a new one.
package mailinglist

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// A Kind is the kind of an item that is stored for an address.
type Kind string

// The kinds of items. Each new item of the first two triggers one mail.
const (
	Pending    Kind = "pending"      // subscription to be confirmed by the link in a mail
	Subscribed Kind = "subscription" // confirmed subscription, welcomed by a mail
	Suppressed Kind = "suppression"  // address that bounced or complained: it is sent no mails
)

// ConfirmWithin is how long a pending subscription and its link are valid. A later request to
// subscribe triggers another mail.
const ConfirmWithin = 24 * time.Hour

// A Key identifies a subscription. When an address subscribes, unsubscribes and subscribes again,
// it has two subscriptions, with two ids.
type Key struct {
	Address string    // as returned by [email.Address.Key]
	Kind    Kind      // Pending or Subscribed
	ID      uuid.UUID // version 7
}

// A Subscription is a confirmed or pending subscription of an address.
type Subscription struct {
	Key
	To        email.Address
	Language  string // a BCP 47 tag; empty when the subscriber has not chosen
	Link      string // where a pending subscription is confirmed, or a confirmed one is ended
	CreatedAt time.Time
}

// ErrNotFound reports that there is no such subscription: it was ended, was replaced or has
// expired.
var ErrNotFound = errors.New("subscription not found")
