package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

// A handler processes SES's events from a queue.
type handler struct {
	mailingList interface {
		Suppress(ctx context.Context, address, reason string, at time.Time) error
		Unsubscribe(ctx context.Context, address string) error
	}
	deadLetterQueue interface {
		Send(context.Context, deadletter.Message) error
	}
	logger *slog.Logger
	now    func() time.Time
}

// Handle returns the messages to be retried. All others succeeded, or are in the dead-letter queue.
func (h *handler) Handle(
	ctx context.Context, event events.SQSEvent,
) (events.SQSEventResponse, error) {
	return sqsbatch.Process(ctx, h.logger, event, h.process)
}

// process suppresses the addresses of a message. It is idempotent: a message may arrive twice, and
// late.
func (h *handler) process(ctx context.Context, message events.SQSMessage) error {
	parsed, err := parseFeedback(message.Body)
	if err != nil {
		h.logger.WarnContext(ctx, "message failed permanently, sending it to the dead-letter queue",
			"messageId", message.MessageId, "mail", parsed.messageID, "reason", err.Error())
		return h.deadLetterQueue.Send(ctx, deadletter.Message{
			Body:   message.Body,
			Reason: err.Error(),
			Key:    parsed.messageID,
		})
	}
	for _, address := range parsed.suppress {
		if err := h.mailingList.Suppress(ctx, address.Key(), parsed.reason, h.now()); err != nil {
			return err
		}
		if !parsed.complaint {
			// Servers also reject mails permanently by mistake. When an operator removes the
			// suppression, the subscription is unchanged.
			continue
		}
		// After a complaint, the recipient stays unsubscribed even if the suppression is removed.
		if err := h.mailingList.Unsubscribe(ctx, address.Key()); err != nil {
			return err
		}
	}
	if len(parsed.suppress) > 0 {
		h.logger.InfoContext(ctx, "address suppressed",
			"mail", parsed.messageID, "reason", parsed.reason)
	}
	return nil
}
