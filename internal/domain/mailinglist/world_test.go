package mailinglist_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const (
	leaseDuration = 20 * time.Second
	timeout       = time.Minute // of a function
)

// A world emulates the environment of the functions that send mails: the table, its stream and the
// queue, which deliver records at least once and in no order, SES, and the dead-letter queue. Its
// time is the time of a synctest bubble.
type world struct {
	items       []*item // all items that ever existed
	suppressed  map[string]bool
	queue       []mailinglist.Key // records to be delivered; the zero Key calls SendUnsent
	deadLetters []mailinglist.Key
	mails       []mailinglist.Key        // accepted by SES
	lost        map[mailinglist.Key]int  // number of faults between acceptance and acknowledgement
	rejected    map[mailinglist.Key]bool // whether SES has rejected the mail
	processes   []*process               // running functions
	started     int

	mu sync.Mutex // guards processes' state: several may wake at the same time
}

// An item is a stored subscription.
type item struct {
	subscription mailinglist.Subscription
	deleted      bool
	unsent       bool
	holder       uuid.UUID
	until        time.Time
	rejection    string
}

func newWorld() *world {
	return &world{
		suppressed: map[string]bool{},
		lost:       map[mailinglist.Key]int{},
		rejected:   map[mailinglist.Key]bool{},
	}
}

// find returns the item of an address, or nil.
func (w *world) find(address string, kind mailinglist.Kind) *item {
	for _, item := range w.items {
		if !item.deleted && item.subscription.Address == address && item.subscription.Kind == kind {
			return item
		}
	}
	return nil
}

// subscribe stores a subscription as the API does, unless there is one, and delivers its record.
func (w *world) subscribe(address string, kind mailinglist.Kind) {
	if w.find(address, mailinglist.Subscribed) != nil || w.find(address, kind) != nil {
		return
	}
	w.put(mailinglist.Key{Address: address, Kind: kind, ID: uuid.UUID{15: byte(len(w.items) + 1)}})
}

// confirm replaces a pending subscription by a confirmed one with its id, unless there is one.
func (w *world) confirm(address string) {
	pending := w.find(address, mailinglist.Pending)
	if pending == nil {
		return
	}
	pending.deleted = true
	if w.find(address, mailinglist.Subscribed) == nil {
		w.put(
			mailinglist.Key{
				Address: address, Kind: mailinglist.Subscribed, ID: pending.subscription.ID,
			})
	}
}

func (w *world) put(key mailinglist.Key) {
	w.items = append(w.items, &item{unsent: true, subscription: mailinglist.Subscription{
		Key:       key,
		To:        email.Address(key.Address),
		Language:  "ko-KR",
		Link:      "https://example.com/" + key.ID.String(),
		CreatedAt: time.Now(),
	}})
	w.queue = append(w.queue, key)
}

func (w *world) unsubscribe(address string) {
	for _, item := range w.items {
		item.deleted = item.deleted || item.subscription.Address == address
	}
}

// sent returns the number of mails of one subscription.
func (w *world) sent(key mailinglist.Key) int {
	n := 0
	for _, mail := range w.mails {
		if mail == key {
			n++
		}
	}
	return n
}

// An outcome is the result of a call of the table or of SES.
type outcome string

const (
	succeeds     outcome = "succeeds"
	fails        outcome = "fails"
	responseLost outcome = "succeeds, response lost"
	hangs        outcome = "succeeds, no response"
	diesBefore   outcome = "process dies before the call"
	diesAfter    outcome = "process dies after the call"

	// Only of SES.
	rejects     outcome = "rejects the address"
	undelivered outcome = "cannot deliver the mail"
	paused      outcome = "sending is paused"
)

var errFault = fmt.Errorf("%w: on purpose", retry.ErrUnavailable)

// A process is a running function. It stops before each call, until it receives the call's outcome
// or its context ends.
type process struct {
	world    *world
	n        int
	key      mailinglist.Key // of its record
	call     string          // the call that it is waiting for; empty if it is running
	outcomes chan outcome
	ended    bool
	err      error

	leased   mailinglist.Key // its last lease
	accepted bool            // SES has accepted the mail of the lease, without a fault since
}

// lose records a fault that prevents a process from acknowledging a mail.
func (p *process) lose() {
	if p.accepted {
		p.accepted = false
		p.world.lost[p.leased]++
	}
}

// start starts a function with a record, or with the zero Key to call SendUnsent.
func (w *world) start(key mailinglist.Key) *process {
	w.started++
	p := &process{world: w, n: w.started, key: key, outcomes: make(chan outcome)}
	w.processes = append(w.processes, p)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		p.err = errors.New("the process has died") // replaced when it returns
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.ended = true
		}()
		sender := mailinglist.Sender{
			Subscriptions: p, Messages: messages{}, Mailer: p, LeaseDuration: leaseDuration,
		}
		if key == (mailinglist.Key{}) {
			p.err = sender.SendUnsent(ctx)
		} else {
			p.err = sender.Send(ctx, key)
		}
	}()
	w.pass(0)
	return p
}

