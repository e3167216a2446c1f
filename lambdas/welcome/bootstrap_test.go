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
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist/templates"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const (
	queueURL      = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadWelcomes"
	timeout       = time.Minute // the function's own
	leaseDuration = email.MinLease
)

// A platform is the built function with the services that it uses.
type platform struct {
	table       *dynamodbtest.Server
	mailingList *dynamodbstore.MailingList // bypasses the relay
	ses         *awstest.SES
	inbox       *smtptest.Server
	queue       *awstest.SQS
	fn          *lambdatest.Function

	read     int // number of records read from the stream
	redriven int // number of dead letters redriven
}

// startPlatform starts the function with the files beside bootstrap, and their default language.
func startPlatform(t *testing.T, bootstrap, language string) *platform {
	t.Helper()
	p := &platform{
		table: dynamodbtest.Start(t), inbox: smtptest.Start(t),
		queue: awstest.StartSQS(t, queueURL),
	}
	p.ses = awstest.StartSES(t, "example.com", "Mails", p.inbox.Address)
	p.mailingList = &dynamodbstore.MailingList{
		Table: p.table.NewMailingList(t), API: p.table.Client,
	}
	environment, err := lambdaenv.Encode(contract.Settings{
		Table:              p.mailingList.Table,
		From:               "애슐러 <hello@example.com>",
		ConfigurationSet:   "Mails",
		DefaultLanguage:    language,
		DeadLetterQueueURL: queueURL,
		LeaseDuration:      leaseDuration,
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(environment, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": p.table.URL,
		"AWS_ENDPOINT_URL_SESV2":    p.ses.URL,
		"AWS_ENDPOINT_URL_SQS":      p.queue.URL,
		// The test does not wait for the SDK's backoff. Calls of SES are retried nevertheless.
		"AWS_MAX_ATTEMPTS": "1",
	})
	p.fn = lambdatest.New(t, bootstrap, environment)
	return p
}

// subscribe stores a new subscription of name at example.org, confirmed or pending.
func (p *platform) subscribe(
	t *testing.T, name string, kind mailinglist.Kind, language string,
) mailinglist.Subscription {
	t.Helper()
	to := email.Address(name + "@Example.org")
	id := uuid.Must(uuid.NewV7())
	subscription := mailinglist.Subscription{
		Key:      mailinglist.Key{Address: to.Key(), Kind: kind, ID: id},
		To:       to,
		Language: language,
		Link: "https://api.example.com/v1/subscriptions/" + id.String() +
			strings.Repeat("AbC-_123", 30),
		CreatedAt: time.Now(),
	}
	if err := p.mailingList.Subscribe(t.Context(), subscription); err != nil {
		t.Fatal(err)
	}
	return subscription
}

// records returns the unread records of the stream, as in the function's event.
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

// invoke invokes the function with a batch, and returns the positions of the records to be retried.
// If the function dies, Lambda retries all.
func (p *platform) invoke(
	t *testing.T, timeout time.Duration, records ...json.RawMessage,
) []int {
	t.Helper()
	event, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := p.fn.Invoke(t.Context(), event, timeout)
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
	if err := json.Unmarshal(encoded, &response); err != nil {
		t.Fatal(err)
	}
	retried := []int{}
	for _, failure := range response.BatchItemFailures {
		retried = append(retried, slices.IndexFunc(records, func(record json.RawMessage) bool {
			return strings.Contains(string(record), `"`+failure.ItemIdentifier+`"`)
		}))
	}
	return retried
}

// succeed invokes the function with a batch, and fails the test if a record is to be retried.
func (p *platform) succeed(t *testing.T, records ...json.RawMessage) {
	t.Helper()
	if retried := p.invoke(t, timeout, records...); len(retried) > 0 {
		t.Fatalf("%v of %d records are retried\n%s", retried, len(records), p.fn.Logs())
	}
}

// redrive returns the dead letters that were not redriven yet, as messages of the queue.
func (p *platform) redrive(t *testing.T) []json.RawMessage {
	t.Helper()
	deadLetters := p.queue.Messages()
	var records []json.RawMessage
	for i, message := range deadLetters[p.redriven:] {
		records = append(records, queued(t, p.redriven+i, message.Body))
	}
	p.redriven = len(deadLetters)
	return records
}

func queued(t *testing.T, n int, body string) json.RawMessage {
	t.Helper()
	record, err := json.Marshal(map[string]any{
		"messageId":      fmt.Sprintf("19dd0b57-b21e-4ac1-bd88-%012d", n),
		"body":           body,
		"eventSource":    "aws:sqs",
		"attributes":     map[string]string{},
		"eventSourceARN": "arn:aws:sqs:eu-central-1:111111111111:Welcomes",
		"awsRegion":      "eu-central-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// metadata is Lambda's message to the dead-letter queue about a batch whose retries are exhausted.
const metadata = `{"requestContext":{"requestId":"c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",` +
	`"functionArn":"arn:aws:lambda:eu-central-1:111111111111:function:welcome",` +
	`"condition":"RetryAttemptsExhausted","approximateInvokeCount":11},` +
	`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":""},` +
	`"version":"1.0","timestamp":"2026-11-20T00:13:49.717Z",` +
	`"DDBStreamBatchInfo":{"shardId":"shardId-00000001573689847184-864758bb",` +
	`"startSequenceNumber":"800000000003126276362","endSequenceNumber":"800000000003126276362",` +
	`"approximateArrivalOfFirstRecord":"2026-11-20T00:13:19Z",` +
	`"approximateArrivalOfLastRecord":"2026-11-20T00:13:19Z","batchSize":1,` +
	`"streamArn":"arn:aws:dynamodb:eu-central-1:111111111111:table/MailingList/stream/1"}}`

// attributes returns the text attributes of a subscription in the table.
func (p *platform) attributes(t *testing.T, key mailinglist.Key) map[string]string {
	t.Helper()
	found, err := p.table.Client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &p.mailingList.Table, Key: keyOf(key), ConsistentRead: aws.Bool(true),
	})
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
		"Address": &types.AttributeValueMemberS{Value: key.Address},
		"Kind":    &types.AttributeValueMemberS{Value: string(key.Kind)},
	}
}

// endLease ends the lease of a subscription.
func (p *platform) endLease(t *testing.T, key mailinglist.Key) {
	t.Helper()
	if _, err := p.table.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &p.mailingList.Table, Key: keyOf(key),
		UpdateExpression:    aws.String("REMOVE LeasedUntil"),
		ConditionExpression: aws.String("attribute_exists(ID)"),
	}); err != nil {
		t.Fatal(err)
	}
}

