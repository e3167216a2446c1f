package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/handler"
)

var _ lambda.Handler = (*handler.Handler)(nil)

// A fake is a sender and a dead-letter queue. The address of a mail determines the sender's result.
type fake struct {
	sent        []mailinglist.Key // keys passed to Send; the zero Key for SendUnsent
	unsentErr   error             // of SendUnsent
	deadLetters []deadletter.Message
	queueErr    error // of the dead-letter queue
	log         bytes.Buffer
	ctx         context.Context // of the last call of Send
}

func (f *fake) Send(ctx context.Context, key mailinglist.Key) error {
	f.sent = append(f.sent, key)
	f.ctx = ctx
	switch {
	case strings.HasPrefix(key.Address, "unavailable"):
		return fmt.Errorf("%w: on purpose", retry.ErrUnavailable)
	case strings.HasPrefix(key.Address, "paused"):
		return fmt.Errorf("%w: Daily message quota exceeded", email.ErrSendingPaused)
	case strings.HasPrefix(key.Address, "notemplate"):
		return errors.New("there is no template welcome")
	case strings.HasPrefix(key.Address, "panics"):
		panic("out of stones")
	}
	return nil
}

func (f *fake) SendUnsent(context.Context) error {
	f.sent = append(f.sent, mailinglist.Key{})
	return f.unsentErr
}

type queue struct{ *fake }

func (q queue) Send(_ context.Context, message deadletter.Message) error {
	if q.queueErr == nil {
		q.deadLetters = append(q.deadLetters, message)
	}
	return q.queueErr
}

