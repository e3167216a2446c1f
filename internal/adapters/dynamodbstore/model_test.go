package dynamodbstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// A model is the mailing list as its methods are meant, without DynamoDB.
type model struct {
	now    time.Time
	kept   map[mailinglist.Key]*entry // with the nil ID
	leases []mailinglist.Lease        // all that there ever were
	ids    []uuid.UUID                // of all that have subscribed
}

// An entry is what is kept of an address: a subscription, pending or not, or a suppression.
type entry struct {
	mailinglist.Subscription
	waiting bool
	holder  uuid.UUID
	until   time.Time // of the lease
	more    row       // that the table has besides
}

func (e *entry) expired(now time.Time) bool {
	return e.Kind == mailinglist.Pending && !e.CreatedAt.Add(24*time.Hour).After(now)
}

func (m *model) find(address string, kind mailinglist.Kind) *entry {
	return m.kept[mailinglist.Key{Address: address, Kind: kind}]
}

func (m *model) forget(address string, kind mailinglist.Kind) {
	delete(m.kept, mailinglist.Key{Address: address, Kind: kind})
}

// subscriptions are the keys of all that there are, pending or not.
func (m *model) subscriptions() []mailinglist.Key {
	var keys []mailinglist.Key
	for key, e := range m.kept {
		if key.Kind != mailinglist.Suppressed {
			keys = append(keys, e.Key)
		}
	}
	slices.SortFunc(keys, func(a, b mailinglist.Key) int { return cmp.Compare(a.Address+string(a.Kind), b.Address+string(b.Kind)) })
	return keys
}

func (m *model) put(s mailinglist.Subscription) {
	m.kept[mailinglist.Key{Address: s.Address, Kind: s.Kind}] = &entry{Subscription: s, waiting: true, more: row{}}
}

func (m *model) subscribe(s mailinglist.Subscription) error {
	there := m.find(s.Address, s.Kind)
	if m.find(s.Address, mailinglist.Subscribed) == nil && (there == nil || there.expired(m.now)) {
		m.put(s)
	}
	return nil
}

func (m *model) confirm(s mailinglist.Subscription) error {
	pending, subscribed := m.find(s.Address, mailinglist.Pending), m.find(s.Address, mailinglist.Subscribed)
	if pending != nil && pending.ID == s.ID && !pending.expired(m.now) {
		m.forget(s.Address, mailinglist.Pending)
		if subscribed == nil {
			s.To, s.Language = pending.To, pending.Language
			m.put(s)
		}
		return nil
	}
	if subscribed != nil && subscribed.ID == s.ID {
		return nil
	}
	return mailinglist.ErrNotFound
}

func (m *model) leave(address string) error {
	m.forget(address, mailinglist.Pending)
	m.forget(address, mailinglist.Subscribed)
	return nil
}

func (m *model) suppress(address, reason string) error {
	if key := (mailinglist.Key{Address: address, Kind: mailinglist.Suppressed}); m.kept[key] == nil {
		m.kept[key] = &entry{more: row{"Reason": reason, "CreatedAt": m.now.Format("2006-01-02T15:04:05.000Z")}}
	}
	return nil
}

// lease expects the store to have given the lease.
func (m *model) lease(key mailinglist.Key, given mailinglist.Lease) error {
	e := m.find(key.Address, key.Kind)
	switch {
	case e == nil || e.ID != key.ID || !e.waiting || e.expired(m.now):
		return mailinglist.ErrNotFound
	case e.until.After(m.now):
		return &email.LeasedError{Until: e.until}
	}
	e.holder, e.until = given.Holder, m.now.Add(leaseDuration)
	m.leases = append(m.leases, mailinglist.Lease{Subscription: e.Subscription, Holder: given.Holder, Until: e.until})
	return nil
}

// end has change done to the entry of a lease that is still its holder's.
func (m *model) end(lease mailinglist.Lease, change func(*entry)) error {
	e := m.find(lease.Address, lease.Kind)
	if e == nil || e.holder != lease.Holder {
		return mailinglist.ErrNotFound
	}
	e.until = time.Time{}
	change(e)
	return nil
}

// rows are what should be in the table.
func (m *model) rows() map[string]row {
	rows := map[string]row{}
	for key, e := range m.kept {
		r := row{"Address": key.Address, "Kind": string(key.Kind)}
		if key.Kind != mailinglist.Suppressed {
			r = waits(e.Subscription)
		}
		if key.Kind != mailinglist.Suppressed && !e.waiting {
			delete(r, "Unsent")
		}
		if !e.until.IsZero() {
			r["LeasedUntil"] = float64(e.until.UnixMilli())
		}
		for name, value := range e.more {
			r[name] = value
		}
		rows[key.Address+" "+string(key.Kind)] = r
	}
	return rows
}

