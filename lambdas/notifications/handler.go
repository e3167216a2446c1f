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

var errInvalidMessage = errors.New("the message has neither recipient nor overdue")

// A handler processes the messages of the queue, one after another.
//
// A failed message is retried, regardless of the reason, and SQS moves it to the dead-letter queue
// after the queue's maximum receive count. The function does not send it there itself: it is in the
// VPC, which has no route to SQS, and the reason is in the log.
type handler struct {
	sender interface {
		Send(ctx context.Context, recipient string) error
		SendOverdue(ctx context.Context) error
	}
	logger *slog.Logger
}

// Handle returns the messages to be retried. All others succeeded.
func (h *handler) Handle(
	ctx context.Context, event events.SQSEvent,
) (events.SQSEventResponse, error) {
	return sqsbatch.Process(ctx, h.logger, event, h.process)
}

func (h *handler) process(ctx context.Context, from events.SQSMessage) error {
	var message notifications.Message
	if err := json.Unmarshal([]byte(from.Body), &message); err != nil {
		return fmt.Errorf("%w: %w", errInvalidMessage, err)
	}
	switch {
	case message.Overdue:
		// The next message of the schedule follows in minutes. If this one was retried, the
		// dead-letter queue would fill with them while no mail can be sent.
		if err := h.sender.SendOverdue(ctx); err != nil {
			h.logger.ErrorContext(ctx, "sending overdue mails failed",
				"messageId", from.MessageId, "error", err.Error())
		}
		return nil
	case message.Recipient != "":
		return h.sender.Send(ctx, message.Recipient)
	}
	return errInvalidMessage
}
