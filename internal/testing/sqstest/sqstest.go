// Package sqstest provides batches of SQS messages, as Lambda delivers them to a built function.
package sqstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// Messages returns a queue's messages with these bodies, as at their first delivery.
func Messages(bodies ...string) []events.SQSMessage {
	messages := make([]events.SQSMessage, len(bodies))
	for i, body := range bodies {
		messages[i] = events.SQSMessage{
			MessageId:      fmt.Sprintf("19dd0b57-b21e-4ac1-bd88-%012d", i),
			ReceiptHandle:  "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a/example",
			Body:           body,
			Md5OfBody:      "0123456789abcdef0123456789abcdef",
			EventSource:    "aws:sqs",
			EventSourceARN: "arn:aws:sqs:" + lambdatest.Region + ":111111111111:Queue",
			AWSRegion:      lambdatest.Region,
			Attributes: map[string]string{
				"ApproximateReceiveCount": "1",
				"SentTimestamp":           strconv.FormatInt(time.Now().UnixMilli(), 10),
			},
		}
	}
	return messages
}

// Invoke invokes fn with a batch of a queue's messages, and returns the indexes of the messages
// that fn reports as failed. In all else it is like [lambdatest.Function.Invoke].
func Invoke(
	ctx context.Context, fn *lambdatest.Function, messages []events.SQSMessage,
	timeout time.Duration,
) ([]int, error) {
	event, err := json.Marshal(events.SQSEvent{Records: messages})
	if err != nil {
		return nil, err
	}
	payload, err := fn.Invoke(ctx, event, timeout)
	if err != nil {
		return nil, err
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		return nil, err
	}
	failed := []int{}
	for _, failure := range response.BatchItemFailures {
		at := slices.IndexFunc(messages, func(m events.SQSMessage) bool {
			return m.MessageId == failure.ItemIdentifier
		})
		if at < 0 {
			return nil, fmt.Errorf("sqstest: the batch has no message with the reported id %q",
				failure.ItemIdentifier)
		}
		failed = append(failed, at)
	}
	return failed, nil
}
