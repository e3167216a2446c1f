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

// A fake sender and a fake queue. What happens to a mail is in its address.
type fake struct {
	told    []mailinglist.Key // the zero Key for all that wait
	waiting error             // what comes of them
	letters []deadletter.Message
	full    error // of the queue
	log     bytes.Buffer
	ctx     context.Context // the last that the sender was given
}

func (f *fake) Send(ctx context.Context, key mailinglist.Key) error {
	f.told = append(f.told, key)
	f.ctx = ctx
	switch {
	case strings.HasPrefix(key.Address, "later"):
		return fmt.Errorf("%w: on purpose", retry.ErrUnavailable)
	case strings.HasPrefix(key.Address, "held"):
		return fmt.Errorf("%w: Daily message quota exceeded", email.ErrSendingPaused)
	case strings.HasPrefix(key.Address, "unwritten"):
		return errors.New("there is no mail welcome")
	case strings.HasPrefix(key.Address, "panics"):
		panic("out of stones")
	}
	return nil
}

func (f *fake) SendUnsent(context.Context) error {
	f.told = append(f.told, mailinglist.Key{})
	return f.waiting
}

type queue struct{ *fake }

func (q queue) Send(_ context.Context, letter deadletter.Message) error {
	if q.full == nil {
		q.letters = append(q.letters, letter)
	}
	return q.full
}

