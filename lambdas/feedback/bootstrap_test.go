package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/sqstest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadFeedback"

// timeout is the timeout of the deployed function.
const timeout = 30 * time.Second

// A platform is the built function with the services that it uses.
type platform struct {
	server      *dynamodbtest.Server
	mailingList *dynamodbstore.MailingList // bypasses the relay
	queue       *awstest.SQS
	bootstrap   string
	environment map[string]string
	fn          *lambdatest.Function
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{server: dynamodbtest.Start(t), queue: awstest.StartSQS(t, queueURL)}
	p.mailingList = &dynamodbstore.MailingList{
		Table: p.server.NewMailingList(t), API: p.server.Client,
	}
	var err error
	p.environment, err = lambdaenv.Encode(contract.Settings{
		Table: p.mailingList.Table, DeadLetterQueueURL: queueURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": p.server.URL, "AWS_ENDPOINT_URL_SQS": p.queue.URL,
	})
	p.bootstrap = lambdatest.Build(t, contract.Package)
	p.fn = lambdatest.New(t, p.bootstrap, p.environment)
	return p
}

// subscribe subscribes name at example.com.
func (p *platform) subscribe(t *testing.T, name string) {
	t.Helper()
	address := email.Address(name + "@example.com")
	if err := p.mailingList.Subscribe(t.Context(), mailinglist.Subscription{
		Key: mailinglist.Key{
			Address: address.Key(), Kind: mailinglist.Subscribed, ID: uuid.Must(uuid.NewV7()),
		},
		To:        address,
		CreatedAt: time.Now().Add(-time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
}

// check compares the state of name at example.com.
func (p *platform) check(t *testing.T, name string, subscribed, suppressed bool) {
	t.Helper()
	address, isSubscribed := name+"@example.com", false
	for key, err := range p.mailingList.Unsent(t.Context(), time.Now()) {
		if err != nil {
			t.Fatal(err)
		}
		isSubscribed = isSubscribed || key.Address == address
	}
	if isSubscribed != subscribed {
		t.Errorf("%s is subscribed: %t, want %t", name, isSubscribed, subscribed)
	}
	isSuppressed, err := p.mailingList.Suppressed(t.Context(), address)
	if err != nil || isSuppressed != suppressed {
		t.Errorf("%s is suppressed: %t, %v, want %t", name, isSuppressed, err, suppressed)
	}
}

// send invokes the function with a batch, and returns the positions of the messages to be retried.
func (p *platform) send(
	t *testing.T, fn *lambdatest.Function, timeout time.Duration, bodies ...string,
) []int {
	t.Helper()
	retried, err := sqstest.Invoke(t.Context(), fn, sqstest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return retried
}

// succeed invokes the function with a batch, and fails the test if a message is to be retried.
func (p *platform) succeed(t *testing.T, bodies ...string) {
	t.Helper()
	if retried := p.send(t, p.fn, timeout, bodies...); len(retried) > 0 {
		t.Fatalf("messages %v of %d are retried\n%s", retried, len(bodies), p.fn.Logs())
	}
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)

	t.Run("suppresses an address after a permanent bounce", func(t *testing.T) {
		p.subscribe(t, "ada")
		p.succeed(t, event(t, transient))
		p.check(t, "ada", true, false)
		p.succeed(t, event(t, bounce))
		p.check(t, "ada", true, true)
	})
	t.Run("unsubscribes an address after a complaint", func(t *testing.T) {
		p.subscribe(t, "grace")
		p.succeed(t, from(t, "grace"))
		p.check(t, "grace", false, true)
		p.succeed(t, from(t, "grace"))
		p.check(t, "grace", false, true)
	})
	t.Run("suppresses the bounced recipients of several", func(t *testing.T) {
		p.succeed(t, event(t, "several.json"))
		p.check(t, "eve", false, true)
		p.check(t, "bob", false, false)
	})
	t.Run("sends invalid messages to the dead-letter queue", func(t *testing.T) {
		for body, reason := range invalidEvents(t) {
			before := len(p.queue.Messages())
			p.succeed(t, from(t, "other1"), body, from(t, "other2"))
			deadLetters := p.queue.Messages()[before:]
			if len(deadLetters) != 1 || deadLetters[0].Body != body ||
				!strings.Contains(deadLetters[0].Attributes["Reason"], reason) {
				t.Errorf("%s: dead letters %+v, want the reason %q", body, deadLetters, reason)
			}
			p.check(t, "other1", false, true)
			p.check(t, "other2", false, true)
		}
	})
	t.Run("accepts the validation of the topic", func(t *testing.T) {
		before := len(p.server.Calls()) + len(p.queue.Calls())
		p.succeed(t, validation)
		if after := len(p.server.Calls()) + len(p.queue.Calls()); after != before {
			t.Errorf("%d calls, want none", after-before)
		}
	})
	t.Run("faults", func(t *testing.T) { checkFaults(t, p) })

	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.fn.Logs())
	}
	for line := range strings.Lines(p.fn.Logs()) {
		if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
			t.Errorf("a log line is not JSON with one message: %s", line)
		}
	}
	if strings.Contains(p.fn.Logs(), "@") {
		t.Errorf("the log contains an address:\n%s", p.fn.Logs())
	}
	awstest.CheckActions(t, "calls.txt", slices.Concat(p.server.Calls(), p.queue.Calls()))
}