// handle returns the ids of the records that are retried.
func (f *fake) handle(t *testing.T, ctx context.Context, payload string) []string {
	t.Helper()
	encoded, err := f.invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var response struct {
		BatchItemFailures []struct{ ItemIdentifier string } `json:"batchItemFailures"`
	}
	err = json.Unmarshal(encoded, &response)
	if err != nil || response.BatchItemFailures == nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

func (f *fake) invoke(ctx context.Context, payload string) ([]byte, error) {
	logger := slog.New(slog.NewJSONHandler(&f.log, nil))
	h := &handler.Handler{Sender: f, DeadLetterQueue: queue{f}, Logger: logger}
	return h.Invoke(ctx, []byte(payload))
}

func keyOf(address string) mailinglist.Key {
	id := uuid.NewSHA1(uuid.Nil, []byte(address))
	return mailinglist.Key{Address: address, Kind: mailinglist.Subscribed, ID: id}
}

// inserted returns the stream's record of a new subscription, with the sequence number n.
func inserted(n int, address string) string {
	return fmt.Sprintf(`{"eventID":"e%d","eventName":"INSERT","eventVersion":"1.1",`+
		`"eventSource":"aws:dynamodb","awsRegion":"eu-central-1",`+
		`"dynamodb":{"ApproximateCreationDateTime":1795186800.0,`+
		`"Keys":{"Address":{"S":%q},"Kind":{"S":"subscription"}},`+
		`"NewImage":{"Address":{"S":%q},"Kind":{"S":"subscription"},"ID":{"S":%q},`+
		`"Link":{"S":"https://example.com"},"Unsent":{"S":"yes"}},`+
		`"SequenceNumber":"%d","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},`+
		`"eventSourceARN":"arn"}`, n, address, address, keyOf(address).ID, n)
}

// queued returns a message of the queue, with the id n.
func queued(n int, body string) string {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"messageId":"%d","receiptHandle":"r","body":%s,"attributes":{},`+
		`"messageAttributes":{},"md5OfBody":"","eventSource":"aws:sqs",`+
		`"eventSourceARN":"arn","awsRegion":"eu-central-1"}`, n, encoded)
}

// messageOf returns the body of a message about a subscription.
func messageOf(address string) string {
	return fmt.Sprintf(`{"address":%q,"kind":"subscription","id":%q}`, address, keyOf(address).ID)
}

// metadata is Lambda's message about a batch whose retries are exhausted.
const metadata = `{"requestContext":{"requestId":"1","functionArn":"arn",` +
	`"condition":"RetryAttemptsExhausted","approximateInvokeCount":11},` +
	`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":""},` +
	`"version":"1.0","timestamp":"2026-11-20T00:00:00.000Z",` +
	`"DDBStreamBatchInfo":{"shardId":"shardId-1","startSequenceNumber":"1",` +
	`"endSequenceNumber":"9","approximateArrivalOfFirstRecord":"2026-11-20T00:00:00Z",` +
	`"approximateArrivalOfLastRecord":"2026-11-20T00:00:00Z","batchSize":9,"streamArn":"arn"}}`

func batch(records ...string) string { return `{"Records":[` + strings.Join(records, ",") + `]}` }

func TestHandler_Invoke_sends_mails_of_new_subscriptions(t *testing.T) {
	f := new(fake)
	pending := strings.ReplaceAll(inserted(2, "eve@example.com"), `"subscription"`, `"pending"`)
	retried := f.handle(t, t.Context(), batch(inserted(1, "ada@example.com"), pending))
	if len(retried) > 0 {
		t.Errorf("records %q are retried", retried)
	}
	eve := keyOf("eve@example.com")
	eve.Kind = mailinglist.Pending
	want := []mailinglist.Key{keyOf("ada@example.com"), eve}
	if !slices.Equal(f.sent, want) || len(f.deadLetters) > 0 {
		t.Errorf("sent %v, want %v; dead letters %v", f.sent, want, f.deadLetters)
	}
}

func TestHandler_Invoke_ignores_other_changes(t *testing.T) {
	f := new(fake)
	retried := f.handle(t, t.Context(), batch(
		strings.ReplaceAll(inserted(1, "ada@example.com"), "INSERT", "MODIFY"),
		strings.ReplaceAll(inserted(2, "ada@example.com"), "INSERT", "REMOVE"),
		strings.ReplaceAll(inserted(3, "ada@example.com"), `"subscription"`, `"suppression"`),
	))
	if len(retried)+len(f.sent)+len(f.deadLetters) > 0 {
		t.Errorf("retried %q, sent %v, dead letters %v", retried, f.sent, f.deadLetters)
	}
	if retried := f.handle(t, t.Context(), `{"Records":[]}`); len(retried) > 0 {
		t.Errorf("records %q of an empty batch are retried", retried)
	}
}

// TestHandler_Invoke_stream_with_a_bad_record covers a bad record at each position of a batch. Only
// a temporary failure delays later records.
func TestHandler_Invoke_stream_with_a_bad_record(t *testing.T) {
	const bad = "bad@example.com"
	const (
		noAddress = "not a subscription: no address"
		badID     = "not a subscription: invalid id: invalid UUID"
	)
	valid := inserted(9, bad)
	replace := func(part, instead string) string {
		if !strings.Contains(valid, part) {
			t.Fatalf("no %s in %s", part, valid)
		}
		return strings.Replace(valid, part, instead, 1)
	}
	for name, test := range map[string]struct {
		record string
		reason string // of its dead letter; empty when it is retried
		body   string // of its dead letter; empty for the record itself
	}{
		"unavailable": {inserted(9, "unavailable@example.com"), "", ""},
		"sending paused": {
			inserted(9, "paused@example.com"),
			"sending paused: Daily message quota exceeded", messageOf("paused@example.com"),
		},
		"no template": {
			inserted(9, "notemplate@example.com"),
			"there is no template welcome", messageOf("notemplate@example.com"),
		},
		"panic": {
			inserted(9, "panics@example.com"),
			"panic: out of stones", messageOf("panics@example.com"),
		},
		"number":       {`7`, "not a record: json: cannot unmarshal number", ""},
		"string":       {`"record"`, "not a record: json: cannot unmarshal string", ""},
		"null":         {`null`, `event source "" is neither`, ""},
		"empty object": {`{}`, `event source "" is neither`, ""},
		"array":        {`[[[[]]]]`, "not a record: json: cannot unmarshal array", ""},
		"no keys": {
			replace(`"Keys":{"Address":{"S":"bad@example.com"},"Kind":{"S":"subscription"}},`, ``),
			noAddress, "",
		},
		"no address": {
			replace(`"Keys":{"Address":{"S":"bad@example.com"},`, `"Keys":{`), noAddress, "",
		},
		"no kind": {
			replace(`,"Kind":{"S":"subscription"}}`, `}`),
			`not a subscription: unknown kind ""`, "",
		},
		"unknown kind": {
			replace(`"Kind":{"S":"subscription"}`, `"Kind":{"S":"friend"}`),
			`not a subscription: unknown kind "friend"`, "",
		},
		"no image":   {replace(`"NewImage"`, `"OldImage"`), badID, ""},
		"invalid id": {replace(keyOf(bad).ID.String(), "1"), badID, ""},
		"id is a list": {
			replace(`"ID":{"S":"`+keyOf(bad).ID.String()+`"}`, `"ID":{"L":[{"S":"1"}]}`), badID, "",
		},
		"address is a number": {
			replace(`{"S":"bad@example.com"}`, `{"N":"1"}`), noAddress, "",
		},
		"keys of the wrong type": {
			replace(`{"S":"bad@example.com"}`, `{"S":1}`),
			"not a record: json: cannot unmarshal number", "",
		},
		"keys are a list": {
			replace(`"Keys":{"Address":{"S":"bad@example.com"},"Kind":{"S":"subscription"}}`,
				`"Keys":[1]`),
			"not a record: json: cannot unmarshal array", "",
		},
		"another source": {
			replace("aws:dynamodb", "aws:kinesis"), `event source "aws:kinesis" is neither`, "",
		},
		"huge": {
			replace(`{"S":"bad@example.com"}`,
				`{"S":1,"M":"`+strings.Repeat("가", 2<<20/3)+`"}`),
			"not a record", "truncated",
		},
		"characters that SQS rejects": {
			replace(`{"S":"bad@example.com"}`,
				"{\"S\":1,\"M\":\"\uFFFE\uFFFF\u007f\u0085\xff\"}"),
			"not a record", "sanitized",
		},
		"half a character, escaped": {
			replace(`{"S":"bad@example.com"}`, `{"S":1,"M":"\ud83d"}`), "not a record", "",
		},
	} {
		for at := range 5 {
			f := new(fake)
			var records []string
			var want []mailinglist.Key
			for i := range 5 {
				address := fmt.Sprintf("ada%d@example.com", i)
				records = append(records, inserted(i, address))
				if i != at && (i < at || test.reason != "") {
					want = append(want, keyOf(address))
				}
			}
			records[at] = test.record
			retried := f.handle(t, t.Context(), batch(records...))
			if sent := f.sentToAda(); !slices.Equal(sent, want) {
				t.Errorf("%s, at %d: sent %v, want %v", name, at, sent, want)
			}
			if test.reason == "" {
				if !slices.Equal(retried, []string{"9"}) || len(f.deadLetters) > 0 {
					t.Errorf("%s, at %d: retried %q, dead letters %v",
						name, at, retried, f.deadLetters)
				}
				continue
			}
			if len(retried) > 0 || len(f.deadLetters) != 1 ||
				!strings.Contains(f.deadLetters[0].Reason, test.reason) {
				t.Errorf("%s, at %d: retried %q, dead letters %.300v, want the reason %q",
					name, at, retried, f.deadLetters, test.reason)
				continue
			}
			body := f.deadLetters[0].Body
			switch test.body {
			case "":
				if body != test.record {
					t.Errorf("%s, at %d: dead letter %s, want %s", name, at, body, test.record)
				}
			case "truncated":
				if len(body) > 128<<10 || !strings.HasPrefix(test.record, body) {
					t.Errorf("%s, at %d: dead letter of %d bytes", name, at, len(body))
				}
			case "sanitized":
				if strings.ContainsAny(body, "\uFFFE\uFFFF") ||
					!strings.Contains(body, `"S":1,"M":"`) ||
					!strings.Contains(body, `"SequenceNumber":"9"`) {
					t.Errorf("%s, at %d: dead letter %q", name, at, body)
				}
			default:
				if body != test.body || f.deadLetters[0].Key == "" {
					t.Errorf("%s, at %d: dead letter %+v, want %s",
						name, at, f.deadLetters[0], test.body)
				}
			}
		}
	}
}

// sentToAda returns the keys passed to Send whose addresses begin with ada.
func (f *fake) sentToAda() []mailinglist.Key {
	return slices.DeleteFunc(f.sent, func(key mailinglist.Key) bool {
		return !strings.HasPrefix(key.Address, "ada")
	})
}

// TestHandler_Invoke_redriven_message: a message names its subscription, for every kind of record.
func TestHandler_Invoke_redriven_message(t *testing.T) {
	f := new(fake)
	f.handle(t, t.Context(), batch(inserted(1, "paused@example.com")))
	if len(f.deadLetters) != 1 ||
		f.deadLetters[0].Key != keyOf("paused@example.com").ID.String() {
		t.Fatalf("dead letters %+v", f.deadLetters)
	}
	retried := f.handle(t, t.Context(), batch(queued(1, f.deadLetters[0].Body)))
	want := []deadletter.Message{f.deadLetters[0], f.deadLetters[0]}
	diff := cmp.Diff(want, f.deadLetters)
	if diff != "" || len(retried) > 0 || len(f.sent) != 2 || f.sent[0] != f.sent[1] {
		t.Errorf("sent %v, retried %q, dead letters (-want +got):\n%s", f.sent, retried, diff)
	}
}

func TestHandler_Invoke_queue_with_a_bad_message(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		reason string // of its dead letter; empty when it is retried
	}{
		"unavailable": {messageOf("unavailable@example.com"), ""},
		"sending paused": {
			messageOf("paused@example.com"), "sending paused: Daily message quota exceeded",
		},
		"panic":    {messageOf("panics@example.com"), "panic: out of stones"},
		"empty":    {"", "not a message: unexpected end of JSON input"},
		"not JSON": {"{", "not a message: unexpected end of JSON input"},
		"null":     {"null", "not a subscription: no address"},
		"foreign":  {`{"hello":"there"}`, "not a subscription: no address"},
		"unknown kind": {
			`{"address":"a@example.com","kind":"suppression","id":"` + uuid.NewString() + `"}`,
			`not a subscription: unknown kind "suppression"`,
		},
		"no id": {
			`{"address":"a@example.com","kind":"pending"}`, "not a subscription: invalid id",
		},
		"number": {`{"address":1}`, "not a message: json: cannot unmarshal number"},
		"record": {inserted(1, "ada@example.com"), "not a subscription: no address"},
	} {
		for at := range 5 {
			f := new(fake)
			var records []string
			var want []mailinglist.Key
			for i := range 5 {
				address := fmt.Sprintf("ada%d@example.com", i)
				records = append(records, queued(i, messageOf(address)))
				if i != at {
					want = append(want, keyOf(address))
				}
			}
			records[at] = queued(9, test.body)
			retried := f.handle(t, t.Context(), batch(records...))
			if sent := f.sentToAda(); !slices.Equal(sent, want) {
				t.Errorf("%s, at %d: sent %v, want %v", name, at, sent, want)
			}
			if test.reason == "" {
				if !slices.Equal(retried, []string{"9"}) || len(f.deadLetters) > 0 {
					t.Errorf("%s, at %d: retried %q, dead letters %v",
						name, at, retried, f.deadLetters)
				}
			} else if len(retried) > 0 || len(f.deadLetters) != 1 ||
				!strings.Contains(f.deadLetters[0].Reason, test.reason) ||
				test.body != "" && f.deadLetters[0].Body != test.body {
				t.Errorf("%s, at %d: retried %q, dead letters %v, want the reason %q",
					name, at, retried, f.deadLetters, test.reason)
			}
		}
	}
}

func TestHandler_Invoke_sends_unsent_mails_after_exhausted_retries(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		retried []string
		reason  string
	}{
		"all are sent": {nil, []string{}, ""},
		"unavailable":  {retry.ErrUnavailable, []string{"1"}, ""},
		"sending paused": {
			fmt.Errorf("%w: quota", email.ErrSendingPaused), []string{}, "sending paused: quota",
		},
	} {
		f := &fake{unsentErr: test.err}
		retried := f.handle(t, t.Context(), batch(queued(1, metadata)))
		if !slices.Equal(retried, test.retried) || !slices.Equal(f.sent, []mailinglist.Key{{}}) {
			t.Errorf("%s: retried %q, sent %v", name, retried, f.sent)
		}
		manual := new(fake)
		retried = manual.handle(t, t.Context(), batch(queued(1, `{"DDBStreamBatchInfo":{}}`)))
		if len(retried) > 0 || !slices.Equal(manual.sent, f.sent) {
			t.Errorf("%s: message of an operator: retried %q, sent %v", name, retried, manual.sent)
		}
		if test.reason == "" && len(f.deadLetters) > 0 ||
			test.reason != "" && (len(f.deadLetters) != 1 ||
				f.deadLetters[0].Reason != test.reason || f.deadLetters[0].Body != metadata) {
			t.Errorf("%s: dead letters %v", name, f.deadLetters)
		}
	}
}

