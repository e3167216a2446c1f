package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

// key is a fake Secrets Manager that returns the key of tokens.
type key struct{}

func (key) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	secret := "the key of tokens, of many characters"
	return &secretsmanager.GetSecretValueOutput{SecretString: &secret}, nil
}

// senderFunc implements a sender. Its recipient is "all" for SendOverdue.
type senderFunc func(ctx context.Context, recipient string) error

func (f senderFunc) Send(ctx context.Context, recipient string) error { return f(ctx, recipient) }
func (f senderFunc) SendOverdue(ctx context.Context) error            { return f(ctx, "all") }

// handle returns the ids of the messages to be retried, and the log.
func handle(
	t *testing.T, f senderFunc, messages ...events.SQSMessage,
) (retried []string, log string) {
	t.Helper()
	var output strings.Builder
	h := &handler{sender: f, logger: slog.New(slog.NewJSONHandler(&output, nil))}
	response, err := h.Handle(t.Context(), events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range response.BatchItemFailures {
		retried = append(retried, failure.ItemIdentifier)
	}
	return retried, output.String()
}

func TestHandler_recovers_panics(t *testing.T) {
	var sent []string
	retried, log := handle(t, func(_ context.Context, recipient string) error {
		if recipient == "bad" {
			panic("at the disco")
		}
		sent = append(sent, recipient)
		return nil
	},
		events.SQSMessage{MessageId: "1", Body: `{"recipient":"ada"}`},
		events.SQSMessage{MessageId: "2", Body: `{"recipient":"bad"}`},
		events.SQSMessage{MessageId: "3", Body: `{"overdue":true}`})
	if diff := cmp.Diff([]string{"2"}, retried); diff != "" {
		t.Errorf("retried (-want +got):\n%s", diff)
	}
	diff := cmp.Diff([]string{"ada", "all"}, sent)
	if diff != "" || !strings.Contains(log, "at the disco") {
		t.Errorf("sent (-want +got):\n%s\nlog:\n%s", diff, log)
	}
}

func TestHandler_does_not_retry_overdue_mails(t *testing.T) {
	fails := func(context.Context, string) error { return errors.New("on purpose") }
	retried, log := handle(t, fails,
		events.SQSMessage{MessageId: "1", Body: `{"overdue":true}`},
		events.SQSMessage{MessageId: "2", Body: `{"recipient":"ada"}`})
	if diff := cmp.Diff([]string{"2"}, retried); diff != "" {
		t.Errorf("retried (-want +got):\n%s", diff)
	}
	want := `"msg":"sending overdue mails failed","messageId":"1","error":"on purpose"`
	if !strings.Contains(log, want) {
		t.Errorf("the log lacks %s: %s", want, log)
	}
}
