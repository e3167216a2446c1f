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

// A world is what is around the functions that send mails: the table, its stream and the queue, which tell of subscriptions
// at least once and in no order, SES, and the dead letters. Its time is that of a synctest bubble.
type world struct {
	items      []*item // those that were ever there
	suppressed map[string]bool
	hints      []mailinglist.Key // what the stream and the queue have yet to tell; the zero Key is to look for who waits
	letters    []mailinglist.Key
	mails      []mailinglist.Key        // what SES accepted
	lost       map[mailinglist.Key]int  // how often something happened between a mail and the note of it
	rejected   map[mailinglist.Key]bool // SES has refused it at least once
	processes  []*process               // those that run
	started    int

	mu sync.Mutex // held by whoever looks at a process, or is one: time wakes several at once
}

// An item is a subscription as it is kept.
type item struct {
	subscription mailinglist.Subscription
	gone         bool
	waiting      bool
	holder       uuid.UUID
	until        time.Time
	refused      string
}

func newWorld() *world {
	return &world{suppressed: map[string]bool{}, lost: map[mailinglist.Key]int{}, rejected: map[mailinglist.Key]bool{}}
}

// find returns what is kept of an address, or nil.
func (w *world) find(address string, kind mailinglist.Kind) *item {
	for _, item := range w.items {
		if !item.gone && item.subscription.Address == address && item.subscription.Kind == kind {
			return item
		}
	}
	return nil
}

// subscribe is what the API does, and the stream tells of it. Whoever is there already stays.
func (w *world) subscribe(address string, kind mailinglist.Kind) {
	if w.find(address, mailinglist.Subscribed) != nil || w.find(address, kind) != nil {
		return
	}
	w.put(mailinglist.Key{Address: address, Kind: kind, ID: uuid.UUID{15: byte(len(w.items) + 1)}})
}

// confirm makes a subscription of one that is pending, with its id, unless there is one.
func (w *world) confirm(address string) {
	pending := w.find(address, mailinglist.Pending)
	if pending == nil {
		return
	}
	pending.gone = true
	if w.find(address, mailinglist.Subscribed) == nil {
		w.put(mailinglist.Key{Address: address, Kind: mailinglist.Subscribed, ID: pending.subscription.ID})
	}
}

func (w *world) put(key mailinglist.Key) {
	w.items = append(w.items, &item{waiting: true, subscription: mailinglist.Subscription{
		Key: key, To: email.Address(key.Address), Language: "ko-KR", Link: "https://example.com/" + key.ID.String(), CreatedAt: time.Now(),
	}})
	w.hints = append(w.hints, key)
}

func (w *world) leave(address string) {
	for _, item := range w.items {
		item.gone = item.gone || item.subscription.Address == address
	}
}

// sent counts the mails of one subscription.
func (w *world) sent(key mailinglist.Key) int {
	n := 0
	for _, mail := range w.mails {
		if mail == key {
			n++
		}
	}
	return n
}

// What happens to a call of the table or of SES.
type fate string

const (
	works   fate = "works"
	fails   fate = "fails before it is done"
	unheard fate = "is done, and its answer is lost"
	hangs   fate = "is done, and its answer comes never"
	dies    fate = "the process dies before it"
	died    fate = "the process dies after it"
	refused fate = "is refused" // and the rest by SES only
	held    fate = "is held"
	stuck   fate = "is stuck"
)

var errFault = fmt.Errorf("%w: on purpose", retry.ErrUnavailable)

// A process is a function at what it was told. It stops before every call, until it is told the call's fate or its time is
// over.
type process struct {
	world *world
	n     int
	told  mailinglist.Key
	call  string // what it waits to do; empty while it does not
	fates chan fate
	ended bool
	err   error

	leased   mailinglist.Key // the last that it has
	accepted bool            // the mail of that, and nothing has happened since
}

// lose is what happens when something keeps a process from noting a mail.
func (p *process) lose() {
	if p.accepted {
		p.accepted = false
		p.world.lost[p.leased]++
	}
}

// start has a function told of a subscription, or of none in particular.
func (w *world) start(key mailinglist.Key) *process {
	w.started++
	p := &process{world: w, n: w.started, told: key, fates: make(chan fate)}
	w.processes = append(w.processes, p)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		p.err = errors.New("the process has died") // unless it says something else
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.ended = true
		}()
		sender := mailinglist.Sender{Subscriptions: p, Messages: messages{}, Mailer: p, LeaseDuration: leaseDuration}
		if key == (mailinglist.Key{}) {
			p.err = sender.SendUnsent(ctx)
		} else {
			p.err = sender.Send(ctx, key)
		}
	}()
	w.pass(0)
	return p
}

