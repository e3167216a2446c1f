package consumer

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes a consumer. Zero values take the stated default.
type Props struct {
	// Function consumes the messages and returns those that failed (partial batch responses). It
	// may be in another stack, which then depends on the consumer's. An imported one must have its
	// role (Function_FromFunctionAttributes), which gets the permissions. Required.
	Function awslambda.IFunction

	// Queue is an existing queue to consume, whose visibility timeout is at least the Function's
	// timeout, and DeadLetterQueue its dead-letter queue, if it has one, for GrantSendToDLQ and for
	// messages that Topic cannot deliver. Default: a new queue with a dead-letter queue.
	Queue, DeadLetterQueue awssqs.IQueue

	// Topic publishes to the queue. Filter limits this to messages whose attributes have, for each
	// name in Filter, one of its values. The owner of an imported queue lets SNS send to it.
	// Default: no topic; and no filter.
	Topic  awssns.ITopic
	Filter map[string][]string

	// VisibilityTimeout of the new queue; whole seconds, at most 12 h. Default: six times the
	// Function's timeout, plus BatchingWindow. Required for a Function that is imported, because
	// its timeout is not known.
	VisibilityTimeout time.Duration
	// Delay is the delivery delay of each message in the new queue; whole seconds. Default: 0; at
	// most 15 min.
	Delay time.Duration
	// BatchSize is the maximum number of messages in an invocation. Default: 10; at most 10, or
	// 10,000 with a BatchingWindow.
	BatchSize int
	// BatchingWindow is how long Lambda waits for a full batch; whole seconds. Default: 0; at most
	// 5 min. FIFO queues have none.
	BatchingWindow time.Duration
	// MaxConcurrency is the maximum number of concurrent invocations. Default: 5; at least 2.
	MaxConcurrency int
}

// A Consumer is a queue and the function that consumes it.
type Consumer struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	// Queue is Props.Queue or the new queue.
	Queue awssqs.IQueue
	// DeadLetterQueue receives messages that failed five times, messages that a topic could not
	// deliver, and messages that the function sends there itself (GrantSendToDLQ). It is the
	// dead-letter queue of Queue, so SQS can redrive its messages (StartMessageMoveTask). With
	// Props.Queue, it is Props.DeadLetterQueue.
	DeadLetterQueue awssqs.IQueue
	Mapping         awslambda.EventSourceMapping
}

// New declares the queue under scope, and its event source mapping to the function.
func New(scope constructs.Construct, id string, props Props) *Consumer {
	timeout, known := timeoutOf(props.Function)
	props = props.withDefaults(timeout)
	props.check(id, timeout, known)
	construct := node.New(scope, id)
	c := &Consumer{
		Construct: construct, Queue: props.Queue, DeadLetterQueue: props.DeadLetterQueue,
	}
	if c.Queue == nil {
		c.DeadLetterQueue = queue.NewDeadLetterQueue(construct, "DeadLetterQueue")
		c.Queue = queue.New(construct, "Queue", queue.Props{
			DeadLetterQueue:   c.DeadLetterQueue,
			VisibilityTimeout: props.VisibilityTimeout,
			Delay:             props.Delay,
		})
	}
	if props.Topic != nil {
		queue.Subscribe(props.Topic, c.Queue, c.DeadLetterQueue, props.Filter)
	}
	// Lambda receives the messages with the function's role. The CDK's event source would grant
	// more than it needs: "Lambda execution role permissions" for Amazon SQS in the AWS Lambda
	// Developer Guide.
	receive := grant.To(props.Function,
		[]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
		*c.Queue.QueueArn())
	if key := c.Queue.EncryptionMasterKey(); key != nil {
		key.GrantDecrypt(props.Function)
	}
	mapping := &awslambda.EventSourceMappingProps{
		Target:                  props.Function,
		EventSourceArn:          c.Queue.QueueArn(),
		BatchSize:               jsii.Number(props.BatchSize),
		ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency:          jsii.Number(props.MaxConcurrency),
	}
	if props.BatchingWindow > 0 {
		mapping.MaxBatchingWindow = convert.Duration(props.BatchingWindow)
	}
	// The function's role refers to the queue. The mapping refers to both, so it must be in the
	// function's stack: in the queue's, the stacks would depend on each other.
	c.Mapping = awslambda.NewEventSourceMapping(c.scopeIn(awscdk.Stack_Of(props.Function)),
		jsii.String("Mapping"), mapping)
	if !known {
		// Lambda rejects the mapping of a function that may not receive. A function of the app
		// depends on its role's policy itself.
		receive.ApplyBefore(c.Mapping)
	}
	return c
}

