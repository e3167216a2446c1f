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
	DeadLetterQueue   awssqs.IQueue // takes a message that was received five times in vain; required
	VisibilityTimeout time.Duration // how long whoever receives a message has for it; required
	Delay             time.Duration // how long each message waits before anybody receives it; default: not at all
}

// New declares a queue that is encrypted and takes nothing without TLS. A message that has been received five times in vain
// is given up: the least that "Creating and configuring an Amazon SQS event source mapping" in the AWS Lambda Developer
// Guide asks for, since throttling counts as well.
func New(scope constructs.Construct, id string, props Props) awssqs.Queue {
	queueProps := &awssqs.QueueProps{
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		VisibilityTimeout: convert.Duration(props.VisibilityTimeout),
		RetentionPeriod:   convert.Duration(4 * 24 * time.Hour),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: props.DeadLetterQueue, MaxReceiveCount: jsii.Number(5)},
	}
	if props.Delay > 0 {
		queueProps.DeliveryDelay = convert.Duration(props.Delay)
	}
	return awssqs.NewQueue(scope, jsii.String(id), queueProps)
}

// NewDeadLetterQueue declares a queue for people to look into. It keeps messages for 14 days, as
// long as SQS can; the age of those that SQS itself gives up counts from when they came into the
// first queue.
func NewDeadLetterQueue(scope constructs.Construct, id string) awssqs.Queue {
	return awssqs.NewQueue(scope, jsii.String(id), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: convert.Duration(14 * 24 * time.Hour),
	})
}
