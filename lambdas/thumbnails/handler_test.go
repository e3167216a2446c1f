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

var errFault = errors.New("on purpose")

type reconcile func(context.Context, thumbnails.Change) error

func (r reconcile) Reconcile(ctx context.Context, change thumbnails.Change) error {
	return r(ctx, change)
}

type send func(context.Context, deadletter.Message) error

func (s send) Send(ctx context.Context, letter deadletter.Message) error { return s(ctx, letter) }

// A fake is a handler whose parts say what they were asked for. What happens to a picture is in its key.
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
				panic("out of stones")
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

// handle gives the handler a batch whose message ids are 0, 1, 2, …, and returns the ids of those that come again.
func (f *fake) handle(t *testing.T, ctx context.Context, bodies ...string) []string {
	t.Helper()
	var event events.SQSEvent
	for i, body := range bodies {
		event.Records = append(event.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
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

// record is one of S3's, without what the function does not read.
func record(bucket, key string) string {
	return `{"s3":{"bucket":{"name":"` + bucket + `"},"object":{"key":"` + key + `","sequencer":"00A1"}}}`
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
	failed := f.handle(t, t.Context(), body("temp/a", "private/eu-central-1%3A1/my+cat%2Bdog+%C3%BC.jpg"), `{"Event":"s3:TestEvent"}`, body("b"))
	want := []thumbnails.Change{
		{Bucket: "originals", Key: "temp/a", Sequencer: "00A1"},
		{Bucket: "originals", Key: "private/eu-central-1:1/my cat+dog ü.jpg", Sequencer: "00A1"},
		{Bucket: "originals", Key: "b", Sequencer: "00A1"},
	}
	if diff := cmp.Diff(want, f.reconciled); diff != "" || len(failed) > 0 || len(f.letters) > 0 {
		t.Errorf("failed %q, letters %+v, changes (-want +got):\n%s", failed, f.letters, diff)
	}
}

func TestHandler_Handle_isolates_a_bad_message(t *testing.T) {
	for bad, test := range map[string]struct {
		again  bool
		letter string // its reason
	}{
		body("fails"):           {again: true},
		body("panics"):          {again: true},
		body("a", "fails", "b"): {again: true},
		body("bad", "fails"):    {again: true}, // the letter would come a second time with the message
		body("bad"):             {letter: "picture rejected: it is bad"},
		`{"Records":[]}`:        {letter: "not an event notification of S3: no Records"},
		`null`:                  {letter: "not an event notification of S3: no Records"},
		`{"Records"`:            {letter: "not an event notification of S3: unexpected end of JSON input"},
		`{"Records":["a"]}`:     {letter: "not an event of S3: json: cannot unmarshal"},
		`{"Records":[{}]}`:      {letter: "not an event of S3: no bucket"},
		body(""):                {letter: "not an event of S3: no key"},
		body("%zz"):             {letter: `not an event of S3: invalid URL escape "%zz"`},
		`{"Records":[` + record("thumbnails", "temp/a/320.jpg") + `]}`: {letter: "it is a thumbnail: take the notifications from the bucket of the thumbnails"},
	} {
		for at := range 5 {
			f := newFake()
			batch := []string{body("a"), body("b"), body("c"), body("d"), body("e")}
			batch[at] = bad
			failed := f.handle(t, t.Context(), batch...)
			want := []string{}
			if test.again {
				want = append(want, fmt.Sprint(at))
			}
			if !slices.Equal(failed, want) {
				t.Errorf("%s at %d: %q come again, want %q", bad, at, failed, want)
			}
			if test.letter == "" != (len(f.letters) == 0) || len(f.letters) > 1 {
				t.Fatalf("%s at %d: letters %+v", bad, at, f.letters)
			}
			if len(f.letters) == 1 && (!strings.HasPrefix(f.letters[0].Reason, test.letter) || f.letters[0].Body != bad) {
				t.Errorf("%s at %d: letter %+v, want the reason %q", bad, at, f.letters[0], test.letter)
			}
			for i, key := range []string{"a", "b", "c", "d", "e"} {
				if change := (thumbnails.Change{Bucket: "originals", Key: key, Sequencer: "00A1"}); i != at && !slices.Contains(f.reconciled, change) {
					t.Errorf("%s at %d: %s was not reconciled", bad, at, key)
				}
			}
			if slices.ContainsFunc(f.reconciled, func(change thumbnails.Change) bool { return change.Bucket != "originals" }) {
				t.Errorf("%s at %d: reconciled %+v", bad, at, f.reconciled)
			}
		}
	}
}

func TestHandler_Handle_sends_only_bad_records_to_the_DLQ(t *testing.T) {
	f := newFake()
	if failed := f.handle(t, t.Context(), body("a", "bad+1", "b", "bad+2")); len(failed) > 0 {
		t.Errorf("%q come again, want none", failed)
	}
	want := []deadletter.Message{
		{Body: body("bad+1"), Reason: "picture rejected: it is bad", Key: "bad 1"},
		{Body: body("bad+2"), Reason: "picture rejected: it is bad", Key: "bad 2"},
	}
	if diff := cmp.Diff(want, f.letters); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
}

func TestHandler_Handle_retries_when_the_DLQ_fails(t *testing.T) {
	f := newFake()
	f.sending = errFault
	if failed := f.handle(t, t.Context(), body("a"), body("bad"), "{", body("b")); !slices.Equal(failed, []string{"1", "2"}) {
		t.Errorf("%q come again, want 1 and 2", failed)
	}
}

func TestHandler_Handle_retries_messages_without_time(t *testing.T) {
	f := newFake()
	ctx, cancel := context.WithTimeout(t.Context(), thumbnails.ProcessingTime) // less the margin
	defer cancel()
	if failed := f.handle(t, ctx, body("a"), body("b"), body("c")); !slices.Equal(failed, []string{"1", "2"}) || len(f.reconciled) != 1 {
		t.Errorf("%q come again after %+v, want all but the first", failed, f.reconciled)
	}
	f = newFake()
	ctx, cancel = context.WithTimeout(t.Context(), thumbnails.ProcessingTime+time.Minute)
	defer cancel()
	if failed := f.handle(t, ctx, body("a"), body("b"), body("c")); len(failed) > 0 {
		t.Errorf("%q come again, want none", failed)
	}
}

func TestHandler_Handle_logs_a_panic_with_its_stack(t *testing.T) {
	f := newFake()
	f.handle(t, t.Context(), body("panics"))
	for _, want := range []string{"out of stones", "handler_test.go", `"messageId":"0"`} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, f.log.String())
		}
	}
}
