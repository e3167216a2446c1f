package notifications_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const (
	window        = 5 * time.Minute
	sweepInterval = 15 * time.Minute // between messages to send overdue mails
	leaseDuration = 30 * time.Second
	timeout       = time.Minute     // of a function
	visibility    = 6 * time.Minute // the queue's visibility timeout
	maxReceives   = 5               // the queue's maximum receive count
)

var errFault = fmt.Errorf("%w: on purpose", retry.ErrUnavailable)

// A world emulates the environment of the functions that send mails: the database, the queue, which
// delivers messages at least once and in no order, Cognito, SES, and the dead-letter queue. Its
// time is the time of a synctest bubble.
type world struct {
	mu          sync.Mutex
	comments    []*comment // all comments that were ever written
	version     uint64
	leases      map[string]lease
	excluded    map[string]string    // reasons why recipients must get no mail
	since       map[string]time.Time // when the reason was set or removed
	problem     string
	mails       []*mailing
	deadLetters []notifications.Message
	faults      float64 // probability that a call has a fault
	script      []fault // of calls in their order; all others succeed
	runs        int
	deliveries  sync.WaitGroup
	random      *rand.Rand // of the queue; guarded by mu
	counts      map[string]int
}

// A fault is the outcome of a call.
type fault struct{ call, outcome string }

// A comment is a comment of another user than the recipient.
type comment struct {
	recipient string
	version   uint64
	written   time.Time
	deleted   bool // with its notification
	unsent    bool // its notification exists
	excused   bool // its recipient was excluded from mails at some time
	mails     []*mailing
}

type lease struct {
	holder uuid.UUID
	until  time.Time
}

// A mailing is a mail that SES accepted.
type mailing struct {
	comments     []*comment
	at           time.Time
	acknowledged bool // before the lease ended
	fault        bool // its process has had a fault since
}

// write stores a comment and its notification, and sends its message unless the message is lost.
func (w *world) write(recipient string, messageSent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	w.comments = append(w.comments, &comment{
		recipient: recipient,
		version:   w.version,
		written:   time.Now(),
		unsent:    true,
		excused:   w.excluded[recipient] != "",
	})
	if messageSent {
		w.deliver(notifications.Message{Recipient: recipient}, window, 1)
	}
}

// exclude sets the reason why a recipient must get no mail, or removes it if it is empty.
func (w *world) exclude(recipient, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excluded[recipient], w.since[recipient] = reason, time.Now()
	for _, comment := range w.comments {
		if comment.recipient == recipient && reason != "" {
			comment.excused = true
		}
	}
}

// remove deletes a comment by its index, if it exists.
func (w *world) remove(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i < len(w.comments) {
		w.comments[i].deleted, w.comments[i].unsent = true, false
	}
}

