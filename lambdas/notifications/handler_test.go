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

// key is Secrets Manager with the key of tokens.
type key struct{}

func (key) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	secret := "the key of tokens, of many characters"
	return &secretsmanager.GetSecretValueOutput{SecretString: &secret}, nil
}

// senderFunc is a sender as a function.
type senderFunc func(ctx context.Context, recipient string) error

func (f senderFunc) Send(ctx context.Context, recipient string) error { return f(ctx, recipient) }
func (f senderFunc) SendOverdue(ctx context.Context) error            { return f(ctx, "all") }

func handle(t *testing.T, f senderFunc, messages ...events.SQSMessage) (again []string, log string) {
	t.Helper()
	var said strings.Builder
	h := &handler{sender: f, logger: slog.New(slog.NewJSONHandler(&said, nil))}
	response, err := h.Handle(t.Context(), events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range response.BatchItemFailures {
		again = append(again, failure.ItemIdentifier)
	}
	return again, said.String()
}

func TestAPanicIsTheMessagesOwn(t *testing.T) {
	var told []string
	again, log := handle(t, func(_ context.Context, recipient string) error {
		if recipient == "bad" {
			panic("at the disco")
		}
		told = append(told, recipient)
		return nil
	}, events.SQSMessage{MessageId: "1", Body: `{"recipient":"ada"}`}, events.SQSMessage{MessageId: "2", Body: `{"recipient":"bad"}`},
		events.SQSMessage{MessageId: "3", Body: `{"overdue":true}`})
	if diff := cmp.Diff([]string{"2"}, again); diff != "" {
		t.Errorf("come again (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ada", "all"}, told); diff != "" || !strings.Contains(log, "at the disco") {
		t.Errorf("%s\n%s", diff, log)
	}
}

func TestASweepThatFailsDoesNotComeAgain(t *testing.T) {
	again, log := handle(t, func(context.Context, string) error { return errors.New("on purpose") },
		events.SQSMessage{MessageId: "1", Body: `{"overdue":true}`}, events.SQSMessage{MessageId: "2", Body: `{"recipient":"ada"}`})
	if diff := cmp.Diff([]string{"2"}, again); diff != "" {
		t.Errorf("come again (-want +got):\n%s", diff)
	}
	if !strings.Contains(log, `"msg":"sending overdue mails failed","messageId":"1","error":"on purpose"`) {
		t.Errorf("the log does not say that the sending overdue mails failed: %s", log)
	}
}