// handle returns the ids of the records that come again.
func (f *fake) handle(t *testing.T, ctx context.Context, payload string) []string {
	t.Helper()
	answer, err := f.invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var response struct {
		BatchItemFailures []struct{ ItemIdentifier string } `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil || response.BatchItemFailures == nil {
		t.Fatalf("%s: %v", answer, err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

func (f *fake) invoke(ctx context.Context, payload string) ([]byte, error) {
	h := &handler.Handler{Sender: f, DeadLetterQueue: queue{f}, Logger: slog.New(slog.NewJSONHandler(&f.log, nil))}
	return h.Invoke(ctx, []byte(payload))
}

func keyOf(address string) mailinglist.Key {
	return mailinglist.Key{Address: address, Kind: mailinglist.Subscribed, ID: uuid.NewSHA1(uuid.Nil, []byte(address))}
}

// inserted is the stream's record of a new subscription, with the sequence number n.
func inserted(n int, address string) string {
	key := keyOf(address)
	return fmt.Sprintf(`{"eventID":"e%d","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-central-1",`+
		`"dynamodb":{"ApproximateCreationDateTime":1795186800.0,"Keys":{"Address":{"S":%q},"Kind":{"S":"subscription"}},`+
		`"NewImage":{"Address":{"S":%q},"Kind":{"S":"subscription"},"ID":{"S":%q},"Link":{"S":"https://example.com"},"Unsent":{"S":"yes"}},`+
		`"SequenceNumber":"%d","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn"}`, n, address, address, key.ID, n)
}

// queued is a message of the queue, with the id n.
func queued(n int, body string) string {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"messageId":"%d","receiptHandle":"r","body":%s,"attributes":{},"messageAttributes":{},"md5OfBody":"","eventSource":"aws:sqs",`+
		`"eventSourceARN":"arn","awsRegion":"eu-central-1"}`, n, encoded)
}

func written(address string) string {
	return fmt.Sprintf(`{"address":%q,"kind":"subscription","id":%q}`, address, keyOf(address).ID)
}

// metadata is what Lambda writes when it gives a batch up.
const metadata = `{"requestContext":{"requestId":"1","functionArn":"arn","condition":"RetryAttemptsExhausted","approximateInvokeCount":11},` +
	`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":""},"version":"1.0","timestamp":"2026-11-20T00:00:00.000Z",` +
	`"DDBStreamBatchInfo":{"shardId":"shardId-1","startSequenceNumber":"1","endSequenceNumber":"9","approximateArrivalOfFirstRecord":"2026-11-20T00:00:00Z",` +
	`"approximateArrivalOfLastRecord":"2026-11-20T00:00:00Z","batchSize":9,"streamArn":"arn"}}`

func batch(records ...string) string { return `{"Records":[` + strings.Join(records, ",") + `]}` }

func TestEachNewSubscriptionIsSentItsMail(t *testing.T) {
	f := new(fake)
	pending := strings.ReplaceAll(inserted(2, "eve@example.com"), `"subscription"`, `"pending"`)
	if again := f.handle(t, t.Context(), batch(inserted(1, "ada@example.com"), pending)); len(again) > 0 {
		t.Errorf("%q come again", again)
	}
	eve := keyOf("eve@example.com")
	eve.Kind = mailinglist.Pending
	if want := []mailinglist.Key{keyOf("ada@example.com"), eve}; !slices.Equal(f.told, want) || len(f.letters) > 0 {
		t.Errorf("told of %v, want %v; letters %v", f.told, want, f.letters)
	}
}

func TestWhatIsNotNewIsLeftAlone(t *testing.T) {
	f := new(fake)
	again := f.handle(t, t.Context(), batch(
		strings.ReplaceAll(inserted(1, "ada@example.com"), "INSERT", "MODIFY"), strings.ReplaceAll(inserted(2, "ada@example.com"), "INSERT", "REMOVE"),
		strings.ReplaceAll(inserted(3, "ada@example.com"), `"subscription"`, `"suppression"`),
	))
	if len(again)+len(f.told)+len(f.letters) > 0 {
		t.Errorf("%q come again, told of %v, letters %v", again, f.told, f.letters)
	}
	if again := f.handle(t, t.Context(), `{"Records":[]}`); len(again) > 0 {
		t.Errorf("%q of nothing come again", again)
	}
}

// TestOneBadRecordOfAStreamIsItsOwn has it at each place of a batch. Only what may work later keeps those after it back.
func TestOneBadRecordOfAStreamIsItsOwn(t *testing.T) {
	const bad = "bad@example.com"
	good := inserted(9, bad)
	without := func(part, instead string) string {
		if !strings.Contains(good, part) {
			t.Fatalf("no %s in %s", part, good)
		}
		return strings.Replace(good, part, instead, 1)
	}
	for name, test := range map[string]struct {
		record string
		reason string // of its letter; empty when it comes again
		body   string // of its letter; empty for the record itself
	}{
		"comes again":                  {inserted(9, "later@example.com"), "", ""},
		"is held":                      {inserted(9, "held@example.com"), "mails are held: Daily message quota exceeded", written("held@example.com")},
		"cannot be written":            {inserted(9, "unwritten@example.com"), "there is no mail welcome", written("unwritten@example.com")},
		"panics":                       {inserted(9, "panics@example.com"), "panic: out of stones", written("panics@example.com")},
		"is a number":                  {`7`, "not a record: json: cannot unmarshal number", ""},
		"is a text":                    {`"record"`, "not a record: json: cannot unmarshal string", ""},
		"is null":                      {`null`, `a record of ""`, ""},
		"is empty":                     {`{}`, `a record of ""`, ""},
		"is a list":                    {`[[[[]]]]`, "not a record: json: cannot unmarshal array", ""},
		"has no keys":                  {without(`"Keys":{"Address":{"S":"bad@example.com"},"Kind":{"S":"subscription"}},`, ``), "not a subscription: no address", ""},
		"has no address":               {without(`"Keys":{"Address":{"S":"bad@example.com"},`, `"Keys":{`), "not a subscription: no address", ""},
		"has no kind":                  {without(`,"Kind":{"S":"subscription"}}`, `}`), `not a subscription: the kind ""`, ""},
		"has another kind":             {without(`"Kind":{"S":"subscription"}`, `"Kind":{"S":"friend"}`), `not a subscription: the kind "friend"`, ""},
		"has no image":                 {without(`"NewImage"`, `"OldImage"`), "not a subscription: the id: invalid UUID", ""},
		"has another id":               {without(keyOf(bad).ID.String(), "1"), "not a subscription: the id: invalid UUID", ""},
		"has a list for an id":         {without(`"ID":{"S":"`+keyOf(bad).ID.String()+`"}`, `"ID":{"L":[{"S":"1"}]}`), "not a subscription: the id: invalid UUID", ""},
		"has a number for an address":  {without(`{"S":"bad@example.com"}`, `{"N":"1"}`), "not a subscription: no address", ""},
		"has keys of the wrong type":   {without(`{"S":"bad@example.com"}`, `{"S":1}`), "not a record: json: cannot unmarshal number", ""},
		"has a list for keys":          {without(`"Keys":{"Address":{"S":"bad@example.com"},"Kind":{"S":"subscription"}}`, `"Keys":[1]`), "not a record: json: cannot unmarshal array", ""},
		"is of another source":         {without("aws:dynamodb", "aws:kinesis"), `a record of "aws:kinesis"`, ""},
		"is huge":                      {without(`{"S":"bad@example.com"}`, `{"S":1,"M":"`+strings.Repeat("가", 2<<20/3)+`"}`), "not a record", "cut"},
		"has characters beyond SQS's":  {without(`{"S":"bad@example.com"}`, "{\"S\":1,\"M\":\"\uFFFE\uFFFF\u007f\u0085\xff\"}"), "not a record", "changed"},
		"has half a character escaped": {without(`{"S":"bad@example.com"}`, `{"S":1,"M":"\ud83d"}`), "not a record", ""},
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
			again := f.handle(t, t.Context(), batch(records...))
			told := slices.DeleteFunc(f.told, func(key mailinglist.Key) bool { return !strings.HasPrefix(key.Address, "ada") })
			if !slices.Equal(told, want) {
				t.Errorf("%s, at %d: told of %v, want %v", name, at, told, want)
			}
			if test.reason == "" {
				if !slices.Equal(again, []string{"9"}) || len(f.letters) > 0 {
					t.Errorf("%s, at %d: %q come again, letters %v", name, at, again, f.letters)
				}
				continue
			}
			if len(again) > 0 || len(f.letters) != 1 || !strings.Contains(f.letters[0].Reason, test.reason) {
				t.Errorf("%s, at %d: %q come again, letters %.300v, want the reason %q", name, at, again, f.letters, test.reason)
				continue
			}
			body := f.letters[0].Body
			switch test.body {
			case "":
				if body != test.record {
					t.Errorf("%s, at %d: given up as %s, want %s", name, at, body, test.record)
				}
			case "cut":
				if len(body) > 128<<10 || !strings.HasPrefix(test.record, body) {
					t.Errorf("%s, at %d: given up as %d bytes", name, at, len(body))
				}
			case "changed":
				if strings.ContainsAny(body, "\uFFFE\uFFFF") || !strings.Contains(body, `"S":1,"M":"`) || !strings.Contains(body, `"SequenceNumber":"9"`) {
					t.Errorf("%s, at %d: given up as %q", name, at, body)
				}
			default:
				if body != test.body || f.letters[0].Key == "" {
					t.Errorf("%s, at %d: letter %+v, want %s", name, at, f.letters[0], test.body)
				}
			}
		}
	}
}

