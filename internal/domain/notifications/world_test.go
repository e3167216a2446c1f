package notifications_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
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
	sweeps        = 15 * time.Minute
	leaseDuration = 30 * time.Second
	timeout       = time.Minute     // of a function
	visibility    = 6 * time.Minute // how long a message is hidden that a function has got
	receives      = 5               // after so many it is a dead letter
)

var errFault = fmt.Errorf("%w: on purpose", retry.ErrUnavailable)

// A world is what is around the functions that tell recipients: the database, the queue, which delivers at least once and in
// no order, Cognito, SES, and the dead letters. Its time is that of a synctest bubble.
type world struct {
	mu         sync.Mutex
	comments   []*comment // those that were ever written
	version    uint64
	leases     map[string]lease
	unwilling  map[string]string    // why a recipient is to get no mail
	since      map[string]time.Time // when that began or ended
	wrong      string
	mails      []*told
	letters    []notifications.Message
	faults     float64 // the part of calls that something happens to
	script     []fate  // what happens to calls in their order; all others work
	runs       int
	deliveries sync.WaitGroup
	random     *rand.Rand // of the queue; held by mu
	counts     map[string]int
}

// A fate is what happens to a call.
type fate struct{ call, fate string }

// A comment is one by somebody else than the recipient.
type comment struct {
	recipient string
	version   uint64
	written   time.Time
	gone      bool // with its notification
	unsent    bool // there is a notification
	excused   bool // its recipient was not to get a mail at some time
	told      []*told
}

type lease struct {
	holder uuid.UUID
	until  time.Time
}

// A told is a mail that SES accepted.
type told struct {
	comments []*comment
	at       time.Time
	noted    bool // while the lease was good
	fault    bool // something happened to its process from then on
}

// write is a comment's transaction, and the message that follows it.
func (w *world) write(recipient string, announced bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	w.comments = append(w.comments, &comment{recipient: recipient, version: w.version, written: time.Now(), unsent: true,
		excused: w.unwilling[recipient] != ""})
	if announced {
		w.deliver(notifications.Message{Recipient: recipient}, window, 1)
	}
}

// turn has a recipient be unwilling for a reason, or willing again when that is empty.
func (w *world) turn(recipient, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unwilling[recipient], w.since[recipient] = reason, time.Now()
	for _, comment := range w.comments {
		if comment.recipient == recipient && reason != "" {
			comment.excused = true
		}
	}
}

// remove takes back the comment of a number, if there is one.
func (w *world) remove(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i < len(w.comments) {
		w.comments[i].gone, w.comments[i].unsent = true, false
	}
}

