package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
)

const (
	queueURL      = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadWelcomes"
	timeout       = time.Minute // the function's own
	leaseDuration = email.MinLease
)

// A platform is the built function with all that it uses.
type platform struct {
	table       *dynamodbtest.Server
	mailingList *dynamodbstore.MailingList // past the relay
	ses         *awstest.SES
	inbox       *smtptest.Server
	queue       *awstest.SQS
	fn          *lambdatest.Function

	read     int // records of the stream
	redriven int // dead letters
}

func startPlatform(t *testing.T, bootstrap string) *platform {
	t.Helper()
	p := &platform{table: dynamodbtest.Start(t), inbox: smtptest.Start(t), queue: awstest.StartSQS(t, queueURL)}
	p.ses = awstest.StartSES(t, "example.com", "Mails", p.inbox.Address)
	p.mailingList = &dynamodbstore.MailingList{Table: p.table.NewMailingList(t), API: p.table.Client}
	environment, err := lambdaenv.Encode(contract.Settings{
		Table: p.mailingList.Table, From: "애슐러 <hello@example.com>", ConfigurationSet: "Mails", DeadLetterQueueURL: queueURL, LeaseDuration: leaseDuration,
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(environment, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": p.table.URL, "AWS_ENDPOINT_URL_SESV2": p.ses.URL, "AWS_ENDPOINT_URL_SQS": p.queue.URL,
		"AWS_MAX_ATTEMPTS": "1", // so that the test does not wait for the SDK's pauses; SES is asked again all the same
	})
	p.fn = lambdatest.New(t, bootstrap, environment)
	return p
}

// subscribe makes a new subscription, or one that is pending, of name at example.org.
func (p *platform) subscribe(t *testing.T, name string, kind mailinglist.Kind, language string) mailinglist.Subscription {
	t.Helper()
	to := email.Address(name + "@Example.org")
	id := uuid.Must(uuid.NewV7())
	subscription := mailinglist.Subscription{
		Key: mailinglist.Key{Address: to.Key(), Kind: kind, ID: id}, To: to, Language: language,
		Link: "https://api.example.com/v1/subscriptions/" + id.String() + strings.Repeat("AbC-_123", 30), CreatedAt: time.Now(),
	}
	if err := p.mailingList.Subscribe(t.Context(), subscription); err != nil {
		t.Fatal(err)
	}
	return subscription
}

// records are those of the stream that were not read yet, as the SDK reads them, and as the function's event has them.
func (p *platform) records(t *testing.T) []json.RawMessage {
	t.Helper()
	var event struct{ Records []json.RawMessage }
	if err := json.Unmarshal(p.table.StreamEvent(t, p.mailingList.Table), &event); err != nil {
		t.Fatal(err)
	}
	unread := event.Records[p.read:]
	p.read = len(event.Records)
	return unread
}

// invoke gives the function a batch, and returns the places of those that come again. A function that dies has done
// nothing that Lambda knows of.
func (p *platform) invoke(t *testing.T, timeout time.Duration, records ...json.RawMessage) []int {
	t.Helper()
	event, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.fn.Invoke(t.Context(), event, timeout)
	if err != nil {
		t.Logf("%T", err)
		all := make([]int, len(records))
		for i := range all {
			all[i] = i
		}
		return all
	}
	var response struct {
		BatchItemFailures []struct{ ItemIdentifier string } `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatal(err)
	}
	again := []int{}
	for _, failure := range response.BatchItemFailures {
		again = append(again, slices.IndexFunc(records, func(record json.RawMessage) bool {
			return strings.Contains(string(record), `"`+failure.ItemIdentifier+`"`)
		}))
	}
	return again
}

// done is invoke for what has to be done at once.
func (p *platform) done(t *testing.T, records ...json.RawMessage) {
	t.Helper()
	if again := p.invoke(t, timeout, records...); len(again) > 0 {
		t.Fatalf("%v of %d records come again\n%s", again, len(records), p.fn.Logs())
	}
}

// redrive are the letters that were not moved back yet, as the queue gives them to the function.
func (p *platform) redrive(t *testing.T) []json.RawMessage {
	t.Helper()
	letters := p.queue.Messages()
	var records []json.RawMessage
	for i, letter := range letters[p.redriven:] {
		records = append(records, queued(t, p.redriven+i, letter.Body))
	}
	p.redriven = len(letters)
	return records
}

func queued(t *testing.T, n int, body string) json.RawMessage {
	t.Helper()
	record, err := json.Marshal(map[string]any{
		"messageId": fmt.Sprintf("19dd0b57-b21e-4ac1-bd88-%012d", n), "body": body, "eventSource": "aws:sqs", "attributes": map[string]string{},
		"eventSourceARN": "arn:aws:sqs:eu-central-1:111111111111:Welcomes", "awsRegion": "eu-central-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// metadata is what Lambda puts into the dead-letter queue in place of a batch that it gives up.
const metadata = `{"requestContext":{"requestId":"c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5","functionArn":"arn:aws:lambda:eu-central-1:111111111111:function:welcome",` +
	`"condition":"RetryAttemptsExhausted","approximateInvokeCount":11},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":""},` +
	`"version":"1.0","timestamp":"2026-11-20T00:13:49.717Z","DDBStreamBatchInfo":{"shardId":"shardId-00000001573689847184-864758bb",` +
	`"startSequenceNumber":"800000000003126276362","endSequenceNumber":"800000000003126276362","approximateArrivalOfFirstRecord":"2026-11-20T00:13:19Z",` +
	`"approximateArrivalOfLastRecord":"2026-11-20T00:13:19Z","batchSize":1,"streamArn":"arn:aws:dynamodb:eu-central-1:111111111111:table/MailingList/stream/1"}}`

// attributes are what the table has of a subscription.
func (p *platform) attributes(t *testing.T, key mailinglist.Key) map[string]string {
	t.Helper()
	found, err := p.table.Client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &p.mailingList.Table, Key: keyOf(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	attributes := map[string]string{}
	for name, value := range found.Item {
		if text, ok := value.(*types.AttributeValueMemberS); ok {
			attributes[name] = text.Value
		}
	}
	return attributes
}

func keyOf(key mailinglist.Key) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"Address": &types.AttributeValueMemberS{Value: key.Address}, "Kind": &types.AttributeValueMemberS{Value: string(key.Kind)},
	}
}

// passLease makes it so late that nobody has a lease any more.
func (p *platform) passLease(t *testing.T, key mailinglist.Key) {
	t.Helper()
	if _, err := p.table.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &p.mailingList.Table, Key: keyOf(key),
		UpdateExpression: aws.String("REMOVE LeasedUntil"), ConditionExpression: aws.String("attribute_exists(ID)"),
	}); err != nil {
		t.Fatal(err)
	}
}

// lease has somebody else lease a mail until then.
func (p *platform) lease(t *testing.T, key mailinglist.Key, until time.Time) {
	t.Helper()
	if _, err := p.mailingList.Lease(t.Context(), key, time.Now(), until); err != nil {
		t.Fatal(err)
	}
}

// state says what has become of a subscription.
func (p *platform) state(t *testing.T, key mailinglist.Key) string {
	t.Helper()
	switch attributes := p.attributes(t, key); {
	case attributes["ID"] != key.ID.String():
		return "gone"
	case attributes["Unsent"] != "":
		return "waiting"
	case attributes["RejectionReason"] != "":
		return "refused"
	case attributes["MessageID"] != "" && attributes["SentAt"] != "":
		return "sent"
	}
	return "lost"
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	var mu sync.Mutex
	var calls []awstest.Call
	var table []string
	run := func(t *testing.T, test func(t *testing.T, p *platform)) {
		t.Parallel()
		p := startPlatform(t, bootstrap)
		test(t, p)
		for line := range strings.Lines(p.fn.Logs()) {
			if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
				t.Errorf("a log line is not JSON with one message: %s", line)
			}
		}
		if strings.Contains(strings.ToLower(p.fn.Logs()), "@example") {
			t.Errorf("the log has an address:\n%s", p.fn.Logs())
		}
		mu.Lock()
		defer mu.Unlock()
		calls = slices.Concat(calls, p.table.Calls(), p.ses.Calls(), p.queue.Calls())
	}
	t.Run("each", func(t *testing.T) {
		t.Run("mails arrive and can be read", func(t *testing.T) { run(t, readMails) })
		t.Run("poison", func(t *testing.T) { run(t, takePoison) })
		t.Run("deadline", func(t *testing.T) { run(t, meetDeadline) })
		t.Run("many", func(t *testing.T) { run(t, sendMany) })
		for _, trial := range trials {
			t.Run(trial.tried, func(t *testing.T) {
				run(t, func(t *testing.T, p *platform) {
					mails, state := trial.run(t, p)
					mu.Lock()
					defer mu.Unlock()
					table = append(table, fmt.Sprintf("%-70s %d, %s", trial.tried, mails, state))
				})
			})
		}
	})
	slices.Sort(table)
	t.Logf("what was tried, and the mails counted:\n%s", strings.Join(table, "\n"))
	awstest.CheckActions(t, "calls.txt", calls)
}

