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

var errNoTime = errors.New("no time is left for its day")

// A handler takes S3's event notifications of new readings and the messages of the schedule from a queue.
type handler struct {
	maker interface {
		Make(context.Context, reports.Window) error
	}
	dayTime time.Duration // that has to be left for another day to be begun
	logger  *slog.Logger
}

// Handle makes the reports of all days that the messages are about, each day's once, and answers with the messages that have to
// come again: those of a day whose reports have failed, and those that say no day, until they are in the dead-letter queue.
func (h *handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	windows := windowsOf(event)
	made := map[string]func() error{} // by day
	return sqsbatch.Process(ctx, h.logger, event, func(ctx context.Context, message events.SQSMessage) error {
		days, err := daysOf(message)
		if err != nil {
			return err
		}
		failures := make([]error, len(days))
		for i, day := range days {
			if made[day] == nil {
				first := len(made) == 0
				made[day] = sync.OnceValue(func() error {
					if !first && !deadline.HasTimeFor(ctx, h.dayTime) {
						return errNoTime
					}
					return h.make(ctx, windows[day])
				})
			}
			failures[i] = made[day]()
		}
		return errors.Join(failures...)
	})
}

func (h *handler) make(ctx context.Context, window reports.Window) error {
	begun := time.Now()
	if err := h.maker.Make(ctx, window); err != nil {
		return fmt.Errorf("reports of %s: %w", window.Day, err)
	}
	h.logger.InfoContext(ctx, "reports made", "day", window.Day, "milliseconds", time.Since(begun).Milliseconds())
	return nil
}

// windowsOf returns what each day's reports are made for: the messages that are about it, whose ids are the same when they come
// again. Messages that were moved back from the dead letters have new ones, and so get new queries.
func windowsOf(event events.SQSEvent) map[string]reports.Window {
	windows, ids := map[string]reports.Window{}, map[string][]string{}
	for _, message := range event.Records {
		days, err := daysOf(message)
		if err != nil {
			continue // it is told when its turn comes
		}
		received, _ := strconv.Atoi(message.Attributes["ApproximateReceiveCount"]) // not said, it is no more than the first time
		for _, day := range days {
			ids[day] = append(ids[day], message.MessageId)
			windows[day] = reports.Window{Day: day, Asked: max(windows[day].Asked, received)}
		}
	}
	for day, window := range windows {
		slices.Sort(ids[day])
		hash := sha256.Sum256([]byte(strings.Join(ids[day], "\n")))
		window.ID = hex.EncodeToString(hash[:])
		windows[day] = window
	}
	return windows
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

// dayOf returns the day that an object of the table readings is a part of.
func dayOf(key string) (string, error) {
	for part := range strings.SplitSeq(key, "/") {
		if day, ok := strings.CutPrefix(part, "day="); ok {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				return "", fmt.Errorf("not an object of the table readings: %w", err)
			}
			return day, nil
		}
	}
	return "", errors.New("not an object of the table readings: its key has no day")
}
