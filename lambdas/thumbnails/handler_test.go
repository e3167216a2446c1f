package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
)

var errFault = errors.New("injected fault")

type reconcile func(context.Context, thumbnails.Change) error

func (r reconcile) Reconcile(ctx context.Context, change thumbnails.Change) error {
	return r(ctx, change)
}

type send func(context.Context, deadletter.Message) error

func (s send) Send(ctx context.Context, letter deadletter.Message) error { return s(ctx, letter) }

// A fake is a handler whose dependencies record their calls. A picture's key determines the
// outcome.
type fake struct {
	handler
	log        strings.Builder
	reconciled []thumbnails.Change
	letters    []deadletter.Message
	sending    error
}

func newFake() *fake {
	f := new(fake)
	f.handler = handler{
		reconciler: reconcile(func(_ context.Context, change thumbnails.Change) error {
			f.reconciled = append(f.reconciled, change)
			switch {
			case strings.HasPrefix(change.Key, "bad"):
				return fmt.Errorf("%w: it is bad", imaging.ErrRejected)
			case strings.HasPrefix(change.Key, "fails"):
				return errFault
			case strings.HasPrefix(change.Key, "panics"):
				panic("on purpose")
			}
			return nil
		}),
		deadLetters: send(func(_ context.Context, letter deadletter.Message) error {
			if f.sending == nil {
				f.letters = append(f.letters, letter)
			}
			return f.sending
		}),
		thumbnailBucket: "thumbnails",
		logger:          slog.New(slog.NewJSONHandler(&f.log, nil)),
	}
	return f
}