// A trial is something that goes wrong with one subscription's mail.
type trial struct {
	tried string
	kind  mailinglist.Kind // default: Subscribed

	// before happens when the record is in the stream, after it when the function has been told of it once.
	before, after func(t *testing.T, p *platform, s mailinglist.Subscription)

	rounds int // how often the function is told of it, dead letters included; default: once
	mails  int
	state  string // default: sent
}

// run tells the function of a subscription, twice each time, until nothing comes again and no letter is left.
func (trial trial) run(t *testing.T, p *platform) (mails int, state string) {
	kind := trial.kind
	if kind == "" {
		kind = mailinglist.Subscribed
	}
	subscription := p.subscribe(t, "ada", kind, "ko-KR")
	records := slices.Repeat(p.records(t), 2)
	if trial.before != nil {
		trial.before(t, p, subscription)
	}
	rounds := 0
	for len(records) > 0 {
		rounds++
		again := p.invoke(t, timeout, records...)
		var next []json.RawMessage
		if len(again) > 0 {
			next = records[again[0]:]
		}
		if rounds == 1 {
			p.ses.Intercept(nil)
			p.ses.BeforeAnswer(nil)
			p.table.Intercept(nil)
			if trial.after != nil {
				trial.after(t, p, subscription)
			}
		}
		records = slices.Concat(next, p.redrive(t))
		if len(records) > 0 && p.state(t, subscription.Key) == "waiting" {
			p.passLease(t, subscription.Key)
		}
		if rounds == 5 {
			t.Fatalf("it does not end\n%s", p.fn.Logs())
		}
	}
	mails, state = len(p.inbox.Mails(t)), p.state(t, subscription.Key)
	want := trial.state
	if want == "" {
		want = "sent"
	}
	if mails != trial.mails || state != want || rounds != max(trial.rounds, 1) {
		t.Errorf("%d mails, %s, after being told %d times; want %d, %s, %d\n%s", mails, state, rounds, trial.mails, want, max(trial.rounds, 1), p.fn.Logs())
	}
	return mails, state
}