// deliver starts a function with a message after a delay, and sometimes delivers the message twice.
// The caller holds mu.
func (w *world) deliver(message notifications.Message, after time.Duration, received int) {
	times := 1
	if w.faults > 0 && w.random.IntN(4) == 0 {
		times = 2
	}
	for copied := range times {
		seed, received := w.random.Uint64(), received
		if copied > 0 {
			received = maxReceives // the copy is not retried
		}
		w.deliveries.Go(func() {
			time.Sleep(after + time.Duration(seed%uint64(2*time.Second)))
			if err := w.run(message, seed); err == nil {
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if received == maxReceives {
				w.deadLetters = append(w.deadLetters, message)
				return
			}
			w.deliver(message, visibility, received+1)
		})
	}
}

// run is one invocation of the function.
func (w *world) run(message notifications.Message, seed uint64) error {
	w.mu.Lock()
	w.runs++
	w.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		err := errors.New("the process has died") // replaced when it returns
		defer func() { ended <- err }()
		p := &process{
			world: w, random: rand.New(rand.NewPCG(seed, 0)), recipient: message.Recipient,
		}
		sender := &notifications.Sender{
			Store: p, Users: p, Suppressions: p, Links: p, Messages: p, Mailer: p,
			Website:       "https://app.example.com",
			Logger:        slog.New(slog.DiscardHandler),
			LeaseDuration: leaseDuration,
			Window:        window,
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if message.Overdue {
			err = sender.SendOverdue(ctx)
		} else {
			err = sender.Send(ctx, message.Recipient)
		}
	}()
	return <-ended
}

// A process is a running function. Its calls take time.
type process struct {
	world     *world
	random    *rand.Rand
	recipient string
	leased    []*comment
	since     time.Time // start of the lease
	until     time.Time
	accepted  *mailing // the last mail
}

// call does work after a delay, according to its outcome.
func (p *process) call(ctx context.Context, name string, work func() error) error {
	outcome := p.outcome(name)
	longest := 300 * time.Millisecond
	if outcome == "is slow" {
		longest = 40 * time.Second
	}
	delay := time.Duration(p.random.Int64N(int64(longest)))
	if retry.Wait(ctx, delay) != nil {
		return errFault
	}
	switch outcome {
	case "dies before":
		runtime.Goexit()
	case "fails":
		return errFault
	case "is paused":
		return fmt.Errorf("%w: on purpose", email.ErrSendingPaused)
	case "is rejected":
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		for _, comment := range p.leased {
			comment.excused = true
		}
		return fmt.Errorf("%w: on purpose", email.ErrAddressRejected)
	}
	p.world.mu.Lock()
	err := work()
	if outcome != "succeeds" && name == "Send" && p.accepted != nil {
		p.accepted.fault = true
	}
	p.world.mu.Unlock()
	switch outcome {
	case "dies after":
		runtime.Goexit()
	case "response lost":
		return errFault
	case "hangs":
		<-ctx.Done()
		return errFault
	}
	return err
}

// outcome returns the outcome of a call: that of the script, or a random one.
func (p *process) outcome(call string) string {
	outcomes := []string{
		"fails", "response lost", "hangs", "dies before", "dies after", "is slow",
	}
	if call == "Send" {
		outcomes = append(outcomes, "is paused", "is paused", "is rejected")
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	outcome := "succeeds"
	if script := p.world.script; len(script) > 0 && script[0].call == call {
		outcome, p.world.script = script[0].outcome, script[1:]
		if p.accepted != nil {
			p.accepted.fault = true
		}
	}
	if p.random.Float64() < p.world.faults {
		outcome = outcomes[p.random.IntN(len(outcomes))]
		p.world.counts[call+" "+outcome]++
		if p.accepted != nil {
			p.accepted.fault = true
		}
	}
	return outcome
}

func (p *process) Lease(
	ctx context.Context, recipient string, age, leaseDuration time.Duration,
) (leased notifications.Lease, err error) {
	err = p.call(ctx, "Lease", func() error {
		p.leased = nil
		digest := notifications.Digest{Recipient: recipient}
		for _, comment := range p.world.comments {
			if comment.unsent && comment.recipient == recipient {
				p.leased = append(p.leased, comment)
				digest.LastVersion = comment.version
			}
		}
		if len(p.leased) == 0 || time.Since(p.leased[0].written) < age {
			return email.ErrNothingToSend
		}
		if p.world.leases[recipient].until.After(time.Now()) {
			return notifications.ErrLeased
		}
		p.recipient, p.accepted = recipient, nil
		p.since, p.until = time.Now(), time.Now().Add(leaseDuration)
		id := uuid.UUID{}
		binary.BigEndian.PutUint64(id[:], p.leased[0].version)
		digest.Count, digest.OnePost = len(p.leased), true
		digest.Unwanted = p.world.excluded[recipient] == "unwanted"
		digest.Comments = []notifications.Comment{{ID: id}}
		leased = notifications.Lease{Holder: uuid.New(), Digest: digest}
		p.world.leases[recipient] = lease{leased.Holder, p.until}
		return nil
	})
	return leased, err
}

func (p *process) Acknowledge(ctx context.Context, of notifications.Lease) error {
	return p.call(ctx, "Acknowledge", func() error {
		for _, comment := range p.world.comments {
			if comment.recipient == of.Digest.Recipient &&
				comment.version <= of.Digest.LastVersion {
				comment.unsent = false
			}
		}
		if p.accepted != nil && time.Now().Before(p.until) {
			p.accepted.acknowledged = true
		}
		return p.end(of)
	})
}

func (p *process) Release(ctx context.Context, of notifications.Lease) error {
	return p.call(ctx, "Release", func() error { return p.end(of) })
}

func (p *process) end(of notifications.Lease) error {
	if p.world.leases[of.Digest.Recipient].holder == of.Holder {
		delete(p.world.leases, of.Digest.Recipient)
	}
	return nil
}

func (p *process) NextOverdue(
	ctx context.Context, after string, age time.Duration,
) (next string, err error) {
	err = p.call(ctx, "NextOverdue", func() error {
		for _, comment := range p.world.comments {
			overdue := comment.unsent && time.Since(comment.written) > age
			isNext := comment.recipient > after && (next == "" || comment.recipient < next)
			if overdue && isNext {
				next = comment.recipient
			}
		}
		if next == "" {
			return email.ErrNothingToSend
		}
		return nil
	})
	return next, err
}

func (p *process) Address(
	ctx context.Context, subject string,
) (address email.Address, err error) {
	err = p.call(ctx, "Address", func() error {
		if p.world.excluded[subject] == "without address" {
			return email.ErrNoAddress
		}
		address = email.Address(subject)
		return nil
	})
	return address, err
}

func (p *process) Suppressed(
	ctx context.Context, address string,
) (suppressed bool, err error) {
	err = p.call(ctx, "Suppressed", func() error {
		suppressed = p.world.excluded[address] == "suppressed"
		return nil
	})
	return suppressed, err
}

func (p *process) NotificationSettings(_ context.Context, _, _ string) (string, error) {
	return "https://api.example.com/unsubscribe", nil
}

func (*process) Language(tag string) string { return tag }

func (p *process) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (p *process) Send(ctx context.Context, message email.Message) (string, error) {
	err := p.call(ctx, "Send", func() error {
		mail := &mailing{comments: p.leased, at: time.Now()}
		for _, comment := range p.leased {
			if comment.recipient != string(message.To) {
				return errors.New("the mail is to another recipient")
			}
			comment.mails = append(comment.mails, mail)
		}
		reason := p.world.excluded[p.recipient]
		if reason != "" && p.world.since[p.recipient].Before(p.since) {
			p.world.problem = p.recipient + " got a mail, though " + reason
		}
		p.world.mails = append(p.world.mails, mail)
		p.accepted = mail
		return nil
	})
	return "id", err
}

func newWorld(seed uint64, counts map[string]int) *world {
	return &world{
		leases:   map[string]lease{},
		excluded: map[string]string{},
		since:    map[string]time.Time{},
		random:   rand.New(rand.NewPCG(seed, 1)),
		counts:   counts,
	}
}

// sweep sends the schedule's messages for duration.
func (w *world) sweep(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end); time.Sleep(sweepInterval) {
		w.mu.Lock()
		w.deliver(notifications.Message{Overdue: true}, 0, 1)
		w.mu.Unlock()
	}
}

// A step is an act of a user, and the pause after it.
type step struct {
	recipient, act string
	messageSent    bool   // whether a new comment's message is sent, and not lost
	comment        int    // index of the removed comment
	reason         string // why the recipient is excluded from mails from now on
	pause          time.Duration
}

var (
	acts    = []string{"writes", "writes", "writes", "writes", "removes", "excludes"}
	reasons = []string{"", "", "unwanted", "without address", "suppressed"}

	steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			recipient:   rapid.SampledFrom([]string{"ada", "eve"}).Draw(t, "recipient"),
			act:         rapid.SampledFrom(acts).Draw(t, "act"),
			messageSent: rapid.IntRange(0, 4).Draw(t, "messageSent") > 0,
			comment:     rapid.IntRange(0, 20).Draw(t, "comment"),
			reason:      rapid.SampledFrom(reasons).Draw(t, "reason"),
			pause:       time.Duration(rapid.Int64Range(0, int64(2*window)).Draw(t, "pause")),
		}
	}), 1, 30)
)

