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
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
)

const queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadFeedback"

// timeout is the function's own, as it is deployed.
const timeout = 30 * time.Second

// A platform is the built function with all that it uses.
type platform struct {
	server      *dynamodbtest.Server
	mailingList *dynamodbstore.MailingList // past the relay
	queue       *awstest.SQS
	bootstrap   string
	environment map[string]string
	fn          *lambdatest.Function
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{server: dynamodbtest.Start(t), queue: awstest.StartSQS(t, queueURL)}
	p.mailingList = &dynamodbstore.MailingList{Table: p.server.NewMailingList(t), API: p.server.Client}
	var err error
	p.environment, err = lambdaenv.Encode(contract.Settings{Table: p.mailingList.Table, DeadLetterQueueURL: queueURL})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": p.server.URL, "AWS_ENDPOINT_URL_SQS": p.queue.URL})
	p.bootstrap = lambdatest.Build(t, contract.Package)
	p.fn = lambdatest.New(t, p.bootstrap, p.environment)
	return p
}

// subscribe subscribes name at example.com.
func (p *platform) subscribe(t *testing.T, name string) {
	t.Helper()
	address := email.Address(name + "@example.com")
	if err := p.mailingList.Subscribe(t.Context(), mailinglist.Subscription{
		Key: mailinglist.Key{Address: address.Key(), Kind: mailinglist.Subscribed, ID: uuid.Must(uuid.NewV7())},
		To:  address, CreatedAt: time.Now().Add(-time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
}

// is checks what has become of name at example.com.
func (p *platform) is(t *testing.T, name string, subscribed, suppressed bool) {
	t.Helper()
	address, on := name+"@example.com", false
	for key, err := range p.mailingList.Unsent(t.Context(), time.Now()) {
		if err != nil {
			t.Fatal(err)
		}
		on = on || key.Address == address
	}
	if on != subscribed {
		t.Errorf("%s is subscribed: %t, want %t", name, on, subscribed)
	}
	if off, err := p.mailingList.Suppressed(t.Context(), address); err != nil || off != suppressed {
		t.Errorf("%s is suppressed: %t, %v, want %t", name, off, err, suppressed)
	}
}

// send gives the function a batch, and returns which of its messages come again, by their place.
func (p *platform) send(t *testing.T, fn *lambdatest.Function, timeout time.Duration, bodies ...string) []int {
	t.Helper()
	failed, err := fn.InvokeBatch(t.Context(), lambdatest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return failed
}

// done is send for what has to be done at once.
func (p *platform) done(t *testing.T, bodies ...string) {
	t.Helper()
	if failed := p.send(t, p.fn, timeout, bodies...); len(failed) > 0 {
		t.Fatalf("messages %v of %d come again\n%s", failed, len(bodies), p.fn.Logs())
	}
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)

	t.Run("who bounces gets no more mails", func(t *testing.T) {
		p.subscribe(t, "ada")
		p.done(t, event(t, transient))
		p.is(t, "ada", true, false)
		p.done(t, event(t, bounce))
		p.is(t, "ada", true, true)
	})
	t.Run("who complains leaves", func(t *testing.T) {
		p.subscribe(t, "grace")
		p.done(t, from(t, "grace"))
		p.is(t, "grace", false, true)
		p.done(t, from(t, "grace"))
		p.is(t, "grace", false, true)
	})
	t.Run("of a mail to several, those who bounce", func(t *testing.T) {
		p.done(t, event(t, "several.json"))
		p.is(t, "eve", false, true)
		p.is(t, "bob", false, false)
	})
	t.Run("poison is given up, and what is beside it is done", func(t *testing.T) {
		for body, reason := range poison(t) {
			letters := len(p.queue.Messages())
			p.done(t, from(t, "beside1"), body, from(t, "beside2"))
			given := p.queue.Messages()[letters:]
			if len(given) != 1 || given[0].Body != body || !strings.Contains(given[0].Attributes["Reason"], reason) {
				t.Errorf("%s: given up %+v, want the reason %q", body, given, reason)
			}
			p.is(t, "beside1", false, true)
			p.is(t, "beside2", false, true)
		}
	})
	t.Run("SES's test of the topic is accepted", func(t *testing.T) {
		before := len(p.server.Calls()) + len(p.queue.Calls())
		p.done(t, validation)
		if after := len(p.server.Calls()) + len(p.queue.Calls()); after != before {
			t.Errorf("%d calls, want none", after-before)
		}
	})
	t.Run("faults", func(t *testing.T) { takeFaults(t, p) })

	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.fn.Logs())
	}
	for line := range strings.Lines(p.fn.Logs()) {
		if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
			t.Errorf("a log line is not JSON with one message: %s", line)
		}
	}
	if strings.Contains(p.fn.Logs(), "@") {
		t.Errorf("the log has an address:\n%s", p.fn.Logs())
	}
	awstest.CheckActions(t, "calls.txt", slices.Concat(p.server.Calls(), p.queue.Calls()))
}

