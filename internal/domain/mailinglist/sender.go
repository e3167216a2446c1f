package mailinglist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// Subscriptions is where they are kept. Errors that may be gone later wrap [retry.ErrUnavailable].
type Subscriptions interface {
	// Lease takes the right to send the mail of the subscription that key names. It fails with [ErrNotFound] when there is no
	// such subscription, or none that waits for its mail, and with a [*email.LeasedError] when somebody else has the right.
	Lease(ctx context.Context, key Key, now, until time.Time) (Lease, error)

	// MarkSent notes that the mail was sent, however often it is told. It fails with [ErrNotFound] when the subscription has
	// gone, or somebody else has leased the mail meanwhile.
	MarkSent(ctx context.Context, lease Lease, messageID string, now time.Time) error

	// MarkRejected notes that the mail will never be sent, and why. It fails like MarkSent.
	MarkRejected(ctx context.Context, lease Lease, reason string) error

	// Release gives a lease back, unless somebody else has it by now.
	Release(ctx context.Context, lease Lease) error

	// Suppressed tells whether nothing may be sent to the address.
	Suppressed(ctx context.Context, address string) (bool, error)

	// Unsent goes through the subscriptions that wait for their mails and were made before a time, the oldest first. After an
	// error it may go on.
	Unsent(ctx context.Context, before time.Time) iter.Seq2[Key, error]
}

// Messages is what mails say. [email.Templates] are such.
type Messages interface {
	Message(language, name string, to email.Address, data any) (email.Message, error)
}

// A Sender sends each subscription the one mail that it waits for.
type Sender struct {
	Subscriptions Subscriptions
	Messages      Messages // has the mails confirm and welcome, of a [Subscription]
	Mailer        email.Mailer

	// LeaseDuration is how long a lease lasts, at least [email.MinLease]. It begins to matter when its holder dies: so long nobody
	// else sends the mail.
	LeaseDuration time.Duration
}

// Send sends the mail of the subscription that key names, unless that was done, or is not to be done
// any more. It believes only what is stored: it may be called often, late, by several processes at a
// time, or for a subscription that does not exist any more. Each subscription gets one mail, within
// the limits of [email.SendOnce].
//
// An error that wraps [retry.ErrUnavailable] is temporary; after any other, somebody has to fix
// something first.
func (s *Sender) Send(ctx context.Context, key Key) error {
	return email.SendOnce(ctx, &delivery{sender: s, key: key}, s.LeaseDuration)
}

// SendUnsent sends the mails of all subscriptions that wait for theirs, the oldest first. It ends where all others would
// fail as well: when mails are held, or something is away for the moment. What is wrong with one keeps no other from its
// mail; the error is that of the first such.
func (s *Sender) SendUnsent(ctx context.Context) error {
	var failure error
	for key, err := range s.Subscriptions.Unsent(ctx, time.Now()) {
		if err == nil {
			err = s.Send(ctx, key)
		}
		if errors.Is(err, email.ErrSendingPaused) || errors.Is(err, retry.ErrUnavailable) {
			return err
		}
		if err != nil {
			failure = cmp.Or(failure, fmt.Errorf("subscription %s: %w", key.ID, err))
		}
	}
	return failure
}

// A delivery is the mail of one subscription. It is an [email.Delivery].
type delivery struct {
	sender *Sender
	key    Key
	lease  Lease

	messageID string // of the mail that was sent
	rejection error  // why no mail will ever be sent; nil when one was
}

func (d *delivery) Lease(ctx context.Context, duration time.Duration) (err error) {
	now := time.Now()
	d.lease, err = d.sender.Subscriptions.Lease(ctx, d.key, now, now.Add(duration))
	if errors.Is(err, ErrNotFound) {
		return email.ErrNothingToSend
	}
	return err
}

func (d *delivery) Send(ctx context.Context) error {
	id, err := d.send(ctx)
	if errors.Is(err, email.ErrAddressRejected) {
		d.rejection = err
		return nil
	}
	d.messageID = id
	return err
}

func (d *delivery) send(ctx context.Context) (id string, err error) {
	suppressed, err := d.sender.Subscriptions.Suppressed(ctx, d.lease.Address)
	if err != nil {
		return "", err
	}
	if suppressed {
		return "", fmt.Errorf("%w: the address has bounced or complained", email.ErrAddressRejected)
	}
	name := "confirm"
	if d.lease.Kind == Subscribed {
		name = "welcome"
	}
	message, err := d.sender.Messages.Message(
		email.Language(d.lease.Language), name, d.lease.To, d.lease.Subscription)
	if err != nil {
		return "", err
	}
	if d.lease.Kind == Subscribed {
		message.Unsubscribe = d.lease.Link
	}
	return d.sender.Mailer.Send(ctx, message)
}

func (d *delivery) Acknowledge(ctx context.Context) (err error) {
	if d.rejection != nil {
		err = d.sender.Subscriptions.MarkRejected(ctx, d.lease, d.rejection.Error())
	} else {
		err = d.sender.Subscriptions.MarkSent(ctx, d.lease, d.messageID, time.Now())
	}
	if errors.Is(err, ErrNotFound) { // the subscription is gone, or another process holds the lease
		return nil
	}
	return err
}

func (d *delivery) Release(ctx context.Context) error {
	return d.sender.Subscriptions.Release(ctx, d.lease)
}