// lease leases a mail as another process would.
func (p *platform) lease(t *testing.T, key mailinglist.Key, until time.Time) {
	t.Helper()
	if _, err := p.mailingList.Lease(t.Context(), key, time.Now(), until); err != nil {
		t.Fatal(err)
	}
}

// state returns the state of a subscription and its mail.
func (p *platform) state(t *testing.T, key mailinglist.Key) string {
	t.Helper()
	switch attributes := p.attributes(t, key); {
	case attributes["ID"] != key.ID.String():
		return "deleted"
	case attributes["Unsent"] != "":
		return "unsent"
	case attributes["RejectionReason"] != "":
		return "rejected"
	case attributes["MessageID"] != "" && attributes["SentAt"] != "":
		return "sent"
	}
	return "lost"
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	lambdatest.AddFiles(t, bootstrap, templates.Files)
	var mu sync.Mutex
	var calls []awstest.Call
	var table []string
	run := func(t *testing.T, test func(t *testing.T, p *platform)) {
		t.Parallel()
		p := startPlatform(t, bootstrap, "en")
		test(t, p)
		for line := range strings.Lines(p.fn.Logs()) {
			if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
				t.Errorf("a log line is not JSON with one message: %s", line)
			}
		}
		if strings.Contains(strings.ToLower(p.fn.Logs()), "@example") {
			t.Errorf("the log contains an address:\n%s", p.fn.Logs())
		}
		mu.Lock()
		defer mu.Unlock()
		calls = slices.Concat(calls, p.table.Calls(), p.ses.Calls(), p.queue.Calls())
	}
	t.Run("each", func(t *testing.T) {
		t.Run("mails", func(t *testing.T) { run(t, checkMails) })
		t.Run("bad records", func(t *testing.T) { run(t, checkBadRecords) })
		t.Run("deadline", func(t *testing.T) { run(t, checkDeadline) })
		t.Run("many", func(t *testing.T) { run(t, checkManyMails) })
		for _, trial := range trials {
			t.Run(trial.name, func(t *testing.T) {
				run(t, func(t *testing.T, p *platform) {
					mails, state := trial.run(t, p)
					mu.Lock()
					defer mu.Unlock()
					table = append(table, fmt.Sprintf("%-70s %d, %s", trial.name, mails, state))
				})
			})
		}
	})
	slices.Sort(table)
	t.Logf("trials, with the number of mails:\n%s", strings.Join(table, "\n"))
	awstest.CheckActions(t, "calls.txt", calls)
}

