// Package handler provides the handler of the welcome function. It sends the mails of subscriptions
// that a stream and a queue report.
package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

var errNoID = errors.New("record failed and has no id")

// A Handler is a [lambda.Handler]. The stream of the mailing list's table reports new
// subscriptions. The queue contains redriven messages: ours, and those of Lambda about batches of
// the stream whose retries were exhausted. The log has the ids of subscriptions, but no addresses.
//
// [lambda.Handler]: https://pkg.go.dev/github.com/aws/aws-lambda-go/lambda#Handler
type Handler struct {
	Sender interface {
		Send(context.Context, mailinglist.Key) error
		SendUnsent(context.Context) error
	}
	DeadLetterQueue interface {
		Send(context.Context, deadletter.Message) error
	}
	Logger *slog.Logger
}

// Invoke returns the records to be retried. All others succeeded, or are in the dead-letter queue.
//
// A stream redelivers all records after the first failed one. So Invoke stops there: later records
// keep their order, and the cause, such as too many mails a second, would affect them too.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	event, err := decode(payload)
	if err != nil {
		return nil, err
	}
	// The response to a stream has the same fields.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i := range event.Records {
		record := &event.Records[i]
		key, reason, err := h.process(ctx, record)
		if reason != "" {
			err = h.sendToDLQ(ctx, payload, i, record, key, reason)
		}
		if err == nil {
			continue
		}
		h.Logger.ErrorContext(ctx, "record failed, will be retried",
			"record", record.id(), "error", err.Error())
		if record.id() == "" {
			// With an empty id in the response, Lambda would retry the complete batch silently.
			return nil, errNoID
		}
		failure := events.SQSBatchItemFailure{ItemIdentifier: record.id()}
		response.BatchItemFailures = append(response.BatchItemFailures, failure)
		if !record.fromQueue() {
			break
		}
	}
	return json.Marshal(response)
}

// process sends the mail that a record reports. It returns the key of the record's subscription, if
// it has one, and a reason if the record failed permanently, or an error if it is to be retried.
func (h *Handler) process(
	ctx context.Context, record *record,
) (key mailinglist.Key, reason string, err error) {
	// Without recovery, a panic would end the process, and all records of the batch would be
	// retried until they are in the dead-letter queue.
	defer func() {
		if cause := recover(); cause != nil {
			h.Logger.ErrorContext(ctx, "panic",
				"record", record.id(), "stack", string(debug.Stack()))
			reason, err = fmt.Sprintf("panic: %v", cause), nil
		}
	}()
	if record.decodeError != nil {
		return key, "not a record: " + record.decodeError.Error(), nil
	}
	keys := record.DynamoDB.Keys
	source := message{keys.Address.S, mailinglist.Kind(keys.Kind.S), record.DynamoDB.NewImage.ID.S}
	switch record.EventSource {
	case "aws:dynamodb":
		if record.EventName != "INSERT" || source.Kind == mailinglist.Suppressed {
			return key, "", nil // the event source mapping's filter passes none
		}
	case "aws:sqs":
		var body struct {
			message
			// "Configure destinations for failed invocations" in the Lambda Developer Guide
			DDBStreamBatchInfo json.RawMessage
		}
		if err := json.Unmarshal([]byte(record.Body), &body); err != nil {
			return key, "not a message: " + err.Error(), nil //nolint:nilerr // it is in the reason
		}
		if body.DDBStreamBatchInfo != nil { // the batch's records may have expired in the stream
			reason, err = classify(h.Sender.SendUnsent(ctx))
			return key, reason, err
		}
		source = body.message
	default:
		reason := fmt.Sprintf("event source %q is neither a DynamoDB stream nor an SQS queue",
			record.EventSource)
		return key, reason, nil
	}
	if key, reason = source.subscription(); reason == "" {
		reason, err = classify(h.Sender.Send(ctx, key))
	}
	return key, reason, err
}

// classify returns the reason for the dead-letter queue, or err if it is temporary and the record
// is retried.
func classify(err error) (reason string, temporary error) {
	if err == nil || errors.Is(err, retry.ErrUnavailable) {
		return "", err
	}
	return err.Error(), nil
}

// sendToDLQ sends a message to the dead-letter queue: with the record's subscription, or else with
// the original message or record.
func (h *Handler) sendToDLQ(
	ctx context.Context, payload []byte, i int, record *record, key mailinglist.Key, reason string,
) error {
	dead := deadletter.Message{Body: record.Body, Reason: reason}
	switch {
	case key != mailinglist.Key{}:
		dead.Body, dead.Key = encodeMessage(key), key.ID.String()
	case dead.Body == "":
		raw, err := rawRecords(payload)
		if err != nil {
			return err
		}
		dead.Body = sanitize(raw[i])
	}
	h.Logger.WarnContext(ctx, "record failed permanently, sending it to the dead-letter queue",
		"record", record.id(), "subscription", dead.Key, "reason", reason)
	return h.DeadLetterQueue.Send(ctx, dead)
}