// handle calls the handler with a batch whose message ids are 0, 1, 2, …, and returns the ids of
// the messages to retry.
func (f *fake) handle(t *testing.T, ctx context.Context, bodies ...string) []string {
	t.Helper()
	var event events.SQSEvent
	for i, body := range bodies {
		message := events.SQSMessage{MessageId: fmt.Sprint(i), Body: body}
		event.Records = append(event.Records, message)
	}
	response, err := f.Handle(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

// record returns a record of S3 with the fields that the function reads.
func record(bucket, key string) string {
	return `{"s3":{"bucket":{"name":"` + bucket + `"},` +
		`"object":{"key":"` + key + `","sequencer":"00A1"}}}`
}

func body(keys ...string) string {
	var records []string
	for _, key := range keys {
		records = append(records, record("originals", key))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func TestHandler_Handle_reconciles_every_record(t *testing.T) {
	f := newFake()
	failed := f.handle(t, t.Context(),
		body("temp/a", "private/eu-central-1%3A1/my+cat%2Bdog+%C3%BC.jpg"),
		`{"Event":"s3:TestEvent"}`, body("b"))
	want := []thumbnails.Change{
		{Bucket: "originals", Key: "temp/a", Sequencer: "00A1"},
		{Bucket: "originals", Key: "private/eu-central-1:1/my cat+dog ü.jpg", Sequencer: "00A1"},
		{Bucket: "originals", Key: "b", Sequencer: "00A1"},
	}
	if diff := cmp.Diff(want, f.reconciled); diff != "" || len(failed) > 0 || len(f.letters) > 0 {
		t.Errorf("failed %q, dead letters %+v, changes (-want +got):\n%s", failed, f.letters, diff)
	}
}

func TestHandler_Handle_isolates_a_bad_message(t *testing.T) {
	ofThumbnail := `{"Records":[` + record("thumbnails", "temp/a/320.jpg") + `]}`
	for bad, test := range map[string]struct {
		retry  bool
		reason string // of the dead letter
	}{
		body("fails"):           {retry: true},
		body("panics"):          {retry: true},
		body("a", "fails", "b"): {retry: true},
		body("bad", "fails"):    {retry: true}, // a retry would send the dead letter a second time
		body("bad"):             {reason: "picture rejected: it is bad"},
		`{"Records":[]}`:        {reason: "not an S3 event notification: no Records"},
		`null`:                  {reason: "not an S3 event notification: no Records"},
		`{"Records"`:            {reason: "not an S3 event notification: unexpected end of JSON"},
		`{"Records":["a"]}`:     {reason: "not an S3 event: json: cannot unmarshal"},
		`{"Records":[{}]}`:      {reason: "not an S3 event: no bucket"},
		body(""):                {reason: "not an S3 event: no key"},
		body("%zz"):             {reason: `not an S3 event: invalid URL escape "%zz"`},
		ofThumbnail: {
			reason: "it is a thumbnail; remove the event notifications of the thumbnail bucket",
		},
	} {
		for at := range 5 {
			f := newFake()
			batch := []string{body("a"), body("b"), body("c"), body("d"), body("e")}
			batch[at] = bad
			failed := f.handle(t, t.Context(), batch...)
			want := []string{}
			if test.retry {
				want = append(want, fmt.Sprint(at))
			}
			if !slices.Equal(failed, want) {
				t.Errorf("%s at %d: retry of %q, want %q", bad, at, failed, want)
			}
			if test.reason == "" != (len(f.letters) == 0) || len(f.letters) > 1 {
				t.Fatalf("%s at %d: dead letters %+v", bad, at, f.letters)
			}
			for _, letter := range f.letters {
				if !strings.HasPrefix(letter.Reason, test.reason) || letter.Body != bad {
					t.Errorf("%s at %d: dead letter %+v, want the reason %q",
						bad, at, letter, test.reason)
				}
			}
			for i, key := range []string{"a", "b", "c", "d", "e"} {
				change := thumbnails.Change{Bucket: "originals", Key: key, Sequencer: "00A1"}
				if i != at && !slices.Contains(f.reconciled, change) {
					t.Errorf("%s at %d: %s was not reconciled", bad, at, key)
				}
			}
			for _, change := range f.reconciled {
				if change.Bucket != "originals" {
					t.Errorf("%s at %d: reconciled %+v", bad, at, f.reconciled)
				}
			}
		}
	}
}

func TestHandler_Handle_sends_only_bad_records_to_the_DLQ(t *testing.T) {
	f := newFake()
	if failed := f.handle(t, t.Context(), body("a", "bad+1", "b", "bad+2")); len(failed) > 0 {
		t.Errorf("retry of %q, want none", failed)
	}
	want := []deadletter.Message{
		{Body: body("bad+1"), Reason: "picture rejected: it is bad", Key: "bad 1"},
		{Body: body("bad+2"), Reason: "picture rejected: it is bad", Key: "bad 2"},
	}
	if diff := cmp.Diff(want, f.letters); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func TestHandler_Handle_retries_when_the_DLQ_fails(t *testing.T) {
	f := newFake()
	f.sending = errFault
	failed := f.handle(t, t.Context(), body("a"), body("bad"), "{", body("b"))
	if !slices.Equal(failed, []string{"1", "2"}) {
		t.Errorf("retry of %q, want 1 and 2", failed)
	}
}

func TestHandler_Handle_retries_messages_without_time(t *testing.T) {
	f := newFake()
	// The handler subtracts a margin from this timeout.
	ctx, cancel := context.WithTimeout(t.Context(), thumbnails.ProcessingTime)
	defer cancel()
	failed := f.handle(t, ctx, body("a"), body("b"), body("c"))
	if !slices.Equal(failed, []string{"1", "2"}) || len(f.reconciled) != 1 {
		t.Errorf("retry of %q after %+v, want all but the first", failed, f.reconciled)
	}
	f = newFake()
	ctx, cancel = context.WithTimeout(t.Context(), thumbnails.ProcessingTime+time.Minute)
	defer cancel()
	if failed := f.handle(t, ctx, body("a"), body("b"), body("c")); len(failed) > 0 {
		t.Errorf("retry of %q, want none", failed)
	}
}

func TestHandler_Handle_logs_a_panic_with_its_stack(t *testing.T) {
	f := newFake()
	f.handle(t, t.Context(), body("panics"))
	for _, want := range []string{"on purpose", "handler_test.go", `"messageId":"0"`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, f.log.String())
		}
	}
}