// sesFault has SES fail as long as the function is told for the first time.
func sesFault(fault awstest.Fault) func(*testing.T, *platform, mailinglist.Subscription) {
	return func(_ *testing.T, p *platform, _ mailinglist.Subscription) { p.ses.SetFault(fault) }
}

// tableFault has DynamoDB fail, as often as it says, at the calls that come when so many mails were accepted.
func tableFault(accepted int, fault awstest.Fault) func(*testing.T, *platform, mailinglist.Subscription) {
	return func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		var failed atomic.Int64
		p.table.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action != fault.Action || p.ses.Accepted() != accepted || fault.Times > 0 && failed.Add(1) > int64(fault.Times) {
				return awstest.Fault{}
			}
			return fault
		})
	}
}

// kill has the process die before the n-th call of DynamoDB's that comes when so many mails were accepted.
func kill(accepted int, action string, n int64) func(*testing.T, *platform, mailinglist.Subscription) {
	return func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		var calls atomic.Int64
		p.table.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action != action || p.ses.Accepted() != accepted || calls.Add(1) != n {
				return awstest.Fault{}
			}
			p.fn.Kill()
			return awstest.Fault{Reset: true}
		})
	}
}

const (
	throttled = "Maximum sending rate exceeded."
	quota     = "Daily message quota exceeded."
)

