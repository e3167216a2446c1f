// Package snstopic tells the subscribers of SNS topics what has happened.
package snstopic

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// API is what is called of SNS. A [sns.Client] is one.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// A Message is what subscribers get as JSON.
type Message interface {
	// Attributes are what filter policies look at. None is empty.
	Attributes() map[string]string
}

// A Topic has messages of one type.
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
		attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
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