// pass lets time pass until all functions are waiting for their next calls. It handles the results
// of ended functions as the handler does.
func (w *world) pass(duration time.Duration) {
	time.Sleep(duration)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes = slices.DeleteFunc(w.processes, func(p *process) bool {
		if !p.ended {
			return false
		}
		permanent := errors.Is(p.err, email.ErrSendingPaused) ||
			errors.Is(p.err, email.ErrUndeliverable)
		switch {
		case p.err == nil:
		case permanent && !errors.Is(p.err, retry.ErrUnavailable):
			w.deadLetters = append(w.deadLetters, p.key)
		default:
			w.queue = append(w.queue, p.key)
		}
		return true
	})
}

// state returns the call that a process is waiting for, and whether the process has ended.
func (p *process) state() (call string, ended bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.call, p.ended
}

// step continues a process with the outcome of its call.
func (p *process) step(outcome outcome) {
	p.outcomes <- outcome
	p.world.pass(0)
}

// do waits for the outcome of a call, and does work according to it.
func (p *process) do(ctx context.Context, call string, work func() error) error {
	p.world.mu.Lock()
	p.call = call
	p.world.mu.Unlock()
	var outcome outcome
	select {
	case outcome = <-p.outcomes:
	case <-ctx.Done(): // the call takes too long
		outcome = fails
	}
	if err, hanging := p.apply(outcome, call, work); !hanging {
		return err
	}
	<-ctx.Done()
	return errFault
}

// apply does work according to outcome. It does not wait if the call hangs.
func (p *process) apply(outcome outcome, call string, work func() error) (err error, hanging bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.call = ""
	if outcome != succeeds && outcome != responseLost {
		p.lose()
	}
	switch outcome {
	case diesBefore:
		runtime.Goexit()
	case fails:
		return errFault, false
	case rejects:
		p.world.rejected[p.leased] = true
		return fmt.Errorf("%w: on purpose", email.ErrAddressRejected), false
	case paused:
		return fmt.Errorf("%w: on purpose", email.ErrSendingPaused), false
	case undelivered:
		return fmt.Errorf("%w: on purpose", email.ErrUndeliverable), false
	}
	err = work()
	if outcome != succeeds && call == "Send" {
		p.lose()
	}
	switch outcome {
	case diesAfter:
		runtime.Goexit()
	case responseLost:
		return errFault, false
	}
	return err, outcome == hangs
}

func (p *process) Lease(
	ctx context.Context, key mailinglist.Key, now, until time.Time,
) (lease mailinglist.Lease, err error) {
	err = p.do(ctx, "Lease", func() error {
		item := p.world.find(key.Address, key.Kind)
		if item == nil || item.subscription.ID != key.ID || !item.unsent {
			return mailinglist.ErrNotFound
		}
		if item.until.After(now) {
			return &email.LeasedError{Until: item.until}
		}
		item.holder, item.until = uuid.New(), until
		p.leased, p.accepted = key, false
		lease = mailinglist.Lease{
			Subscription: item.subscription, Holder: item.holder, Until: until,
		}
		return nil
	})
	return lease, err
}

// update changes the leased item if the lease is its latest.
func (p *process) update(
	ctx context.Context, call string, lease mailinglist.Lease, change func(*item),
) error {
	return p.do(ctx, call, func() error {
		item := p.world.find(lease.Address, lease.Kind)
		if item == nil || item.subscription.ID != lease.ID || item.holder != lease.Holder {
			return mailinglist.ErrNotFound
		}
		change(item)
		return nil
	})
}

func (p *process) MarkSent(
	ctx context.Context, lease mailinglist.Lease, _ string, _ time.Time,
) error {
	err := p.update(ctx, "MarkSent", lease, func(item *item) { item.unsent = false })
	if !time.Now().Before(lease.Until) {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.lose() // the lease has ended: another process may have leased the mail
	}
	return err
}

func (p *process) MarkRejected(
	ctx context.Context, lease mailinglist.Lease, reason string,
) error {
	return p.update(ctx, "MarkRejected", lease, func(item *item) {
		item.unsent, item.rejection = false, reason
	})
}

func (p *process) Release(ctx context.Context, lease mailinglist.Lease) error {
	err := p.update(ctx, "Release", lease, func(item *item) { item.until = time.Time{} })
	if errors.Is(err, mailinglist.ErrNotFound) {
		return nil
	}
	return err
}

func (p *process) Suppressed(
	ctx context.Context, address string,
) (suppressed bool, err error) {
	err = p.do(ctx, "Suppressed", func() error {
		suppressed = p.world.suppressed[address]
		return nil
	})
	return suppressed, err
}

func (p *process) Unsent(
	ctx context.Context, before time.Time,
) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		var keys []mailinglist.Key
		err := p.do(ctx, "Unsent", func() error {
			for _, item := range p.world.items {
				isNew := item.subscription.CreatedAt.After(before)
				if !item.deleted && item.unsent && !isNew {
					keys = append(keys, item.subscription.Key)
				}
			}
			return nil
		})
		if err != nil {
			yield(mailinglist.Key{}, err)
			return
		}
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (p *process) Send(ctx context.Context, message email.Message) (string, error) {
	err := p.do(ctx, "Send", func() error {
		p.world.mails = append(p.world.mails, p.leased)
		p.accepted = true
		return nil
	})
	return "id of " + message.Subject, err
}

// messages creates messages whose subject is the language of the subscription and the name.
type messages struct{}

func (messages) Message(language, name string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to, Subject: language + "/" + name}, nil
}