func TestHandler_Invoke_retries_when_the_dead_letter_queue_fails(t *testing.T) {
	f := &fake{queueErr: errors.New("on purpose")}
	retried := f.handle(t, t.Context(), batch(inserted(1, "ada@example.com"),
		inserted(2, "paused@example.com"), inserted(3, "eve@example.com")))
	if !slices.Equal(retried, []string{"2"}) {
		t.Errorf("retried %q, want 2", retried)
	}
	// An invalid record that has its sequence number.
	invalid := strings.Replace(
		inserted(4, "ada@example.com"), `"Address":{"S":`, `"Address":{"S":1,"T":`, 1)
	if retried := f.handle(t, t.Context(), batch(invalid)); !slices.Equal(retried, []string{"4"}) {
		t.Errorf("retried %q, want 4", retried)
	}
	retried = f.handle(t, t.Context(),
		batch(queued(1, "{"), queued(2, messageOf("ada@example.com")), queued(3, "null")))
	if !slices.Equal(retried, []string{"1", "3"}) {
		t.Errorf("retried %q, want 1 and 3", retried)
	}
}

// TestHandler_Invoke_fails_without_an_id: a response with an empty id would also fail the batch,
// and Lambda would not report the reason.
func TestHandler_Invoke_fails_without_an_id(t *testing.T) {
	unavailable := inserted(9, "unavailable@example.com")
	for _, payload := range []string{
		batch(inserted(1, "ada@example.com"),
			strings.Replace(unavailable, `"SequenceNumber":"9"`, `"SequenceNumber":""`, 1)),
		batch(inserted(1, "ada@example.com"),
			strings.Replace(unavailable, `"SequenceNumber":"9",`, ``, 1)),
		batch(queued(1, messageOf("ada@example.com")),
			strings.Replace(queued(9, messageOf("unavailable@example.com")),
				`"messageId":"9",`, ``, 1)),
	} {
		if response, err := new(fake).invoke(t.Context(), payload); err == nil || response != nil {
			t.Errorf("response %s, %v; want an error", response, err)
		}
	}
	f := &fake{queueErr: errors.New("on purpose")}
	if response, err := f.invoke(t.Context(), batch(`7`)); err == nil || response != nil {
		t.Errorf("response %s, %v; want an error", response, err)
	}
}

