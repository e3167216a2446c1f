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

// A fake is a handler whose dependencies record their calls. An address determines the results.
type fake struct {
	handler
	log         strings.Builder
	calls       []string
	deadLetters []deadletter.Message
	queueErr    error // of the dead-letter queue
}

func newFake() *fake {
	f := new(fake)
	f.handler = handler{
		mailingList:     f,
		deadLetterQueue: f,
		logger:          slog.New(slog.NewJSONHandler(&f.log, nil)),
		now:             func() time.Time { return now },
	}
	return f
}

func (f *fake) Suppress(_ context.Context, address, reason string, at time.Time) error {
	call := fmt.Sprint("suppress ", address, " ", reason, " ", at.Format(time.DateOnly))
	f.calls = append(f.calls, call)
	return f.result("suppress", address)
}

func (f *fake) Unsubscribe(_ context.Context, address string) error {
	f.calls = append(f.calls, "unsubscribe "+address)
	return f.result("unsubscribe", address)
}

func (f *fake) result(method, address string) error {
	switch {
	case strings.HasPrefix(address, method+"-fails"):
		return errFault
	case strings.HasPrefix(address, method+"-panics"):
		panic("out of stones")
	}
	return nil
}

func (f *fake) Send(_ context.Context, message deadletter.Message) error {
	if f.queueErr == nil {
		f.deadLetters = append(f.deadLetters, message)
	}
	return f.queueErr
}

// handle calls the handler with a batch whose message ids are 0, 1, 2, …, and returns the ids of
// the messages to be retried.
func (f *fake) handle(t *testing.T, bodies ...string) []string {
	t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records,
			events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
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

// from returns a complaint from name at example.com.
func from(t *testing.T, name string) string {
	t.Helper()
	return event(t, complaint, "ada@", name+"@")
}

func TestHandler_suppresses_addresses(t *testing.T) {
	f := newFake()
	retried := f.handle(t, event(t, bounce), event(t, transient), event(t, "several.json"),
		event(t, complaint), validation)
	want := []string{
		"suppress ada@example.com bounce: General 2026-11-21",
		"suppress ada@example.com bounce: NoEmail 2026-11-21",
		"suppress eve@example.com bounce: NoEmail 2026-11-21",
		"suppress ada@example.com complaint: abuse 2026-11-21",
		"unsubscribe ada@example.com",
	}
	diff := cmp.Diff(want, f.calls)
	if diff != "" || len(retried) > 0 || len(f.deadLetters) > 0 {
		t.Errorf("retried %q, dead letters %+v, calls (-want +got):\n%s",
			retried, f.deadLetters, diff)
	}
}

func TestHandler_batch_with_a_bad_message(t *testing.T) {
	bad := map[string]string{ // reason of the dead letter; empty when the message is retried
		from(t, "suppress-fails"):     "",
		from(t, "suppress-panics"):    "",
		from(t, "unsubscribe-fails"):  "",
		from(t, "unsubscribe-panics"): "",
	}
	maps.Copy(bad, invalidEvents(t))
	for body, reason := range bad {
		for at := range 3 {
			f := newFake()
			batch := []string{from(t, "a"), from(t, "b"), from(t, "c")}
			batch[at] = body
			retried := f.handle(t, batch...)
			want := []string{}
			if reason == "" {
				want = append(want, fmt.Sprint(at))
			}
			if !slices.Equal(retried, want) {
				t.Errorf("%s at %d: retried %q, want %q", body, at, retried, want)
			}
			if reason == "" && len(f.deadLetters) > 0 ||
				reason != "" && (len(f.deadLetters) != 1 || f.deadLetters[0].Body != body ||
					!strings.Contains(f.deadLetters[0].Reason, reason)) {
				t.Errorf("%s at %d: dead letters %+v, want the reason %q",
					body, at, f.deadLetters, reason)
			}
			for i, name := range []string{"a", "b", "c"} {
				call := "unsubscribe " + name + "@example.com"
				if i != at && !slices.Contains(f.calls, call) {
					t.Errorf("%s at %d: %s is still subscribed", body, at, name)
				}
			}
		}
	}
}

func TestHandler_retries_when_the_dead_letter_queue_fails(t *testing.T) {
	f := newFake()
	f.queueErr = errFault
	retried := f.handle(t, from(t, "a"), "{", from(t, "b"))
	if !slices.Equal(retried, []string{"1"}) {
		t.Errorf("retried %q, want 1", retried)
	}
}

func TestHandler_logs_ids_and_no_addresses(t *testing.T) {
	f := newFake()
	bodies := []string{from(t, "a"), from(t, "suppress-fails"), event(t, "several.json")}
	for body := range invalidEvents(t) {
		bodies = append(bodies, body)
	}
	f.handle(t, bodies...)
	if log := f.log.String(); strings.Contains(log, "@") || strings.Count(log, mailID) < 2 {
		t.Errorf("the log contains an address, or lacks ids of mails:\n%s", log)
	}
	f = newFake()
	f.handle(t, from(t, "unsubscribe-panics"))
	for _, want := range []string{"out of stones", "handler_test.go", `"messageId":"0"`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, f.log.String())
		}
	}
}
