// Package deadletter sends messages that failed permanently to a function's dead-letter queue
// (DLQ), with the reason.
package deadletter

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// API is the part of SQS that a [Queue] calls. A [sqs.Client] implements it.
type API interface {
	SendMessage(
		context.Context, *sqs.SendMessageInput, ...func(*sqs.Options),
	) (*sqs.SendMessageOutput, error)
}

// A Queue is a dead-letter queue.
type Queue struct {
	URL string
	API API
}

// A Message is a message that failed permanently.
type Message struct {
	Body   string // unchanged, so that the message can be redriven
	Reason string // for the operator
	Key    string // of the object that the message is about; may be empty
}

// The longest attributes, in bytes. An object's key has at most 1024.
const (
	maxReason = 512
	maxKey    = 1024
)

// Send sends message to the queue, with the attributes Reason and, unless it is empty, Key.
func (q *Queue) Send(ctx context.Context, message Message) error {
	attributes := map[string]types.MessageAttributeValue{
		"Reason": attribute(message.Reason, maxReason),
	}
	if message.Key != "" { // SQS rejects empty attributes
		attributes["Key"] = attribute(message.Key, maxKey)
	}
	_, err := q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:          &q.URL,
		MessageBody:       &message.Body,
		MessageAttributes: attributes,
	})
	if err != nil {
		return fmt.Errorf("send to the dead-letter queue: %w", err)
	}
	return nil
}

// attribute returns text as SQS accepts it, "SendMessage" in the Amazon SQS API Reference: not all
// characters of a key are allowed in an attribute. The body has the unchanged key.
func attribute(text string, limit int) types.MessageAttributeValue {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF' {
			return utf8.RuneError
		}
		return r
	}, text)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") // not half a character
	}
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &text}
}
