package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
)

var (
	errFault = errors.New("on purpose")
	now      = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// A fake is a handler whose parts note what they were asked for. What happens to an address is in its name.
type fake struct {
	handler
	log     strings.Builder
	done    []string
	letters []deadletter.Message
	sending error
}

func newFake() *fake {
	f := new(fake)
	f.handler = handler{mailingList: f, deadLetterQueue: f, logger: slog.New(slog.NewJSONHandler(&f.log, nil)), now: func() time.Time { return now }}
	return f
}

func (f *fake) Suppress(_ context.Context, address, reason string, at time.Time) error {
	f.done = append(f.done, fmt.Sprint("suppress ", address, " ", reason, " ", at.Format(time.DateOnly)))
	return f.fate("suppress", address)
}

func (f *fake) Unsubscribe(_ context.Context, address string) error {
	f.done = append(f.done, "unsubscribe "+address)
	return f.fate("unsubscribe", address)
}

func (f *fake) fate(method, address string) error {
	switch {
	case strings.HasPrefix(address, method+"-fails"):
		return errFault
	case strings.HasPrefix(address, method+"-panics"):
		panic("out of stones")
	}
	return nil
}

func (f *fake) Send(_ context.Context, letter deadletter.Message) error {
	if f.sending == nil {
		f.letters = append(f.letters, letter)
	}
	return f.sending
}

// handle gives the handler a batch whose message ids are 0, 1, 2, …, and returns the ids of those that come again.
func (f *fake) handle(t *testing.T, bodies ...string) []string {
	t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	response, err := f.Handle(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

// from is a complaint of somebody else than ada.
func from(t *testing.T, name string) string {
	t.Helper()
	return event(t, complaint, "ada@", name+"@")
}

func TestWhoBouncesIsSuppressedAndWhoComplainsLeavesToo(t *testing.T) {
	f := newFake()
	failed := f.handle(t, event(t, bounce), event(t, transient), event(t, "several.json"), event(t, complaint), validation)
	want := []string{
		"suppress ada@example.com bounce: General 2026-11-21",
		"suppress ada@example.com bounce: NoEmail 2026-11-21", "suppress eve@example.com bounce: NoEmail 2026-11-21",
		"suppress ada@example.com complaint: abuse 2026-11-21", "unsubscribe ada@example.com",
	}
	if diff := cmp.Diff(want, f.done); diff != "" || len(failed) > 0 || len(f.letters) > 0 {
		t.Errorf("failed %q, letters %+v, done (-want +got):\n%s", failed, f.letters, diff)
	}
}

func TestOneBadMessageOfABatchIsItsOwn(t *testing.T) {
	bad := map[string]string{ // the letter's reason; empty when it comes again
		from(t, "suppress-fails"):     "",
		from(t, "suppress-panics"):    "",
		from(t, "unsubscribe-fails"):  "",
		from(t, "unsubscribe-panics"): "",
	}
	maps.Copy(bad, poison(t))
	for body, reason := range bad {
		for at := range 3 {
			f := newFake()
			batch := []string{from(t, "a"), from(t, "b"), from(t, "c")}
			batch[at] = body
			failed := f.handle(t, batch...)
			want := []string{}
			if reason == "" {
				want = append(want, fmt.Sprint(at))
			}
			if !slices.Equal(failed, want) {
				t.Errorf("%s at %d: %q come again, want %q", body, at, failed, want)
			}
			if reason != "" && (len(f.letters) != 1 || f.letters[0].Body != body || !strings.Contains(f.letters[0].Reason, reason)) || reason == "" && len(f.letters) > 0 {
				t.Errorf("%s at %d: letters %+v, want the reason %q", body, at, f.letters, reason)
			}
			for i, name := range []string{"a", "b", "c"} {
				if i != at && !slices.Contains(f.done, "unsubscribe "+name+"@example.com") {
					t.Errorf("%s at %d: %s is still on the list", body, at, name)
				}
			}
		}
	}
}

func TestWhatTheDeadLetterQueueDoesNotTakeComesAgain(t *testing.T) {
	f := newFake()
	f.sending = errFault
	if failed := f.handle(t, from(t, "a"), "{", from(t, "b")); !slices.Equal(failed, []string{"1"}) {
		t.Errorf("%q come again, want 1", failed)
	}
}

func TestTheLogHasNoAddresses(t *testing.T) {
	f := newFake()
	bodies := []string{from(t, "a"), from(t, "suppress-fails"), event(t, "several.json")}
	for body := range poison(t) {
		bodies = append(bodies, body)
	}
	f.handle(t, bodies...)
	if log := f.log.String(); strings.Contains(log, "@") || strings.Count(log, mailID) < 2 {
		t.Errorf("the log has an address, or not the ids of the mails:\n%s", log)
	}
	f = newFake()
	f.handle(t, from(t, "unsubscribe-panics"))
	for _, want := range []string{"out of stones", "handler_test.go", `"messageId":"0"`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, f.log.String())
		}
	}
}