// TestSender_random_faults lets users write and remove comments, and disable and enable their
// mails, while several functions send mails at a time. It covers messages that are lost, or
// delivered twice, late and in any order, calls that fail or hang, lost responses, paused sending,
// rejected mails and functions that die. In the end, each comment was in a mail, unless it was
// removed or its recipient was excluded from mails; and in two mails only after a fault between
// SES's acceptance and the acknowledgement.
func TestSender_random_faults(t *testing.T) {
	counts := map[string]int{}
	for range 10 { // 1000 runs in total
		rapid.Check(t, func(r *rapid.T) {
			seed, script := rapid.Uint64().Draw(r, "seed"), steps.Draw(r, "steps")
			faults := rapid.SampledFrom([]float64{0, 0.02, 0.1, 0.3}).Draw(r, "faults")
			var problem string
			synctest.Test(t, func(*testing.T) {
				w := newWorld(seed, counts)
				w.faults = faults
				w.play(script)
				problem = w.check()
			})
			if problem != "" {
				r.Fatal(problem)
			}
		})
	}
	t.Logf("%v", counts)
	for _, event := range []string{
		"sent", "sent twice", "excused", "deleted", "dead letters", "Send dies after",
		"Acknowledge dies before", "Acknowledge hangs", "Lease response lost",
	} {
		if counts[event] == 0 {
			t.Errorf("%s: none, so the test has not covered it", event)
		}
	}
}

