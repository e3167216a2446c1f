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

// Subscriptions stores subscriptions. Temporary failures wrap [retry.ErrUnavailable].
type Subscriptions interface {
	// Lease leases the mail of the subscription with that key. It fails with [ErrNotFound] when
	// there is no such subscription, or none whose mail is unsent, and with a [*email.LeasedError]
	// while another process holds the lease.
	Lease(ctx context.Context, key Key, now, until time.Time) (Lease, error)

	// MarkSent records that the mail was sent. It may be repeated. It fails with [ErrNotFound] when
	// the subscription was deleted, or another process has leased the mail meanwhile.
	MarkSent(ctx context.Context, lease Lease, messageID string, now time.Time) error

	// MarkRejected records that the mail will never be sent, and the reason. It fails like
	// MarkSent.
	MarkRejected(ctx context.Context, lease Lease, reason string) error

	// Release ends a lease, unless another process holds one by now.
	Release(ctx context.Context, lease Lease) error

	// Suppressed reports whether the address is suppressed: no mail may be sent to it.
	Suppressed(ctx context.Context, address string) (bool, error)

	// Unsent iterates over the subscriptions with unsent mails that were created before a time, the
	// oldest first. It may continue after an error.
	Unsent(ctx context.Context, before time.Time) iter.Seq2[Key, error]
}

// Messages creates messages from templates, as [email.Templates] does.
type Messages interface {
	Message(language, name string, to email.Address, data any) (email.Message, error)
}

// A Sender sends the one mail of each subscription.
type Sender struct {
	Subscriptions Subscriptions
	Messages      Messages // of the templates that [ParseTemplates] parses
	Mailer        email.Mailer

	// LeaseDuration is how long a lease lasts, at least [email.MinLease]. It matters when its
	// holder dies: no other process sends the mail until it ends.
	LeaseDuration time.Duration
}

// Send sends the mail of the subscription with that key, unless it was sent or is no longer needed.
// It is idempotent and relies only on what is stored: it may be called repeatedly, late, by several
// processes at a time, or for a subscription that no longer exists. Each subscription gets one
// mail, within the limits of [email.SendOnce].
//
// An error that wraps [retry.ErrUnavailable] is temporary; any other needs a fix before a retry.
func (s *Sender) Send(ctx context.Context, key Key) error {
	return email.SendOnce(ctx, &delivery{sender: s, key: key}, s.LeaseDuration)
}

// SendUnsent sends all unsent mails, the oldest subscription first. It stops where all others would
// fail as well: when sending is paused, or after a temporary failure. Any other failure concerns
// one mail and does not stop it; it returns the first of them.
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
	rejection error  // why the mail will never be sent; nil when it was sent
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
	name := confirmMail
	if d.lease.Kind == Subscribed {
		name = welcomeMail
	}
	data := TemplateData{To: string(d.lease.To), Link: d.lease.Link}
	message, err := d.sender.Messages.Message(d.lease.Language, name, d.lease.To, data)
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
	if errors.Is(err, ErrNotFound) { // the subscription was deleted or leased by another process
		return nil
	}
	return err
}

func (d *delivery) Release(ctx context.Context) error {
	return d.sender.Subscriptions.Release(ctx, d.lease)
}