type hook func(t *testing.T, p *platform, s mailinglist.Subscription)

// A trial is a fault, or another event, during the mail of one subscription.
type trial struct {
	name string
	kind mailinglist.Kind // default: Subscribed

	// before is called when the record is in the stream, after when the function was invoked once.
	before, after hook

	rounds int // number of invocations, redriven messages included; default: 1
	mails  int
	state  string // default: sent
}

// run invokes the function with a record, twice in each batch, until there is nothing to retry and
// no dead letter is left.
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
		retried := p.invoke(t, timeout, records...)
		var next []json.RawMessage
		if len(retried) > 0 {
			next = records[retried[0]:]
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
		if len(records) > 0 && p.state(t, subscription.Key) == "unsent" {
			p.endLease(t, subscription.Key)
		}
		if rounds == 5 {
			t.Fatalf("the mail is still unsent after 5 invocations\n%s", p.fn.Logs())
		}
	}
	mails, state = len(p.inbox.Mails(t)), p.state(t, subscription.Key)
	want := trial.state
	if want == "" {
		want = "sent"
	}
	if mails != trial.mails || state != want || rounds != max(trial.rounds, 1) {
		t.Errorf("%d mails, %s, after %d invocations; want %d, %s, %d\n%s",
			mails, state, rounds, trial.mails, want, max(trial.rounds, 1), p.fn.Logs())
	}
	return mails, state
}

// sesFault returns a hook that makes SES fail during the first invocation.
func sesFault(fault awstest.Fault) hook {
	return func(_ *testing.T, p *platform, _ mailinglist.Subscription) { p.ses.SetFault(fault) }
}

// tableFault returns a hook that makes DynamoDB fail, as often as the fault says, while that many
// mails were accepted.
func tableFault(accepted int, fault awstest.Fault) hook {
	return func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
		var failed atomic.Int64
		p.table.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action != fault.Action || p.ses.Accepted() != accepted {
				return awstest.Fault{}
			}
			if fault.Times > 0 && failed.Add(1) > int64(fault.Times) {
				return awstest.Fault{}
			}
			return fault
		})
	}
}