func takeFaults(t *testing.T, p *platform) {
	environment := maps.Clone(p.environment)
	environment["AWS_MAX_ATTEMPTS"] = "1" // so that the test does not wait for the SDK's pauses
	hasty := lambdatest.New(t, p.bootstrap, environment)
	n := 0
	for name, fault := range map[string]awstest.Fault{
		"fails":           {Status: http.StatusInternalServerError, Code: "InternalServerError"},
		"throttles":       {Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException"},
		"denies":          {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"breaks off":      {Reset: true},
		"does not answer": {Silent: true},
		"loses an answer": {Cut: true},
	} {
		for _, action := range []string{"dynamodb:PutItem", "dynamodb:DeleteItem"} {
			t.Run(action+" "+name, func(t *testing.T) {
				n++
				who := fmt.Sprint("fault", n)
				p.subscribe(t, who)
				ofAction := fault
				ofAction.Action = action
				p.server.SetFault(ofAction)
				if failed := p.send(t, hasty, 2*time.Second, from(t, who)); !slices.Equal(failed, []int{0}) {
					t.Errorf("messages %v come again, want the one\n%s", failed, hasty.Logs())
				}
				p.server.SetFault(awstest.Fault{})
				p.done(t, from(t, who))
				p.is(t, who, false, true)
			})
		}
		if fault.Cut || fault.Reset {
			continue // SQS knows no such fault here
		}
		t.Run("the dead-letter queue "+name, func(t *testing.T) {
			letters := len(p.queue.Messages())
			p.queue.SetFault(fault)
			if failed := p.send(t, hasty, 2*time.Second, from(t, "beside3"), "no JSON"); !slices.Equal(failed, []int{1}) {
				t.Errorf("messages %v come again, want the second\n%s", failed, hasty.Logs())
			}
			p.queue.SetFault(awstest.Fault{})
			p.is(t, "beside3", false, true)
			p.done(t, "no JSON")
			if given := p.queue.Messages()[letters:]; len(given) != 1 {
				t.Errorf("given up %+v, want one", given)
			}
		})
	}
	for name, fault := range map[string]awstest.Fault{
		"fails once":           {Status: http.StatusInternalServerError, Code: "InternalServerError", Times: 1},
		"is silent once":       {Silent: true, Times: 1},
		"loses an answer once": {Cut: true, Times: 1},
	} {
		t.Run("a server that "+name+" is asked again", func(t *testing.T) {
			n++
			who := fmt.Sprint("fault", n)
			p.subscribe(t, who)
			p.server.SetFault(fault)
			p.done(t, from(t, who))
			p.is(t, who, false, true)
		})
	}
	if processes := hasty.Processes(); processes != 1 {
		t.Errorf("%d processes, want that none was killed\n%s", processes, hasty.Logs())
	}
}

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{"MAILING_LIST_TABLE", "DEAD_LETTER_QUEUE_URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