// deliver has a function get a message after a while, and now and then a second time. It is called while mu is held.
func (w *world) deliver(message notifications.Message, after time.Duration, received int) {
	times := 1
	if w.faults > 0 && w.random.IntN(4) == 0 {
		times = 2
	}
	for copied := range times {
		seed, received := w.random.Uint64(), received
		if copied > 0 {
			received = receives // of the copy, nothing is left but that it was there
		}
		w.deliveries.Go(func() {
			time.Sleep(after + time.Duration(seed%uint64(2*time.Second)))
			if err := w.run(message, seed); err == nil {
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if received == receives {
				w.letters = append(w.letters, message)
				return
			}
			w.deliver(message, visibility, received+1)
		})
	}
}

// run is one invocation.
func (w *world) run(message notifications.Message, seed uint64) error {
	w.mu.Lock()
	w.runs++
	w.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		err := errors.New("the process has died") // unless it says something else
		defer func() { ended <- err }()
		p := &process{world: w, random: rand.New(rand.NewPCG(seed, 0)), recipient: message.Recipient}
		sender := &notifications.Sender{Store: p, Users: p, Suppressions: p, Links: p, Messages: p, Mailer: p, Website: "https://app.example.com",
			Logger: slog.New(slog.DiscardHandler), LeaseDuration: leaseDuration, Window: window}
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

// A process is a function at what it was told. Its calls take their time.
type process struct {
	world     *world
	random    *rand.Rand
	recipient string
	leased    []*comment
	since     time.Time // when the lease was made
	until     time.Time
	accepted  *told // the last mail
}

// call does work after a while, if its fate lets it, and answers after another.
func (p *process) call(ctx context.Context, name string, work func() error) error {
	fates := []string{"fails", "is not heard", "hangs", "dies before", "dies after", "is slow"}
	if name == "Send" {
		fates = append(fates, "is held", "is held", "is refused")
	}
	fate := "works"
	p.world.mu.Lock()
	if script := p.world.script; len(script) > 0 && script[0].call == name {
		fate, p.world.script = script[0].fate, script[1:]
		if p.accepted != nil {
			p.accepted.fault = true
		}
	}
	if p.random.Float64() < p.world.faults {
		fate = fates[p.random.IntN(len(fates))]
		p.world.counts[name+" "+fate]++
		if p.accepted != nil {
			p.accepted.fault = true
		}
	}
	p.world.mu.Unlock()
	pause := func(longest time.Duration) bool {
		timer := time.NewTimer(time.Duration(p.random.Int64N(int64(longest))))
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	longest := 300 * time.Millisecond
	if fate == "is slow" {
		longest = 40 * time.Second
	}
	if !pause(longest) {
		return errFault
	}
	switch fate {
	case "dies before":
		runtime.Goexit()
	case "fails":
		return errFault
	case "is held":
		return fmt.Errorf("%w: on purpose", email.ErrSendingPaused)
	case "is refused":
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		for _, comment := range p.leased {
			comment.excused = true
		}
		return fmt.Errorf("%w: on purpose", email.ErrAddressRejected)
	}
	p.world.mu.Lock()
	err := work()
	if fate != "works" && name == "Send" && p.accepted != nil {
		p.accepted.fault = true
	}
	p.world.mu.Unlock()
	switch fate {
	case "dies after":
		runtime.Goexit()
	case "is not heard":
		return errFault
	case "hangs":
		<-ctx.Done()
		return errFault
	}
	return err
}

func (p *process) Lease(ctx context.Context, recipient string, age, leaseDuration time.Duration) (made notifications.Lease, err error) {
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
		p.recipient, p.since, p.until, p.accepted = recipient, time.Now(), time.Now().Add(leaseDuration), nil
		made = notifications.Lease{Holder: uuid.New(), Digest: digest}
		made.Digest.Count, made.Digest.OnePost, made.Digest.Unwanted = len(p.leased), true, p.world.unwilling[recipient] == "unwanted"
		id := uuid.UUID{}
		binary.BigEndian.PutUint64(id[:], p.leased[0].version)
		made.Digest.Comments = []notifications.Comment{{ID: id}}
		p.world.leases[recipient] = lease{made.Holder, p.until}
		return nil
	})
	return made, err
}

func (p *process) Acknowledge(ctx context.Context, of notifications.Lease) error {
	return p.call(ctx, "Acknowledge", func() error {
		for _, comment := range p.world.comments {
			if comment.recipient == of.Digest.Recipient && comment.version <= of.Digest.LastVersion {
				comment.unsent = false
			}
		}
		if p.accepted != nil && time.Now().Before(p.until) {
			p.accepted.noted = true
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

func (p *process) NextOverdue(ctx context.Context, after string, age time.Duration) (next string, err error) {
	err = p.call(ctx, "NextOverdue", func() error {
		for _, comment := range p.world.comments {
			if comment.unsent && time.Since(comment.written) > age && comment.recipient > after && (next == "" || comment.recipient < next) {
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

func (p *process) Address(ctx context.Context, subject string) (address email.Address, err error) {
	err = p.call(ctx, "Address", func() error {
		if p.world.unwilling[subject] == "without address" {
			return email.ErrNoAddress
		}
		address = email.Address(subject)
		return nil
	})
	return address, err
}

func (p *process) Suppressed(ctx context.Context, address string) (suppressed bool, err error) {
	err = p.call(ctx, "Suppressed", func() error {
		suppressed = p.world.unwilling[address] == "suppressed"
		return nil
	})
	return suppressed, err
}

func (p *process) NotificationSettings(_ context.Context, _, _ string) (string, error) {
	return "end", nil
}

func (p *process) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (p *process) Send(ctx context.Context, message email.Message) (string, error) {
	err := p.call(ctx, "Send", func() error {
		mail := &told{comments: p.leased, at: time.Now()}
		for _, comment := range p.leased {
			if comment.recipient != string(message.To) {
				return errors.New("the mail is another's")
			}
			comment.told = append(comment.told, mail)
		}
		if reason := p.world.unwilling[p.recipient]; reason != "" && p.world.since[p.recipient].Before(p.since) {
			p.world.wrong = p.recipient + " got a mail, though " + reason
		}
		p.world.mails = append(p.world.mails, mail)
		p.accepted = mail
		return nil
	})
	return "id", err
}

func newWorld(seed uint64, counts map[string]int) *world {
	return &world{leases: map[string]lease{}, unwilling: map[string]string{}, since: map[string]time.Time{}, random: rand.New(rand.NewPCG(seed, 1)), counts: counts}
}

// sweep sends the schedule's messages for so long.
func (w *world) sweep(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end); time.Sleep(sweeps) {
		w.mu.Lock()
		w.deliver(notifications.Message{Overdue: true}, 0, 1)
		w.mu.Unlock()
	}
}

// A step is what people do, and how long nobody does anything after it.
type step struct {
	recipient, act string
	announced      bool   // of a comment: the message is not lost
	comment        int    // that is removed
	reason         string // why the recipient is to get no mail from now on
	pause          time.Duration
}

var steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
	return step{
		recipient: rapid.SampledFrom([]string{"ada", "eve"}).Draw(t, "recipient"),
		act:       rapid.SampledFrom([]string{"writes", "writes", "writes", "writes", "removes", "turns"}).Draw(t, "act"),
		announced: rapid.IntRange(0, 4).Draw(t, "announced") > 0,
		comment:   rapid.IntRange(0, 20).Draw(t, "comment"),
		reason:    rapid.SampledFrom([]string{"", "", "unwanted", "without address", "suppressed"}).Draw(t, "reason"),
		pause:     time.Duration(rapid.Int64Range(0, int64(2*window)).Draw(t, "pause")),
	}
}), 1, 30)

// TestEveryCommentIsToldWhateverHappens has people comment, take comments back, and turn their mails off and on, while
// functions tell recipients, several at a time: messages that are lost, come twice, late and in any order, calls that fail,
// whose answer is lost or never comes, mails that are held and refused, functions that die. When it is over, each comment was
// told, unless it has gone or its recipient was to get no mail; and twice only where something happened between SES's acceptance
// and the note of it.
func TestEveryCommentIsToldWhateverHappens(t *testing.T) {
	counts := map[string]int{}
	for range 10 { // 1000 times in all
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
	for _, what := range []string{"told", "twice", "excused", "gone", "letters", "Send dies after", "Acknowledge dies before", "Acknowledge hangs", "Lease is not heard"} {
		if counts[what] == 0 {
			t.Errorf("%s: none, so the test has not tried it", what)
		}
	}
}

// play does the steps, and then lets all that is left be done.
func (w *world) play(script []step) {
	for _, step := range script {
		switch step.act {
		case "writes":
			w.write(step.recipient, step.announced)
		case "removes":
			w.remove(step.comment)
		case "turns":
			w.turn(step.recipient, step.reason)
		}
		time.Sleep(step.pause)
	}
	w.sweep(2 * time.Hour)
	w.mu.Lock()
	w.faults = 0
	for _, letter := range w.letters { // which are redriven
		w.deliver(letter, 0, 1)
	}
	w.counts["letters"] += len(w.letters)
	w.mu.Unlock()
	w.sweep(time.Hour)
	w.deliveries.Wait()
}

// check returns what is wrong in the end.
func (w *world) check() string {
	for _, comment := range w.comments {
		times, unnoted := len(comment.told), 0
		for _, mail := range comment.told {
			if !mail.noted {
				unnoted++
			}
		}
		switch {
		case comment.unsent:
			return fmt.Sprintf("comment %d still has its notification", comment.version)
		case times == 0 && comment.gone:
			w.counts["gone"]++
		case times == 0 && comment.excused:
			w.counts["excused"]++
		case times == 0:
			return fmt.Sprintf("comment %d was told to nobody", comment.version)
		case times > unnoted+1:
			return fmt.Sprintf("comment %d was told %d times, and %d times anything happened", comment.version, times, unnoted)
		}
		w.counts["told"] += min(times, 1)
		w.counts["twice"] += max(times-1, 0)
	}
	for _, mail := range w.mails {
		if !mail.noted && !mail.fault {
			return fmt.Sprintf("the mail of %s was not noted, though nothing happened", mail.at)
		}
	}
	return w.wrong
}

// TestABurstIsOneMail has many comments be written within the window, and all their messages come, some of them twice.
func TestABurstIsOneMail(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed, pauses := rapid.Uint64().Draw(r, "seed"), rapid.SliceOfN(rapid.Int64Range(0, int64(time.Minute)), 0, 50).Draw(r, "pauses")
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
				w.deliver(notifications.Message{Recipient: "ada"}, window, receives) // once more
				w.mu.Unlock()
			}
			w.deliveries.Wait()
			if len(w.mails) != 1 || len(w.mails[0].comments) != written {
				problem = fmt.Sprintf("%d comments were told in %d mails", written, len(w.mails))
			} else if waited := w.mails[0].at.Sub(begun); waited < window || waited > window+5*time.Second {
				problem = fmt.Sprintf("the first comment waited %s", waited)
			}
		})
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

// TestAStreamIsOneMailAWindow has comments go on for much longer than the window.
func TestAStreamIsOneMailAWindow(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, map[string]int{})
			for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(every) {
				w.write("ada", true)
			}
			w.deliveries.Wait()
			if len(w.mails) > int(time.Hour/window)+1 {
				t.Errorf("a comment every %s for an hour is told in %d mails", every, len(w.mails))
			}
			for _, comment := range w.comments {
				if len(comment.told) != 1 {
					t.Fatalf("a comment is told in %d mails", len(comment.told))
				}
				if waited := comment.told[0].at.Sub(comment.written); waited > window+5*time.Second {
					t.Errorf("a comment waited %s", waited)
				}
			}
		})
	}
}

// TestMailsCounted is a table of what was tried, of the mails that it came to, and of how often the message came.
func TestMailsCounted(t *testing.T) {
	var table strings.Builder
	for _, test := range []struct {
		tried       string
		script      []fate
		mails, runs int
	}{
		{"nothing goes wrong", nil, 1, 1},
		{"the lease fails", []fate{{"Lease", "fails"}}, 1, 2},
		{"the lease is granted, and its answer is lost", []fate{{"Lease", "is not heard"}}, 1, 2},
		{"the process dies before the lease", []fate{{"Lease", "dies before"}}, 1, 2},
		{"the process dies after the lease", []fate{{"Lease", "dies after"}}, 1, 2},
		{"Cognito fails", []fate{{"Address", "fails"}}, 1, 2},
		{"Cognito does not answer", []fate{{"Address", "hangs"}}, 1, 2},
		{"DynamoDB fails", []fate{{"Suppressed", "fails"}}, 1, 2},
		{"SES fails", []fate{{"Send", "fails"}}, 1, 2},
		{"SES fails, and the lease is not given back", []fate{{"Send", "fails"}, {"Release", "fails"}}, 1, 2},
		{"SES fails, and the process dies", []fate{{"Send", "fails"}, {"Release", "dies before"}}, 1, 2},
		{"mails are held", []fate{{"Send", "is held"}}, 1, 2},
		{"mails are held four times", []fate{{"Send", "is held"}, {"Send", "is held"}, {"Send", "is held"}, {"Send", "is held"}}, 1, 5},
		{"the mail is refused", []fate{{"Send", "is refused"}}, 0, 1},
		{"the mail is refused, and noting it fails", []fate{{"Send", "is refused"}, {"Acknowledge", "fails"}}, 0, 1},
		{"noting the mail fails twice", []fate{{"Acknowledge", "fails"}, {"Acknowledge", "fails"}}, 1, 1},
		{"the mail is noted, and the answer is lost", []fate{{"Acknowledge", "is not heard"}}, 1, 1},
		{"the process dies after the note", []fate{{"Acknowledge", "dies after"}}, 1, 2},
		{"SES accepts, and its answer is lost", []fate{{"Send", "is not heard"}}, 2, 2},
		{"SES accepts, and does not answer", []fate{{"Send", "hangs"}}, 2, 2},
		{"SES accepts, and the process dies", []fate{{"Send", "dies after"}}, 2, 2},
		{"the process dies before the note", []fate{{"Acknowledge", "dies before"}}, 2, 2},
		{"the process dies before the note, twice", []fate{{"Acknowledge", "dies before"}, {"Acknowledge", "dies before"}}, 3, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, map[string]int{})
			w.script = test.script
			w.write("ada", true)
			w.deliveries.Wait()
			fmt.Fprintf(&table, "\n%-45s %d, %d", test.tried, len(w.mails), w.runs)
			if len(w.mails) != test.mails || w.runs != test.runs || len(w.script) > 0 || w.comments[0].unsent {
				t.Errorf("%s: %d mails, %d times, want %d, %d; not tried: %v; left: %t", test.tried, len(w.mails), w.runs, test.mails, test.runs,
					w.script, w.comments[0].unsent)
			}
		})
	}
	t.Log(table.String())
}

