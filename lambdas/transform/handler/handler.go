// Package handler turns the records that Firehose reads from the stream into rows of the table telemetry: the function
// lambdas/transform.
package handler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
)

// maxResponse is how long an answer may be, in bytes. Lambda's limit is 6 MiB for a synchronous invocation, "Lambda quotas" in the
// Lambda Developer Guide; Firehose's guide calls it 6 MB. Firehose takes none that is longer for an answer at all, and tries
// the batch again until it gives all of it up.
const maxResponse = 6_000_000

// A Handler is a [lambda.Handler] for the events of a Firehose stream that reads a Kinesis stream. It answers every record once:
//
//   - Ok, with its row, and type and day to partition it by;
//   - Dropped, if it is of a type that is discarded;
//   - Dropped as well, if the answer has no room for it: then it has been requeued: put into the stream again;
//   - ProcessingFailed, if no row can be made of it. Firehose writes what it was to the error prefix.
//
// The log counts records and reasons. It has nothing of what anybody has sent.
//
// [lambda.Handler]: https://pkg.go.dev/github.com/aws/aws-lambda-go/lambda#Handler
type Handler struct {
	// Stream is the one that Firehose reads. What Put returns is not in it, and nothing else.
	Stream interface {
		Put(ctx context.Context, records [][]byte) (rejected []int, err error)
	}
	Logger *slog.Logger

	// Tests have others.
	limit   int           // default: maxAnswer
	convert converterFunc // default: that of [telemetry.Converter]
}

type converterFunc func(c *telemetry.Converter, row, record []byte, arrived time.Time) ([]byte, telemetry.Partition, error)

// Invoke answers an event.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	records, repeated, err := decode(payload, time.Now())
	if err != nil {
		return nil, err
	}
	b := newBatch(h, records, len(payload))
	if b.room < 0 {
		return nil, fmt.Errorf("the event has %d records, too many for one answer", len(records))
	}
	for i := range records {
		b.take(ctx, &records[i])
	}
	b.putRequeued(ctx)
	answer := b.finish()
	h.Logger.LogAttrs(ctx, slog.LevelInfo, "transformed", slog.Int("records", len(records)), slog.Int("ok", b.ok), slog.Int("discarded", b.discarded),
		slog.Int("failed", b.failed), slog.Int("requeued", b.requeuedCount), slog.Int("repeated", repeated), slog.Any("reasons", b.reasons))
	return answer, nil
}