// kill returns a hook that kills the process before the n-th call of DynamoDB while that many mails
// were accepted.
func kill(accepted int, action string, n int64) hook {
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
	{name: "success", mails: 1},
	{name: "success, pending subscription", kind: mailinglist.Pending, mails: 1},

	{
		name: "SES: 429, twice",
		before: sesFault(
			awstest.Fault{
				Status: 429, Code: "TooManyRequestsException", Reason: throttled, Times: 2,
			}),
		mails: 1,
	},
	{
		name: "SES: 500, twice",
		before: sesFault(
			awstest.Fault{Status: 500, Code: "InternalServiceErrorException", Times: 2}),
		mails: 1,
	},
	{
		name:   "SES: 503 until the deadline",
		before: sesFault(awstest.Fault{Status: 503, Code: "ServiceUnavailable"}),
		rounds: 2, mails: 1,
	},
	{
		name:   "SES: connection reset before acceptance",
		before: sesFault(awstest.Fault{Reset: true}),
		rounds: 2, mails: 1,
	},
	{
		name:   "SES: connection reset after acceptance",
		before: sesFault(awstest.Fault{TruncateResponse: true}),
		rounds: 2, mails: 2,
	},
	{
		name:   "SES: no response until the deadline",
		before: sesFault(awstest.Fault{NoResponse: true}),
		rounds: 2, mails: 1,
	},
	{
		name:  "SES: slower than the response timeout of other services",
		mails: 1,
		before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
			p.ses.BeforeAnswer(func(string) {
				<-time.After(awsclient.DefaultResponseTimeout + 500*time.Millisecond)
			})
		},
	},
	{
		name: "SES: MessageRejected for the address",
		before: sesFault(awstest.Fault{
			Status: 400, Code: "MessageRejected", Reason: "Address blacklisted: ada@example.org",
		}),
		state: "rejected",
	},
	{
		name: "SES: BadRequest for the address",
		before: sesFault(awstest.Fault{
			Status: 400, Code: "BadRequestException",
			Reason: "Invalid email address ada@example.org.",
		}),
		state: "rejected",
	},
	{
		name: "SES: MessageRejected for the mail, redriven",
		before: sesFault(
			awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "Bad content"}),
		rounds: 2, mails: 1,
	},
	{
		name: "SES: BadRequest for the mail, redriven",
		before: sesFault(
			awstest.Fault{
				Status: 400, Code: "BadRequestException", Reason: "Header value is too long",
			}),
		rounds: 2, mails: 1,
	},
	{
		name: "SES: 400 for throttling, twice",
		before: sesFault(
			awstest.Fault{Status: 400, Code: "ThrottlingException", Reason: throttled, Times: 2}),
		mails: 1,
	},
	{
		name: "SES: daily quota, redriven",
		before: sesFault(
			awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: quota}),
		rounds: 2, mails: 1,
	},
	{
		name:   "SES: sending is paused, redriven",
		before: sesFault(awstest.Fault{Status: 400, Code: "SendingPausedException"}),
		rounds: 2, mails: 1,
	},
	{
		name:   "SES: the account is suspended, redriven",
		before: sesFault(awstest.Fault{Status: 400, Code: "AccountSuspendedException"}),
		rounds: 2, mails: 1,
	},
	{
		name:   "SES: access denied, redriven",
		before: sesFault(awstest.Fault{Status: 403, Code: "AccessDeniedException"}),
		rounds: 2, mails: 1,
	},
	{name: "SES: not verified, redriven", before: sesFault(awstest.Fault{
		Status: 400, Code: "MessageRejected",
		Reason: "Email address is not verified. The following identities failed the check in " +
			"region EU-CENTRAL-1: ada@example.org",
	}), rounds: 2, mails: 1},

	{
		name:   "killed before the lease",
		before: kill(0, "dynamodb:UpdateItem", 1),
		rounds: 2, mails: 1,
	},
	{name: "killed after the lease", before: kill(0, "dynamodb:GetItem", 1), rounds: 2, mails: 1},
	{
		name:   "killed before SES accepts",
		rounds: 2, mails: 1,
		before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
			p.ses.Intercept(func(awstest.Call) awstest.Fault {
				p.fn.Kill()
				return awstest.Fault{Reset: true}
			})
		},
	},
	{
		name:   "killed after SES accepts, before its response",
		rounds: 2, mails: 2,
		before: func(_ *testing.T, p *platform, _ mailinglist.Subscription) {
			p.ses.BeforeAnswer(func(string) { p.fn.Kill() })
		},
	},
	{
		name:   "killed between SES's response and the acknowledgement",
		before: kill(1, "dynamodb:UpdateItem", 1),
		rounds: 2, mails: 2,
	},
	{
		name:   "killed after the acknowledgement",
		before: kill(1, "dynamodb:UpdateItem", 2),
		rounds: 2, mails: 1,
	},

	{
		name: "DynamoDB: the lease fails",
		before: tableFault(0,
			awstest.Fault{Action: "dynamodb:UpdateItem", Status: 500, Code: "InternalServerError"}),
		rounds: 2, mails: 1,
	},
	{
		name:   "DynamoDB: the response to the lease is lost",
		before: tableFault(0, awstest.Fault{Action: "dynamodb:UpdateItem", TruncateResponse: true}),
		rounds: 2, mails: 1,
	},
	{
		name: "DynamoDB: reading suppressions fails",
		before: tableFault(0,
			awstest.Fault{Action: "dynamodb:GetItem", Status: 400, Code: "ThrottlingException"}),
		rounds: 2, mails: 1,
	},
	{
		name: "DynamoDB: the acknowledgement fails, twice",
		before: tableFault(1, awstest.Fault{
			Action: "dynamodb:UpdateItem", Status: 500, Code: "InternalServerError", Times: 2,
		}),
		mails: 1,
	},
	{
		name: "DynamoDB: the acknowledgement has no response, once",
		before: tableFault(1,
			awstest.Fault{Action: "dynamodb:UpdateItem", NoResponse: true, Times: 1}),
		mails: 1,
	},
	{
		name: "DynamoDB: the response to the acknowledgement is lost, twice",
		before: tableFault(1,
			awstest.Fault{Action: "dynamodb:UpdateItem", TruncateResponse: true, Times: 2}),
		mails: 1,
	},
	{
		name: "DynamoDB: access denied, redriven",
		before: tableFault(0,
			awstest.Fault{
				Action: "dynamodb:UpdateItem", Status: 400, Code: "AccessDeniedException",
			}),
		rounds: 2, mails: 1,
	},

	{
		name:  "leased by another process for a second",
		mails: 1,
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.lease(t, s.Key, time.Now().Add(time.Second))
		},
	},
	{
		name:   "leased by another process beyond the function's timeout",
		rounds: 2, mails: 1,
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.lease(t, s.Key, time.Now().Add(time.Hour))
		},
	},
	{
		name:  "another process's lease has expired",
		mails: 1,
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.lease(t, s.Key, time.Now().Add(-time.Second))
		},
	},
	{
		name:  "the address is suppressed",
		state: "rejected",
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			if err := p.mailingList.Suppress(t.Context(), s.Address, "bounced",
				time.Now()); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		name:  "unsubscribed before sending",
		state: "deleted",
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		name:  "unsubscribed before the acknowledgement",
		state: "deleted", mails: 1,
		before: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.ses.BeforeAnswer(func(string) {
				if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
					t.Error(err)
				}
			})
		},
	},
	{
		name:  "redelivered after sending, by the stream and the queue",
		mails: 1,
		after: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.read = 0
			inserted := p.records(t)[0] // the others are its changes
			message := queued(t, 7,
				fmt.Sprintf(`{"address":%q,"kind":"subscription","id":%q}`, s.Address, s.ID))
			p.succeed(t, inserted, inserted, inserted)
			p.succeed(t, message, message)
			p.succeed(t, queued(t, 8, metadata))
		},
	},
	{
		name:  "subscribed twice: the second record before the first",
		mails: 2, state: "deleted",
		after: func(t *testing.T, p *platform, s mailinglist.Subscription) {
			p.read = 0
			first := p.records(t)[0]
			if err := p.mailingList.Unsubscribe(t.Context(), s.Address); err != nil {
				t.Fatal(err)
			}
			second := p.subscribe(t, "ada", mailinglist.Subscribed, "ko")
			all := p.records(t)
			p.succeed(t, all[len(all)-1], first, all[len(all)-1], first)
			if state := p.state(t, second.Key); state != "sent" {
				t.Errorf("the second subscription is %s", state)
			}
		},
	},
	{
		name:  "Lambda's retries are exhausted, redriven",
		mails: 1,
		before: func(t *testing.T, p *platform, _ mailinglist.Subscription) {
			p.succeed(t, queued(t, 9, metadata))
		},
	},
	{
		name:   "Lambda's retries are exhausted and sending is paused, redriven",
		rounds: 2, mails: 1,
		before: func(t *testing.T, p *platform, _ mailinglist.Subscription) {
			p.ses.SetFault(awstest.Fault{Status: 400, Code: "SendingPausedException"})
			p.succeed(t, queued(t, 9, metadata))
			deadLetters := p.queue.Messages()
			if len(deadLetters) != 1 || deadLetters[0].Body != metadata ||
				!strings.Contains(deadLetters[0].Attributes["Reason"], "SendingPausedException") {
				t.Errorf("dead letters %+v", deadLetters)
			}
		},
	},
}

