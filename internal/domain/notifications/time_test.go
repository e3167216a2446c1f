package notifications_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// A silent SES takes a mail's time, whatever that is. Looking the mail's recipient up has taken a while.
type silent struct {
	reader
	leased, ended, released time.Time
}

func (s *silent) Lease(context.Context, string, time.Duration, time.Duration) (notifications.Lease, error) {
	s.leased = time.Now()
	time.Sleep(2 * time.Second) // for the answer; the lease has begun
	return notifications.Lease{Holder: uuid.New(), Digest: notifications.Digest{Count: 1, Comments: []notifications.Comment{{}}}}, nil
}

func (s *silent) Release(ctx context.Context, _ notifications.Lease) error {
	s.released = time.Now()
	return ctx.Err()
}

func (s *silent) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (s *silent) Send(ctx context.Context, _ email.Message) (string, error) {
	<-ctx.Done()
	s.ended = time.Now()
	return "", errFault
}

// TestAMailIsGivenUpWhileThereIsTimeToNoteIt has SES not answer: the lease is given back five seconds before it ends by
// itself, and before the function does.
func TestAMailIsGivenUpWhileThereIsTimeToNoteIt(t *testing.T) {
	for name, test := range map[string]struct{ leaseDuration, deadline, want time.Duration }{
		"the lease ends first":    {30 * time.Second, time.Minute, 25 * time.Second},
		"the function ends first": {30 * time.Second, 20 * time.Second, 15 * time.Second},
		"the shortest lease":      {email.MinLease, time.Minute, 5 * time.Second},
		"nothing but the lease":   {30 * time.Second, 0, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(silent)
				sender := &notifications.Sender{Store: s, Users: s, Suppressions: s, Links: s, Messages: s, Mailer: s,
					Logger: slog.New(slog.DiscardHandler), LeaseDuration: test.leaseDuration}
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				if err := sender.Send(ctx, "ada"); !errors.Is(err, retry.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want ErrUnavailable, and the lease given back", err)
				}
				if took := s.ended.Sub(s.leased); took != test.want || s.released != s.ended {
					t.Errorf("it was given up after %s, want %s; released at %s", took, test.want, s.released.Sub(s.leased))
				}
			})
		})
	}
}

// TestNobodyIsLeasedWithoutTimeToTell has a function be about to end.
func TestNobodyIsLeasedWithoutTimeToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(silent)
		sender := &notifications.Sender{Store: s, LeaseDuration: time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), email.MinLease-time.Millisecond)
		defer cancel()
		if err := sender.Send(ctx, "ada"); !errors.Is(err, retry.ErrUnavailable) || !s.leased.IsZero() {
			t.Errorf("got %v, want ErrUnavailable and no lease", err)
		}
	})
}
