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

// A calm sender's calls all work, unless a test has something else in their place.
type calm struct {
	*process
	send func(context.Context, email.Message) error
	mark func() error
	said []email.Message

	waiting error // before all who wait
}

func (c *calm) Lease(ctx context.Context, key mailinglist.Key, now, until time.Time) (mailinglist.Lease, error) {
	return call(c, func() (mailinglist.Lease, error) { return c.process.Lease(ctx, key, now, until) })
}

func (c *calm) Suppressed(ctx context.Context, address string) (bool, error) {
	return call(c, func() (bool, error) { return c.process.Suppressed(ctx, address) })
}

func (c *calm) Unsent(ctx context.Context, before time.Time) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		if c.waiting != nil && !yield(mailinglist.Key{}, c.waiting) {
			return
		}
		waiting, _ := call(c, func() (iter.Seq2[mailinglist.Key, error], error) { return c.process.Unsent(ctx, before), nil })
		waiting(yield)
	}
}

func (c *calm) MarkSent(ctx context.Context, lease mailinglist.Lease, id string, now time.Time) error {
	_, err := call(c, func() (any, error) { return nil, c.process.MarkSent(ctx, lease, id, now) })
	if err == nil && c.mark != nil {
		return c.mark()
	}
	return err
}

func (c *calm) MarkRejected(ctx context.Context, lease mailinglist.Lease, reason string) error {
	_, err := call(c, func() (any, error) { return nil, c.process.MarkRejected(ctx, lease, reason) })
	return err
}

func (c *calm) Release(ctx context.Context, lease mailinglist.Lease) error {
	_, err := call(c, func() (any, error) { return nil, c.process.Release(ctx, lease) })
	return err
}

func (c *calm) Send(ctx context.Context, message email.Message) (string, error) {
	c.said = append(c.said, message)
	if c.send != nil {
		if err := c.send(ctx, message); err != nil {
			return "", err
		}
	}
	return call(c, func() (string, error) { return c.process.Send(ctx, message) })
}

// call lets a call work at once.
func call[T any](c *calm, do func() (T, error)) (T, error) {
	go func() { c.fates <- works }()
	return do()
}

// calmly gives a test a world in a bubble with one sender.
func calmly(t *testing.T, leaseDuration time.Duration, test func(t *testing.T, w *world, c *calm, s *mailinglist.Sender)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := &calm{process: &process{world: w, fates: make(chan fate)}}
		test(t, w, c, &mailinglist.Sender{Subscriptions: c, Messages: messages{}, Mailer: c, LeaseDuration: leaseDuration})
	})
}

func within(t *testing.T, duration time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	t.Cleanup(cancel)
	return ctx
}

func TestEachKindHasItsMail(t *testing.T) {
	for kind, want := range map[mailinglist.Kind]email.Message{
		mailinglist.Pending:    {Subject: "ko/confirm"}, // whose link must not be followed by a mail client
		mailinglist.Subscribed: {Subject: "ko/welcome", Unsubscribe: "https://example.com/00000000-0000-0000-0000-000000000001"},
	} {
		calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
			w.subscribe("ada@example.com", kind)
			want.To = "ada@example.com"
			if err := s.Send(within(t, timeout), w.hints[0]); err != nil || !slices.Equal(c.said, []email.Message{want}) {
				t.Errorf("%s: mails %+v, %v; want %+v", kind, c.said, err, want)
			}
		})
	}
}

// TestAMailEndsWhileThereIsTimeToNoteIt has SES be silent. The lease is given back before it ends, and before the function.
func TestAMailEndsWhileThereIsTimeToNoteIt(t *testing.T) {
	for _, test := range []struct{ leaseDuration, timeout, want time.Duration }{
		{20 * time.Second, time.Minute, 15 * time.Second},
		{time.Minute, 20 * time.Second, 15 * time.Second},
	} {
		calmly(t, test.leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			c.send = func(ctx context.Context, _ email.Message) error {
				<-ctx.Done()
				return errFault
			}
			began := time.Now()
			err := s.Send(within(t, test.timeout), w.hints[0])
			if took := time.Since(began); !errors.Is(err, retry.ErrUnavailable) || took != test.want || !w.items[0].until.IsZero() {
				t.Errorf("error %v after %s, leased until %s; want ErrUnavailable after %s, and no lease", err, took, w.items[0].until, test.want)
			}
		})
	}
}

func TestWhoeverLeavesBeforeTheNoteIsNotLookedForAnyLonger(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		c.send = func(context.Context, email.Message) error {
			w.leave("ada@example.com")
			return nil
		}
		began := time.Now()
		if err := s.Send(within(t, timeout), w.hints[0]); err != nil || time.Since(began) > 0 {
			t.Errorf("error %v after %s, want none at once", err, time.Since(began))
		}
	})
}

func TestANoteIsTriedUntilTheDeadline(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		tried := 0
		c.mark = func() error {
			tried++
			return errors.New("on purpose")
		}
		began := time.Now()
		err := s.Send(within(t, timeout), w.hints[0])
		if took := time.Since(began); !errors.Is(err, retry.ErrUnavailable) || took != timeout || tried < 50 || len(c.said) != 1 {
			t.Errorf("error %v after %s and %d attempts, %d mails", err, took, tried, len(c.said))
		}
	})
}