func TestHandler_Invoke_rejects_invalid_events(t *testing.T) {
	for _, payload := range []string{
		``, `{`, `[]`, `"Records"`, `{"Records":{}}`, `{"Records":[]}x`,
	} {
		if response, err := new(fake).invoke(t.Context(), payload); err == nil {
			t.Errorf("%s: response %s, want an error", payload, response)
		}
	}
}

func TestHandler_Invoke_ends_before_the_timeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := new(fake)
	f.handle(t, ctx, batch(inserted(1, "ada@example.com")))
	end, _ := ctx.Deadline()
	if got, ok := f.ctx.Deadline(); !ok || end.Sub(got) != time.Second {
		t.Errorf("the sender ends at %s, the function at %s", got, end)
	}
}

func TestHandler_Invoke_logs_ids_and_no_addresses(t *testing.T) {
	f := new(fake)
	f.handle(t, t.Context(), batch(
		inserted(1, "paused@example.com"),
		inserted(2, "panics@example.com"),
		strings.Replace(inserted(3, "ada@example.com"), `"ID":{"S"`, `"ID":{"N"`, 1),
		inserted(4, "unavailable@example.com"),
	))
	log := f.log.String()
	for _, want := range []string{
		keyOf("paused@example.com").ID.String(), keyOf("panics@example.com").ID.String(),
		"out of stones", "handler_test.go", `"record":"4"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "example.com") {
		t.Errorf("the log contains an address:\n%s", log)
	}
}
