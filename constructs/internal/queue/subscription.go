package queue

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// Subscribe subscribes queue to topic. It receives the messages as they were published (raw
// delivery). filter limits them to those whose attributes have, for each name, one of its values;
// nil lets all through. Messages that SNS cannot deliver go to deadLetterQueue, unless it is nil.
func Subscribe(
	topic awssns.ITopic, queue, deadLetterQueue awssqs.IQueue, filter map[string][]string,
) {
	props := &awssnssubscriptions.SqsSubscriptionProps{
		RawMessageDelivery: jsii.Bool(true),
		DeadLetterQueue:    deadLetterQueue,
	}
	if len(filter) > 0 {
		policy := map[string]awssns.SubscriptionFilter{}
		for name, values := range filter {
			conditions := &awssns.StringConditions{Allowlist: jsii.Strings(values...)}
			policy[name] = awssns.SubscriptionFilter_StringFilter(conditions)
		}
		props.FilterPolicy = &policy
	}
	topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(queue, props))
}