// TestTheTableIsTheModelWhateverHappens does operations at random on the store and on the model, at times twice, with calls
// that fail before they are done or whose answer is lost, so that the SDK does them again.
func TestTheTableIsTheModelWhateverHappens(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	tried := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w.clear(t)
		m := &model{now: now, kept: map[mailinglist.Key]*entry{}}
		for range rapid.IntRange(1, 15).Draw(rt, "operations") {
			address := rapid.SampledFrom([]string{"ada@example.com", "eve@example.com"}).Draw(rt, "address")
			kind := rapid.SampledFrom([]mailinglist.Kind{mailinglist.Pending, mailinglist.Subscribed}).Draw(rt, "kind")
			s := mailinglist.Subscription{
				Key: mailinglist.Key{Address: address, Kind: kind, ID: uuid.New()}, To: email.Address(address),
				Language: rapid.SampledFrom([]string{"", "ko"}).Draw(rt, "language"), Link: fmt.Sprint("https://example.com/", len(m.ids)), CreatedAt: m.now,
			}
			asked := s
			if len(m.ids) > 0 {
				asked.ID = rapid.SampledFrom(m.ids).Draw(rt, "id")
			}
			if there := m.subscriptions(); len(there) > 0 && rapid.IntRange(0, 3).Draw(rt, "which") > 0 {
				asked.Key = rapid.SampledFrom(there).Draw(rt, "key")
			}
			lease := mailinglist.Lease{Subscription: asked, Holder: uuid.New()}
			if len(m.leases) > 0 {
				lease = m.leases[max(len(m.leases)-rapid.IntRange(1, 2).Draw(rt, "lease"), 0)]
			}
			name := rapid.SampledFrom([]string{
				"subscribe", "subscribe", "subscribe", "confirm", "confirm", "leave", "suppress", "lease", "lease", "lease", "lease",
				"sent", "sent", "refused", "refused", "release", "wait", "wait",
			}).Draw(rt, "operation")
			var do func(context.Context) error
			var model func() error
			switch name {
			case "wait":
				m.now = m.now.Add(rapid.SampledFrom([]time.Duration{time.Second, leaseDuration, 23 * time.Hour}).Draw(rt, "time"))
				continue
			case "subscribe":
				m.ids = append(m.ids, s.ID)
				do = func(ctx context.Context) error { return w.Subscribe(ctx, s) }
				model = func() error { return m.subscribe(s) }
			case "confirm":
				asked.Kind = mailinglist.Subscribed
				do = func(ctx context.Context) error { return w.Confirm(ctx, asked) }
				model = func() error { return m.confirm(asked) }
			case "leave":
				do = func(ctx context.Context) error { return w.Unsubscribe(ctx, address) }
				model = func() error { return m.leave(address) }
			case "suppress":
				do = func(ctx context.Context) error { return w.Suppress(ctx, address, s.Link, m.now) }
				model = func() error { return m.suppress(address, s.Link) }
			case "lease":
				var given mailinglist.Lease
				do = func(ctx context.Context) (err error) {
					given, err = w.Lease(ctx, asked.Key, m.now, m.now.Add(leaseDuration))
					return err
				}
				model = func() error { return m.lease(asked.Key, given) }
			case "sent":
				do = func(ctx context.Context) error { return w.MarkSent(ctx, lease, s.Link, m.now) }
				model = func() error {
					return m.end(lease, func(e *entry) {
						e.waiting = false
						e.more["MessageID"], e.more["SentAt"] = s.Link, m.now.Format("2006-01-02T15:04:05.000Z")
					})
				}
			case "refused":
				do = func(ctx context.Context) error { return w.MarkRejected(ctx, lease, s.Link) }
				model = func() error {
					return m.end(lease, func(e *entry) { e.waiting, e.more["RejectionReason"] = false, s.Link })
				}
			case "release":
				do = func(ctx context.Context) error { return w.Release(ctx, lease) }
				model = func() error { _ = m.end(lease, func(*entry) {}); return nil }
			}
			for range rapid.IntRange(1, 2).Draw(rt, "times") {
				at := rapid.Int64Range(0, 3).Draw(rt, "call that fails")
				var calls atomic.Int64
				fault := rapid.SampledFrom([]awstest.Fault{
					{Cut: true}, {Reset: true}, {Status: http.StatusBadRequest, Code: "ThrottlingException"},
				}).Draw(rt, "fault")
				w.server.Intercept(func(awstest.Call) awstest.Fault {
					if calls.Add(1) == at {
						return fault
					}
					return awstest.Fault{}
				})
				got := do(ctx)
				w.server.Intercept(nil)
				if at > 0 && calls.Load() > at {
					tried["faults"]++
				}
				want := model()
				tried[name+", "+told(want)]++
				if diff := gocmp.Diff(m.rows(), w.rows(t)); told(got) != told(want) || diff != "" {
					rt.Fatalf("%s: got %v, want %v; table (-want +got):\n%s", name, got, want, diff)
				}
				leased, ok := errors.AsType[*email.LeasedError](got)
				if ok && !leased.Until.Equal(want.(*email.LeasedError).Until) { //nolint:errorlint // told says that it is one
					rt.Fatalf("leased until %s, want %v", leased.Until, want)
				}
			}
			for _, address := range []string{"ada@example.com", "eve@example.com"} {
				suppressed, err := w.Suppressed(ctx, address)
				if want := m.find(address, mailinglist.Suppressed) != nil; err != nil || suppressed != want {
					rt.Fatalf("suppressed %t, %v, want %t", suppressed, err, want)
				}
			}
		}
	})
	t.Log(tried)
	for _, outcome := range []string{
		"subscribe, done", "confirm, done", "confirm, not found", "leave, done", "suppress, done", "lease, done", "lease, not found",
		"lease, leased", "sent, done", "sent, not found", "refused, done", "refused, not found", "release, done", "faults",
	} {
		if tried[outcome] == 0 {
			t.Errorf("%s: has not been tried", outcome)
		}
	}
}
