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

// A model is a reference implementation of the mailing list in memory.
type model struct {
	now     time.Time
	entries map[mailinglist.Key]*entry // the keys have the nil ID
	leases  []mailinglist.Lease        // all leases that were ever granted
	ids     []uuid.UUID                // the IDs of all subscriptions so far
}

// An entry is a subscription, pending or not, or a suppression.
type entry struct {
	mailinglist.Subscription
	unsent bool
	holder uuid.UUID
	until  time.Time // of the lease
	more   row       // additional attributes in the table
}

func (e *entry) expired(now time.Time) bool {
	return e.Kind == mailinglist.Pending && !e.CreatedAt.Add(24*time.Hour).After(now)
}

func (m *model) find(address string, kind mailinglist.Kind) *entry {
	return m.entries[mailinglist.Key{Address: address, Kind: kind}]
}

func (m *model) remove(address string, kind mailinglist.Kind) {
	delete(m.entries, mailinglist.Key{Address: address, Kind: kind})
}

// subscriptions returns the keys of all subscriptions, pending or not.
func (m *model) subscriptions() []mailinglist.Key {
	var keys []mailinglist.Key
	for key, e := range m.entries {
		if key.Kind != mailinglist.Suppressed {
			keys = append(keys, e.Key)
		}
	}
	slices.SortFunc(keys, func(a, b mailinglist.Key) int {
		return cmp.Compare(a.Address+string(a.Kind), b.Address+string(b.Kind))
	})
	return keys
}

func (m *model) put(s mailinglist.Subscription) {
	m.entries[mailinglist.Key{Address: s.Address, Kind: s.Kind}] = &entry{
		Subscription: s, unsent: true, more: row{},
	}
}

func (m *model) subscribe(s mailinglist.Subscription) error {
	existing := m.find(s.Address, s.Kind)
	if m.find(s.Address, mailinglist.Subscribed) == nil &&
		(existing == nil || existing.expired(m.now)) {
		m.put(s)
	}
	return nil
}

