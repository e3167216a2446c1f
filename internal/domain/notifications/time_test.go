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

// A silent SES does not respond. Its Lease takes two seconds.
type silent struct {
	singleDigest
	leased, ended, released time.Time
}

func (s *silent) Lease(
	context.Context, string, time.Duration, time.Duration,
) (notifications.Lease, error) {
	s.leased = time.Now()
	time.Sleep(2 * time.Second) // until the response; the lease has started
	digest := notifications.Digest{Count: 1, Comments: []notifications.Comment{{}}}
	return notifications.Lease{Holder: uuid.New(), Digest: digest}, nil
}

func (s *silent) Release(ctx context.Context, _ notifications.Lease) error {
	s.released = time.Now()
	return ctx.Err()
}

func (*silent) Language(tag string) string { return tag }

func (s *silent) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (s *silent) Send(ctx context.Context, _ email.Message) (string, error) {
	<-ctx.Done()
	s.ended = time.Now()
	return "", errFault
}

// TestSender_Send_releases_the_lease_in_time covers an SES that does not respond: the lease is
// released five seconds before it ends, and before the function ends.
func TestSender_Send_releases_the_lease_in_time(t *testing.T) {
	for name, test := range map[string]struct{ leaseDuration, deadline, want time.Duration }{
		"the lease ends first":    {30 * time.Second, time.Minute, 25 * time.Second},
		"the function ends first": {30 * time.Second, 20 * time.Second, 15 * time.Second},
		"the shortest lease":      {email.MinLease, time.Minute, 5 * time.Second},
		"no deadline":             {30 * time.Second, 0, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(silent)
				sender := &notifications.Sender{
					Store: s, Users: s, Suppressions: s, Links: s, Messages: s, Mailer: s,
					Logger:        slog.New(slog.DiscardHandler),
					LeaseDuration: test.leaseDuration,
				}
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				err := sender.Send(ctx, "ada")
				if !errors.Is(err, retry.ErrUnavailable) ||
					errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want ErrUnavailable, and the lease released", err)
				}
				if took := s.ended.Sub(s.leased); took != test.want || s.released != s.ended {
					t.Errorf("sending ended after %s, want %s; released after %s",
						took, test.want, s.released.Sub(s.leased))
				}
			})
		})
	}
}

// TestSender_Send_fails_without_time covers a function that is about to end.
func TestSender_Send_fails_without_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(silent)
		sender := &notifications.Sender{Store: s, LeaseDuration: time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), email.MinLease-time.Millisecond)
		defer cancel()
		err := sender.Send(ctx, "ada")
		if !errors.Is(err, retry.ErrUnavailable) || !s.leased.IsZero() {
			t.Errorf("got %v, want ErrUnavailable and no lease", err)
		}
	})
}
