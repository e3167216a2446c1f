// Package sqsbatch processes the messages of an SQS batch one by one, and reports those to be
// retried.
package sqsbatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
)

// errNoID is returned for a message that SQS did not send.
var errNoID = errors.New("message failed and has no id")

// Process calls handle with the messages of event, one after another, and returns the failed ones,
// which SQS redelivers: handle returned an error, which is logged, or panicked. Without recovery, a
// panic would end the process, and SQS would redeliver all messages of the batch until they are in
// the dead-letter queue. The context of handle ends while there is time to respond.
//
// The queue's event source mapping must enable partial batch responses (ReportBatchItemFailures).
func Process(
	ctx context.Context, logger *slog.Logger, event events.SQSEvent,
	handle func(context.Context, events.SQSMessage) error,
) (events.SQSEventResponse, error) {
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, message := range event.Records {
		err := recoverPanic(ctx, message, handle)
		if err == nil {
			continue
		}
		logger.ErrorContext(ctx, "message failed, will be retried",
			"messageId", message.MessageId, "error", err.Error())
		if message.MessageId == "" {
			// With an empty id in the response, Lambda would retry the complete batch silently.
			return events.SQSEventResponse{}, errNoID
		}
		failure := events.SQSBatchItemFailure{ItemIdentifier: message.MessageId}
		response.BatchItemFailures = append(response.BatchItemFailures, failure)
	}
	return response, nil
}

// recoverPanic returns what handle returns, or its panic as an error.
func recoverPanic(
	ctx context.Context, message events.SQSMessage,
	handle func(context.Context, events.SQSMessage) error,
) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return handle(ctx, message)
}
