package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

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

// teller is one as a function.
type teller func(ctx context.Context, recipient string) error

func (f teller) Tell(ctx context.Context, recipient string) error { return f(ctx, recipient) }
func (f teller) Sweep(ctx context.Context) error                  { return f(ctx, "all") }

func handle(t *testing.T, ctx context.Context, f teller, messages ...events.SQSMessage) (again []string, log string, err error) {
	t.Helper()
	var said strings.Builder
	h := &handler{teller: f, logger: slog.New(slog.NewJSONHandler(&said, nil))}
	response, err := h.Handle(ctx, events.SQSEvent{Records: messages})
	if response.BatchItemFailures == nil && err == nil {
		t.Error("the answer has no list of failures, which would be null in JSON")
	}
	for _, failure := range response.BatchItemFailures {
		again = append(again, failure.ItemIdentifier)
	}
	return again, said.String(), err
}

func TestAPanicIsTheMessagesOwn(t *testing.T) {
	var told []string
	again, log, err := handle(t, t.Context(), func(_ context.Context, recipient string) error {
		if recipient == "bad" {
			panic("at the disco")
		}
		told = append(told, recipient)
		return nil
	}, events.SQSMessage{MessageId: "1", Body: `{"recipient":"ada"}`}, events.SQSMessage{MessageId: "2", Body: `{"recipient":"bad"}`},
		events.SQSMessage{MessageId: "3", Body: `{"sweep":true}`})
	if diff := cmp.Diff([]string{"2"}, again); diff != "" || err != nil {
		t.Errorf("error %v, come again (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"ada", "all"}, told); diff != "" || !strings.Contains(log, "at the disco") {
		t.Errorf("%s\n%s", diff, log)
	}
}

func TestAMessageWithoutIDFailsTheBatch(t *testing.T) {
	_, _, err := handle(t, t.Context(), func(context.Context, string) error { return errors.New("on purpose") }, events.SQSMessage{Body: `{"recipient":"ada"}`})
	if !errors.Is(err, errNoID) {
		t.Errorf("got %v", err)
	}
}

func TestTheFunctionEndsBeforeLambdaEndsIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lambdas, _ := ctx.Deadline()
	_, _, err := handle(t, ctx, func(ctx context.Context, _ string) error {
		if own, ok := ctx.Deadline(); !ok || lambdas.Sub(own) < time.Second {
			t.Errorf("it may take until %s, Lambda ends it at %s", own, lambdas)
		}
		return nil
	}, events.SQSMessage{MessageId: "1", Body: `{"recipient":"ada"}`})
	if err != nil {
		t.Error(err)
	}
}
