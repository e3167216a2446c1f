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

const (
	// sendTime is what it takes to look everything up and send a mail, on a slow day.
	sendTime = 5 * time.Second

	// settleTime is kept for noting what has become of a mail, or for giving the claim back.
	settleTime = 5 * time.Second
)

// early is how much a message may come before the end of its window, by the database's clock.
const early = 5 * time.Second

// ShortestLease is the least that [Teller.Lease] may be.
const ShortestLease = sendTime + settleTime

// A Store is where notices are kept. Errors that may be gone later wrap [retry.ErrUnavailable].
type Store interface {
	// Claim returns all that the recipient has not been told, if the oldest of it has that age. Nobody else gets it until
	// the claim is settled or released, or the lease has passed. It fails with [ErrNothing], or with [ErrClaimed] while
	// somebody else has it.
	Claim(ctx context.Context, recipient string, age, lease time.Duration) (Claim, error)

	// Settle takes out the notices of a claim, and the claim, however often it is told.
	Settle(ctx context.Context, claim Claim) error

	// Release gives a claim back, unless somebody else has it by now.
	Release(ctx context.Context, claim Claim) error

	// NextOverdue returns the first recipient after another, by subject, who has a notice older than age. It fails with
	// [ErrNothing] when there is none.
	NextOverdue(ctx context.Context, after string, age time.Duration) (string, error)
}

// Users are those who sign in.
type Users interface {
	// Address is where mails to a user go. It fails with [email.ErrNoAddress].
	Address(ctx context.Context, subject string) (email.Address, error)
}

// Suppressions are the addresses that have bounced or complained.
type Suppressions interface {
	Suppressed(ctx context.Context, address string) (bool, error)
}

// Links are those by which mails are ended.
type Links interface {
	CommentMails(ctx context.Context, subject, language string) (string, error)
}

// Messages is what mails say. [email.Templates] are such.
type Messages interface {
	Message(language, name string, to email.Address, data any) (email.Message, error)
}

// A Teller tells recipients what they have notices of.
type Teller struct {
	Store        Store
	Users        Users
	Suppressions Suppressions
	Links        Links
	Messages     Messages // has the mail comments, of a [Mail]
	Mailer       email.Mailer
	Website      string // without a slash at the end
	Logger       *slog.Logger

	// Lease is how long a claim lasts, at least [ShortestLease]. It begins to matter when its holder dies: so long nobody
	// else tells the recipient.
	Lease time.Duration

	// Window is how long the oldest comment of a mail waits for others, which is how long its message is delayed. After two
	// windows the message should have come long ago.
	Window time.Duration
}

// enoughTime tells whether another recipient may be told before ctx ends.
func enoughTime(ctx context.Context) bool {
	return deadline.HasTimeFor(ctx, sendTime+settleTime)
}

// Tell sends the recipient one mail about all comments that he or she has not been told of, once the oldest has waited for
// the window. Each comment has a message that comes then: without the wait, the messages of those which are told already
// would bring a mail for each that is new. There may be none any more: it believes nothing but what is kept, and may be
// called often, late, and by several at a time. Notices of whom no mail may go to are taken out without one.
//
// A comment is told twice only if the first mail was accepted and nobody could note it: the answer was lost, the process
// died, or the store was out of reach until the deadline.
//
// After an error the notices are there, and Tell has to be called again: in a while if it wraps [retry.ErrUnavailable], else when
// somebody has done something.
func (t *Teller) Tell(ctx context.Context, recipient string) error {
	if !enoughTime(ctx) {
		return fmt.Errorf("%w: no time is left to tell anybody", retry.ErrUnavailable)
	}
	begun := time.Now() // the lease begins later
	claim, err := t.Store.Claim(ctx, recipient, max(0, t.Window-early), t.Lease)
	switch {
	case errors.Is(err, ErrNothing):
		return nil
	case errors.Is(err, ErrClaimed):
		return fmt.Errorf("%w: %w", retry.ErrUnavailable, err)
	case err != nil:
		return err
	}
	if err := t.send(ctx, claim.Digest, begun.Add(t.Lease)); err != nil {
		if failure := t.Store.Release(ctx, claim); failure != nil {
			return errors.Join(err, failure) // the lease ends by itself
		}
		return err
	}
	return t.settle(ctx, claim)
}

// send returns nil when there is nothing left to be sent: the mail was accepted, or none is to be. It is over before the
// lease ends, and while there is time to note it.
func (t *Teller) send(ctx context.Context, digest Digest, leased time.Time) error {
	end := leased
	if last, ok := ctx.Deadline(); ok && last.Before(end) {
		end = last
	}
	ctx, cancel := context.WithDeadline(ctx, end.Add(-settleTime))
	defer cancel()
	if digest.Unwanted {
		return nil
	}
	to, err := t.Users.Address(ctx, digest.Recipient)
	if errors.Is(err, email.ErrNoAddress) {
		return nil
	}
	if err != nil {
		return err
	}
	suppressed, err := t.Suppressions.Suppressed(ctx, to.Key())
	if err != nil || suppressed {
		return err
	}
	message, err := t.message(ctx, to, digest)
	if err != nil {
		return err
	}
	// Nobody's address or subject is logged, but the first comment's id: by it, the recipient is found in the database.
	first := digest.Comments[0].ID.String()
	id, err := t.Mailer.Send(ctx, message)
	if errors.Is(err, email.ErrRefused) {
		t.Logger.WarnContext(ctx, "comments are not told of: the mail is refused", "comment", first, "comments", digest.Count, "error", err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	t.Logger.InfoContext(ctx, "comments are told of", "comment", first, "comments", digest.Count, "mail", id)
	return nil
}

// settle tries again until ctx ends: what is not settled is told again.
func (t *Teller) settle(ctx context.Context, claim Claim) error {
	if err := retry.Do(ctx, func() error { return t.Store.Settle(ctx, claim) }); err != nil {
		return fmt.Errorf("the notices are not taken out: %w", err)
	}
	return nil
}

// Sweep tells all whom nobody has told though it is long since due: their messages were lost, or given up. It stops at the
// first mail that is held, as most others would be. Its error joins those of all whom it could not tell.
//
// It goes through the recipients from a place that is another one each time, so that whom nobody can tell, and who takes all
// the time or ends the sweep, is not always before the others.
func (t *Teller) Sweep(ctx context.Context) error {
	var failures []error
	begin := uuid.NewString() // as subjects are
	for at, second := begin, false; ; {
		recipient, err := t.Store.NextOverdue(ctx, at, 2*t.Window)
		ended := errors.Is(err, ErrNothing)
		switch {
		case ended && !second:
			at, second = "", true
			continue
		case ended, second && recipient > begin:
			return errors.Join(failures...)
		case err != nil:
			return errors.Join(append(failures, err)...)
		case !enoughTime(ctx):
			return errors.Join(append(failures, fmt.Errorf("%w: no time is left for all who are to be told", retry.ErrUnavailable))...)
		}
		at = recipient
		err = t.Tell(ctx, recipient)
		if err != nil {
			failures = append(failures, err)
		}
		if errors.Is(err, email.ErrHeld) {
			return errors.Join(failures...)
		}
	}
}