// checkMails checks the mails that arrive, in both languages.
func checkMails(t *testing.T, p *platform) {
	for language, subjects := range map[string]map[mailinglist.Kind]string{
		"ko-KR": {
			mailinglist.Pending:    "Ashlar 구독을 확인해 주세요",
			mailinglist.Subscribed: "Ashlar 소식을 구독해 주셔서 감사합니다",
		},
		"de": {
			mailinglist.Pending:    "Confirm your subscription to Ashlar",
			mailinglist.Subscribed: "Welcome to Ashlar",
		},
	} {
		for kind, subject := range subjects {
			s := p.subscribe(t, "Ada."+string(kind)+"+"+language, kind, language)
			p.succeed(t, p.records(t)...)
			mails := p.inbox.Mails(t)
			mail := mails[len(mails)-1]
			if !slices.Equal(mail.To, []string{string(s.To)}) || mail.Subject != subject {
				t.Errorf("%s in %s: to %v with the subject %q, want %q",
					kind, language, mail.To, mail.Subject, subject)
			}
			for name, part := range map[string]string{"text": mail.Text, "HTML": mail.HTML} {
				if !strings.Contains(part, s.Link) {
					t.Errorf("%s in %s: the %s has no link:\n%s", kind, language, name, part)
				}
			}
			want := map[string]string{
				"From": "=?utf-8?q?=EC=95=A0=EC=8A=90=EB=9F=AC?= " +
					"<hello@example.com>",
				"List-Unsubscribe":      "",
				"List-Unsubscribe-Post": "",
			}
			if kind == mailinglist.Subscribed {
				want["List-Unsubscribe"] = "<" + s.Link + ">"
				want["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
			}
			for name, value := range want {
				if mail.Header.Get(name) != value {
					t.Errorf("%s in %s: %s is %q, want %q",
						kind, language, name, mail.Header.Get(name), value)
				}
			}
			id, stored := mail.Header.Get("Message-Id"), p.attributes(t, s.Key)["MessageID"]
			if id != "<"+stored+"@eu-central-1.amazonses.com>" {
				t.Errorf("%s in %s: stored as %s, sent as %s", kind, language, stored, id)
			}
		}
	}
}

// checkBadRecords covers invalid records at each position of a batch.
func checkBadRecords(t *testing.T, p *platform) {
	inserted := func(name string) json.RawMessage {
		p.subscribe(t, name, mailinglist.Subscribed, "en")
		records := p.records(t)
		return records[len(records)-1]
	}
	example := string(inserted("example"))
	for i, bad := range []string{
		`7`,
		`{}`,
		strings.Replace(example, `"Keys"`, `"Locks"`, 1),
		strings.Replace(example, `"S":"subscription"`, `"S":{}`, 1),
		strings.Replace(example, `"ID":{"S":"`, `"ID":{"S":"0`, 1),
		strings.Replace(example,
			`"S":"subscription"`, `"S":["`+strings.Repeat("가", 500_000)+`"]`, 1),
	} {
		for at := range 3 {
			deadLetters, mails := len(p.queue.Messages()), len(p.inbox.Mails(t))
			batch := []json.RawMessage{
				inserted(fmt.Sprintf("other%d-%d-a", i, at)),
				inserted(fmt.Sprintf("other%d-%d-b", i, at)),
			}
			p.succeed(t, slices.Insert(batch, at, json.RawMessage(bad))...)
			mails = len(p.inbox.Mails(t)) - mails
			deadLetters = len(p.queue.Messages()) - deadLetters
			if mails != 2 || deadLetters != 1 {
				t.Errorf("%.100s at %d: %d mails and %d dead letters, want 2 and 1",
					bad, at, mails, deadLetters)
			}
		}
	}
	noBody := strings.Replace(string(queued(t, 2, "?")), `"body":"?"`, `"body":[]`, 1)
	p.succeed(t, queued(t, 1, "not JSON"), json.RawMessage(noBody))
	p.queue.SetFault(awstest.Fault{
		Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable",
	})
	retried := p.invoke(t, timeout, queued(t, 3, "not JSON"), inserted("other"))
	if !slices.Equal(retried, []int{0}) {
		t.Errorf("%v are retried, want the message that the dead-letter queue rejected", retried)
	}
}

// checkDeadline covers timeouts that are too short for a mail, and for a batch.
func checkDeadline(t *testing.T, p *platform) {
	ada := p.subscribe(t, "ada", mailinglist.Subscribed, "en")
	eve := p.subscribe(t, "eve", mailinglist.Subscribed, "en")
	records := p.records(t)
	retried := p.invoke(t, 10*time.Second, records...)
	if !slices.Equal(retried, []int{0}) || len(p.table.Calls()) > 0 {
		t.Errorf("%v are retried after %v, want the first, without a call",
			retried, p.table.Calls())
	}
	p.ses.BeforeAnswer(func(string) { <-time.After(time.Second) })
	retried = p.invoke(t, 11900*time.Millisecond, records...)
	if !slices.Equal(retried, []int{1}) {
		t.Errorf("%v are retried, want the second", retried)
	}
	if p.state(t, ada.Key) != "sent" || p.state(t, eve.Key) != "unsent" {
		t.Errorf("ada is %s, eve is %s", p.state(t, ada.Key), p.state(t, eve.Key))
	}
	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1: none was killed", processes)
	}
}

