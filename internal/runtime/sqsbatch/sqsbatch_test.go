package sqsbatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

// batch returns an event with a message for each body. Its id contains its position.
func batch(bodies ...string) events.SQSEvent {
	var event events.SQSEvent
	for i, body := range bodies {
		id := "m" + string(rune('0'+i))
		event.Records = append(event.Records, events.SQSMessage{MessageId: id, Body: body})
	}
	return event
}

// handle succeeds, fails or panics, according to the message's body.
func handle(_ context.Context, message events.SQSMessage) error {
	switch message.Body {
	case "fails":
		return errors.New("on purpose")
	case "panics":
		panic("out of range")
	}
	return nil
}

func TestProcess_returns_failed_messages(t *testing.T) {
	for want, bodies := range map[string][]string{
		`{"batchItemFailures":[]}`: {"done", "done"},
		`{"batchItemFailures":[{"itemIdentifier":"m0"}]}`: {
			"fails", "done", "done",
		},
		`{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"}]}`: {
			"done", "panics", "fails", "done",
		},
		`{"batchItemFailures":[{"itemIdentifier":"m0"},{"itemIdentifier":"m1"}]}`: {
			"panics", "panics",
		},
	} {
		var log strings.Builder
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		response, err := sqsbatch.Process(t.Context(), logger, batch(bodies...), handle)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(encoded)); diff != "" {
			t.Errorf("%q: %s", bodies, diff)
		}
		failed := strings.Count(want, "itemIdentifier")
		if strings.Count(log.String(), "message failed, will be retried") != failed {
			t.Errorf("%q: the log does not have %d failures: %s", bodies, failed, log.String())
		}
		panicked := slices.Contains(bodies, "panics")
		if panicked && !strings.Contains(log.String(), "sqsbatch_test.go") {
			t.Errorf("%q: the log lacks the stack of the panic: %s", bodies, log.String())
		}
	}
}

// TestProcess_fails_without_an_id: Lambda silently treats a response with an empty id as a failure
// of the complete batch.
func TestProcess_fails_without_an_id(t *testing.T) {
	event := batch("done", "fails")
	event.Records[1].MessageId = ""
	logger := slog.New(slog.DiscardHandler)
	if response, err := sqsbatch.Process(t.Context(), logger, event, handle); err == nil {
		t.Errorf("the response is %v, want an error", response)
	}
}

func TestProcess_leaves_time_to_respond(t *testing.T) {
	end := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	handled := false
	handle := func(ctx context.Context, _ events.SQSMessage) error {
		handled = true
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Before(end) {
			t.Errorf("the deadline is %v, want one before %v", deadline, end)
		}
		return nil
	}
	_, err := sqsbatch.Process(ctx, slog.New(slog.DiscardHandler), batch("done"), handle)
	if err != nil || !handled {
		t.Errorf("handled: %t, error: %v", handled, err)
	}
}
