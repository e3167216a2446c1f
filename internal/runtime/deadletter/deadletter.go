// Package deadletter puts what a function gives up on into its dead-message queue, with the reason.
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

// API is what is called of SQS. A [sqs.Client] is one.
type API interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// A Queue takes what nobody tries again.
type Queue struct {
	URL string
	API API
}

// A Message is a message that is given up.
type Message struct {
	Body   string // as it came, so that it can be moved back
	Reason string // for who looks after the queue
	Key    string // of the object that it is about, if it is about one
}

// What an attribute may have, in bytes. A key has 1024 at most.
const (
	maxReason = 512
	maxKey    = 1024
)

// Send puts message into the queue, with the attributes Reason and, if it has one, Key.
func (q *Queue) Send(ctx context.Context, message Message) error {
	attributes := map[string]types.MessageAttributeValue{"Reason": attribute(message.Reason, maxReason)}
	if message.Key != "" { // SQS takes no empty attribute
		attributes["Key"] = attribute(message.Key, maxKey)
	}
	_, err := q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:          &q.URL,
		MessageBody:       &message.Body,
		MessageAttributes: attributes,
	})
	if err != nil {
		return fmt.Errorf("send to the dead-message queue: %w", err)
	}
	return nil
}

// attribute is text as SQS takes it, "SendMessage" in the Amazon SQS API Reference: not all characters of a key are
// allowed there. The body has the key as it is.
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
