package mailinglist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const (
	// sendTime is what a mail may take that is not the only one to be sent at the moment.
	sendTime = 5 * time.Second

	// markTime is kept for noting what has become of a mail, or for giving the claim back.
	markTime = 5 * time.Second
)

// ShortestLease is the least that [Sender.Lease] may be.
const ShortestLease = sendTime + markTime

// Subscriptions is where they are kept. Errors that may be gone later wrap [retry.ErrUnavailable].
type Subscriptions interface {
	// Claim takes the right to send the mail of the subscription that key names. It fails with [ErrNotFound] when there is no
	// such subscription, or none that waits for its mail, and with a [*ClaimedError] when somebody else has the right.
	Claim(ctx context.Context, key Key, now, until time.Time) (Claim, error)

	// MarkSent notes that the mail was sent, however often it is told. It fails with [ErrNotFound] when the subscription has
	// gone, or somebody else has claimed the mail meanwhile.
	MarkSent(ctx context.Context, claim Claim, messageID string, now time.Time) error

	// MarkRefused notes that the mail will never be sent, and why. It fails like MarkSent.
	MarkRefused(ctx context.Context, claim Claim, reason string) error

	// Release gives a claim back, unless somebody else has it by now.
	Release(ctx context.Context, claim Claim) error

	// Suppressed tells whether nothing may be sent to the address.
	Suppressed(ctx context.Context, address string) (bool, error)

	// Waiting goes through the subscriptions that wait for their mails and were made before a time, the oldest first. After an
	// error it may go on.
	Waiting(ctx context.Context, before time.Time) iter.Seq2[Key, error]
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

	// Lease is how long a claim lasts, at least [ShortestLease]. It begins to matter when its holder dies: so long nobody
	// else sends the mail.
	Lease time.Duration
}

// Send sends the mail of the subscription that key names, unless that was done, or is not to be done any more. It believes
// nothing but what is kept: it may be told of a subscription often, late, by several at a time, or of one that has gone.
//
// Of one subscription two mails are sent only if the first was accepted and nobody could note it: the answer was lost, the
// process died, or the subscriptions were out of reach until the claim's end. Nothing can rule that out, since noting it
// first would lose the mail instead.
//
// An error that wraps [retry.ErrUnavailable] asks to be told again; after any other, a person has to do something first.
func (s *Sender) Send(ctx context.Context, key Key) error {
	claim, err := s.claim(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	id, err := s.deliver(ctx, claim)
	switch {
	case err == nil:
		return note(ctx, func() error { return s.Subscriptions.MarkSent(ctx, claim, id, time.Now()) })
	case errors.Is(err, email.ErrRefused):
		return note(ctx, func() error { return s.Subscriptions.MarkRefused(ctx, claim, err.Error()) })
	}
	if failure := s.Subscriptions.Release(ctx, claim); failure != nil {
		return errors.Join(err, failure) // the lease ends by itself
	}
	return err
}

// SendWaiting sends the mails of all subscriptions that wait for theirs, the oldest first. It ends where all others would
// fail as well: when mails are held, or something is away for the moment. What is wrong with one keeps no other from its
// mail; the error is that of the first such.
func (s *Sender) SendWaiting(ctx context.Context) error {
	var failure error
	for key, err := range s.Subscriptions.Waiting(ctx, time.Now()) {
		if err == nil {
			err = s.Send(ctx, key)
		}
		if errors.Is(err, email.ErrHeld) || errors.Is(err, retry.ErrUnavailable) {
			return err
		}
		if err != nil {
			failure = cmp.Or(failure, fmt.Errorf("subscription %s: %w", key.ID, err))
		}
	}
	return failure
}

// claim waits for the end of another's claim if there is time enough to send the mail after it.
func (s *Sender) claim(ctx context.Context, key Key) (Claim, error) {
	for {
		if !deadline.HasTimeFor(ctx, sendTime+markTime) {
			return Claim{}, fmt.Errorf("%w: no time is left to send the mail", retry.ErrUnavailable)
		}
		now := time.Now()
		claim, err := s.Subscriptions.Claim(ctx, key, now, now.Add(s.Lease))
		claimed, ok := errors.AsType[*ClaimedError](err)
		if !ok {
			return claim, err
		}
		rest := max(time.Until(claimed.Until), 0) + time.Millisecond
		if !deadline.HasTimeFor(ctx, rest+sendTime+markTime) {
			return Claim{}, fmt.Errorf("%w: %w", retry.ErrUnavailable, err)
		}
		if err := retry.Wait(ctx, rest); err != nil {
			return Claim{}, err
		}
	}
}

// deliver sends the mail of a claim, and ends while there is time to note it.
func (s *Sender) deliver(ctx context.Context, claim Claim) (id string, err error) {
	suppressed, err := s.Subscriptions.Suppressed(ctx, claim.Address)
	if err != nil {
		return "", err
	}
	if suppressed {
		return "", fmt.Errorf("%w: the address has bounced or complained", email.ErrRefused)
	}
	name := "confirm"
	if claim.Kind == Subscribed {
		name = "welcome"
	}
	message, err := s.Messages.Message(email.Language(claim.Language), name, claim.To, claim.Subscription)
	if err != nil {
		return "", err
	}
	if claim.Kind == Subscribed {
		message.Unsubscribe = claim.Link
	}
	end := claim.Until
	if last, ok := ctx.Deadline(); ok && last.Before(end) {
		end = last
	}
	ctx, cancel := context.WithDeadline(ctx, end.Add(-markTime))
	defer cancel()
	return s.Mailer.Send(ctx, message)
}

// note tries again until ctx ends: what is not noted is sent again.
func note(ctx context.Context, mark func() error) error {
	err := retry.Do(ctx, func() error {
		err := mark()
		if errors.Is(err, ErrNotFound) { // nobody is left to be told, or somebody else is at it
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("what has become of the mail is not noted: %w", err)
	}
	return nil
}
