package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/sqsbatch"
)

var errNoTimeLeft = errors.New("no time is left for its day")

// A handler takes S3's event notifications of new readings and the messages of the schedule from a queue.
type handler struct {
	generator interface {
		Generate(context.Context, reports.Request) error
	}
	minTimePerDay time.Duration // that has to be left for another day to be begun
	logger        *slog.Logger
}

// Handle makes the reports of all days that the messages are about, each day's once, and answers with the messages that have to
// come again: those of a day whose reports have failed, and those that say no day, until they are in the dead-letter queue.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	requests := requestsOf(event)
	results := map[string]func() error{} // by day
	return sqsbatch.Process(ctx, h.logger, event, func(ctx context.Context, message events.SQSMessage) error {
		days, err := daysOf(message)
		if err != nil {
			return err
		}
		failures := make([]error, len(days))
		for i, day := range days {
			if results[day] == nil {
				first := len(results) == 0
				results[day] = sync.OnceValue(func() error {
					if !first && !deadline.HasTimeFor(ctx, h.minTimePerDay) {
						return errNoTimeLeft
					}
					return h.generate(ctx, requests[day])
				})
			}
			failures[i] = results[day]()
		}
		return errors.Join(failures...)
	})
}

func (h *handler) generate(ctx context.Context, request reports.Request) error {
	begun := time.Now()
	if err := h.generator.Generate(ctx, request); err != nil {
		return fmt.Errorf("reports of %s: %w", request.Day, err)
	}
	h.logger.InfoContext(ctx, "reports made", "day", request.Day, "milliseconds", time.Since(begun).Milliseconds())
	return nil
}

// requestsOf returns what each day's reports are made for: the messages that are about it, whose ids are the same when they come
// again. Messages that were moved back from the dead letters have new ones, and so get new queries.
func requestsOf(event events.SQSEvent) map[string]reports.Request {
	requests, ids := map[string]reports.Request{}, map[string][]string{}
	for _, message := range event.Records {
		days, err := daysOf(message)
		if err != nil {
			continue // it is told when its turn comes
		}
		received, _ := strconv.Atoi(message.Attributes["ApproximateReceiveCount"]) // not said, it is no more than the first time
		for _, day := range days {
			ids[day] = append(ids[day], message.MessageId)
			requests[day] = reports.Request{Day: day, Attempt: max(requests[day].Attempt, received)}
		}
	}
	for day, request := range requests {
		slices.Sort(ids[day])
		hash := sha256.Sum256([]byte(strings.Join(ids[day], "\n")))
		request.ID = hex.EncodeToString(hash[:])
		requests[day] = request
	}
	return requests
}

// daysOf returns the days that a message is about, each once.
func daysOf(message events.SQSMessage) ([]string, error) {
	var body struct {
		Scheduled bool
		Event     string
		Records   []events.S3EventRecord
	}
	if err := json.Unmarshal([]byte(message.Body), &body); err != nil {
		return nil, fmt.Errorf("not an event notification of S3: %w", err)
	}
	switch {
	case body.Event == "s3:TestEvent":
		return nil, nil // S3 sends it when the bucket's notifications are set up
	case body.Scheduled:
		sent, err := strconv.ParseInt(message.Attributes["SentTimestamp"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a message of the schedule, sent nobody knows when: %w", err)
		}
		today := time.UnixMilli(sent).UTC()
		return []string{today.AddDate(0, 0, -1).Format(time.DateOnly), today.Format(time.DateOnly)}, nil
	case len(body.Records) == 0:
		return nil, errors.New("not an event notification of S3: no Records")
	}
	var days []string
	for _, record := range body.Records {
		day, err := dayOf(record.S3.Object.URLDecodedKey)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	return days, nil
}

// dayOf returns the day that an object of the table telemetry is a part of.
func dayOf(key string) (string, error) {
	for part := range strings.SplitSeq(key, "/") {
		if day, ok := strings.CutPrefix(part, "day="); ok {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				return "", fmt.Errorf("not an object of the table telemetry: %w", err)
			}
			return day, nil
		}
	}
	return "", errors.New("not an object of the table telemetry: its key has no day")
}