// scopeIn returns the construct, or in another stack than its own a scope of that stack. The id of
// that scope has the construct's path in the stage, without the stage: ids are the same in every
// environment.
func (c *Consumer) scopeIn(stack awscdk.Stack) constructs.Construct {
	if *stack.Node().Path() == *awscdk.Stack_Of(c.Construct).Node().Path() {
		return c.Construct
	}
	stage := *awscdk.Stage_Of(c.Construct).Node().Path()
	path := strings.TrimPrefix(*c.Construct.Node().Path(), stage)
	id := strings.ReplaceAll(path, "/", "")
	if found := stack.Node().TryFindChild(jsii.String(id)); found != nil {
		return found.(constructs.Construct)
	}
	return node.New(stack, id)
}

// timeoutOf returns the timeout of a function that the app declares.
func timeoutOf(function awslambda.IFunction) (timeout time.Duration, known bool) {
	declared, ok := function.(awslambda.Function)
	if !ok {
		return 0, false
	}
	if declared.Timeout() == nil {
		return 3 * time.Second, true // the service's default
	}
	return time.Duration(*declared.Timeout().ToSeconds(nil)) * time.Second, true
}

// GrantSendToDLQ lets grantee send messages that must not be retried to DeadLetterQueue, and fills
// its setting DEAD_LETTER_QUEUE_URL. grantee is usually the function.
func (c *Consumer) GrantSendToDLQ(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("consumer", c.Construct, "GrantSendToDLQ", grantee)
	check.Call("consumer", *c.Construct.Node().Path(), "GrantSendToDLQ",
		check.Required("DeadLetterQueue", c.DeadLetterQueue != nil, "pass it in Props with Queue"))
	grant.Settings(grantee, struct {
		URL string `env:"DEAD_LETTER_QUEUE_URL"`
	}{*c.DeadLetterQueue.QueueUrl()})
	if key := c.DeadLetterQueue.EncryptionMasterKey(); key != nil {
		key.GrantEncryptDecrypt(grantee)
	}
	return grant.To(grantee, []string{"sqs:SendMessage"}, *c.DeadLetterQueue.QueueArn())
}

// AddSchedule sends message, which is JSON, to the queue at the interval every. id is unique in the
// consumer. The policy of an imported queue cannot be extended: its owner allows
// events.amazonaws.com to send to it.
func (c *Consumer) AddSchedule(id string, every time.Duration, message string) awsevents.CfnRule {
	check.Call("consumer", *c.Construct.Node().Path(), "AddSchedule",
		check.Required("id", id != "", "pass an id that is unique in the consumer"),
		// EventBridge requires the singular for one minute.
		check.That("every", every, every >= 2*time.Minute && every%time.Minute == 0,
			"whole minutes, at least 2m0s"),
		check.JSON("message", message),
	)
	// The queue's policy refers to the rule, so it must be in the queue's stack.
	scope := c.scopeIn(awscdk.Stack_Of(c.Queue))
	rule := awsevents.NewCfnRule(scope, jsii.String(id), &awsevents.CfnRuleProps{
		ScheduleExpression: jsii.String(fmt.Sprintf("rate(%d minutes)", int(every.Minutes()))),
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("Queue"), Arn: c.Queue.QueueArn(), Input: jsii.String(message),
		}},
	})
	events := &[]awsiam.IPrincipal{
		awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
	}
	if key := c.Queue.EncryptionMasterKey(); key != nil {
		// "Amazon SQS queues as targets" in the Amazon EventBridge User Guide. The key may be in
		// another stack, which cannot refer to the rule.
		key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: events,
			Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"),
			Resources:  jsii.Strings("*"), // the key itself, in its policy
			Conditions: &map[string]any{"StringEquals": map[string]any{
				"aws:SourceAccount": awscdk.Stack_Of(c.Queue).Account(),
			}},
		}), nil)
	}
	// The CDK's target would let EventBridge read the queue's attributes as well.
	c.Queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: events,
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{c.Queue.QueueArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule.AttrArn()}},
	}))
	return rule
}

