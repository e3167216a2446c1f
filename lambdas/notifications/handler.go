package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

var errNoMessage = errors.New("the message names no recipient, nor asks for a sweep")

// A handler takes messages from the queue, one after another.
//
// What cannot be told comes again, whatever the reason, and SQS moves it to the dead-letter queue after as many times as the
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
	return sqsbatch.Each(ctx, h.logger, event, h.take)
}

func (h *handler) take(ctx context.Context, from events.SQSMessage) error {
	var message notifications.Message
	if err := json.Unmarshal([]byte(from.Body), &message); err != nil {
		return fmt.Errorf("%w: %w", errNoMessage, err)
	}
	switch {
	case message.Sweep:
		// The next one follows in minutes. Were this one to come again, the dead letters would fill with sweeps while no
		// mail goes out at all.
		if err := h.teller.Sweep(ctx); err != nil {
			h.logger.ErrorContext(ctx, "sweep failed", "messageId", from.MessageId, "error", err.Error())
		}
		return nil
	case message.Recipient != "":
		return h.teller.Tell(ctx, message.Recipient)
	}
	return errNoMessage
}
