package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/lambdas/report/contract"
)

type generate func(context.Context, reports.Request) error

func (m generate) Generate(ctx context.Context, request reports.Request) error {
	return m(ctx, request)
}

// A fake is a handler that records its requests. fails has the outcome by day.
type fake struct {
	handler
	log      strings.Builder
	requests []reports.Request
	fails    map[string]func() error
}

func newFake() *fake {
	f := &fake{fails: map[string]func() error{}}
	f.handler = handler{
		generator: generate(func(_ context.Context, request reports.Request) error {
			f.requests = append(f.requests, request)
			if fail := f.fails[request.Day]; fail != nil {
				return fail()
			}
			return nil
		}),
		minTimePerDay: time.Minute,
		logger:        slog.New(slog.NewJSONHandler(&f.log, nil)),
	}
	return f
}

// handle returns the ids of the messages to retry.
func (f *fake) handle(ctx context.Context, t *testing.T, messages ...events.SQSMessage) []string {
	t.Helper()
	response, err := f.Handle(ctx, events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

// message returns a notification of S3 about days, without the fields that the function does not
// read.
func message(id, received string, days ...string) events.SQSMessage {
	var records []string
	for _, day := range days {
		records = append(records,
			`{"s3":{"object":{"key":"telemetry/type%3Dboot/day%3D`+day+`/a+b"}}}`)
	}
	return events.SQSMessage{
		MessageId: id, Body: `{"Records":[` + strings.Join(records, ",") + `]}`,
		Attributes: map[string]string{"ApproximateReceiveCount": received},
	}
}

func TestHandler_Handle_generates_each_day_once(t *testing.T) {
	f := newFake()
	failed := f.handle(t.Context(), t, message("a", "1", "2026-11-20"),
		message("b", "3", "2026-11-21", "2026-11-20", "2026-11-21"),
		message("c", "2", "2026-11-20"))
	if len(failed) > 0 {
		t.Errorf("%q failed", failed)
	}
	days, err := daysOf(message("b", "1", "2026-11-21", "2026-11-20", "2026-11-21"))
	if !slices.Equal(days, []string{"2026-11-21", "2026-11-20"}) {
		t.Errorf("days %q, %v", days, err)
	}
	var made []string
	for _, request := range f.requests {
		made = append(made, request.Day)
		if request.Attempt != 3 {
			t.Errorf("%s was asked for %d times, want 3", request.Day, request.Attempt)
		}
	}
	if diff := cmp.Diff([]string{"2026-11-20", "2026-11-21"}, made); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
}

func TestRequestsOf(t *testing.T) {
	request := func(messages ...events.SQSMessage) reports.Request {
		return requestsOf(events.SQSEvent{Records: messages})["2026-11-20"]
	}
	a, b := message("a", "1", "2026-11-20"), message("b", "1", "2026-11-20")
	other := message("c", "1", "2026-11-21")
	if request(a, b) != request(b, other, a) {
		t.Error("the same messages are another request")
	}
	different := []reports.Request{
		request(a), request(b), request(a, b), request(message("ab", "1", "2026-11-20")),
	}
	for i, one := range different {
		if slices.Contains(different[i+1:], one) || one.ID == "" {
			t.Errorf("request %d is another's: %v", i, different)
		}
	}
	redelivered := request(message("a", "2", "2026-11-20"))
	if redelivered.ID != request(a).ID || redelivered.Attempt != 2 {
		t.Errorf("a redelivered message gives %+v", redelivered)
	}
}

func TestHandler_Handle_returns_failed_messages(t *testing.T) {
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("on purpose") },
		"a panic":  func() error { panic("on purpose") },
	} {
		f := newFake()
		f.fails["2026-11-20"] = fail
		failed := f.handle(t.Context(), t, message("a", "1", "2026-11-20"),
			message("b", "1", "2026-11-21"), message("c", "1", "2026-11-21", "2026-11-20"),
			message("d", "1", "2026-11-22"), events.SQSMessage{MessageId: "e", Body: "no JSON"})
		if diff := cmp.Diff([]string{"a", "c", "e"}, failed); diff != "" || len(f.requests) != 3 {
			t.Errorf("%s: made %v, failed (-want +got):\n%s", name, f.requests, diff)
		}
	}
}

func TestHandler_Handle_starts_no_day_without_time(t *testing.T) {
	f := newFake()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // less the margin
	defer cancel()
	failed := f.handle(ctx, t, message("a", "1", "2026-11-20"), message("b", "1", "2026-11-21"),
		message("c", "1", "2026-11-20"))
	if diff := cmp.Diff([]string{"b"}, failed); diff != "" || len(f.requests) != 1 {
		t.Errorf("made %v, failed (-want +got):\n%s", f.requests, diff)
	}
	f = newFake()
	ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	failed = f.handle(ctx, t, message("a", "1", "2026-11-20"), message("b", "1", "2026-11-21"))
	if len(failed) > 0 {
		t.Errorf("%q failed", failed)
	}
}

func TestDaysOf_schedule(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	for sent, want := range map[string][]string{
		"1795219200000": {"2026-11-20", "2026-11-21"},
		"1795219199999": {"2026-11-19", "2026-11-20"},
		"1772323200000": {"2026-02-28", "2026-03-01"},
	} {
		days, err := daysOf(events.SQSMessage{
			Body: contract.Scheduled, Attributes: map[string]string{"SentTimestamp": sent},
		})
		if diff := cmp.Diff(want, days); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", sent, err, diff)
		}
	}
	if days, err := daysOf(events.SQSMessage{Body: contract.Scheduled}); err == nil {
		t.Errorf("days %q, want an error", days)
	}
}
