package mailinglist_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// TestEverySubscriberGetsOneMailWhateverHappens has addresses subscribe, confirm, leave and come back while functions send
// their mails, up to three at a time, each call of theirs between any two others': calls that fail, whose answer is lost or
// never comes, mails that are held and refused, functions that die, and news of subscriptions that comes twice, late and in
// any order. When it is over and the dead letters were moved back, each of those who stay has the mail, and a second one only
// where something happened between SES's acceptance and the note of it.
func TestEverySubscriberGetsOneMailWhateverHappens(t *testing.T) {
	counts := map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		for range 50 { // 5000 times in all
			rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { checkWorld(t, counts) }) // a T that hides its deadline, as a bubble has to
		}
	})
	t.Logf("%v", counts)
	for _, what := range []string{"mails", "second mails", "refused", "suppressed", "left", "letters", "given up"} {
		if counts[what] == 0 {
			t.Errorf("%s: none, so the test has not tried them", what)
		}
	}
}

func checkWorld(t *rapid.T, counts map[string]int) {
	w := newWorld()
	var told []mailinglist.Key // for replays
	defer func() {
		for len(w.processes) > 0 {
			w.settle(dies)
		}
	}()
	addresses := []string{"ada@example.com", "eve@example.com"}
	faults := rapid.IntRange(0, 6).Draw(t, "faults")
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		possible := []string{"people", "time"}
		if len(w.hints) > 0 && len(w.processes) < 3 {
			possible = append(possible, "tell", "tell", "tell")
		}
		if len(told) > 0 && len(w.processes) < 3 {
			possible = append(possible, "replay")
		}
		if len(w.hints) > 0 {
			possible = append(possible, "give up")
		}
		if len(w.letters) > 0 {
			possible = append(possible, "redrive")
		}
		stopped := w.stopped()
		for range stopped {
			possible = append(possible, "call", "call", "call", "call")
		}
		switch rapid.SampledFrom(possible).Draw(t, "next") {
		case "people":
			address := rapid.SampledFrom(addresses).Draw(t, "address")
			switch rapid.SampledFrom([]string{"subscribes", "subscribes", "asks to", "confirms", "leaves", "complains"}).Draw(t, "who") {
			case "subscribes":
				w.subscribe(address, mailinglist.Subscribed)
			case "asks to":
				w.subscribe(address, mailinglist.Pending)
			case "confirms":
				w.confirm(address)
			case "leaves":
				w.leave(address)
				counts["left"]++
			case "complains":
				w.suppressed[address] = rapid.Bool().Draw(t, "suppressed")
			}
		case "time":
			w.pass(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, leaseDuration, timeout}).Draw(t, "duration"))
		case "tell":
			i := rapid.IntRange(0, len(w.hints)-1).Draw(t, "hint")
			key := w.hints[i]
			w.hints = slices.Delete(w.hints, i, i+1)
			told = append(told, key)
			w.start(key)
		case "replay":
			w.start(told[rapid.IntRange(0, len(told)-1).Draw(t, "again")])
		case "give up": // as Lambda does in the end, without the record
			w.hints = w.hints[1:]
			w.letters = append(w.letters, mailinglist.Key{})
			counts["given up"]++
		case "redrive":
			w.hints, w.letters = append(w.hints, w.letters...), nil
		case "call":
			p := stopped[rapid.IntRange(0, len(stopped)-1).Draw(t, "process")]
			call, _ := p.waits()
			fates := []fate{works}
			if faults > 0 {
				fates = []fate{works, works, works, works, fails, unheard, hangs, dies, died}
				if call == "Send" {
					fates = append([]fate{refused, held, stuck}, fates...)
				}
			}
			fate := rapid.SampledFrom(fates).Draw(t, "fate")
			if fate != works {
				faults--
			}
			p.step(fate)
		}
		counts["letters"] += len(w.letters)
	}

	for rounds := 0; len(w.processes)+len(w.hints)+len(w.letters) > 0; rounds++ {
		if rounds == 1000 {
			t.Fatalf("it does not end: %d functions, news of %v, letters about %v", len(w.processes), w.hints, w.letters)
		}
		if len(w.processes) > 0 {
			w.settle(works)
			continue
		}
		w.hints, w.letters = append(w.hints, w.letters...), nil
		key := w.hints[0]
		w.hints = w.hints[1:]
		w.start(key)
	}

	for _, item := range w.items {
		key := item.subscription.Key
		sent := w.sent(key)
		if sent > 1+w.lost[key] {
			t.Fatalf("%v: %d mails, and only %d times anything happened between one and its note", key, sent, w.lost[key])
		}
		counts["mails"] += min(sent, 1)
		counts["second mails"] += max(sent-1, 0)
		switch {
		case item.gone:
		case item.waiting:
			t.Fatalf("%v still waits after %d mails", key, sent)
		case item.refused == "" && sent == 0:
			t.Fatalf("%v has no mail", key)
		case strings.Contains(item.refused, "bounced"):
			counts["suppressed"]++
		case item.refused != "":
			counts["refused"]++
			if !w.rejected[key] {
				t.Fatalf("%v is refused, which SES has not done: %s", key, item.refused)
			}
		}
	}
}

