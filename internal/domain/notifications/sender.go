package notifications

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// clockSkew is how much earlier than the end of its window a message may arrive, by the database's
// clock.
const clockSkew = 5 * time.Second

// A Store stores notifications. Temporary failures wrap [retry.ErrUnavailable].
type Store interface {
	// Lease returns all unsent notifications of the recipient, if the oldest has at least that age.
	// No other process gets them until the lease is acknowledged or released, or duration has
	// passed. It fails with [email.ErrNothingToSend], or with [ErrLeased] while another process
	// holds the lease.
	Lease(ctx context.Context, recipient string, age, duration time.Duration) (Lease, error)

	// Acknowledge deletes a lease and its notifications. It may be repeated.
	Acknowledge(ctx context.Context, lease Lease) error

	// Release ends a lease, unless another process holds one by now.
	Release(ctx context.Context, lease Lease) error

	// NextOverdue returns the first recipient after another, by subject, with a notification older
	// than age. It fails with [email.ErrNothingToSend] when there is none.
	NextOverdue(ctx context.Context, after string, age time.Duration) (string, error)
}

// Users looks up users' addresses.
type Users interface {
	// Address returns the verified address of a user. It fails with [email.ErrNoAddress].
	Address(ctx context.Context, subject string) (email.Address, error)
}

// Suppressions looks up addresses that have bounced or complained.
type Suppressions interface {
	Suppressed(ctx context.Context, address string) (bool, error)
}

// Links creates the links to unsubscribe.
type Links interface {
	NotificationSettings(ctx context.Context, subject, language string) (string, error)
}

// Messages creates messages from templates, as [email.Templates] does.
type Messages interface {
	Language(tag string) string
	Message(language, name string, to email.Address, data any) (email.Message, error)
}

// A Sender sends mails about comments.
type Sender struct {
	Store        Store
	Users        Users
	Suppressions Suppressions
	Links        Links
	Messages     Messages // the mail comments; its data is a [Mail]
	Mailer       email.Mailer
	Website      string // URL without a trailing slash
	Logger       *slog.Logger

	// LeaseDuration is how long a lease lasts, at least [email.MinLease]. It matters when its
	// holder dies: no other process sends the recipient's mail until it ends.
	LeaseDuration time.Duration

	// Window is how long the oldest comment of a mail waits for others, which is how long its
	// message is delayed. After two windows the message should have arrived long ago.
	Window time.Duration
}

// Send sends the recipient one mail about all unsent comments, once the oldest has waited for the
// window. Each comment has a message that arrives then: without the wait, the messages of comments
// that are in a mail already would send a mail for each new one. Send is idempotent and relies only
// on what is stored: it may be called repeatedly, late, by several processes at a time, or when
// there is nothing to send. Notifications of recipients who do not want mails, have no address or
// are suppressed are deleted without a mail. Each comment is in one mail, within the limits of
// [email.SendOnce].
//
// After an error the notifications remain stored, and Send must be retried: later if the error
// wraps [retry.ErrUnavailable], otherwise after a fix.
func (s *Sender) Send(ctx context.Context, recipient string) error {
	return email.SendOnce(ctx, &delivery{sender: s, recipient: recipient}, s.LeaseDuration)
}

// SendOverdue sends the mails of all recipients whose notifications are overdue: their messages
// were lost, or are in the dead-letter queue. It stops when sending is paused, as most other mails
// would fail too. Its error joins the errors of all failed mails.
//
// It iterates over the recipients from a random start. Otherwise a recipient whose mail always
// fails, and takes all the time or ends the run, could block all recipients after it.
func (s *Sender) SendOverdue(ctx context.Context) error {
	var failures []error
	begin := uuid.NewString() // subjects are UUIDs
	for at, second := begin, false; ; {
		recipient, err := s.Store.NextOverdue(ctx, at, 2*s.Window)
		ended := errors.Is(err, email.ErrNothingToSend)
		switch {
		case ended && !second:
			at, second = "", true
			continue
		case ended, second && recipient > begin:
			return errors.Join(failures...)
		case err != nil:
			return errors.Join(append(failures, err)...)
		case !deadline.HasTimeFor(ctx, email.MinLease):
			err := fmt.Errorf("%w: too little time to send all overdue mails", retry.ErrUnavailable)
			return errors.Join(append(failures, err)...)
		}
		at = recipient
		err = s.Send(ctx, recipient)
		if err != nil {
			failures = append(failures, err)
		}
		if errors.Is(err, email.ErrSendingPaused) {
			return errors.Join(failures...)
		}
	}
}

// A delivery is one recipient's mail. It is an [email.Delivery].
type delivery struct {
	sender    *Sender
	recipient string
	lease     Lease
}

func (d *delivery) Lease(ctx context.Context, duration time.Duration) (err error) {
	age := max(0, d.sender.Window-clockSkew)
	d.lease, err = d.sender.Store.Lease(ctx, d.recipient, age, duration)
	return err
}

func (d *delivery) Send(ctx context.Context) error {
	s, digest := d.sender, d.lease.Digest
	if digest.Unwanted {
		return nil
	}
	to, err := s.Users.Address(ctx, digest.Recipient)
	if errors.Is(err, email.ErrNoAddress) {
		return nil
	}
	if err != nil {
		return err
	}
	suppressed, err := s.Suppressions.Suppressed(ctx, to.Key())
	if err != nil || suppressed {
		return err
	}
	message, err := s.message(ctx, to, digest)
	if err != nil {
		return err
	}
	// The log contains no address or subject, but the first comment's id: it identifies the
	// recipient in the database.
	logger := s.Logger.With("comment", digest.Comments[0].ID.String(), "comments", digest.Count)
	id, err := s.Mailer.Send(ctx, message)
	if errors.Is(err, email.ErrAddressRejected) {
		logger.WarnContext(ctx, "notification not sent: address rejected", "error", err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "notification sent", "mail", id)
	return nil
}

func (d *delivery) Acknowledge(ctx context.Context) error {
	return d.sender.Store.Acknowledge(ctx, d.lease)
}

func (d *delivery) Release(ctx context.Context) error {
	return d.sender.Store.Release(ctx, d.lease)
}
