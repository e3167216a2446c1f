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

// TestSender_random_faults lets addresses subscribe, confirm, unsubscribe and subscribe again while
// up to three functions send mails, interleaved at every call. It covers calls that fail or hang,
// lost responses, paused sending, rejected mails, functions that die, and records that are
// delivered twice, late and in any order. In the end, after all redrives, each remaining
// subscription has its mail, and a second one only after a fault between SES's acceptance and the
// acknowledgement.
func TestSender_random_faults(t *testing.T) {
	counts := map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		for range 50 { // 5000 runs in total
			// rapid must not see the deadline of T, which is not the bubble's.
			rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { checkWorld(t, counts) })
		}
	})
	t.Logf("%v", counts)
	for _, event := range []string{
		"mails", "second mails", "rejected", "suppressed", "unsubscribed", "dead letters",
		"retries exhausted",
	} {
		if counts[event] == 0 {
			t.Errorf("%s: none, so the test has not covered them", event)
		}
	}
}

func checkWorld(t *rapid.T, counts map[string]int) {
	w := newWorld()
	var delivered []mailinglist.Key // for redeliveries
	defer func() {
		for len(w.processes) > 0 {
			w.stepAll(diesBefore)
		}
	}()
	faults := rapid.IntRange(0, 6).Draw(t, "faults")
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		waiting := w.waiting()
		switch rapid.SampledFrom(w.possibleSteps(delivered, waiting)).Draw(t, "next") {
		case "user":
			w.act(t, counts)
		case "time":
			w.pass(rapid.SampledFrom([]time.Duration{
				time.Second, 10 * time.Second, leaseDuration, timeout,
			}).Draw(t, "duration"))
		case "deliver":
			i := rapid.IntRange(0, len(w.queue)-1).Draw(t, "record")
			key := w.queue[i]
			w.queue = slices.Delete(w.queue, i, i+1)
			delivered = append(delivered, key)
			w.start(key)
		case "redeliver":
			w.start(delivered[rapid.IntRange(0, len(delivered)-1).Draw(t, "redelivered")])
		case "exhaust retries": // Lambda's message does not contain the record
			w.queue = w.queue[1:]
			w.deadLetters = append(w.deadLetters, mailinglist.Key{})
			counts["retries exhausted"]++
		case "redrive":
			w.queue, w.deadLetters = append(w.queue, w.deadLetters...), nil
		case "call":
			p := waiting[rapid.IntRange(0, len(waiting)-1).Draw(t, "process")]
			call, _ := p.state()
			outcomes := []outcome{succeeds}
			if faults > 0 {
				outcomes = []outcome{
					succeeds, succeeds, succeeds, succeeds,
					fails, responseLost, hangs, diesBefore, diesAfter,
				}
				if call == "Send" {
					outcomes = append([]outcome{rejects, paused, undelivered}, outcomes...)
				}
			}
			outcome := rapid.SampledFrom(outcomes).Draw(t, "outcome")
			if outcome != succeeds {
				faults--
			}
			p.step(outcome)
		}
		counts["dead letters"] += len(w.deadLetters)
	}
	w.finish(t)
	w.checkItems(t, counts)
}

// possibleSteps returns the possible next steps; steps that occur several times are more likely.
func (w *world) possibleSteps(delivered []mailinglist.Key, waiting []*process) []string {
	possible := []string{"user", "time"}
	if len(w.queue) > 0 && len(w.processes) < 3 {
		possible = append(possible, "deliver", "deliver", "deliver")
	}
	if len(delivered) > 0 && len(w.processes) < 3 {
		possible = append(possible, "redeliver")
	}
	if len(w.queue) > 0 {
		possible = append(possible, "exhaust retries")
	}
	if len(w.deadLetters) > 0 {
		possible = append(possible, "redrive")
	}
	for range waiting {
		possible = append(possible, "call", "call", "call", "call")
	}
	return possible
}

// act lets a random user do something.
func (w *world) act(t *rapid.T, counts map[string]int) {
	address := rapid.SampledFrom([]string{"ada@example.com", "eve@example.com"}).Draw(t, "address")
	switch rapid.SampledFrom([]string{
		"subscribes", "subscribes", "requests", "confirms", "unsubscribes", "complains",
	}).Draw(t, "act") {
	case "subscribes":
		w.subscribe(address, mailinglist.Subscribed)
	case "requests":
		w.subscribe(address, mailinglist.Pending)
	case "confirms":
		w.confirm(address)
	case "unsubscribes":
		w.unsubscribe(address)
		counts["unsubscribed"]++
	case "complains":
		w.suppressed[address] = rapid.Bool().Draw(t, "suppressed")
	}
}

// finish delivers all records, without faults.
func (w *world) finish(t *rapid.T) {
	for rounds := 0; len(w.processes)+len(w.queue)+len(w.deadLetters) > 0; rounds++ {
		if rounds == 1000 {
			t.Fatalf("not finished: %d functions, queue %v, dead letters %v",
				len(w.processes), w.queue, w.deadLetters)
		}
		if len(w.processes) > 0 {
			w.stepAll(succeeds)
			continue
		}
		w.queue, w.deadLetters = append(w.queue, w.deadLetters...), nil
		key := w.queue[0]
		w.queue = w.queue[1:]
		w.start(key)
	}
}

