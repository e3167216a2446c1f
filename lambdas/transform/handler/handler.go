// Package handler converts the records that Firehose reads from the stream to rows of the table
// telemetry, for the function lambdas/transform.
package handler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
)

// maxResponse is the largest response in bytes. Lambda's limit is 6 MiB for a synchronous
// invocation, "Lambda quotas" in the Lambda Developer Guide; Firehose's guide says 6 MB. Firehose
// accepts no longer response, and retries the batch until it fails as a unit.
const maxResponse = 6_000_000

// A Handler is a [lambda.Handler] for the events of a Firehose stream that reads a Kinesis stream.
// It returns one result per record:
//
//   - Ok, with its row, and the partition keys type and day;
//   - Dropped, if records of its type are discarded;
//   - Dropped, if the response has no room for its row and it was requeued: put into the stream
//     again;
//   - ProcessingFailed, if it is invalid or could not be requeued. Firehose writes the record to
//     the error prefix.
//
// The log contains counts of records and reasons. It contains no data from senders.
//
// [lambda.Handler]: https://pkg.go.dev/github.com/aws/aws-lambda-go/lambda#Handler
type Handler struct {
	// Layout is the layout of the rows.
	Layout *telemetry.Layout
	// Stream is the stream that Firehose reads. Put returns the indexes of the records that are not
	// in the stream.
	Stream interface {
		Put(ctx context.Context, records [][]byte) (rejected []int, err error)
	}
	Logger *slog.Logger

	// Tests replace these.
	limit   int           // default: maxResponse
	convert converterFunc // default: Append of [telemetry.Converter]
}

type converterFunc func(
	c *telemetry.Converter, row, record []byte, arrived time.Time,
) ([]byte, telemetry.Partition, error)

// Invoke handles an event and returns the response.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	records, repeated, err := decode(payload, time.Now())
	if err != nil {
		return nil, err
	}
	b := newBatch(h, records, len(payload))
	if b.room < 0 {
		return nil, fmt.Errorf("the event has %d records, too many for one response", len(records))
	}
	for i := range records {
		b.take(ctx, &records[i])
	}
	b.putRequeued(ctx)
	response := b.finish()
	h.Logger.LogAttrs(ctx, slog.LevelInfo, "transformed",
		slog.Int("records", len(records)),
		slog.Int("ok", b.ok),
		slog.Int("discarded", b.discarded),
		slog.Int("failed", b.failed),
		slog.Int("requeued", b.requeuedCount),
		slog.Int("repeated", repeated),
		slog.Any("reasons", b.reasons))
	return response, nil
}
