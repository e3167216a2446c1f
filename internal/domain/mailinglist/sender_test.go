package mailinglist_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// A controlled process's calls succeed, unless a test replaces them.
type controlled struct {
	*process
	send func(context.Context, email.Message) error
	mark func() error
	sent []email.Message // passed to Send

	unsentErr error // yielded by Unsent before all keys
}

func (c *controlled) Lease(
	ctx context.Context, key mailinglist.Key, now, until time.Time,
) (mailinglist.Lease, error) {
	return call(c, func() (mailinglist.Lease, error) {
		return c.process.Lease(ctx, key, now, until)
	})
}

func (c *controlled) Suppressed(ctx context.Context, address string) (bool, error) {
	return call(c, func() (bool, error) { return c.process.Suppressed(ctx, address) })
}

func (c *controlled) Unsent(
	ctx context.Context, before time.Time,
) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		if c.unsentErr != nil && !yield(mailinglist.Key{}, c.unsentErr) {
			return
		}
		unsent, _ := call(c, func() (iter.Seq2[mailinglist.Key, error], error) {
			return c.process.Unsent(ctx, before), nil
		})
		unsent(yield)
	}
}

func (c *controlled) MarkSent(
	ctx context.Context, lease mailinglist.Lease, id string, now time.Time,
) error {
	_, err := call(c, func() (any, error) {
		return nil, c.process.MarkSent(ctx, lease, id, now)
	})
	if err == nil && c.mark != nil {
		return c.mark()
	}
	return err
}

func (c *controlled) MarkRejected(
	ctx context.Context, lease mailinglist.Lease, reason string,
) error {
	_, err := call(c, func() (any, error) {
		return nil, c.process.MarkRejected(ctx, lease, reason)
	})
	return err
}

func (c *controlled) Release(ctx context.Context, lease mailinglist.Lease) error {
	_, err := call(c, func() (any, error) { return nil, c.process.Release(ctx, lease) })
	return err
}

func (c *controlled) Send(ctx context.Context, message email.Message) (string, error) {
	c.sent = append(c.sent, message)
	if c.send != nil {
		if err := c.send(ctx, message); err != nil {
			return "", err
		}
	}
	return call(c, func() (string, error) { return c.process.Send(ctx, message) })
}

// call lets a call of the process succeed immediately.
func call[T any](c *controlled, do func() (T, error)) (T, error) {
	go func() { c.outcomes <- succeeds }()
	return do()
}

// testSender runs a test in a bubble with a world and one sender.
func testSender(
	t *testing.T, leaseDuration time.Duration,
	test func(t *testing.T, w *world, c *controlled, s *mailinglist.Sender),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := &controlled{process: &process{world: w, outcomes: make(chan outcome)}}
		test(t, w, c, &mailinglist.Sender{
			Subscriptions: c, Messages: messages{}, Mailer: c, LeaseDuration: leaseDuration,
		})
	})
}

func within(t *testing.T, duration time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	t.Cleanup(cancel)
	return ctx
}

func TestSender_Send_mail_of_each_kind(t *testing.T) {
	for kind, want := range map[mailinglist.Kind]email.Message{
		mailinglist.Pending: {Subject: "ko-KR/confirm"}, // no link that mail clients may follow
		mailinglist.Subscribed: {
			Subject:     "ko-KR/welcome",
			Unsubscribe: "https://example.com/00000000-0000-0000-0000-000000000001",
		},
	} {
		testSender(t, leaseDuration, func(
			t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
		) {
			w.subscribe("ada@example.com", kind)
			want.To = "ada@example.com"
			err := s.Send(within(t, timeout), w.queue[0])
			if err != nil || !slices.Equal(c.sent, []email.Message{want}) {
				t.Errorf("%s: mails %+v, %v; want %+v", kind, c.sent, err, want)
			}
		})
	}
}

// TestSender_Send_releases_the_lease_in_time covers an SES that does not respond: the lease is
// released before it ends, and before the function ends.
func TestSender_Send_releases_the_lease_in_time(t *testing.T) {
	for _, test := range []struct{ leaseDuration, timeout, want time.Duration }{
		{20 * time.Second, time.Minute, 15 * time.Second},
		{time.Minute, 20 * time.Second, 15 * time.Second},
	} {
		testSender(t, test.leaseDuration, func(
			t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
		) {
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			c.send = func(ctx context.Context, _ email.Message) error {
				<-ctx.Done()
				return errFault
			}
			start := time.Now()
			err := s.Send(within(t, test.timeout), w.queue[0])
			took, until := time.Since(start), w.items[0].until
			if !errors.Is(err, retry.ErrUnavailable) || took != test.want || !until.IsZero() {
				t.Errorf("error %v after %s, leased until %s; want ErrUnavailable after %s, no "+
					"lease",
					err, took, until, test.want)
			}
		})
	}
}

func TestSender_Send_ignores_an_unsubscription_before_the_acknowledgement(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		c.send = func(context.Context, email.Message) error {
			w.unsubscribe("ada@example.com")
			return nil
		}
		start := time.Now()
		err := s.Send(within(t, timeout), w.queue[0])
		if err != nil || time.Since(start) > 0 {
			t.Errorf("error %v after %s, want none immediately", err, time.Since(start))
		}
	})
}

