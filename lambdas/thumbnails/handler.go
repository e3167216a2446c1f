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

var errNoTime = errors.New("no time is left for it")

// A handler takes S3's event notifications from a queue. It takes one after another: a picture in memory is enough.
type handler struct {
	follower interface {
		Follow(context.Context, thumbnails.Change) error
	}
	deadLetters interface {
		Send(context.Context, deadletter.Message) error
	}
	thumbnailBucket string
	logger          *slog.Logger
}

// Handle answers with the messages that have to come again. All others are done, or in the dead-letter queue.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	first := true
	return sqsbatch.Process(ctx, h.logger, event, func(ctx context.Context, message events.SQSMessage) error {
		if !first && !thumbnails.EnoughTime(ctx) {
			return errNoTime
		}
		first = false
		defer runtime.GC() // the next picture is not to come on top of this one
		return h.take(ctx, message)
	})
}

// take follows all that a message tells of. What is refused is given up only when nothing has to come again: the message
// would bring it a second time.
func (h *handler) take(ctx context.Context, message events.SQSMessage) error {
	letters, err := h.follow(ctx, message)
	if err != nil {
		return err
	}
	for _, letter := range letters {
		h.logger.WarnContext(ctx, "given up", "messageId", message.MessageId, "reason", letter.Reason)
		if err := h.deadLetters.Send(ctx, letter); err != nil {
			return err
		}
	}
	return nil
}

// follow returns what is to be given up. The error joins those of all changes that have to be followed again.
func (h *handler) follow(ctx context.Context, message events.SQSMessage) ([]deadletter.Message, error) {
	var notification struct {
		Event   string
		Records []json.RawMessage // S3 sends one, and does not promise to
	}
	if err := json.Unmarshal([]byte(message.Body), &notification); err != nil {
		return []deadletter.Message{{Body: message.Body, Reason: "not an event notification of S3: " + err.Error()}}, nil //nolint:nilerr // the letter says it
	}
	if notification.Event == "s3:TestEvent" {
		return nil, nil // S3 sends it when the bucket's notifications are set up
	}
	if len(notification.Records) == 0 {
		return []deadletter.Message{{Body: message.Body, Reason: "not an event notification of S3: no Records"}}, nil
	}
	var letters []deadletter.Message
	var failures []error
	for _, record := range notification.Records {
		change, reason := h.read(record)
		if reason == "" {
			if err := h.follower.Follow(ctx, change); errors.Is(err, imaging.ErrRefused) {
				reason = err.Error()
			} else if err != nil {
				failures = append(failures, err)
			}
		}
		if reason != "" {
			letters = append(letters, deadletter.Message{Body: `{"Records":[` + string(record) + `]}`, Reason: reason, Key: change.Key})
		}
	}
	return letters, errors.Join(failures...)
}

// read returns the change that a record tells of, or the reason to give it up.
func (h *handler) read(raw json.RawMessage) (thumbnails.Change, string) {
	var record events.S3EventRecord
	if err := json.Unmarshal(raw, &record); err != nil {
		return thumbnails.Change{}, "not an event of S3: " + err.Error()
	}
	object := record.S3.Object
	change := thumbnails.Change{Bucket: record.S3.Bucket.Name, Key: object.URLDecodedKey, Sequencer: object.Sequencer}
	switch change.Bucket {
	case "":
		return change, "not an event of S3: no bucket"
	case h.thumbnailBucket:
		// Thumbnails of thumbnails would never end.
		return change, "it is a thumbnail: take the notifications from the bucket of the thumbnails"
	}
	if change.Key == "" {
		return change, "not an event of S3: no key"
	}
	return change, ""
}
