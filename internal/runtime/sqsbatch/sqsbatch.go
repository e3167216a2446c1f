// Package sqsbatch has a function take the messages of a queue one by one, and come again for those that it failed at.
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

// errNoID would be the answer to a message that SQS did not send.
var errNoID = errors.New("a message that has to come again has no id")

// Process calls handle with the messages of event, one after another, and answers which have to come again: those that it failed
// at, whose errors are logged, or panicked at. A panic that is passed on would end the process and bring the whole batch
// again, time after time, until all of it is given up. The context of handle ends while there is time to answer.
//
// The queue's event source mapping has to ask for partial batch responses (ReportBatchItemFailures).
func Process(ctx context.Context, logger *slog.Logger, event events.SQSEvent, handle func(context.Context, events.SQSMessage) error) (events.SQSEventResponse, error) {
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, message := range event.Records {
		err := recoverPanic(ctx, message, handle)
		if err == nil {
			continue
		}
		logger.ErrorContext(ctx, "has to come again", "messageId", message.MessageId, "error", err.Error())
		if message.MessageId == "" {
			return events.SQSEventResponse{}, errNoID // in the answer, it would fail the whole batch without a word
		}
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
	}
	return response, nil
}

// recoverPanic returns what handle returns, or its panic as an error.
func recoverPanic(ctx context.Context, message events.SQSMessage, handle func(context.Context, events.SQSMessage) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return handle(ctx, message)
}
