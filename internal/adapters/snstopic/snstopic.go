// Package snstopic publishes messages to SNS topics.
package snstopic

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// API is the part of SNS's API that this package calls. [sns.Client] implements it.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// A Message is what subscribers receive, as JSON.
type Message interface {
	// Attributes are the attributes for filter policies. No value is empty.
	Attributes() map[string]string
}

// A Topic publishes messages of one type.
type Topic[M Message] struct {
	ARN string
	API API
}

// Notify publishes a message, with its attributes.
func (t *Topic[M]) Notify(ctx context.Context, message M) error {
	encoded, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	attributes := map[string]types.MessageAttributeValue{}
	for name, value := range message.Attributes() {
		attributes[name] = types.MessageAttributeValue{
			DataType: aws.String("String"), StringValue: &value,
		}
	}
	_, err = t.API.Publish(ctx, &sns.PublishInput{
		TopicArn:          &t.ARN,
		Message:           aws.String(string(encoded)),
		MessageAttributes: attributes,
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
