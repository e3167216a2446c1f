package handler

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"runtime/debug"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
)

// A batch is the records of one event on their way into its answer.
type batch struct {
	handler   *Handler
	converter telemetry.Converter
	record    []byte // the one at hand, as the stream had it
	row       []byte

	response []byte
	room     int // for data, in bytes, when each record that is not answered yet is at least named

	// From the first record on that there was no room for.
	full       bool
	tail       []entry
	requeued   [][]byte // what of it goes back into the stream
	requeuedAt []int    // whose entries they are

	ok, discarded, failed, requeuedCount int
	reasons                              map[string]int // of those that failed
}

// An entry names a record in the answer and has no data.
type entry struct {
	id     []byte // as it is written, with its quotes
	result string
}

// Results, as they stand in an entry.
const (
	resultDropped = "Dropped"
	resultFailed  = "ProcessingFailed"
)

// The parts of an entry.
const (
	beforeID      = `{"recordId":`
	beforeResult  = `,"result":"`
	afterResult   = `"},`
	beforeData    = `,"result":"Ok","data":"`
	beforeType    = `","metadata":{"partitionKeys":{"type":"`
	beforeDay     = `","day":"`
	afterDay      = `"}}},`
	shortest      = len(beforeID + beforeResult + resultFailed + afterResult) // but for the id; that of Dropped is shorter
	withoutData   = len(beforeID + beforeData + beforeType + beforeDay + afterDay)
	responseStart = `{"records":[`
	responseEnd   = `]}`
	emptyResponse = len(responseStart + responseEnd)
)

func newBatch(h *Handler, records []record, size int) *batch {
	b := &batch{handler: h, response: make([]byte, 0, size), reasons: map[string]int{}}
	b.response = append(b.response, responseStart...)
	b.room = cmp.Or(h.limit, maxResponse) - emptyResponse
	for _, r := range records {
		b.room -= shortest + len(r.id.Raw)
	}
	return b
}

// take makes a row of a record and answers it.
func (b *batch) take(ctx context.Context, r *record) {
	partition, err := b.convert(ctx, r)
	switch {
	case err == nil:
		if b.full = b.full || !b.addRow(r.id.Raw, partition); b.full {
			b.requeue(r)
		}
	case errors.Is(err, telemetry.ErrDiscarded):
		b.discarded++
		b.add(r.id.Raw, resultDropped)
	default:
		b.fail(r, err.Error())
	}
}

var (
	errNoData = &telemetry.RejectedError{Reason: "no data in base64"}
	errPanic  = &telemetry.RejectedError{Reason: "panic"}
)

// convert makes b.row. A panic is the record's own: passed on, it would end the process, and Firehose would give up the whole
// batch after a few times.
func (b *batch) convert(ctx context.Context, r *record) (partition telemetry.Partition, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			b.handler.Logger.ErrorContext(ctx, "panic", "record", string(r.id.Text()), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	if r.data.Kind != jsonscan.String {
		return partition, errNoData
	}
	if b.record, err = base64.StdEncoding.AppendDecode(b.record[:0], r.data.Text()); err != nil {
		return partition, errNoData
	}
	convert := b.handler.convert
	if convert == nil {
		convert = (*telemetry.Converter).Append
	}
	b.row, partition, err = convert(&b.converter, b.row[:0], b.record, r.arrived)
	return partition, err
}

func (b *batch) fail(r *record, reason string) {
	b.failed++
	b.reasons[reason]++
	b.add(r.id.Raw, resultFailed)
}

// add answers a record that has no row. Those behind the first that goes back into the stream wait until it is there.
func (b *batch) add(id []byte, result string) {
	if b.full {
		b.tail = append(b.tail, entry{id, result})
		return
	}
	b.addEntry(entry{id, result})
}

func (b *batch) addEntry(e entry) {
	b.response = append(b.response, beforeID...)
	b.response = append(b.response, e.id...)
	b.response = append(b.response, beforeResult...)
	b.response = append(b.response, e.result...)
	b.response = append(b.response, afterResult...)
}

// addRow answers a record with b.row, if there is room for it.
func (b *batch) addRow(id []byte, partition telemetry.Partition) bool {
	size := withoutData + base64.StdEncoding.EncodedLen(len(b.row)) + len(partition.Type) + len(partition.Day)
	if size-shortest > b.room {
		return false
	}
	b.room -= size - shortest
	b.ok++
	b.response = append(b.response, beforeID...)
	b.response = append(b.response, id...)
	b.response = append(b.response, beforeData...)
	b.response = base64.StdEncoding.AppendEncode(b.response, b.row)
	b.response = append(b.response, beforeType...)
	b.response = append(b.response, partition.Type...)
	b.response = append(b.response, beforeDay...)
	b.response = append(b.response, partition.Day...)
	b.response = append(b.response, afterDay...)
	return true
}

// requeue notes that the record at hand goes back into the stream, if it may.
func (b *batch) requeue(r *record) {
	again, err := telemetry.Requeue(b.record)
	if err != nil {
		b.fail(r, err.Error())
		return
	}
	b.requeuedAt = append(b.requeuedAt, len(b.tail))
	b.requeued = append(b.requeued, again)
	b.add(r.id.Raw, resultDropped)
}

// putRequeued has the stream take what there was no room for. What it does not take fails.
func (b *batch) putRequeued(ctx context.Context) {
	if len(b.requeued) == 0 {
		return
	}
	limited, cancel := deadline.WithMargin(ctx)
	defer cancel()
	rejected, err := b.handler.Stream.Put(limited, b.requeued)
	if err != nil {
		b.handler.Logger.ErrorContext(ctx, "not put back", "records", len(rejected), "error", err.Error())
	}
	for _, i := range rejected {
		b.tail[b.requeuedAt[i]].result = resultFailed
	}
	b.requeuedCount = len(b.requeued) - len(rejected)
	b.failed += len(rejected)
	if len(rejected) > 0 {
		b.reasons["not put back"] = len(rejected)
	}
}

// finish ends the answer.
func (b *batch) finish() []byte {
	for _, e := range b.tail {
		b.addEntry(e)
	}
	if last := len(b.response) - 1; b.response[last] == ',' {
		b.response = b.response[:last]
	}
	return append(b.response, responseEnd...)
}
