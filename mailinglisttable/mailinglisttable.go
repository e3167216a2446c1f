// Package mailinglisttable provides the items of the table that the construct mailinglist declares.
//
// A function that subscribes addresses writes them: the construct's GrantSubscribe lets it. A
// consumer of the table's stream reads them, in NewImage and OldImage of each record. Both read and
// write the struct [Item] with the package attributevalue of the AWS SDK, which needs its tags.
//
// An address has at most one item of each [Kind]. A new item that is [Pending] or [Subscribed]
// triggers its mail. The functions of the construct set the attributes of [Item] that describe the
// mail, and write the items that are [Suppressed].
package mailinglisttable

import (
	"fmt"
	"strings"
	"time"
)

// A Kind is the kind of an item, the sort key of the table.
type Kind string

// The kinds of items.
const (
	Pending    Kind = "pending"      // subscription to be confirmed by the link in its mail
	Subscribed Kind = "subscription" // confirmed subscription, welcomed by its mail
	Suppressed Kind = "suppression"  // address that bounced or complained: it is sent no mails
)

// PendingLifetime is how long a pending subscription is valid. DynamoDB deletes its item later, up
// to a few days.
const PendingLifetime = 24 * time.Hour

// TimeLayout is the layout of times, with [time.Time.Format]: RFC 3339 with milliseconds, in UTC,
// so that texts sort as times do.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Unsent is the value of [Item.Unsent]. The index therefore has one partition, which takes a
// thousand new subscriptions a second, far more than SES takes mails.
const Unsent = "yes"

// An Item is an item of the table. Its attributes have the names of the fields.
type Item struct {
	Address   string // the address in lower case: the partition key
	Kind      Kind   // the sort key
	CreatedAt string // in TimeLayout: the sort key of the index Unsent

	// Of a subscription, pending or not.
	ID       string `dynamodbav:",omitempty"` // a UUID; a later subscription has another
	To       string `dynamodbav:",omitempty"` // the address in the subscriber's spelling
	Language string `dynamodbav:",omitempty"` // a BCP 47 tag; absent for the default language
	Link     string `dynamodbav:",omitempty"` // in the mail: confirms or ends the subscription

	// ExpiresAt is the end of a pending subscription in Unix seconds: the table's TTL attribute.
	ExpiresAt int64 `dynamodbav:",omitempty"`

	// Of its mail. Unsent is present until it was sent or rejected: the key of the index Unsent.
	// Either MessageID, which SES assigned, and SentAt, in TimeLayout, or RejectionReason follow.
	Unsent          string `dynamodbav:",omitempty"`
	MessageID       string `dynamodbav:",omitempty"`
	SentAt          string `dynamodbav:",omitempty"`
	RejectionReason string `dynamodbav:",omitempty"`

	// The lease of the run that sends the mail: a UUID, and its end in Unix milliseconds.
	LeaseHolder string `dynamodbav:",omitempty"`
	LeasedUntil int64  `dynamodbav:",omitempty"`

	// Reason is why the address is suppressed: "bounce: General".
	Reason string `dynamodbav:",omitempty"`
}

// NewItem returns the item of a new subscription of the address to, which is [Pending] or
// [Subscribed]; it panics for another kind. id is a new UUID. The caller adds Language and Link,
// and writes the item on the condition that there is none: attribute_not_exists(Address).
func NewItem(kind Kind, id, to string, now time.Time) Item {
	if kind != Pending && kind != Subscribed {
		panic(fmt.Errorf("mailinglisttable: kind %q is no subscription; pass Pending or Subscribed",
			kind))
	}
	item := Item{
		Address: strings.ToLower(to), Kind: kind, CreatedAt: now.UTC().Format(TimeLayout),
		ID: id, To: to, Unsent: Unsent,
	}
	if kind == Pending {
		item.ExpiresAt = now.Add(PendingLifetime).Unix()
	}
	return item
}