// checkItems checks the state of all items, and counts their mails.
func (w *world) checkItems(t *rapid.T, counts map[string]int) {
	for _, item := range w.items {
		key := item.subscription.Key
		sent := w.sent(key)
		if sent > 1+w.lost[key] {
			t.Fatalf("%v: %d mails, but only %d faults between acceptance and acknowledgement",
				key, sent, w.lost[key])
		}
		counts["mails"] += min(sent, 1)
		counts["second mails"] += max(sent-1, 0)
		switch {
		case item.deleted:
		case item.unsent:
			t.Fatalf("%v is still unsent after %d mails", key, sent)
		case item.rejection == "" && sent == 0:
			t.Fatalf("%v has no mail", key)
		case strings.Contains(item.rejection, "bounced"):
			counts["suppressed"]++
		case item.rejection != "":
			counts["rejected"]++
			if !w.rejected[key] {
				t.Fatalf("%v is marked as rejected, but SES did not reject it: %s",
					key, item.rejection)
			}
		}
	}
}

// waiting returns the functions that are waiting for the outcome of a call, in order of their
// start.
func (w *world) waiting() []*process {
	var waiting []*process
	for _, p := range w.processes {
		if call, _ := p.state(); call != "" {
			waiting = append(waiting, p)
		}
	}
	slices.SortFunc(waiting, func(a, b *process) int { return a.n - b.n })
	return waiting
}

// stepAll continues each waiting function with the same outcome, or lets a second pass.
func (w *world) stepAll(outcome outcome) {
	waiting := w.waiting()
	for _, p := range waiting {
		if call, _ := p.state(); call != "" {
			p.step(outcome)
		}
	}
	if len(waiting) == 0 {
		w.pass(time.Second)
	}
}

// TestSender_number_of_mails counts the mails after each fault, and logs a table of them.
func TestSender_number_of_mails(t *testing.T) {
	type script struct {
		call    string
		outcome outcome
	}
	var table strings.Builder
	for _, test := range []struct {
		name     string
		outcomes []script // in the order of the calls; all others succeed
		mails    int
		end      string // state of the subscription
	}{
		{"no fault", nil, 1, "sent"},
		{"the lease fails", []script{{"Lease", fails}}, 1, "sent"},
		{"the response to the lease is lost", []script{{"Lease", responseLost}}, 1, "sent"},
		{"the process dies before the lease", []script{{"Lease", diesBefore}}, 1, "sent"},
		{"the process dies after the lease", []script{{"Lease", diesAfter}}, 1, "sent"},
		{"the process dies before it sends", []script{{"Send", diesBefore}}, 1, "sent"},
		{
			"SES fails until the deadline",
			[]script{{"Send", fails}, {"Send", fails}, {"Send", fails}}, 1, "sent",
		},
		{
			"SES fails, and releasing fails",
			[]script{{"Send", fails}, {"Release", fails}}, 1, "sent",
		},
		{
			"SES fails, and the process dies",
			[]script{{"Send", fails}, {"Release", diesBefore}}, 1, "sent",
		},
		{"sending is paused", []script{{"Send", paused}}, 1, "sent"},
		{
			"sending is paused, and releasing fails",
			[]script{{"Send", paused}, {"Release", responseLost}}, 1, "sent",
		},
		{"the mail is undeliverable", []script{{"Send", undelivered}}, 1, "sent"},
		{"the mail is rejected", []script{{"Send", rejects}}, 0, "rejected"},
		{
			"the mail is rejected, and marking fails",
			[]script{{"Send", rejects}, {"MarkRejected", fails}}, 0, "rejected",
		},
		{
			"the acknowledgement fails twice",
			[]script{{"MarkSent", fails}, {"MarkSent", fails}}, 1, "sent",
		},
		{
			"the response to the acknowledgement is lost",
			[]script{{"MarkSent", responseLost}}, 1, "sent",
		},
		{
			"the process dies after the acknowledgement",
			[]script{{"MarkSent", diesAfter}}, 1, "sent",
		},
		{"SES accepts, and its response is lost", []script{{"Send", responseLost}}, 2, "sent"},
		{"SES accepts, and does not respond", []script{{"Send", hangs}}, 2, "sent"},
		{"SES accepts, and the process dies", []script{{"Send", diesAfter}}, 2, "sent"},
		{
			"the process dies before the acknowledgement",
			[]script{{"MarkSent", diesBefore}}, 2, "sent",
		},
		{
			"the process dies before the acknowledgement, twice",
			[]script{{"MarkSent", diesBefore}, {"MarkSent", diesBefore}}, 3, "sent",
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.subscribe("ada@example.com", mailinglist.Subscribed)
			key := w.queue[0]
			outcomes := test.outcomes
			w.queue = append(w.queue, key) // delivered twice
			for len(w.processes)+len(w.queue)+len(w.deadLetters) > 0 {
				w.deadLetters = append(w.deadLetters, w.queue...)
				if len(w.processes) == 0 {
					w.queue = w.deadLetters[1:]
					first := w.deadLetters[0]
					w.deadLetters = nil
					w.start(first)
				} else {
					w.queue, w.deadLetters = w.deadLetters, nil
				}
				p := w.processes[0]
				for {
					call, ended := p.state()
					if ended {
						break
					}
					switch {
					case call == "":
						w.pass(time.Second)
					case len(outcomes) > 0 && outcomes[0].call == call:
						next := outcomes[0].outcome
						outcomes = outcomes[1:]
						p.step(next)
					default:
						p.step(succeeds)
					}
				}
			}
			end := "sent"
			if w.items[0].unsent {
				end = "unsent"
			} else if w.items[0].rejection != "" {
				end = "rejected"
			}
			fmt.Fprintf(&table, "\n%-50s %d, %s", test.name, w.sent(key), end)
			if w.sent(key) != test.mails || end != test.end || len(outcomes) > 0 {
				t.Errorf("%s: %d mails, %s, want %d, %s; unused outcomes: %v",
					test.name, w.sent(key), end, test.mails, test.end, outcomes)
			}
		})
	}
	t.Log(table.String())
}
