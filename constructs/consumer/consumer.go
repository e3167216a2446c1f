// Package consumer provisions functions that work on the messages of a queue: the queue, where its messages come from, and
// where those end that the function fails at.
package consumer

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
)

// Props describes a consumer. Zero values take the stated default.
type Props struct {
	// Function takes the messages, and says which of a batch have to come again (partial batch responses). Required.
	Function *gofunction.Function

	// Topic sends the queue what is published there, if its message attributes have one of the values for each name in
	// Filter. Default: no topic; and of a topic, all.
	Topic  *topic.Topic
	Filter map[string][]string

	Delay          time.Duration // how long each message waits in the queue first; whole seconds; default: not at all; at most 15 min
	BatchSize      int           // messages that the function takes at once, if there are so many; default: 10; at most 10, and 10,000 with a BatchingWindow
	BatchingWindow time.Duration // how long Lambda waits for a batch to be full; whole seconds; default: not at all; at most 5 min
	MaxConcurrency int           // batches that are worked on at a time; default: 5; at least 2
}

// A Consumer is a queue whose messages a function takes.
type Consumer struct {
	Queue awssqs.Queue
	// DeadLetterQueue takes what the function failed at five times, what a topic could not deliver, and what the function gives
	// up by itself (AllowGivingUp). Since it is the dead-letter queue of Queue, SQS can move messages back there
	// (StartMessageMoveTask).
	DeadLetterQueue awssqs.Queue
	Mapping         awslambda.EventSourceMapping

	scope    constructs.Construct
	function *gofunction.Function
}

// New declares the queue under scope, and has Lambda take its messages to the function.
func New(scope constructs.Construct, id string, props Props) *Consumer {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	c := &Consumer{scope: construct, function: props.Function, DeadLetterQueue: queue.NewDeadLetterQueue(construct, "DeadLetterQueue")}
	timeout := time.Duration(*props.Function.Function.Timeout().ToSeconds(nil)) * time.Second
	c.Queue = queue.New(construct, "Queue", queue.Props{
		DeadLetterQueue: c.DeadLetterQueue,
		// Lambda wants six times the function's timeout, to try again what it could not deliver, and the window, for which it
		// holds messages: "Creating and configuring an Amazon SQS event source mapping" in the AWS Lambda Developer Guide.
		VisibilityTimeout: 6*timeout + props.BatchingWindow,
		Delay:             props.Delay,
	})
	if props.Topic != nil {
		props.Topic.AddQueueSubscription(c.Queue, c.DeadLetterQueue, props.Filter)
	}
	// Lambda takes the messages in the function's name. The CDK's event source would allow more than it needs: "Lambda
	// execution role permissions" for Amazon SQS in the AWS Lambda Developer Guide.
	props.Function.AddToRolePolicy([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, *c.Queue.QueueArn())
	mapping := &awslambda.EventSourceMappingProps{
		Target:                  props.Function.Function,
		EventSourceArn:          c.Queue.QueueArn(),
		BatchSize:               jsii.Number(props.BatchSize),
		ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency:          jsii.Number(props.MaxConcurrency),
	}
	if props.BatchingWindow > 0 {
		mapping.MaxBatchingWindow = convert.Duration(props.BatchingWindow)
	}
	c.Mapping = awslambda.NewEventSourceMapping(construct, jsii.String("Mapping"), mapping)
	return c
}

// GrantSendToDLQ lets the function, which must have the setting DEAD_LETTER_QUEUE_URL, put what need not come again into
// DeadLetterQueue, and tells it where that is.
func (c *Consumer) GrantSendToDLQ() {
	c.function.AddToRolePolicy([]string{"sqs:SendMessage"}, *c.DeadLetterQueue.QueueArn())
	c.function.AddSettings(struct {
		URL string `env:"DEAD_LETTER_QUEUE_URL"`
	}{*c.DeadLetterQueue.QueueUrl()})
}

// AddSchedule sends message, which is JSON, to the queue again and again, every so many minutes.
func (c *Consumer) AddSchedule(id string, every time.Duration, message string) {
	check.Props("consumer", id,
		// EventBridge wants the singular for one.
		check.That("every", every, every >= 2*time.Minute && every%time.Minute == 0, "whole minutes, at least 2m0s"),
	)
	rule := awsevents.NewCfnRule(c.scope, jsii.String(id), &awsevents.CfnRuleProps{
		ScheduleExpression: jsii.String(fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))),
		Targets:            &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("Queue"), Arn: c.Queue.QueueArn(), Input: jsii.String(message)}},
	})
	// The CDK's own target would let EventBridge read the queue's attributes as well.
	c.Queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{c.Queue.QueueArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule.AttrArn()}},
	}))
}

func (p Props) withDefaults() Props {
	if p.BatchSize == 0 {
		p.BatchSize = 10
	}
	if p.MaxConcurrency == 0 {
		p.MaxConcurrency = 5
	}
	return p
}

// The bounds are the services': "Amazon SQS delay queues" in the Amazon SQS Developer Guide, and CreateEventSourceMapping
// in the AWS Lambda API Reference.
func (p Props) check(id string) {
	size, sizes := 10, "1 to 10, or to 10000 with a BatchingWindow"
	if p.BatchingWindow > 0 {
		size, sizes = 10000, "1 to 10000"
	}
	check.Props("consumer", id,
		check.Required("Function", p.Function != nil, "pass the function that takes the messages"),
		check.That("Filter", p.Filter, p.Filter == nil || p.Topic != nil, "none without a Topic"),
		check.That("Delay", p.Delay, p.Delay >= 0 && p.Delay <= 15*time.Minute && p.Delay%time.Second == 0, "whole seconds, at most 15m0s"),
		check.That("BatchSize", p.BatchSize, p.BatchSize >= 1 && p.BatchSize <= size, sizes),
		check.That("BatchingWindow", p.BatchingWindow, p.BatchingWindow >= 0 && p.BatchingWindow <= 5*time.Minute && p.BatchingWindow%time.Second == 0, "whole seconds, at most 5m0s"),
		check.That("MaxConcurrency", p.MaxConcurrency, p.MaxConcurrency >= 2 && p.MaxConcurrency <= 1000, "2 to 1000"),
	)
}