// TestASweepTellsThoseWhomItCan has one of three recipients be one whom nobody can tell.
func TestASweepTellsThoseWhomItCan(t *testing.T) {
	for name, test := range map[string]struct {
		script      []fate
		mails, left int
		wrong       bool
	}{
		"all":                      {nil, 3, 0, false},
		"one fails":                {[]fate{{"Address", "fails"}}, 2, 1, true},
		"one is refused":           {[]fate{{"Send", "is refused"}}, 2, 0, false},
		"mails are held":           {[]fate{{"Send", "is held"}}, 0, 3, true},
		"nobody can be looked for": {[]fate{{"NextOverdue", "fails"}}, 0, 3, true},
		"there is no time":         {[]fate{{"Send", "hangs"}, {"Send", "hangs"}, {"Send", "hangs"}}, 2, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, map[string]int{})
				w.script = test.script
				for _, recipient := range []string{"ada", "bob", "cy"} {
					w.write(recipient, false)
				}
				time.Sleep(window)
				w.write("dee", false) // whose message may come yet
				time.Sleep(window + time.Second)
				err := w.run(notifications.Message{Overdue: true}, 1)
				left := 0
				for _, comment := range w.comments[:3] {
					if comment.unsent {
						left++
					}
				}
				if len(w.mails) != test.mails || left != test.left || (err != nil) != test.wrong || !w.comments[3].unsent {
					t.Errorf("%d mails, %d left, %v", len(w.mails), left, err)
				}
				if held := errors.Is(err, email.ErrSendingPaused); held != (name == "mails are held") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestWhoIsBeingToldIsLookedAtAgain has a message come while another function is at it, which may die.
func TestWhoIsBeingToldIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, map[string]int{})
		w.write("ada", false)
		time.Sleep(window)
		w.leases["ada"] = lease{uuid.New(), time.Now().Add(leaseDuration)}
		if err := w.run(notifications.Message{Recipient: "ada"}, 1); !errors.Is(err, retry.ErrUnavailable) || len(w.mails) > 0 {
			t.Errorf("%d mails, %v; want ErrUnavailable", len(w.mails), err)
		}
		time.Sleep(leaseDuration)
		if err := w.run(notifications.Message{Recipient: "ada"}, 2); err != nil || len(w.mails) != 1 {
			t.Errorf("%d mails, %v", len(w.mails), err)
		}
	})
}

