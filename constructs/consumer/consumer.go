// Package consumer provisions queues that a function consumes: the queue, the topic or schedule
// that sends to it, and its dead-letter queue.
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes a consumer. Zero values take the stated default.
type Props struct {
	// Function consumes the messages and returns those that failed (partial batch responses).
	// Required.
	Function *gofunction.Function

	// Topic publishes to the queue. Filter limits this to messages whose attributes have, for each
	// name in Filter, one of its values. Default: no topic; and no filter.
	Topic  *topic.Topic
	Filter map[string][]string

	// Delay is the delivery delay of each message; whole seconds. Default: 0; at most 15 min.
	Delay time.Duration
	// BatchSize is the maximum number of messages in an invocation. Default: 10; at most 10, or
	// 10,000 with a BatchingWindow.
	BatchSize int
	// BatchingWindow is how long Lambda waits for a full batch; whole seconds. Default: 0; at most
	// 5 min.
	BatchingWindow time.Duration
	// MaxConcurrency is the maximum number of concurrent invocations. Default: 5; at least 2.
	MaxConcurrency int
}

// A Consumer is a queue and the function that consumes it.
type Consumer struct {
	Queue awssqs.Queue
	// DeadLetterQueue receives messages that failed five times, messages that a topic could not
	// deliver, and messages that the function sends there itself (GrantSendToDLQ). It is the
	// dead-letter queue of Queue, so SQS can redrive its messages (StartMessageMoveTask).
	DeadLetterQueue awssqs.Queue
	Mapping         awslambda.EventSourceMapping

	scope    constructs.Construct
	function *gofunction.Function
}

// New declares the queue under scope, and its event source mapping to the function.
func New(scope constructs.Construct, id string, props Props) *Consumer {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	c := &Consumer{
		DeadLetterQueue: queue.NewDeadLetterQueue(construct, "DeadLetterQueue"),
		scope:           construct,
		function:        props.Function,
	}
	timeout := time.Duration(*props.Function.Function.Timeout().ToSeconds(nil)) * time.Second
	c.Queue = queue.New(construct, "Queue", queue.Props{
		DeadLetterQueue: c.DeadLetterQueue,
		// Lambda recommends six times the function's timeout, for retries when the function is
		// throttled, plus the batching window, during which it holds messages: "Creating and
		// configuring an Amazon SQS event source mapping" in the AWS Lambda Developer Guide.
		VisibilityTimeout: 6*timeout + props.BatchingWindow,
		Delay:             props.Delay,
	})
	if props.Topic != nil {
		props.Topic.AddQueueSubscription(c.Queue, c.DeadLetterQueue, props.Filter)
	}
	// Lambda receives the messages with the function's role. The CDK's event source would grant
	// more than it needs: "Lambda execution role permissions" for Amazon SQS in the AWS Lambda
	// Developer Guide.
	props.Function.AddToRolePolicy(
		[]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
		*c.Queue.QueueArn())
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

// GrantSendToDLQ lets the function, which must have the setting DEAD_LETTER_QUEUE_URL, send
// messages that must not be retried to DeadLetterQueue, and fills the setting.
func (c *Consumer) GrantSendToDLQ() {
	c.function.AddToRolePolicy([]string{"sqs:SendMessage"}, *c.DeadLetterQueue.QueueArn())
	c.function.AddSettings(struct {
		URL string `env:"DEAD_LETTER_QUEUE_URL"`
	}{*c.DeadLetterQueue.QueueUrl()})
}

// AddSchedule sends message, which is JSON, to the queue at the interval every.
func (c *Consumer) AddSchedule(id string, every time.Duration, message string) {
	check.Props("consumer", id,
		// EventBridge requires the singular for one minute.
		check.That("every", every, every >= 2*time.Minute && every%time.Minute == 0,
			"whole minutes, at least 2m0s"),
	)
	rule := awsevents.NewCfnRule(c.scope, jsii.String(id), &awsevents.CfnRuleProps{
		ScheduleExpression: jsii.String(fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))),
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("Queue"), Arn: c.Queue.QueueArn(), Input: jsii.String(message),
		}},
	})
	// The CDK's target would let EventBridge read the queue's attributes as well.
	c.Queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{
			awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
		},
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

// The limits are the services': "Amazon SQS delay queues" in the Amazon SQS Developer Guide, and
// CreateEventSourceMapping in the AWS Lambda API Reference.
func (p Props) check(id string) {
	size, sizes := 10, "1 to 10, or to 10000 with a BatchingWindow"
	if p.BatchingWindow > 0 {
		size, sizes = 10000, "1 to 10000"
	}
	check.Props("consumer", id,
		check.Required("Function", p.Function != nil,
			"pass the function that consumes the messages"),
		check.That("Filter", p.Filter, p.Filter == nil || p.Topic != nil, "none without a Topic"),
		check.That("Delay", p.Delay,
			p.Delay >= 0 && p.Delay <= 15*time.Minute && p.Delay%time.Second == 0,
			"whole seconds, at most 15m0s"),
		check.That("BatchSize", p.BatchSize, p.BatchSize >= 1 && p.BatchSize <= size, sizes),
		check.That("BatchingWindow", p.BatchingWindow,
			p.BatchingWindow >= 0 && p.BatchingWindow <= 5*time.Minute &&
				p.BatchingWindow%time.Second == 0,
			"whole seconds, at most 5m0s"),
		check.That("MaxConcurrency", p.MaxConcurrency,
			p.MaxConcurrency >= 2 && p.MaxConcurrency <= 1000, "2 to 1000"),
	)
}
