package deadletter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

const queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadLetters"

// TestQueue_Send covers characters and lengths that SQS does not accept in attributes: it would
// reject the message on every retry.
func TestQueue_Send(t *testing.T) {
	sqsServer := awstest.StartSQS(t, queueURL)
	queue := &deadletter.Queue{URL: queueURL, API: sqs.New(sqs.Options{
		Region:       "eu-central-1",
		BaseEndpoint: &sqsServer.URL,
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
		}),
	})}
	for name, test := range map[string]struct {
		message deadletter.Message
		want    map[string]string
	}{
		"unchanged": {
			deadletter.Message{Reason: "it is cut off", Key: "private/ü +.jpg"},
			map[string]string{"Reason": "it is cut off", "Key": "private/ü +.jpg"},
		},
		"without a key": {
			deadletter.Message{Reason: "no JSON"},
			map[string]string{"Reason": "no JSON"},
		},
		"control characters": {
			deadletter.Message{Reason: "a\x00b\nc\x7f\u0085d", Key: "\x01"},
			map[string]string{"Reason": "a�b�c��d", "Key": "�"},
		},
		"invalid characters": {
			deadletter.Message{Reason: "a\uFFFEb\uFFFFc", Key: "\xff"},
			map[string]string{"Reason": "a�b�c", "Key": "�"},
		},
		"long": {
			deadletter.Message{Reason: strings.Repeat("x", 513), Key: strings.Repeat("y", 1024)},
			map[string]string{"Reason": strings.Repeat("x", 512), "Key": strings.Repeat("y", 1024)},
		},
		"half a character": {
			deadletter.Message{Reason: strings.Repeat("x", 511) + "ü"},
			map[string]string{"Reason": strings.Repeat("x", 511)},
		},
	} {
		test.message.Body = `{"Records":[]}`
		if err := queue.Send(t.Context(), test.message); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := sqsServer.Messages()
		want := awstest.SQSMessage{Body: test.message.Body, Attributes: test.want}
		if diff := cmp.Diff(want, sent[len(sent)-1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