func TestAClaimIsWaitedFor(t *testing.T) {
	for _, test := range []struct {
		left, timeout time.Duration
		sent          bool
	}{
		{15 * time.Second, timeout, true},
		{15 * time.Second, 27 * time.Second, true},
		{15 * time.Second, 25 * time.Second, false}, // too late to send a mail
		{0, 9 * time.Second, false},
	} {
		calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			began := time.Now()
			w.items[0].until = began.Add(test.left)
			err := s.Send(within(t, test.timeout), w.hints[0])
			took := time.Since(began)
			if test.sent && (err != nil || took < test.left || took > test.left+time.Second || w.items[0].waiting) {
				t.Errorf("%+v: error %v after %s", test, err, took)
			}
			if !test.sent && (!errors.Is(err, retry.ErrUnavailable) || took > 0 || len(c.said) > 0) {
				t.Errorf("%+v: error %v after %s, %d mails; want ErrUnavailable at once", test, err, took, len(c.said))
			}
		})
	}
}

func TestAMailThatCannotBeWrittenIsForAPerson(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		s.Messages = broken{}
		err := s.Send(within(t, timeout), w.hints[0])
		if !errors.Is(err, errBroken) || errors.Is(err, retry.ErrUnavailable) || len(c.said) > 0 || !w.items[0].until.IsZero() || !w.items[0].waiting {
			t.Errorf("error %v, mails %+v, item %+v", err, c.said, w.items[0])
		}
	})
}

var errBroken = errors.New("no such template")

type broken struct{}

func (broken) Message(string, string, email.Address, any) (email.Message, error) {
	return email.Message{}, errBroken
}

func TestAllThatWaitGetTheirMailsTheOldestFirst(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		const many = 250
		for range many {
			w.subscribe(string(rune('a'+len(w.items)))+"@example.com", mailinglist.Subscribed)
		}
		if err := s.SendUnsent(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, message := range c.said {
			if message.To != w.items[i].subscription.To {
				t.Fatalf("mail %d is to %s, want %s", i, message.To, w.items[i].subscription.To)
			}
		}
		if len(c.said) != many {
			t.Errorf("%d mails, want %d", len(c.said), many)
		}
	})
}

// TestOneThatIsStuckKeepsNobodyElseWaiting has the oldest be one whose mail is not taken, and after what is no subscription.
func TestOneThatIsStuckKeepsNobodyElseWaiting(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		for _, name := range []string{"stuck", "ada", "stuck2", "eve"} {
			w.subscribe(name+"@example.com", mailinglist.Subscribed)
		}
		c.waiting = errors.New("no subscription")
		c.send = func(_ context.Context, message email.Message) error {
			if strings.HasPrefix(string(message.To), "stuck") {
				return email.ErrUndeliverable
			}
			return nil
		}
		err := s.SendUnsent(within(t, timeout))
		if !errors.Is(err, c.waiting) || errors.Is(err, retry.ErrUnavailable) || len(w.mails) != 2 || !w.items[0].waiting || !w.items[2].waiting {
			t.Errorf("error %v, mails %v", err, w.mails)
		}
		c.waiting = nil
		if err := s.SendUnsent(within(t, timeout)); !errors.Is(err, email.ErrUndeliverable) || !strings.Contains(err.Error(), w.items[0].subscription.ID.String()) {
			t.Errorf("error %v, want it to be of the first that is stuck", err)
		}
	})
}

// TestWhoWaitsIsLeftAloneWhenNothingWorks, and all of them are looked for again.
func TestWhoWaitsIsLeftAloneWhenNothingWorks(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		for _, name := range []string{"stuck", "ada", "eve"} {
			w.subscribe(name+"@example.com", mailinglist.Subscribed)
		}
		c.send = func(_ context.Context, message email.Message) error {
			if strings.HasPrefix(string(message.To), "stuck") {
				return email.ErrUndeliverable
			}
			return errFault
		}
		if err := s.SendUnsent(within(t, timeout)); !errors.Is(err, retry.ErrUnavailable) || len(c.said) != 2 {
			t.Errorf("error %v after %d mails", err, len(c.said))
		}
	})
}

// TestWhoWaitsIsLeftAloneWhenMailsAreHeld: each would be held.
func TestWhoWaitsIsLeftAloneWhenMailsAreHeld(t *testing.T) {
	calmly(t, leaseDuration, func(t *testing.T, w *world, c *calm, s *mailinglist.Sender) {
		w.subscribe("ada@example.com", mailinglist.Subscribed)
		w.subscribe("eve@example.com", mailinglist.Subscribed)
		c.send = func(context.Context, email.Message) error { return email.ErrSendingPaused }
		if err := s.SendUnsent(within(t, timeout)); !errors.Is(err, email.ErrSendingPaused) || len(c.said) != 1 {
			t.Errorf("error %v after %d mails", err, len(c.said))
		}
	})
}
