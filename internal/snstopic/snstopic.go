// Package snstopic tells the subscribers of an SNS topic what has become of pictures.
package snstopic

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/ashlar-cdk/ashlar/internal/pictures"
)

// API is what is called of SNS. A [sns.Client] is one.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// A Topic is where pictures are announced.
type Topic struct {
	ARN string
	API API
}

// Notify publishes finished as JSON, with the attribute prefix.
func (t *Topic) Notify(ctx context.Context, finished pictures.Finished) error {
	message, err := json.Marshal(finished)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	_, err = t.API.Publish(ctx, &sns.PublishInput{
		TopicArn: &t.ARN,
		Message:  aws.String(string(message)),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"prefix": {DataType: aws.String("String"), StringValue: aws.String(pictures.Prefix(finished.Key))},
		},
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