func TestSender_Send_acknowledges_until_the_deadline(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		tries := 0
		c.mark = func() error {
			tries++
			return errors.New("on purpose")
		}
		start := time.Now()
		err := s.Send(within(t, timeout), w.queue[0])
		took := time.Since(start)
		if !errors.Is(err, retry.ErrUnavailable) || took != timeout || tries < 50 ||
			len(c.sent) != 1 {
			t.Errorf("error %v after %s and %d tries, %d mails", err, took, tries, len(c.sent))
		}
	})
}

func TestSender_Send_waits_for_the_end_of_a_lease(t *testing.T) {
	for _, test := range []struct {
		left, timeout time.Duration
		sent          bool
	}{
		{15 * time.Second, timeout, true},
		{15 * time.Second, 27 * time.Second, true},
		{15 * time.Second, 25 * time.Second, false}, // too late to send a mail
		{0, 9 * time.Second, false},
	} {
		testSender(t, leaseDuration, func(
			t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
		) {
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			start := time.Now()
			w.items[0].until = start.Add(test.left)
			err := s.Send(within(t, test.timeout), w.queue[0])
			took := time.Since(start)
			if test.sent && (err != nil || took < test.left || took > test.left+time.Second ||
				w.items[0].unsent) {
				t.Errorf("%+v: error %v after %s", test, err, took)
			}
			if !test.sent && (!errors.Is(err, retry.ErrUnavailable) || took > 0 ||
				len(c.sent) > 0) {
				t.Errorf("%+v: error %v after %s, %d mails; want ErrUnavailable immediately",
					test, err, took, len(c.sent))
			}
		})
	}
}

func TestSender_Send_fails_permanently_without_a_template(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		s.Messages = broken{}
		err := s.Send(within(t, timeout), w.queue[0])
		item := w.items[0]
		if !errors.Is(err, errBroken) || errors.Is(err, retry.ErrUnavailable) ||
			len(c.sent) > 0 || !item.until.IsZero() || !item.unsent {
			t.Errorf("error %v, mails %+v, item %+v", err, c.sent, item)
		}
	})
}

var errBroken = errors.New("no such template")

type broken struct{}

func (broken) Message(string, string, email.Address, any) (email.Message, error) {
	return email.Message{}, errBroken
}

func TestSender_SendUnsent_oldest_first(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		const many = 250
		for range many {
			w.subscribe(string(rune('a'+len(w.items)))+"@example.com", mailinglist.Subscribed)
		}
		if err := s.SendUnsent(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, message := range c.sent {
			if message.To != w.items[i].subscription.To {
				t.Fatalf("mail %d is to %s, want %s", i, message.To, w.items[i].subscription.To)
			}
		}
		if len(c.sent) != many {
			t.Errorf("%d mails, want %d", len(c.sent), many)
		}
	})
}

// TestSender_SendUnsent_continues_after_a_failed_mail covers an oldest mail that is undeliverable,
// after an item that is not a subscription.
func TestSender_SendUnsent_continues_after_a_failed_mail(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		for _, name := range []string{"undeliverable", "ada", "undeliverable2", "eve"} {
			w.subscribe(name+"@example.com", mailinglist.Subscribed)
		}
		c.unsentErr = errors.New("not a subscription")
		c.send = func(_ context.Context, message email.Message) error {
			if strings.HasPrefix(string(message.To), "undeliverable") {
				return email.ErrUndeliverable
			}
			return nil
		}
		err := s.SendUnsent(within(t, timeout))
		if !errors.Is(err, c.unsentErr) || errors.Is(err, retry.ErrUnavailable) ||
			len(w.mails) != 2 || !w.items[0].unsent || !w.items[2].unsent {
			t.Errorf("error %v, mails %v", err, w.mails)
		}
		c.unsentErr = nil
		err = s.SendUnsent(within(t, timeout))
		first := w.items[0].subscription.ID.String()
		if !errors.Is(err, email.ErrUndeliverable) || !strings.Contains(err.Error(), first) {
			t.Errorf("error %v, want that of the first undeliverable mail", err)
		}
	})
}

// TestSender_SendUnsent_stops_after_a_temporary_failure: a retry sends all unsent mails.
func TestSender_SendUnsent_stops_after_a_temporary_failure(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		for _, name := range []string{"undeliverable", "ada", "eve"} {
			w.subscribe(name+"@example.com", mailinglist.Subscribed)
		}
		c.send = func(_ context.Context, message email.Message) error {
			if strings.HasPrefix(string(message.To), "undeliverable") {
				return email.ErrUndeliverable
			}
			return errFault
		}
		err := s.SendUnsent(within(t, timeout))
		if !errors.Is(err, retry.ErrUnavailable) || len(c.sent) != 2 {
			t.Errorf("error %v after %d mails", err, len(c.sent))
		}
	})
}

func TestSender_SendUnsent_stops_when_sending_is_paused(t *testing.T) {
	testSender(t, leaseDuration, func(
		t *testing.T, w *world, c *controlled, s *mailinglist.Sender,
	) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		w.subscribe("eve@example.com", mailinglist.Subscribed)
		c.send = func(context.Context, email.Message) error { return email.ErrSendingPaused }
		err := s.SendUnsent(within(t, timeout))
		if !errors.Is(err, email.ErrSendingPaused) || len(c.sent) != 1 {
			t.Errorf("error %v after %d mails", err, len(c.sent))
		}
	})
}