// play executes the steps, then finishes all deliveries without faults.
func (w *world) play(script []step) {
	for _, step := range script {
		switch step.act {
		case "writes":
			w.write(step.recipient, step.messageSent)
		case "removes":
			w.remove(step.comment)
		case "excludes":
			w.exclude(step.recipient, step.reason)
		}
		time.Sleep(step.pause)
	}
	w.sweep(2 * time.Hour)
	w.mu.Lock()
	w.faults = 0
	for _, message := range w.deadLetters { // redrive
		w.deliver(message, 0, 1)
	}
	w.counts["dead letters"] += len(w.deadLetters)
	w.mu.Unlock()
	w.sweep(time.Hour)
	w.deliveries.Wait()
}

// check returns a problem of the final state, or "".
func (w *world) check() string {
	for _, comment := range w.comments {
		times, unacknowledged := len(comment.mails), 0
		for _, mail := range comment.mails {
			if !mail.acknowledged {
				unacknowledged++
			}
		}
		switch {
		case comment.unsent:
			return fmt.Sprintf("comment %d still has its notification", comment.version)
		case times == 0 && comment.deleted:
			w.counts["deleted"]++
		case times == 0 && comment.excused:
			w.counts["excused"]++
		case times == 0:
			return fmt.Sprintf("comment %d was in no mail", comment.version)
		case times > unacknowledged+1:
			return fmt.Sprintf("comment %d was in %d mails, %d of them not acknowledged",
				comment.version, times, unacknowledged)
		}
		w.counts["sent"] += min(times, 1)
		w.counts["sent twice"] += max(times-1, 0)
	}
	for _, mail := range w.mails {
		if !mail.acknowledged && !mail.fault {
			return fmt.Sprintf("the mail of %s was not acknowledged, without a fault", mail.at)
		}
	}
	return w.problem
}

// TestSender_Send_one_mail_for_a_burst covers many comments within the window whose messages are
// all delivered, some of them twice.
func TestSender_Send_one_mail_for_a_burst(t *testing.T) {
	randomPauses := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Minute)), 0, 50)
	rapid.Check(t, func(r *rapid.T) {
		seed, pauses := rapid.Uint64().Draw(r, "seed"), randomPauses.Draw(r, "pauses")
		var problem string
		synctest.Test(t, func(*testing.T) {
			w := newWorld(seed, map[string]int{})
			begun := time.Now()
			w.write("ada", true)
			written := 1
			for _, pause := range pauses {
				time.Sleep(time.Duration(pause))
				if time.Since(begun) >= window {
					break
				}
				w.write("ada", true)
				written++
				w.mu.Lock()
				w.deliver(notifications.Message{Recipient: "ada"}, window, maxReceives) // twice
				w.mu.Unlock()
			}
			w.deliveries.Wait()
			if len(w.mails) != 1 || len(w.mails[0].comments) != written {
				problem = fmt.Sprintf("%d comments were in %d mails", written, len(w.mails))
				return
			}
			waited := w.mails[0].at.Sub(begun)
			if waited < window || waited > window+5*time.Second {
				problem = fmt.Sprintf("the first comment waited %s", waited)
			}
		})
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

// TestSender_Send_one_mail_a_window covers comments over a much longer time than the window.
func TestSender_Send_one_mail_a_window(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, map[string]int{})
			for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(every) {
				w.write("ada", true)
			}
			w.deliveries.Wait()
			if len(w.mails) > int(time.Hour/window)+1 {
				t.Errorf("a comment every %s for an hour: %d mails", every, len(w.mails))
			}
			for _, comment := range w.comments {
				if len(comment.mails) != 1 {
					t.Fatalf("a comment is in %d mails", len(comment.mails))
				}
				waited := comment.mails[0].at.Sub(comment.written)
				if waited > window+5*time.Second {
					t.Errorf("a comment waited %s", waited)
				}
			}
		})
	}
}

