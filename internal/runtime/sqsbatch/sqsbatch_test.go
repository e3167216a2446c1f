package sqsbatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

// batch has a message for each body, whose id is its place.
func batch(bodies ...string) events.SQSEvent {
	var event events.SQSEvent
	for i, body := range bodies {
		event.Records = append(event.Records, events.SQSMessage{MessageId: "m" + string(rune('0'+i)), Body: body})
	}
	return event
}

// do fails or panics, as the message says.
func do(_ context.Context, message events.SQSMessage) error {
	switch message.Body {
	case "fails":
		return errors.New("no luck")
	case "panics":
		panic("out of range")
	}
	return nil
}

func TestEachMessageThatFailsComesAgainAndNoOther(t *testing.T) {
	for want, bodies := range map[string][]string{
		`{"batchItemFailures":[]}`:                                                {"done", "done"},
		`{"batchItemFailures":[{"itemIdentifier":"m0"}]}`:                         {"fails", "done", "done"},
		`{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"}]}`: {"done", "panics", "fails", "done"},
		`{"batchItemFailures":[{"itemIdentifier":"m0"},{"itemIdentifier":"m1"}]}`: {"panics", "panics"},
	} {
		var log strings.Builder
		response, err := sqsbatch.Process(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), batch(bodies...), do)
		if err != nil {
			t.Fatal(err)
		}
		answered, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(answered)); diff != "" {
			t.Errorf("%q: %s", bodies, diff)
		}
		if failed := strings.Count(want, "itemIdentifier"); strings.Count(log.String(), "has to come again") != failed {
			t.Errorf("%q: the log has not %d failures: %s", bodies, failed, log.String())
		}
		if strings.Contains(strings.Join(bodies, " "), "panics") && !strings.Contains(log.String(), "sqsbatch_test.go") {
			t.Errorf("%q: the log does not say where the panic was: %s", bodies, log.String())
		}
	}
}

// Lambda takes an answer with an empty id for a failure of the whole batch, and says so nowhere.
func TestAMessageWithoutAnIDIsNotAnsweredWith(t *testing.T) {
	event := batch("done", "fails")
	event.Records[1].MessageId = ""
	if response, err := sqsbatch.Process(t.Context(), slog.New(slog.DiscardHandler), event, do); err == nil {
		t.Errorf("the answer is %v, want an error", response)
	}
}

func TestThereIsTimeLeftToAnswer(t *testing.T) {
	end := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	taken := false
	_, err := sqsbatch.Process(ctx, slog.New(slog.DiscardHandler), batch("done"), func(ctx context.Context, _ events.SQSMessage) error {
		taken = true
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Before(end) {
			t.Errorf("the deadline is %v, want one before %v", deadline, end)
		}
		return nil
	})
	if err != nil || !taken {
		t.Errorf("taken: %t, error: %v", taken, err)
	}
}