// checkManyMails covers all records of the stream, unfiltered and twice, and the unsent mails.
func checkManyMails(t *testing.T, p *platform) {
	const many = 120
	var keys []mailinglist.Key
	for i := range many {
		name := fmt.Sprint("ada", i)
		keys = append(keys, p.subscribe(t, name, mailinglist.Subscribed, "en").Key)
	}
	records := p.records(t)
	p.succeed(t, slices.Concat(records[:10], records[:10])...)
	p.succeed(t, queued(t, 1, metadata))
	p.succeed(t, p.records(t)...) // the changes
	if mails := len(p.inbox.Mails(t)); mails != many {
		t.Errorf("%d mails, want %d", mails, many)
	}
	for _, key := range keys {
		if state := p.state(t, key); state != "sent" {
			t.Errorf("%s is %s", key.Address, state)
		}
	}
}

// TestBootstrap_mails_of_another_product covers files of another brand, layout and language: the
// mails have no word that is not theirs.
func TestBootstrap_mails_of_another_product(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	lambdatest.AddFiles(t, bootstrap, fstest.MapFS{
		"layout.html": {Data: []byte(
			`<html lang="{{.Language}}"><h1>Moulin</h1>{{template "content" .Data}}</html>`,
		)},
		"fr/confirm.subject.txt": {Data: []byte("Moulin : confirmez\n")},
		"fr/confirm.txt":         {Data: []byte("{{.To}} : {{.Link}}\n")},
		"fr/confirm.html":        {Data: []byte("<p>{{.To}} : {{.Link}}</p>")},
		"fr/welcome.subject.txt": {Data: []byte("Bienvenue au Moulin\n")},
		"fr/welcome.txt":         {Data: []byte("Bienvenue : {{.Link}}\n")},
		"fr/welcome.html":        {Data: []byte("<p>Bienvenue : {{.Link}}</p>")},
	})
	p := startPlatform(t, bootstrap, "fr")
	for kind, want := range map[mailinglist.Kind]struct{ subject, text, html string }{
		mailinglist.Pending: {
			"Moulin : confirmez", "ADDRESS : LINK\n",
			`<html lang="fr"><h1>Moulin</h1><p>ADDRESS : LINK</p></html>`,
		},
		mailinglist.Subscribed: {
			"Bienvenue au Moulin", "Bienvenue : LINK\n",
			`<html lang="fr"><h1>Moulin</h1><p>Bienvenue : LINK</p></html>`,
		},
	} {
		s := p.subscribe(t, "ada."+string(kind), kind, "ko-KR")
		p.succeed(t, p.records(t)...)
		mails := p.inbox.Mails(t)
		mail := mails[len(mails)-1]
		fill := strings.NewReplacer("ADDRESS", string(s.To), "LINK", s.Link).Replace
		got := []string{mail.Subject, mail.Text, mail.HTML}
		wanted := []string{want.subject, fill(want.text), fill(want.html)}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestBootstrap_without_templates(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	environment, err := lambdaenv.Encode(contract.Settings{
		Table: "table", From: "hello@example.com", ConfigurationSet: "Mails",
		DefaultLanguage: "en", DeadLetterQueueURL: queueURL, LeaseDuration: leaseDuration,
	})
	if err != nil {
		t.Fatal(err)
	}
	fn := lambdatest.New(t, bootstrap, environment)
	_, err = fn.Invoke(t.Context(), []byte("{}"), timeout)
	if err == nil || !strings.Contains(err.Error(), "the function's files: ") {
		t.Errorf("error %v, want one about the function's files", err)
	}
	lambdatest.AddFiles(t, bootstrap, fstest.MapFS{"en/welcome.txt": {Data: []byte("Welcome")}})
	_, err = lambdatest.New(t, bootstrap, environment).Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{"en/confirm.txt", "en/welcome.html", "en/welcome.subject.txt"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}

func TestBootstrap_settings(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	lambdatest.AddFiles(t, bootstrap, templates.Files)
	valid := contract.Settings{
		Table:              "table",
		From:               "hello@example.com",
		ConfigurationSet:   "Mails",
		DefaultLanguage:    "en",
		DeadLetterQueueURL: queueURL,
		LeaseDuration:      leaseDuration,
	}
	for want, change := range map[string]func(*contract.Settings){
		`no folder of the default language "fr"`: func(s *contract.Settings) {
			s.DefaultLanguage = "fr"
		},
		"MAIL_FROM":            func(s *contract.Settings) { s.From = "Ashlar" },
		"LEASE_DURATION is 9s": func(s *contract.Settings) { s.LeaseDuration = 9 * time.Second },
		"invalid sender": func(s *contract.Settings) {
			s.From = "hello@example.com\nBcc: eve@example.com"
		},
		"at least 10s": func(s *contract.Settings) { s.LeaseDuration = time.Millisecond },
		"Example <hello@examp": func(s *contract.Settings) {
			s.From = "a@example.com, b@example.com"
		},
	} {
		settings := valid
		change(&settings)
		environment, err := lambdaenv.Encode(settings)
		if err != nil {
			t.Fatal(err)
		}
		fn := lambdatest.New(t, bootstrap, environment)
		_, err = fn.Invoke(t.Context(), []byte("{}"), timeout)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to contain %s", err, want)
		}
	}
	_, err := lambdatest.New(t, bootstrap, nil).Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{
		"MAILING_LIST_TABLE", "MAIL_FROM", "MAIL_CONFIGURATION_SET", "DEAD_LETTER_QUEUE_URL",
		"DEFAULT_LANGUAGE", "LEASE_DURATION",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
