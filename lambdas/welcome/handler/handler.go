// Package handler has mails sent to whom a stream and a queue tell of: the function lambdas/welcome.
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

var errNoID = errors.New("a record that has to come again has no id")

// A Handler is a [lambda.Handler]. The stream of the mailing list tells it of new subscriptions; the queue of letters that
// were moved back, ours and those that Lambda writes when it gives a batch of the stream up. Its log names subscriptions by
// their ids, and no addresses.
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

// Invoke answers with the records that have to come again. All others are done, or in the dead-letter queue.
//
// A stream brings all records after the first of those again. So it is the last that is looked at: those after it keep
// their order, and whatever keeps it back, such as too many mails a second, would keep them back too.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	event, err := decode(payload)
	if err != nil {
		return nil, err
	}
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}} // a stream's is the same
	for i := range event.Records {
		record := &event.Records[i]
		key, reason, err := h.process(ctx, record)
		if reason != "" {
			err = h.sendToDLQ(ctx, payload, i, record, key, reason)
		}
		if err == nil {
			continue
		}
		h.Logger.ErrorContext(ctx, "has to come again", "record", record.id(), "error", err.Error())
		if record.id() == "" {
			return nil, errNoID // in the answer, it would fail the whole batch without a word
		}
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.id()})
		if !record.fromQueue() {
			break
		}
	}
	return json.Marshal(response)
}

// process does what a record asks for. It returns the subscription that the record is about, if it is about one, the reason
// when it is to be given up, or else an error when it has to come again.
func (h *Handler) process(ctx context.Context, record *record) (key mailinglist.Key, reason string, err error) {
	// A panic would end the process and bring the whole batch again, time after time, until all of it is given up.
	defer func() {
		if cause := recover(); cause != nil {
			h.Logger.ErrorContext(ctx, "panic", "record", record.id(), "stack", string(debug.Stack()))
			reason, err = fmt.Sprintf("panic: %v", cause), nil
		}
	}()
	if record.undecodable != nil {
		return key, "not a record: " + record.undecodable.Error(), nil
	}
	about := message{record.DynamoDB.Keys.Address.S, mailinglist.Kind(record.DynamoDB.Keys.Kind.S), record.DynamoDB.NewImage.ID.S}
	switch record.EventSource {
	case "aws:dynamodb":
		if record.EventName != "INSERT" || about.Kind == mailinglist.Suppressed {
			return key, "", nil // the source's filter leaves none through
		}
	case "aws:sqs":
		var body struct {
			message
			DDBStreamBatchInfo json.RawMessage // "Configure destinations for failed invocations" in the Lambda Developer Guide
		}
		if err := json.Unmarshal([]byte(record.Body), &body); err != nil {
			return key, "not a message: " + err.Error(), nil //nolint:nilerr // the reason says it
		}
		if body.DDBStreamBatchInfo != nil { // whose records the stream may have forgotten
			reason, err = classify(h.Sender.SendUnsent(ctx))
			return key, reason, err
		}
		about = body.message
	default:
		return key, fmt.Sprintf("a record of %q, not of a DynamoDB stream or an SQS queue", record.EventSource), nil
	}
	if key, reason = about.subscription(); reason == "" {
		reason, err = classify(h.Sender.Send(ctx, key))
	}
	return key, reason, err
}

// classify returns the reason for the dead-letter queue, or err when it is temporary and the record is retried.
func classify(err error) (reason string, again error) {
	if err == nil || errors.Is(err, retry.ErrUnavailable) {
		return "", err
	}
	return err.Error(), nil
}

// sendToDLQ puts a message into the dead-letter queue: about the subscription, or else what the queue or the stream had.
func (h *Handler) sendToDLQ(ctx context.Context, payload []byte, i int, record *record, key mailinglist.Key, reason string) error {
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
	h.Logger.WarnContext(ctx, "given up", "record", record.id(), "subscription", dead.Key, "reason", reason)
	return h.DeadLetterQueue.Send(ctx, dead)
}