func (m *model) confirm(s mailinglist.Subscription) error {
	pending := m.find(s.Address, mailinglist.Pending)
	subscribed := m.find(s.Address, mailinglist.Subscribed)
	if pending != nil && pending.ID == s.ID && !pending.expired(m.now) {
		m.remove(s.Address, mailinglist.Pending)
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

func (m *model) unsubscribe(address string) error {
	m.remove(address, mailinglist.Pending)
	m.remove(address, mailinglist.Subscribed)
	return nil
}

func (m *model) suppress(address, reason string) error {
	key := mailinglist.Key{Address: address, Kind: mailinglist.Suppressed}
	if m.entries[key] == nil {
		m.entries[key] = &entry{
			more: row{"Reason": reason, "CreatedAt": m.now.Format("2006-01-02T15:04:05.000Z")},
		}
	}
	return nil
}

// lease expects the store to have granted the lease.
func (m *model) lease(key mailinglist.Key, granted mailinglist.Lease) error {
	e := m.find(key.Address, key.Kind)
	switch {
	case e == nil || e.ID != key.ID || !e.unsent || e.expired(m.now):
		return mailinglist.ErrNotFound
	case e.until.After(m.now):
		return &email.LeasedError{Until: e.until}
	}
	e.holder, e.until = granted.Holder, m.now.Add(leaseDuration)
	m.leases = append(m.leases,
		mailinglist.Lease{Subscription: e.Subscription, Holder: granted.Holder, Until: e.until})
	return nil
}

// end applies change to the entry of a lease if the lease's holder still has it.
func (m *model) end(lease mailinglist.Lease, change func(*entry)) error {
	e := m.find(lease.Address, lease.Kind)
	if e == nil || e.holder != lease.Holder {
		return mailinglist.ErrNotFound
	}
	e.until = time.Time{}
	change(e)
	return nil
}

// rows returns the expected content of the table.
func (m *model) rows() map[string]row {
	rows := map[string]row{}
	for key, e := range m.entries {
		r := row{"Address": key.Address, "Kind": string(key.Kind)}
		if key.Kind != mailinglist.Suppressed {
			r = unsentRow(e.Subscription)
		}
		if key.Kind != mailinglist.Suppressed && !e.unsent {
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

// TestMailingList_matches_the_model executes random operations on the store and on the model,
// sometimes twice, with calls that fail before they are applied or whose response is lost, so that
// the SDK retries them.
func TestMailingList_matches_the_model(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	outcomes := map[string]int{}
	addresses := []string{"ada@example.com", "eve@example.com"}
	kinds := []mailinglist.Kind{mailinglist.Pending, mailinglist.Subscribed}
	times := []time.Duration{time.Second, leaseDuration, 23 * time.Hour}
	rapid.Check(t, func(rt *rapid.T) {
		w.clear(t)
		m := &model{now: now, entries: map[mailinglist.Key]*entry{}}
		for range rapid.IntRange(1, 15).Draw(rt, "operations") {
			address := rapid.SampledFrom(addresses).Draw(rt, "address")
			kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
			s := mailinglist.Subscription{
				Key:      mailinglist.Key{Address: address, Kind: kind, ID: uuid.New()},
				To:       email.Address(address),
				Language: rapid.SampledFrom([]string{"", "ko"}).Draw(rt, "language"),
				Link:     fmt.Sprint("https://example.com/", len(m.ids)), CreatedAt: m.now,
			}
			asked := s
			if len(m.ids) > 0 {
				asked.ID = rapid.SampledFrom(m.ids).Draw(rt, "id")
			}
			existing := m.subscriptions()
			if len(existing) > 0 && rapid.IntRange(0, 3).Draw(rt, "which") > 0 {
				asked.Key = rapid.SampledFrom(existing).Draw(rt, "key")
			}
			lease := mailinglist.Lease{Subscription: asked, Holder: uuid.New()}
			if len(m.leases) > 0 {
				lease = m.leases[max(len(m.leases)-rapid.IntRange(1, 2).Draw(rt, "lease"), 0)]
			}
			name := rapid.SampledFrom([]string{
				"subscribe", "subscribe", "subscribe", "confirm", "confirm", "unsubscribe",
				"suppress", "lease", "lease", "lease", "lease",
				"sent", "sent", "rejected", "rejected", "release", "wait", "wait",
			}).Draw(rt, "operation")
			var do func(context.Context) error
			var model func() error
			switch name {
			case "wait":
				m.now = m.now.Add(rapid.SampledFrom(times).Draw(rt, "time"))
				continue
			case "subscribe":
				m.ids = append(m.ids, s.ID)
				do = func(ctx context.Context) error { return w.Subscribe(ctx, s) }
				model = func() error { return m.subscribe(s) }
			case "confirm":
				asked.Kind = mailinglist.Subscribed
				do = func(ctx context.Context) error { return w.Confirm(ctx, asked) }
				model = func() error { return m.confirm(asked) }
			case "unsubscribe":
				do = func(ctx context.Context) error { return w.Unsubscribe(ctx, address) }
				model = func() error { return m.unsubscribe(address) }
			case "suppress":
				do = func(ctx context.Context) error {
					return w.Suppress(ctx, address, s.Link, m.now)
				}
				model = func() error { return m.suppress(address, s.Link) }
			case "lease":
				var granted mailinglist.Lease
				do = func(ctx context.Context) (err error) {
					granted, err = w.Lease(ctx, asked.Key, m.now, m.now.Add(leaseDuration))
					return err
				}
				model = func() error { return m.lease(asked.Key, granted) }
			case "sent":
				do = func(ctx context.Context) error {
					return w.MarkSent(ctx, lease, s.Link, m.now)
				}
				model = func() error {
					return m.end(lease, func(e *entry) {
						e.unsent = false
						e.more["MessageID"] = s.Link
						e.more["SentAt"] = m.now.Format("2006-01-02T15:04:05.000Z")
					})
				}
			case "rejected":
				do = func(ctx context.Context) error { return w.MarkRejected(ctx, lease, s.Link) }
				model = func() error {
					return m.end(lease, func(e *entry) {
						e.unsent, e.more["RejectionReason"] = false, s.Link
					})
				}
			case "release":
				do = func(ctx context.Context) error { return w.Release(ctx, lease) }
				model = func() error { _ = m.end(lease, func(*entry) {}); return nil }
			}
			for range rapid.IntRange(1, 2).Draw(rt, "times") {
				at := rapid.Int64Range(0, 3).Draw(rt, "call that fails")
				var calls atomic.Int64
				fault := rapid.SampledFrom([]awstest.Fault{
					{TruncateResponse: true}, {Reset: true},
					{Status: http.StatusBadRequest, Code: "ThrottlingException"},
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
					outcomes["faults"]++
				}
				want := model()
				outcomes[name+", "+outcomeOf(want)]++
				diff := gocmp.Diff(m.rows(), w.rows(t))
				if outcomeOf(got) != outcomeOf(want) || diff != "" {
					rt.Fatalf("%s: got %v, want %v; table (-want +got):\n%s", name, got, want, diff)
				}
				leased, ok := errors.AsType[*email.LeasedError](got)
				if !ok {
					continue
				}
				expected := want.(*email.LeasedError) //nolint:errorlint // it has the same outcome
				if !leased.Until.Equal(expected.Until) {
					rt.Fatalf("leased until %s, want %v", leased.Until, want)
				}
			}
			for _, address := range addresses {
				suppressed, err := w.Suppressed(ctx, address)
				want := m.find(address, mailinglist.Suppressed) != nil
				if err != nil || suppressed != want {
					rt.Fatalf("suppressed %t, %v, want %t", suppressed, err, want)
				}
			}
		}
	})
	t.Log(outcomes)
	for _, outcome := range []string{
		"subscribe, done", "confirm, done", "confirm, not found", "unsubscribe, done",
		"suppress, done", "lease, done", "lease, not found",
		"lease, leased", "sent, done", "sent, not found", "rejected, done", "rejected, not found",
		"release, done", "faults",
	} {
		if outcomes[outcome] == 0 {
			t.Errorf("%s: did not occur", outcome)
		}
	}
}
