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

var errNoTimeLeft = errors.New("no time left in this invocation to generate the day's reports")

// A handler handles messages of a queue: S3's event notifications of new objects in the table
// telemetry, and the messages of the schedule.
type handler struct {
	generator interface {
		Generate(context.Context, reports.Request) error
	}
	minTimePerDay time.Duration // that must remain before another day is started
	logger        *slog.Logger
}

// Handle generates the reports of all days in the messages, each day once. It returns the messages
// to retry: those of a day whose reports failed, and those without a valid day, until SQS moves
// them to the dead-letter queue.
func (h *handler) Handle(
	ctx context.Context, event events.SQSEvent,
) (events.SQSEventResponse, error) {
	requests := requestsOf(event)
	results := map[string]func() error{} // by day
	process := func(ctx context.Context, message events.SQSMessage) error {
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
	}
	return sqsbatch.Process(ctx, h.logger, event, process)
}

func (h *handler) generate(ctx context.Context, request reports.Request) error {
	begun := time.Now()
	if err := h.generator.Generate(ctx, request); err != nil {
		return fmt.Errorf("reports of %s: %w", request.Day, err)
	}
	took := time.Since(begun).Milliseconds()
	h.logger.InfoContext(ctx, "reports generated", "day", request.Day, "milliseconds", took)
	return nil
}

// requestsOf returns a request per day. Its id is made from the ids of the messages about that day,
// which stay the same when they are redelivered. Messages that are redriven from the dead-letter
// queue have new ids, and so start new queries.
func requestsOf(event events.SQSEvent) map[string]reports.Request {
	requests, ids := map[string]reports.Request{}, map[string][]string{}
	for _, message := range event.Records {
		days, err := daysOf(message)
		if err != nil {
			continue // Handle reports it
		}
		// A missing count is the first time.
		received, _ := strconv.Atoi(message.Attributes["ApproximateReceiveCount"])
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

// daysOf returns the days in a message, each once.
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
			return nil, fmt.Errorf("scheduled message without a valid SentTimestamp: %w", err)
		}
		today := time.UnixMilli(sent).UTC()
		yesterday := today.AddDate(0, 0, -1)
		return []string{yesterday.Format(time.DateOnly), today.Format(time.DateOnly)}, nil
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

// dayOf returns the day of an object of the table telemetry.
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