var trials = []trial{
	{tried: "nothing goes wrong", mails: 1},
	{tried: "nothing goes wrong with one that is pending", kind: mailinglist.Pending, mails: 1},

	{tried: "SES: 429, twice", before: sesFault(awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: throttled, Times: 2}), mails: 1},
	{tried: "SES: 500, twice", before: sesFault(awstest.Fault{Status: 500, Code: "InternalServiceErrorException", Times: 2}), mails: 1},
	{tried: "SES: 503 until the deadline", before: sesFault(awstest.Fault{Status: 503, Code: "ServiceUnavailable"}), rounds: 2, mails: 1},
	{tried: "SES: breaks off before it accepts", before: sesFault(awstest.Fault{Reset: true}), rounds: 2, mails: 1},
	{tried: "SES: accepts, and breaks off", before: sesFault(awstest.Fault{Cut: true}), rounds: 2, mails: 2},
	{tried: "SES: is silent until the deadline", before: sesFault(awstest.Fault{Silent: true}), rounds: 2, mails: 1},
	{tried: "SES: is slower than answers of others may be", mails: 1, before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		p.ses.BeforeAnswer(func(string) { <-time.After(awsclient.DefaultResponseTimeout + 500*time.Millisecond) })
	}},
	{tried: "SES: MessageRejected for the address", before: sesFault(awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Address blacklisted: ada@example.org"}), state: "refused"},
	{tried: "SES: BadRequest for the address", before: sesFault(awstest.Fault{Status: 400, Code: "BadRequestException", Reason: "Invalid email address ada@example.org."}), state: "refused"},
	{tried: "SES: MessageRejected for the mail, moved back", before: sesFault(awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Bad content"}), rounds: 2, mails: 1},
	{tried: "SES: BadRequest for the mail, moved back", before: sesFault(awstest.Fault{Status: 400, Code: "BadRequestException", Reason: "Header value is too long"}), rounds: 2, mails: 1},
	{tried: "SES: throttled by a 400, twice", before: sesFault(awstest.Fault{Status: 400, Code: "ThrottlingException", Reason: throttled, Times: 2}), mails: 1},
	{tried: "SES: daily quota, moved back", before: sesFault(awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: quota}), rounds: 2, mails: 1},
	{tried: "SES: sending is paused, moved back", before: sesFault(awstest.Fault{Status: 400, Code: "SendingPausedException"}), rounds: 2, mails: 1},
	{tried: "SES: account is suspended, moved back", before: sesFault(awstest.Fault{Status: 400, Code: "AccountSuspendedException"}), rounds: 2, mails: 1},
	{tried: "SES: access denied, moved back", before: sesFault(awstest.Fault{Status: 403, Code: "AccessDeniedException"}), rounds: 2, mails: 1},
	{tried: "SES: not verified, moved back", before: sesFault(awstest.Fault{
		Status: 400, Code: "MessageRejected",
		Reason: "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: ada@example.org",
	}), rounds: 2, mails: 1},

	{tried: "killed before the lease", before: kill(0, "dynamodb:UpdateItem", 1), rounds: 2, mails: 1},
	{tried: "killed after the lease", before: kill(0, "dynamodb:GetItem", 1), rounds: 2, mails: 1},
	{tried: "killed before SES accepts", rounds: 2, mails: 1, before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		p.ses.Intercept(func(awstest.Call) awstest.Fault {
			p.fn.Kill()
			return awstest.Fault{Reset: true}
		})
	}},
	{tried: "killed after SES accepts, before its answer", rounds: 2, mails: 2, before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		p.ses.BeforeAnswer(func(string) { p.fn.Kill() })
	}},
	{tried: "killed between SES's answer and the note", before: kill(1, "dynamodb:UpdateItem", 1), rounds: 2, mails: 2},
	{tried: "killed after the note", before: kill(1, "dynamodb:UpdateItem", 2), rounds: 2, mails: 1},

	{tried: "DynamoDB: the lease fails", before: tableFault(0, awstest.Fault{Action: "dynamodb:UpdateItem", Status: 500, Code: "InternalServerError"}), rounds: 2, mails: 1},
	{tried: "DynamoDB: the lease is granted, and its answer lost", before: tableFault(0, awstest.Fault{Action: "dynamodb:UpdateItem", Cut: true}), rounds: 2, mails: 1},
	{tried: "DynamoDB: suppressions cannot be read", before: tableFault(0, awstest.Fault{Action: "dynamodb:GetItem", Status: 400, Code: "ThrottlingException"}), rounds: 2, mails: 1},
	{tried: "DynamoDB: the note fails, twice", before: tableFault(1, awstest.Fault{Action: "dynamodb:UpdateItem", Status: 500, Code: "InternalServerError", Times: 2}), mails: 1},
	{tried: "DynamoDB: the note has no answer, once", before: tableFault(1, awstest.Fault{Action: "dynamodb:UpdateItem", Silent: true, Times: 1}), mails: 1},
	{tried: "DynamoDB: the note is made, and its answer lost, twice", before: tableFault(1, awstest.Fault{Action: "dynamodb:UpdateItem", Cut: true, Times: 2}), mails: 1},
	{tried: "DynamoDB: access denied, moved back", before: tableFault(0, awstest.Fault{Action: "dynamodb:UpdateItem", Status: 400, Code: "AccessDeniedException"}), rounds: 2, mails: 1},

	{tried: "somebody has leased the mail, for a second more", mails: 1, before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.lease(t, s.Key, time.Now().Add(time.Second))
	}},
	{tried: "somebody has leased the mail, for longer than the function lasts", rounds: 2, mails: 1, before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.lease(t, s.Key, time.Now().Add(time.Hour))
	}},
	{tried: "somebody had leased the mail, and has not sent it", mails: 1, before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.lease(t, s.Key, time.Now().Add(-time.Second))
	}},
	{tried: "the address is suppressed", state: "refused", before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		if err := p.mailingList.Suppress(t.Context(), s.Address, "bounced", time.Now()); err != nil {
			t.Fatal(err)
		}
	}},
	{tried: "the subscriber has left", state: "gone", before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
			t.Fatal(err)
		}
	}},
	{tried: "the subscriber leaves before the note", state: "gone", mails: 1, before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.ses.BeforeAnswer(func(string) {
			if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
				t.Error(err)
			}
		})
	}},
	{tried: "told of again when it is sent, by the stream and by a letter", mails: 1, after: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.read = 0
		inserted := p.records(t)[0] // the others are changes of it
		letter := queued(t, 7, fmt.Sprintf(`{"address":%q,"kind":"subscription","id":%q}`, s.Address, s.ID))
		p.done(t, inserted, inserted, inserted)
		p.done(t, letter, letter)
		p.done(t, queued(t, 8, metadata))
	}},
	{tried: "left and back: told of the second subscription before the first", mails: 2, state: "gone", after: func(t *testing.T, p *platform, s mailinglist.Subscription) {
		p.read = 0
		first := p.records(t)[0]
		if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
			t.Fatal(err)
		}
		again := p.subscribe(t, "ada", mailinglist.Subscribed, "ko")
		all := p.records(t)
		p.done(t, all[len(all)-1], first, all[len(all)-1], first)
		if state := p.state(t, again.Key); state != "sent" {
			t.Errorf("the second is %s", state)
		}
	}},
	{tried: "Lambda has given the batch up, moved back", mails: 1, before: func(t *testing.T, p *platform, _ mailinglist.Subscription) {
		p.done(t, queued(t, 9, metadata))
	}},
	{tried: "Lambda has given the batch up, and mails are held, moved back", rounds: 2, mails: 1, before: func(t *testing.T, p *platform, _ mailinglist.Subscription) {
		p.ses.SetFault(awstest.Fault{Status: 400, Code: "SendingPausedException"})
		p.done(t, queued(t, 9, metadata))
		if letters := p.queue.Messages(); len(letters) != 1 || letters[0].Body != metadata || !strings.Contains(letters[0].Attributes["Reason"], "SendingPausedException") {
			t.Errorf("letters %+v", letters)
		}
	}},
}

