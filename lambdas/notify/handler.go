package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/deadline"
	"github.com/ashlar-cdk/ashlar/internal/notices"
)

var (
	errNoID      = errors.New("a message that has to come again has no id")
	errNoMessage = errors.New("the message names no recipient, nor asks for a sweep")
)

// A handler takes messages from the queue, one after another.
//
// What cannot be done comes again, whatever the reason, and SQS moves it to the dead-letter queue after as many times as the
// queue allows. The function does not put it there by itself: it is in the VPC, from where there is no way to SQS, and what
// it would say is in the log.
type handler struct {
	teller interface {
		Tell(ctx context.Context, recipient string) error
		Sweep(ctx context.Context) error
	}
	logger *slog.Logger
}

// Handle answers with the messages that have to come again. All others are done.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, message := range event.Records {
		err := h.take(ctx, message.Body)
		if err == nil {
			continue
		}
		h.logger.ErrorContext(ctx, "has to come again", "messageId", message.MessageId, "error", err.Error())
		if message.MessageId == "" {
			return events.SQSEventResponse{}, errNoID // in the answer, it would fail the whole batch without a word
		}
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
	}
	return response, nil
}

func (h *handler) take(ctx context.Context, body string) (err error) {
	// A panic would end the process and bring the whole batch again, time after time, until all of it is given up.
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	var message notices.Message
	if err := json.Unmarshal([]byte(body), &message); err != nil {
		return fmt.Errorf("%w: %w", errNoMessage, err)
	}
	switch {
	case message.Sweep:
		return h.teller.Sweep(ctx)
	case message.Recipient != "":
		return h.teller.Tell(ctx, message.Recipient)
	}
	return errNoMessage
}