// TestSender_number_of_mails counts the mails and invocations after each fault, and logs a table of
// them.
func TestSender_number_of_mails(t *testing.T) {
	var table strings.Builder
	for _, test := range []struct {
		name        string
		script      []fault
		mails, runs int
	}{
		{"no fault", nil, 1, 1},
		{"the lease fails", []fault{{"Lease", "fails"}}, 1, 2},
		{"the response to the lease is lost", []fault{{"Lease", "response lost"}}, 1, 2},
		{"the process dies before the lease", []fault{{"Lease", "dies before"}}, 1, 2},
		{"the process dies after the lease", []fault{{"Lease", "dies after"}}, 1, 2},
		{"Cognito fails", []fault{{"Address", "fails"}}, 1, 2},
		{"Cognito does not respond", []fault{{"Address", "hangs"}}, 1, 2},
		{"DynamoDB fails", []fault{{"Suppressed", "fails"}}, 1, 2},
		{"SES fails", []fault{{"Send", "fails"}}, 1, 2},
		{
			"SES fails, and releasing fails",
			[]fault{{"Send", "fails"}, {"Release", "fails"}}, 1, 2,
		},
		{
			"SES fails, and the process dies",
			[]fault{{"Send", "fails"}, {"Release", "dies before"}}, 1, 2,
		},
		{"sending is paused", []fault{{"Send", "is paused"}}, 1, 2},
		{
			"sending is paused four times",
			slices.Repeat([]fault{{"Send", "is paused"}}, 4), 1, 5,
		},
		{"the mail is rejected", []fault{{"Send", "is rejected"}}, 0, 1},
		{
			"the mail is rejected, acknowledging fails",
			[]fault{{"Send", "is rejected"}, {"Acknowledge", "fails"}}, 0, 1,
		},
		{
			"the acknowledgement fails twice",
			[]fault{{"Acknowledge", "fails"}, {"Acknowledge", "fails"}}, 1, 1,
		},
		{
			"the response to the acknowledgement is lost",
			[]fault{{"Acknowledge", "response lost"}}, 1, 1,
		},
		{
			"the process dies after the acknowledgement",
			[]fault{{"Acknowledge", "dies after"}}, 1, 2,
		},
		{"SES accepts, and its response is lost", []fault{{"Send", "response lost"}}, 2, 2},
		{"SES accepts, and does not respond", []fault{{"Send", "hangs"}}, 2, 2},
		{"SES accepts, and the process dies", []fault{{"Send", "dies after"}}, 2, 2},
		{
			"the process dies before acknowledging",
			[]fault{{"Acknowledge", "dies before"}}, 2, 2,
		},
		{
			"the process dies before acknowledging, twice",
			[]fault{{"Acknowledge", "dies before"}, {"Acknowledge", "dies before"}}, 3, 3,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, map[string]int{})
			w.script = test.script
			w.write("ada", true)
			w.deliveries.Wait()
			fmt.Fprintf(&table, "\n%-45s %d, %d", test.name, len(w.mails), w.runs)
			if len(w.mails) != test.mails || w.runs != test.runs || len(w.script) > 0 ||
				w.comments[0].unsent {
				t.Errorf("%s: %d mails, %d runs, want %d, %d; unused faults: %v; unsent: %t",
					test.name, len(w.mails), w.runs, test.mails, test.runs,
					w.script, w.comments[0].unsent)
			}
		})
	}
	t.Log(table.String())
}