// readMails reads what arrives, in both languages.
func readMails(t *testing.T, p *platform) {
	for language, subjects := range map[string]map[mailinglist.Kind]string{
		"ko-KR": {mailinglist.Pending: "Ashlar 구독을 확인해 주세요", mailinglist.Subscribed: "Ashlar 소식을 구독해 주셔서 감사합니다"},
		"de":    {mailinglist.Pending: "Confirm your subscription to Ashlar", mailinglist.Subscribed: "Welcome to Ashlar"},
	} {
		for kind, subject := range subjects {
			s := p.subscribe(t, "Ada."+string(kind)+"+"+language, kind, language)
			p.done(t, p.records(t)...)
			mails := p.inbox.Mails(t)
			mail := mails[len(mails)-1]
			if !slices.Equal(mail.To, []string{string(s.To)}) || mail.Subject != subject {
				t.Errorf("%s in %s: to %v with the subject %q, want %q", kind, language, mail.To, mail.Subject, subject)
			}
			for name, said := range map[string]string{"text": mail.Text, "HTML": mail.HTML} {
				if !strings.Contains(said, s.Link) {
					t.Errorf("%s in %s: the %s has no link:\n%s", kind, language, name, said)
				}
			}
			want := map[string]string{"From": "=?utf-8?q?=EC=95=A0=EC=8A=90=EB=9F=AC?= <hello@example.com>", "List-Unsubscribe": "", "List-Unsubscribe-Post": ""}
			if kind == mailinglist.Subscribed {
				want["List-Unsubscribe"], want["List-Unsubscribe-Post"] = "<"+s.Link+">", "List-Unsubscribe=One-Click"
			}
			for name, value := range want {
				if mail.Header.Get(name) != value {
					t.Errorf("%s in %s: %s is %q, want %q", kind, language, name, mail.Header.Get(name), value)
				}
			}
			if attributes := p.attributes(t, s.Key); mail.Header.Get("Message-Id") != "<"+attributes["MessageID"]+"@eu-central-1.amazonses.com>" {
				t.Errorf("%s in %s: noted as %s, sent as %s", kind, language, attributes["MessageID"], mail.Header.Get("Message-Id"))
			}
		}
	}
}

