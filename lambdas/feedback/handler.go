package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

// A handler takes SES's events from a queue.
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

// Handle answers with the messages that have to come again. All others are done, or in the dead-letter queue.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	return sqsbatch.Process(ctx, h.logger, event, h.process)
}

// process does what a message asks for. It may come twice, and late.
func (h *handler) process(ctx context.Context, message events.SQSMessage) error {
	read, err := readFeedback(message.Body)
	if err != nil {
		h.logger.WarnContext(ctx, "given up", "messageId", message.MessageId, "mail", read.messageID, "reason", err.Error())
		return h.deadLetterQueue.Send(ctx, deadletter.Message{Body: message.Body, Reason: err.Error(), Key: read.messageID})
	}
	for _, address := range read.suppress {
		if err := h.mailingList.Suppress(ctx, address.Key(), read.reason, h.now()); err != nil {
			return err
		}
		if !read.complaint {
			// Servers refuse for good by mistake as well. Whoever lifts the suppression finds the subscription as it was.
			continue
		}
		// Who complains does not want to be subscribed, even if somebody lifts the suppression.
		if err := h.mailingList.Unsubscribe(ctx, address.Key()); err != nil {
			return err
		}
	}
	if len(read.suppress) > 0 {
		h.logger.InfoContext(ctx, "suppressed", "mail", read.messageID, "reason", read.reason)
	}
	return nil
}