func (p Props) withDefaults(timeout time.Duration) Props {
	if p.Queue == nil && p.VisibilityTimeout == 0 && timeout > 0 {
		// Lambda recommends six times the function's timeout, for retries when the function is
		// throttled, plus the batching window, during which it holds messages: "Creating and
		// configuring an Amazon SQS event source mapping" in the AWS Lambda Developer Guide.
		p.VisibilityTimeout = 6*timeout + p.BatchingWindow
	}
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
func (p Props) check(id string, timeout time.Duration, timeoutKnown bool) {
	size, sizes := 10, "1 to 10, or to 10000 with a BatchingWindow"
	if p.BatchingWindow > 0 {
		size, sizes = 10000, "1 to 10000"
	}
	isNew := p.Queue == nil
	check.Props("consumer", id,
		check.Required("Function", p.Function != nil,
			"pass the function that consumes the messages"),
		check.That("DeadLetterQueue", "a queue", !isNew || p.DeadLetterQueue == nil,
			"none without Queue: the new queue has one"),
		check.That("Filter", p.Filter, p.Filter == nil || p.Topic != nil, "none without a Topic"),
		check.FilterPolicy("Filter", p.Filter),
		check.Required("VisibilityTimeout",
			!isNew || p.Function == nil || timeoutKnown || p.VisibilityTimeout != 0,
			"pass six times the timeout of the imported Function"),
		check.That("VisibilityTimeout", p.VisibilityTimeout,
			p.VisibilityTimeout == 0 || isNew && p.VisibilityTimeout > 0 &&
				p.VisibilityTimeout <= 12*time.Hour && p.VisibilityTimeout%time.Second == 0,
			"whole seconds, at most 12h0m0s, and none with Queue, which has its own"),
		check.That("VisibilityTimeout", p.VisibilityTimeout,
			p.VisibilityTimeout <= 0 || p.VisibilityTimeout >= timeout,
			fmt.Sprintf("at least the Function's timeout, %s", timeout)),
		check.That("Delay", p.Delay,
			p.Delay == 0 || isNew && p.Delay > 0 && p.Delay <= 15*time.Minute &&
				p.Delay%time.Second == 0,
			"whole seconds, at most 15m0s, and none with Queue, which has its own"),
		check.That("BatchSize", p.BatchSize, p.BatchSize >= 1 && p.BatchSize <= size, sizes),
		check.That("BatchingWindow", p.BatchingWindow,
			p.BatchingWindow >= 0 && p.BatchingWindow <= 5*time.Minute &&
				p.BatchingWindow%time.Second == 0,
			"whole seconds, at most 5m0s"),
		check.That("BatchingWindow", p.BatchingWindow,
			p.BatchingWindow == 0 || isNew || !*p.Queue.Fifo(), "none for a FIFO queue"),
		check.That("MaxConcurrency", p.MaxConcurrency,
			p.MaxConcurrency >= 2 && p.MaxConcurrency <= 1000, "2 to 1000"),
	)
}