// takePoison puts what is no subscription at each place of a batch.
func takePoison(t *testing.T, p *platform) {
	inserted := func(name string) json.RawMessage {
		p.subscribe(t, name, mailinglist.Subscribed, "en")
		records := p.records(t)
		return records[len(records)-1]
	}
	example := string(inserted("example"))
	for i, poison := range []string{
		`7`, `{}`, strings.Replace(example, `"Keys"`, `"Locks"`, 1), strings.Replace(example, `"S":"subscription"`, `"S":{}`, 1),
		strings.Replace(example, `"ID":{"S":"`, `"ID":{"S":"0`, 1), strings.Replace(example, `"S":"subscription"`, `"S":["`+strings.Repeat("가", 500_000)+`"]`, 1),
	} {
		for at := range 3 {
			letters, mails := len(p.queue.Messages()), len(p.inbox.Mails(t))
			batch := []json.RawMessage{inserted(fmt.Sprintf("beside%d-%d-a", i, at)), inserted(fmt.Sprintf("beside%d-%d-b", i, at))}
			p.done(t, slices.Insert(batch, at, json.RawMessage(poison))...)
			if got := len(p.inbox.Mails(t)) - mails; got != 2 || len(p.queue.Messages()) != letters+1 {
				t.Errorf("%.100s at %d: %d mails and %d letters, want 2 and 1", poison, at, got, len(p.queue.Messages())-letters)
			}
		}
	}
	p.done(t, queued(t, 1, "no letter"), json.RawMessage(strings.Replace(string(queued(t, 2, "?")), `"body":"?"`, `"body":[]`, 1)))
	p.queue.SetFault(awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"})
	if again := p.invoke(t, timeout, queued(t, 3, "no letter"), inserted("beside")); !slices.Equal(again, []int{0}) {
		t.Errorf("%v come again, want what the dead-letter queue has not taken", again)
	}
}

// meetDeadline gives the function less time than a mail may take, and than a batch does.
func meetDeadline(t *testing.T, p *platform) {
	ada, eve := p.subscribe(t, "ada", mailinglist.Subscribed, "en"), p.subscribe(t, "eve", mailinglist.Subscribed, "en")
	records := p.records(t)
	if again := p.invoke(t, 10*time.Second, records...); !slices.Equal(again, []int{0}) || len(p.table.Calls()) > 0 {
		t.Errorf("%v come again after %v, want the first without a call", again, p.table.Calls())
	}
	p.ses.BeforeAnswer(func(string) { <-time.After(time.Second) })
	if again := p.invoke(t, 11900*time.Millisecond, records...); !slices.Equal(again, []int{1}) {
		t.Errorf("%v come again, want the second", again)
	}
	if p.state(t, ada.Key) != "sent" || p.state(t, eve.Key) != "waiting" {
		t.Errorf("ada is %s, eve is %s", p.state(t, ada.Key), p.state(t, eve.Key))
	}
	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want that none was killed", processes)
	}
}

