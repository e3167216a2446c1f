package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

var errNoTime = errors.New("not enough time left")

// A handler processes S3 event notifications from a queue, one after another: one picture in memory
// is enough.
type handler struct {
	reconciler interface {
		Reconcile(context.Context, thumbnails.Change) error
	}
	deadLetters interface {
		Send(context.Context, deadletter.Message) error
	}
	thumbnailBucket string
	logger          *slog.Logger
}

// Handle returns the messages to retry. All others are processed or sent to the dead-letter queue.
func (h *handler) Handle(
	ctx context.Context, event events.SQSEvent,
) (events.SQSEventResponse, error) {
	first := true
	handle := func(ctx context.Context, message events.SQSMessage) error {
		if !first && !thumbnails.HasTime(ctx) {
			return errNoTime
		}
		first = false
		defer runtime.GC() // frees this picture's memory before the next picture is decoded
		return h.handle(ctx, message)
	}
	return sqsbatch.Process(ctx, h.logger, event, handle)
}

// handle reconciles all records of a message. Records that fail permanently go to the dead-letter
// queue only if no record has to be retried: a redelivered message contains them again.
func (h *handler) handle(ctx context.Context, message events.SQSMessage) error {
	letters, err := h.reconcile(ctx, message)
	if err != nil {
		return err
	}
	for _, letter := range letters {
		h.logger.WarnContext(ctx, "record failed permanently, sending it to the dead-letter queue",
			"messageId", message.MessageId, "reason", letter.Reason)
		if err := h.deadLetters.Send(ctx, letter); err != nil {
			return err
		}
	}
	return nil
}

// reconcile returns the records that failed permanently. The error joins the errors of all records
// that have to be retried.
func (h *handler) reconcile(
	ctx context.Context, message events.SQSMessage,
) ([]deadletter.Message, error) {
	var notification struct {
		Event   string
		Records []json.RawMessage // S3 sends one, but does not guarantee that
	}
	if err := json.Unmarshal([]byte(message.Body), &notification); err != nil {
		reason := "not an S3 event notification: " + err.Error()
		//nolint:nilerr // the dead letter has the reason
		return []deadletter.Message{{Body: message.Body, Reason: reason}}, nil
	}
	if notification.Event == "s3:TestEvent" {
		return nil, nil // S3 sends it when the bucket's notifications are configured
	}
	if len(notification.Records) == 0 {
		const reason = "not an S3 event notification: no Records"
		return []deadletter.Message{{Body: message.Body, Reason: reason}}, nil
	}
	var letters []deadletter.Message
	var failures []error
	for _, record := range notification.Records {
		change, reason := h.decode(record)
		if reason == "" {
			if err := h.reconciler.Reconcile(ctx, change); errors.Is(err, imaging.ErrRejected) {
				reason = err.Error()
			} else if err != nil {
				failures = append(failures, err)
			}
		}
		if reason != "" {
			letters = append(letters, deadletter.Message{
				Body: `{"Records":[` + string(record) + `]}`, Reason: reason, Key: change.Key,
			})
		}
	}
	return letters, errors.Join(failures...)
}

// decode returns the change in a record, or the reason why it cannot be handled.
func (h *handler) decode(raw json.RawMessage) (thumbnails.Change, string) {
	var record events.S3EventRecord
	if err := json.Unmarshal(raw, &record); err != nil {
		return thumbnails.Change{}, "not an S3 event: " + err.Error()
	}
	object := record.S3.Object
	change := thumbnails.Change{
		Bucket: record.S3.Bucket.Name, Key: object.URLDecodedKey, Sequencer: object.Sequencer,
	}
	switch change.Bucket {
	case "":
		return change, "not an S3 event: no bucket"
	case h.thumbnailBucket:
		// Thumbnails of thumbnails would be an endless loop.
		return change, "it is a thumbnail; remove the event notifications of the thumbnail bucket"
	}
	if change.Key == "" {
		return change, "not an S3 event: no key"
	}
	return change, ""
}
