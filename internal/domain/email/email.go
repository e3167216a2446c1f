// Package email is what a mail is before anybody sends it: whom it is for, what it says, and how its reader gets no more.
package email

import (
	"context"
	"errors"
)

// A Message is one mail to one person, in the two forms that say the same.
type Message struct {
	To         Address
	Subject    string // one line
	Text, HTML string

	// Unsubscribe is an address that ends mails of this kind when something is posted to it (RFC 8058).
	Unsubscribe string
}

// A Mailer sends mails. An error wraps [ErrAddressRejected], [ErrUndeliverable] or [ErrSendingPaused], or trying again later may help.
type Mailer interface {
	// Send returns the name that the service has given the mail. When it fails, the mail may have been sent nevertheless:
	// an answer can be lost.
	Send(ctx context.Context, message Message) (id string, err error)
}

var (
	// ErrNoAddress says that somebody has no address that mails may go to: none, or none that is proved to be his or hers.
	ErrNoAddress = errors.New("there is no address to write to")

	// ErrAddressRejected says that nothing will ever be sent to the address of this mail, and that the address itself is to blame.
	ErrAddressRejected = errors.New("the mail is refused")

	// ErrUndeliverable says that this mail does not go out until a person has done something, and others may. It may be the address,
	// or a mistake of ours that every mail has: so it is not final.
	ErrUndeliverable = errors.New("the mail is stuck")

	// ErrSendingPaused says that no mail goes out until a person has done something, or a day has passed: the daily quota is used
	// up, sending is paused, or the sender is not verified.
	ErrSendingPaused = errors.New("mails are held")
)
