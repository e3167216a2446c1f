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

var errNoMessage = errors.New("the message has neither recipient nor overdue")

// A handler takes messages from the queue, one after another.
//
// What cannot be told comes again, whatever the reason, and SQS moves it to the dead-letter queue after as many times as the
// queue allows. The function does not put it there by itself: it is in the VPC, from where there is no way to SQS, and what
// it would say is in the log.
type handler struct {
	sender interface {
		Send(ctx context.Context, recipient string) error
		SendOverdue(ctx context.Context) error
	}
	logger *slog.Logger
}

// Handle answers with the messages that have to come again. All others are done.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	return sqsbatch.Process(ctx, h.logger, event, h.process)
}

func (h *handler) process(ctx context.Context, from events.SQSMessage) error {
	var message notifications.Message
	if err := json.Unmarshal([]byte(from.Body), &message); err != nil {
		return fmt.Errorf("%w: %w", errNoMessage, err)
	}
	switch {
	case message.Overdue:
		// The next one follows in minutes. Were this one to come again, the dead letters would fill with sweeps while no
		// mail goes out at all.
		if err := h.sender.SendOverdue(ctx); err != nil {
			h.logger.ErrorContext(ctx, "sending overdue mails failed", "messageId", from.MessageId, "error", err.Error())
		}
		return nil
	case message.Recipient != "":
		return h.sender.Send(ctx, message.Recipient)
	}
	return errNoMessage
}