// TestALetterThatIsMovedBackIsWhatItWas: it says whose mail it is about, whatever the record was.
func TestALetterThatIsMovedBackIsWhatItWas(t *testing.T) {
	f := new(fake)
	f.handle(t, t.Context(), batch(inserted(1, "held@example.com")))
	if len(f.letters) != 1 || f.letters[0].Key != keyOf("held@example.com").ID.String() {
		t.Fatalf("letters %+v", f.letters)
	}
	again := f.handle(t, t.Context(), batch(queued(1, f.letters[0].Body)))
	want := []deadletter.Message{f.letters[0], f.letters[0]}
	if diff := cmp.Diff(want, f.letters); diff != "" || len(again) > 0 || len(f.told) != 2 || f.told[0] != f.told[1] {
		t.Errorf("told of %v, %q come again, letters (-want +got):\n%s", f.told, again, diff)
	}
}

func TestOneBadLetterOfAQueueIsItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		reason string // of its letter; empty when it comes again
	}{
		"comes again":      {written("later@example.com"), ""},
		"is held":          {written("held@example.com"), "mails are held: Daily message quota exceeded"},
		"panics":           {written("panics@example.com"), "panic: out of stones"},
		"is empty":         {"", "not a message: unexpected end of JSON input"},
		"is no JSON":       {"{", "not a message: unexpected end of JSON input"},
		"is null":          {"null", "not a subscription: no address"},
		"is somebody's":    {`{"hello":"there"}`, "not a subscription: no address"},
		"has another kind": {`{"address":"a@example.com","kind":"suppression","id":"` + uuid.NewString() + `"}`, `not a subscription: the kind "suppression"`},
		"has no id":        {`{"address":"a@example.com","kind":"pending"}`, "not a subscription: the id"},
		"has a number":     {`{"address":1}`, "not a message: json: cannot unmarshal number"},
		"is a record":      {inserted(1, "ada@example.com"), "not a subscription: no address"},
	} {
		for at := range 5 {
			f := new(fake)
			var records []string
			var want []mailinglist.Key
			for i := range 5 {
				address := fmt.Sprintf("ada%d@example.com", i)
				records = append(records, queued(i, written(address)))
				if i != at {
					want = append(want, keyOf(address))
				}
			}
			records[at] = queued(9, test.body)
			again := f.handle(t, t.Context(), batch(records...))
			told := slices.DeleteFunc(f.told, func(key mailinglist.Key) bool { return !strings.HasPrefix(key.Address, "ada") })
			if !slices.Equal(told, want) {
				t.Errorf("%s, at %d: told of %v, want %v", name, at, told, want)
			}
			if test.reason == "" {
				if !slices.Equal(again, []string{"9"}) || len(f.letters) > 0 {
					t.Errorf("%s, at %d: %q come again, letters %v", name, at, again, f.letters)
				}
			} else if len(again) > 0 || len(f.letters) != 1 || !strings.Contains(f.letters[0].Reason, test.reason) || test.body != "" && f.letters[0].Body != test.body {
				t.Errorf("%s, at %d: %q come again, letters %v, want the reason %q", name, at, again, f.letters, test.reason)
			}
		}
	}
}