func checkFaults(t *testing.T, p *platform) {
	environment := maps.Clone(p.environment)
	environment["AWS_MAX_ATTEMPTS"] = "1" // the test does not wait for the SDK's backoff
	noRetries := lambdatest.New(t, p.bootstrap, environment)
	n := 0
	for faultName, fault := range map[string]awstest.Fault{
		"fails": {Status: http.StatusInternalServerError, Code: "InternalServerError"},
		"throttles": {
			Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
		},
		"denies":                  {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"resets the connection":   {Reset: true},
		"does not respond":        {NoResponse: true},
		"succeeds, response lost": {TruncateResponse: true},
	} {
		for _, action := range []string{"dynamodb:PutItem", "dynamodb:DeleteItem"} {
			t.Run(action+" "+faultName, func(t *testing.T) {
				n++
				name := fmt.Sprint("fault", n)
				p.subscribe(t, name)
				actionFault := fault
				actionFault.Action = action
				p.server.SetFault(actionFault)
				retried := p.send(t, noRetries, 2*time.Second, from(t, name))
				if !slices.Equal(retried, []int{0}) {
					t.Errorf("messages %v are retried, want the only one\n%s",
						retried, noRetries.Logs())
				}
				p.server.SetFault(awstest.Fault{})
				p.succeed(t, from(t, name))
				p.check(t, name, false, true)
			})
		}
		if fault.TruncateResponse || fault.Reset {
			continue // the fake SQS does not support it
		}
		t.Run("the dead-letter queue "+faultName, func(t *testing.T) {
			before := len(p.queue.Messages())
			p.queue.SetFault(fault)
			retried := p.send(t, noRetries, 2*time.Second, from(t, "other3"), "no JSON")
			if !slices.Equal(retried, []int{1}) {
				t.Errorf("messages %v are retried, want the second\n%s",
					retried, noRetries.Logs())
			}
			p.queue.SetFault(awstest.Fault{})
			p.check(t, "other3", false, true)
			p.succeed(t, "no JSON")
			if deadLetters := p.queue.Messages()[before:]; len(deadLetters) != 1 {
				t.Errorf("dead letters %+v, want one", deadLetters)
			}
		})
	}
	for faultName, fault := range map[string]awstest.Fault{
		"fails": {
			Status: http.StatusInternalServerError, Code: "InternalServerError", Times: 1,
		},
		"does not respond":        {NoResponse: true, Times: 1},
		"succeeds, response lost": {TruncateResponse: true, Times: 1},
	} {
		t.Run("retries a server that once "+faultName, func(t *testing.T) {
			n++
			name := fmt.Sprint("fault", n)
			p.subscribe(t, name)
			p.server.SetFault(fault)
			p.succeed(t, from(t, name))
			p.check(t, name, false, true)
		})
	}
	if processes := noRetries.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1: none was killed\n%s", processes, noRetries.Logs())
	}
}

func TestBootstrap_requires_settings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{"MAILING_LIST_TABLE", "DEAD_LETTER_QUEUE_URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
