// Package email provides mails, independent of the service that sends them: addresses, messages,
// templates, and sending each mail once.
package email

import (
	"context"
	"errors"
)

// A Message is one mail to one recipient. Text and HTML have the same content.
type Message struct {
	To         Address
	Subject    string // one line
	Text, HTML string

	// Unsubscribe is the URL that unsubscribes the recipient from mails of this kind, by a POST
	// (RFC 8058).
	Unsubscribe string
}

// A Mailer sends mails. An error wraps [ErrAddressRejected], [ErrUndeliverable] or
// [ErrSendingPaused]; any other error is temporary.
type Mailer interface {
	// Send returns the message id that the service has assigned. When it fails, the mail may have
	// been sent nevertheless: a response can be lost.
	Send(ctx context.Context, message Message) (id string, err error)
}

var (
	// ErrNoAddress reports that a user has no e-mail address, or none that is verified.
	ErrNoAddress = errors.New("no verified e-mail address")

	// ErrAddressRejected reports that no mail will ever be sent to this address: the address itself
	// is the cause.
	ErrAddressRejected = errors.New("address rejected")

	// ErrUndeliverable reports that this mail needs an operator, while others may be sent. The
	// cause may be the address, or a mistake of ours that all mails share: so it is not final.
	ErrUndeliverable = errors.New("mail undeliverable")

	// ErrSendingPaused reports that no mail is sent until an operator acts or a day has passed: the
	// daily quota is used up, sending is paused, or the sender is not verified.
	ErrSendingPaused = errors.New("sending paused")
)