func TestABatchThatLambdaGaveUpIsLookedForAmongWhoWaits(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		again  []string
		reason string
	}{
		"all are sent": {nil, []string{}, ""},
		"no time":      {retry.ErrUnavailable, []string{"1"}, ""},
		"held":         {fmt.Errorf("%w: paused", email.ErrSendingPaused), []string{}, "mails are held: paused"},
	} {
		f := &fake{waiting: test.err}
		again := f.handle(t, t.Context(), batch(queued(1, metadata)))
		if !slices.Equal(again, test.again) || !slices.Equal(f.told, []mailinglist.Key{{}}) {
			t.Errorf("%s: %q come again, told of %v", name, again, f.told)
		}
		if byHand := new(fake); len(byHand.handle(t, t.Context(), batch(queued(1, `{"DDBStreamBatchInfo":{}}`)))) > 0 || !slices.Equal(byHand.told, f.told) {
			t.Errorf("%s: by hand, told of %v", name, byHand.told)
		}
		if test.reason == "" && len(f.letters) > 0 || test.reason != "" && (len(f.letters) != 1 || f.letters[0].Reason != test.reason || f.letters[0].Body != metadata) {
			t.Errorf("%s: letters %v", name, f.letters)
		}
	}
}

func TestWhatTheDeadLetterQueueDoesNotTakeComesAgain(t *testing.T) {
	f := &fake{full: errors.New("on purpose")}
	if again := f.handle(t, t.Context(), batch(inserted(1, "ada@example.com"), inserted(2, "held@example.com"), inserted(3, "eve@example.com"))); !slices.Equal(again, []string{"2"}) {
		t.Errorf("%q come again, want 2", again)
	}
	broken := strings.Replace(inserted(4, "ada@example.com"), `"Address":{"S":`, `"Address":{"S":1,"T":`, 1) // which has its number all the same
	if again := f.handle(t, t.Context(), batch(broken)); !slices.Equal(again, []string{"4"}) {
		t.Errorf("%q come again, want 4", again)
	}
	if again := f.handle(t, t.Context(), batch(queued(1, "{"), queued(2, written("ada@example.com")), queued(3, "null"))); !slices.Equal(again, []string{"1", "3"}) {
		t.Errorf("%q come again, want 1 and 3", again)
	}
}

// TestARecordWithoutAnIDFailsAloud: in the answer, an empty id fails the batch as well, and Lambda does not say why.
func TestARecordWithoutAnIDFailsAloud(t *testing.T) {
	for _, payload := range []string{
		batch(inserted(1, "ada@example.com"), strings.Replace(inserted(9, "later@example.com"), `"SequenceNumber":"9"`, `"SequenceNumber":""`, 1)),
		batch(inserted(1, "ada@example.com"), strings.Replace(inserted(9, "later@example.com"), `"SequenceNumber":"9",`, ``, 1)),
		batch(queued(1, written("ada@example.com")), strings.Replace(queued(9, written("later@example.com")), `"messageId":"9",`, ``, 1)),
	} {
		if answer, err := new(fake).invoke(t.Context(), payload); err == nil || answer != nil {
			t.Errorf("answer %s, %v; want an error", answer, err)
		}
	}
	f := &fake{full: errors.New("on purpose")}
	if answer, err := f.invoke(t.Context(), batch(`7`)); err == nil || answer != nil {
		t.Errorf("answer %s, %v; want an error", answer, err)
	}
}

func TestAnEventThatIsNoneFails(t *testing.T) {
	for _, payload := range []string{``, `{`, `[]`, `"Records"`, `{"Records":{}}`, `{"Records":[]}x`} {
		if answer, err := new(fake).invoke(t.Context(), payload); err == nil {
			t.Errorf("%s: answer %s, want an error", payload, answer)
		}
	}
}

func TestTheSenderEndsBeforeTheFunctionDoes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := new(fake)
	f.handle(t, ctx, batch(inserted(1, "ada@example.com")))
	functions, _ := ctx.Deadline()
	if senders, ok := f.ctx.Deadline(); !ok || functions.Sub(senders) != time.Second {
		t.Errorf("the sender ends at %s, the function at %s", senders, functions)
	}
}

func TestTheLogHasIDsAndNoAddresses(t *testing.T) {
	f := new(fake)
	f.handle(t, t.Context(), batch(
		inserted(1, "held@example.com"), inserted(2, "panics@example.com"), strings.Replace(inserted(3, "ada@example.com"), `"ID":{"S"`, `"ID":{"N"`, 1), inserted(4, "later@example.com"),
	))
	log := f.log.String()
	for _, want := range []string{keyOf("held@example.com").ID.String(), keyOf("panics@example.com").ID.String(), "out of stones", "handler_test.go", `"record":"4"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "example.com") {
		t.Errorf("the log has an address:\n%s", log)
	}
}