// sendMany gives the function what the stream has, unfiltered, twice at a time, and what waits besides.
func sendMany(t *testing.T, p *platform) {
	const many = 120
	var keys []mailinglist.Key
	for i := range many {
		keys = append(keys, p.subscribe(t, fmt.Sprint("ada", i), mailinglist.Subscribed, "en").Key)
	}
	records := p.records(t)
	p.done(t, slices.Concat(records[:10], records[:10])...)
	p.done(t, queued(t, 1, metadata))
	p.done(t, p.records(t)...) // of the changes
	if mails := len(p.inbox.Mails(t)); mails != many {
		t.Errorf("%d mails, want %d", mails, many)
	}
	for _, key := range keys {
		if state := p.state(t, key); state != "sent" {
			t.Errorf("%s is %s", key.Address, state)
		}
	}
}

func TestBootstrapDoesNotStartWithWrongSettings(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	good := contract.Settings{Table: "table", From: "hello@example.com", ConfigurationSet: "Mails", DeadLetterQueueURL: queueURL, LeaseDuration: leaseDuration}
	for want, change := range map[string]func(*contract.Settings){
		"MAIL_FROM":            func(s *contract.Settings) { s.From = "Ashlar" },
		"LEASE_DURATION is 9s": func(s *contract.Settings) { s.LeaseDuration = 9 * time.Second },
		"to send from; say":    func(s *contract.Settings) { s.From = "hello@example.com\nBcc: eve@example.com" },
		"less than 10s":        func(s *contract.Settings) { s.LeaseDuration = time.Millisecond },
		"Ashlar <hello@examp":  func(s *contract.Settings) { s.From = "a@example.com, b@example.com" },
	} {
		settings := good
		change(&settings)
		environment, err := lambdaenv.Encode(settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lambdatest.New(t, bootstrap, environment).Invoke(t.Context(), []byte("{}"), timeout); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %s", err, want)
		}
	}
	_, err := lambdatest.New(t, bootstrap, nil).Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{"MAILING_LIST_TABLE", "MAIL_FROM", "MAIL_CONFIGURATION_SET", "DEAD_LETTER_QUEUE_URL", "LEASE_DURATION"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