// pass lets time pass, and all functions come to their next calls. Of those that have ended, it does what the handler does
// about the outcome.
func (w *world) pass(duration time.Duration) {
	time.Sleep(duration)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes = slices.DeleteFunc(w.processes, func(p *process) bool {
		if !p.ended {
			return false
		}
		switch {
		case p.err == nil:
		case (errors.Is(p.err, email.ErrSendingPaused) || errors.Is(p.err, email.ErrUndeliverable)) && !errors.Is(p.err, retry.ErrUnavailable):
			w.letters = append(w.letters, p.told)
		default:
			w.hints = append(w.hints, p.told)
		}
		return true
	})
}

// waits returns the call that a process waits to do, and whether it has ended.
func (p *process) waits() (call string, ended bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.call, p.ended
}

// step does the call that a process waits for.
func (p *process) step(fate fate) {
	p.fates <- fate
	p.world.pass(0)
}

// wait does work when its turn has come, as its fate has it.
func (p *process) wait(ctx context.Context, call string, work func() error) error {
	p.world.mu.Lock()
	p.call = call
	p.world.mu.Unlock()
	var fate fate
	select {
	case fate = <-p.fates:
	case <-ctx.Done(): // it takes too long
		fate = fails
	}
	if err, hanging := p.meet(fate, call, work); !hanging {
		return err
	}
	<-ctx.Done()
	return errFault
}

// meet does work as its fate has it, but for the waiting.
func (p *process) meet(fate fate, call string, work func() error) (err error, hanging bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.call = ""
	if fate != works && fate != unheard {
		p.lose()
	}
	switch fate {
	case dies:
		runtime.Goexit()
	case fails:
		return errFault, false
	case refused:
		p.world.rejected[p.leased] = true
		return fmt.Errorf("%w: on purpose", email.ErrAddressRejected), false
	case held:
		return fmt.Errorf("%w: on purpose", email.ErrSendingPaused), false
	case stuck:
		return fmt.Errorf("%w: on purpose", email.ErrUndeliverable), false
	}
	err = work()
	if fate != works && call == "Send" {
		p.lose()
	}
	switch fate {
	case died:
		runtime.Goexit()
	case unheard:
		return errFault, false
	}
	return err, fate == hangs
}

func (p *process) Lease(ctx context.Context, key mailinglist.Key, now, until time.Time) (lease mailinglist.Lease, err error) {
	err = p.wait(ctx, "Lease", func() error {
		item := p.world.find(key.Address, key.Kind)
		if item == nil || item.subscription.ID != key.ID || !item.waiting {
			return mailinglist.ErrNotFound
		}
		if item.until.After(now) {
			return &email.LeasedError{Until: item.until}
		}
		item.holder, item.until = uuid.New(), until
		p.leased, p.accepted = key, false
		lease = mailinglist.Lease{Subscription: item.subscription, Holder: item.holder, Until: until}
		return nil
	})
	return lease, err
}

// mine has change change the item if the lease is its latest.
func (p *process) mine(ctx context.Context, call string, lease mailinglist.Lease, change func(*item)) error {
	return p.wait(ctx, call, func() error {
		item := p.world.find(lease.Address, lease.Kind)
		if item == nil || item.subscription.ID != lease.ID || item.holder != lease.Holder {
			return mailinglist.ErrNotFound
		}
		change(item)
		return nil
	})
}

func (p *process) MarkSent(ctx context.Context, lease mailinglist.Lease, _ string, _ time.Time) error {
	err := p.mine(ctx, "MarkSent", lease, func(item *item) { item.waiting = false })
	if !time.Now().Before(lease.Until) {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.lose() // it has taken so long that somebody else may have leased the mail
	}
	return err
}

func (p *process) MarkRejected(ctx context.Context, lease mailinglist.Lease, reason string) error {
	return p.mine(ctx, "MarkRefused", lease, func(item *item) { item.waiting, item.refused = false, reason })
}

func (p *process) Release(ctx context.Context, lease mailinglist.Lease) error {
	err := p.mine(ctx, "Release", lease, func(item *item) { item.until = time.Time{} })
	if errors.Is(err, mailinglist.ErrNotFound) {
		return nil
	}
	return err
}

func (p *process) Suppressed(ctx context.Context, address string) (suppressed bool, err error) {
	err = p.wait(ctx, "Suppressed", func() error {
		suppressed = p.world.suppressed[address]
		return nil
	})
	return suppressed, err
}

func (p *process) Unsent(ctx context.Context, before time.Time) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		var keys []mailinglist.Key
		err := p.wait(ctx, "Waiting", func() error {
			for _, item := range p.world.items {
				if !item.gone && item.waiting && !item.subscription.CreatedAt.After(before) {
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
	err := p.wait(ctx, "Send", func() error {
		p.world.mails = append(p.world.mails, p.leased)
		p.accepted = true
		return nil
	})
	return "id of " + message.Subject, err
}

// messages have a language and a name for their subject.
type messages struct{}

func (messages) Message(language, name string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to, Subject: language + "/" + name}, nil
}
