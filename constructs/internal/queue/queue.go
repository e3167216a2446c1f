// Package queue declares the SQS queues of the other constructs.
package queue

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// Props describes a queue.
type Props struct {
	DeadLetterQueue   awssqs.IQueue // receives messages after five failed receives; required
	VisibilityTimeout time.Duration // how long a consumer has for a message; required
	Delay             time.Duration // delivery delay of each message; default: 0
}

// New declares a queue with encryption at rest that requires TLS. SQS moves a message to the
// dead-letter queue after five failed receives, the minimum that "Creating and configuring an
// Amazon SQS event source mapping" in the AWS Lambda Developer Guide recommends, because throttled
// invocations count as well.
func New(scope constructs.Construct, id string, props Props) awssqs.Queue {
	queueProps := &awssqs.QueueProps{
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		VisibilityTimeout: convert.Duration(props.VisibilityTimeout),
		RetentionPeriod:   convert.Duration(4 * 24 * time.Hour),
		DeadLetterQueue: &awssqs.DeadLetterQueue{
			Queue: props.DeadLetterQueue, MaxReceiveCount: jsii.Number(5),
		},
	}
	if props.Delay > 0 {
		queueProps.DeliveryDelay = convert.Duration(props.Delay)
	}
	return awssqs.NewQueue(scope, jsii.String(id), queueProps)
}

// NewDeadLetterQueue declares a dead-letter queue. It keeps messages for 14 days, the maximum of
// SQS; for messages that SQS moves there itself, the age counts from their arrival in the source
// queue.
func NewDeadLetterQueue(scope constructs.Construct, id string) awssqs.Queue {
	return awssqs.NewQueue(scope, jsii.String(id), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: convert.Duration(14 * 24 * time.Hour),
	})
}