// TestSender_SendOverdue covers faults of the mail to one of three recipients.
func TestSender_SendOverdue(t *testing.T) {
	for name, test := range map[string]struct {
		script        []fault
		mails, unsent int
		fails         bool
	}{
		"no fault":              {nil, 3, 0, false},
		"one fails":             {[]fault{{"Address", "fails"}}, 2, 1, true},
		"one is rejected":       {[]fault{{"Send", "is rejected"}}, 2, 0, false},
		"sending is paused":     {[]fault{{"Send", "is paused"}}, 0, 3, true},
		"the look-up fails":     {[]fault{{"NextOverdue", "fails"}}, 0, 3, true},
		"there is no time left": {slices.Repeat([]fault{{"Send", "hangs"}}, 3), 2, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, map[string]int{})
				w.script = test.script
				for _, recipient := range []string{"ada", "bob", "cy"} {
					w.write(recipient, false)
				}
				time.Sleep(window)
				w.write("dee", false) // not overdue: its message may still arrive
				time.Sleep(window + time.Second)
				err := w.run(notifications.Message{Overdue: true}, 1)
				unsent := 0
				for _, comment := range w.comments[:3] {
					if comment.unsent {
						unsent++
					}
				}
				if len(w.mails) != test.mails || unsent != test.unsent ||
					(err != nil) != test.fails || !w.comments[3].unsent {
					t.Errorf("%d mails, %d unsent, %v", len(w.mails), unsent, err)
				}
				paused := errors.Is(err, email.ErrSendingPaused)
				if paused != (name == "sending is paused") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestSender_Send_fails_while_leased: the message is retried, since the other function may die.
func TestSender_Send_fails_while_leased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, map[string]int{})
		w.write("ada", false)
		time.Sleep(window)
		w.leases["ada"] = lease{uuid.New(), time.Now().Add(leaseDuration)}
		err := w.run(notifications.Message{Recipient: "ada"}, 1)
		if !errors.Is(err, retry.ErrUnavailable) || len(w.mails) > 0 {
			t.Errorf("%d mails, %v; want ErrUnavailable", len(w.mails), err)
		}
		time.Sleep(leaseDuration)
		err = w.run(notifications.Message{Recipient: "ada"}, 2)
		if err != nil || len(w.mails) != 1 {
			t.Errorf("%d mails, %v", len(w.mails), err)
		}
	})
}

// An overdueStore has overdue recipients. Mails to one of them always fail.
type overdueStore struct {
	singleDigest
	recipients []string // sorted
	failing    string
	sent       map[string]bool
	lookups    int
}

func (s *overdueStore) NextOverdue(
	_ context.Context, after string, _ time.Duration,
) (string, error) {
	s.lookups++
	for _, recipient := range s.recipients {
		if recipient > after && !s.sent[recipient] {
			return recipient, nil
		}
	}
	return "", email.ErrNothingToSend
}

func (s *overdueStore) Lease(
	_ context.Context, recipient string, _, _ time.Duration,
) (notifications.Lease, error) {
	return notifications.Lease{Digest: notifications.Digest{
		Recipient: recipient, Count: 1, Comments: []notifications.Comment{{}},
	}}, nil
}

func (s *overdueStore) Address(_ context.Context, subject string) (email.Address, error) {
	return email.Address(subject), nil
}

func (*overdueStore) Language(tag string) string { return tag }

func (s *overdueStore) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (s *overdueStore) Send(_ context.Context, message email.Message) (string, error) {
	if string(message.To) == s.failing {
		return "", email.ErrSendingPaused
	}
	s.sent[string(message.To)] = true
	return "id", nil
}

// TestSender_SendOverdue_starts_at_a_random_recipient covers a mail that always ends the run, such
// as a mail to an address that is not verified in SES's sandbox: it must not always block other
// mails.
func TestSender_SendOverdue_starts_at_a_random_recipient(t *testing.T) {
	recipients := []string{"0-ada", "8-bob"}
	for _, failing := range recipients {
		s := &overdueStore{recipients: recipients, failing: failing, sent: map[string]bool{}}
		sender := &notifications.Sender{
			Store: s, Users: s, Suppressions: s, Links: s, Messages: s, Mailer: s,
			Logger:        slog.New(slog.DiscardHandler),
			LeaseDuration: leaseDuration,
			Window:        window,
		}
		for range 100 { // the other mail is sent with a probability of one half
			if err := sender.SendOverdue(t.Context()); !errors.Is(err, email.ErrSendingPaused) {
				t.Fatalf("got %v, want ErrSendingPaused", err)
			}
		}
		if len(s.sent) != 1 {
			t.Errorf("while mails to %s fail, no other mail is sent", failing)
		}
	}
}

// TestSender_SendOverdue_ends_without_time covers a function that is about to end.
func TestSender_SendOverdue_ends_without_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &overdueStore{recipients: []string{"0-ada", "8-bob"}, sent: map[string]bool{}}
		sender := &notifications.Sender{Store: s, LeaseDuration: leaseDuration, Window: window}
		ctx, cancel := context.WithTimeout(t.Context(), email.MinLease-time.Millisecond)
		defer cancel()
		// If the random start is after all recipients, a second look-up starts at the first one.
		err := sender.SendOverdue(ctx)
		if !errors.Is(err, retry.ErrUnavailable) || len(s.sent) > 0 || s.lookups > 2 ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v after %d look-ups, want ErrUnavailable once", err, s.lookups)
		}
	})
}