// stopped are the functions that wait to be told the fate of a call, in their order.
func (w *world) stopped() []*process {
	var stopped []*process
	for _, p := range w.processes {
		if call, _ := p.waits(); call != "" {
			stopped = append(stopped, p)
		}
	}
	slices.SortFunc(stopped, func(a, b *process) int { return a.n - b.n })
	return stopped
}

// settle does the next call of each function, or lets a second pass.
func (w *world) settle(fate fate) {
	stopped := w.stopped()
	for _, p := range stopped {
		if call, _ := p.waits(); call != "" {
			p.step(fate)
		}
	}
	if len(stopped) == 0 {
		w.pass(time.Second)
	}
}

// TestMailsCounted is a table of what was tried, and the mails that it came to.
func TestMailsCounted(t *testing.T) {
	type script struct {
		call string
		fate fate
	}
	var table strings.Builder
	for _, test := range []struct {
		tried string
		fates []script // in the order of the calls; all others work
		mails int
		end   string // of the subscription
	}{
		{"nothing goes wrong", nil, 1, "sent"},
		{"the lease fails", []script{{"Lease", fails}}, 1, "sent"},
		{"the lease is granted, and its answer is lost", []script{{"Lease", unheard}}, 1, "sent"},
		{"the process dies before the lease", []script{{"Lease", dies}}, 1, "sent"},
		{"the process dies after the lease", []script{{"Lease", died}}, 1, "sent"},
		{"the process dies before it sends", []script{{"Send", dies}}, 1, "sent"},
		{"SES fails until the deadline", []script{{"Send", fails}, {"Send", fails}, {"Send", fails}}, 1, "sent"},
		{"SES fails, and the lease is not given back", []script{{"Send", fails}, {"Release", fails}}, 1, "sent"},
		{"SES fails, and the process dies", []script{{"Send", fails}, {"Release", dies}}, 1, "sent"},
		{"mails are held", []script{{"Send", held}}, 1, "sent"},
		{"mails are held, and the lease is not given back", []script{{"Send", held}, {"Release", unheard}}, 1, "sent"},
		{"the mail is stuck", []script{{"Send", stuck}}, 1, "sent"},
		{"the mail is refused", []script{{"Send", refused}}, 0, "refused"},
		{"the mail is refused, and noting it fails", []script{{"Send", refused}, {"MarkRefused", fails}}, 0, "refused"},
		{"noting the mail fails twice", []script{{"MarkSent", fails}, {"MarkSent", fails}}, 1, "sent"},
		{"the mail is noted, and the answer is lost", []script{{"MarkSent", unheard}}, 1, "sent"},
		{"the process dies after the note", []script{{"MarkSent", died}}, 1, "sent"},
		{"SES accepts, and its answer is lost", []script{{"Send", unheard}}, 2, "sent"},
		{"SES accepts, and does not answer", []script{{"Send", hangs}}, 2, "sent"},
		{"SES accepts, and the process dies", []script{{"Send", died}}, 2, "sent"},
		{"the process dies before the note", []script{{"MarkSent", dies}}, 2, "sent"},
		{"the process dies before the note, twice", []script{{"MarkSent", dies}, {"MarkSent", dies}}, 3, "sent"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			key := w.hints[0]
			fates := test.fates
			w.hints = append(w.hints, key) // and once more
			for len(w.processes)+len(w.hints)+len(w.letters) > 0 {
				if w.letters = append(w.letters, w.hints...); len(w.processes) == 0 {
					w.hints = w.letters[1:]
					first := w.letters[0]
					w.letters = nil
					w.start(first)
				} else {
					w.hints, w.letters = w.letters, nil
				}
				p := w.processes[0]
				for {
					call, ended := p.waits()
					if ended {
						break
					}
					switch {
					case call == "":
						w.pass(time.Second)
					case len(fates) > 0 && fates[0].call == call:
						next := fates[0].fate
						fates = fates[1:]
						p.step(next)
					default:
						p.step(works)
					}
				}
			}
			end := "sent"
			if w.items[0].waiting {
				end = "waiting"
			} else if w.items[0].refused != "" {
				end = "refused"
			}
			fmt.Fprintf(&table, "\n%-50s %d, %s", test.tried, w.sent(key), end)
			if w.sent(key) != test.mails || end != test.end || len(fates) > 0 {
				t.Errorf("%s: %d mails, %s, want %d, %s; not tried: %v", test.tried, w.sent(key), end, test.mails, test.end, fates)
			}
		})
	}
	t.Log(table.String())
}