// A standing crowd of recipients has one whose mail is always held.
type standing struct {
	reader
	recipients []string // sorted
	held       string
	told       map[string]bool
	lookups    int
}

func (s *standing) NextOverdue(_ context.Context, after string, _ time.Duration) (string, error) {
	s.lookups++
	for _, recipient := range s.recipients {
		if recipient > after && !s.told[recipient] {
			return recipient, nil
		}
	}
	return "", email.ErrNothingToSend
}

func (s *standing) Lease(_ context.Context, recipient string, _, _ time.Duration) (notifications.Lease, error) {
	return notifications.Lease{Digest: notifications.Digest{Recipient: recipient, Count: 1, Comments: []notifications.Comment{{}}}}, nil
}

func (s *standing) Address(_ context.Context, subject string) (email.Address, error) {
	return email.Address(subject), nil
}

func (s *standing) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (s *standing) Send(_ context.Context, message email.Message) (string, error) {
	if string(message.To) == s.held {
		return "", email.ErrSendingPaused
	}
	s.told[string(message.To)] = true
	return "id", nil
}

// TestWhoCannotBeToldIsNotAlwaysBeforeTheOthers has a mail be held that ends each sweep, as that to an address which is not
// verified does in SES's sandbox.
func TestWhoCannotBeToldIsNotAlwaysBeforeTheOthers(t *testing.T) {
	for _, held := range []string{"0-ada", "8-bob"} {
		s := &standing{recipients: []string{"0-ada", "8-bob"}, held: held, told: map[string]bool{}}
		sender := &notifications.Sender{Store: s, Users: s, Suppressions: s, Links: s, Messages: s, Mailer: s,
			Logger: slog.New(slog.DiscardHandler), LeaseDuration: leaseDuration, Window: window}
		for range 100 { // each has an even chance
			if err := sender.SendOverdue(t.Context()); !errors.Is(err, email.ErrSendingPaused) {
				t.Fatalf("got %v, want ErrSendingPaused", err)
			}
		}
		if len(s.told) != 1 {
			t.Errorf("while %s cannot be told, nobody is", held)
		}
	}
}

// TestSender_SendOverdue_ends_without_time has the function be about to end.
func TestSender_SendOverdue_ends_without_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &standing{recipients: []string{"0-ada", "8-bob"}, told: map[string]bool{}}
		sender := &notifications.Sender{Store: s, LeaseDuration: leaseDuration, Window: window}
		ctx, cancel := context.WithTimeout(t.Context(), email.MinLease-time.Millisecond)
		defer cancel()
		// A second look-up is one from the beginning, when the random place is after all recipients.
		err := sender.SendOverdue(ctx)
		if !errors.Is(err, retry.ErrUnavailable) || len(s.told) > 0 || s.lookups > 2 ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v after %d look-ups, want ErrUnavailable once", err, s.lookups)
		}
	})
}
