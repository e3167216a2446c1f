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

// A batch is the response to one event while it is being built.
type batch struct {
	handler   *Handler
	converter *telemetry.Converter
	record    []byte // the current one, as it was in the stream
	row       []byte

	response []byte
	room     int // bytes left for data, with the shortest entry reserved for each open record

	// Entries from the first record on that did not fit.
	full       bool
	tail       []entry
	requeued   [][]byte // records of the tail to put into the stream
	requeuedAt []int    // indexes of their entries in tail

	ok, discarded, failed, requeuedCount int
	reasons                              map[string]int // of the failed records
}

// An entry is a record's result without data.
type entry struct {
	id     []byte // as written, with quotes
	result string
}

// Results of Firehose, as written in an entry.
const (
	resultDropped = "Dropped"
	resultFailed  = "ProcessingFailed"
)

// The parts of an entry. shortest is the size reserved for an entry without data: ProcessingFailed
// is longer than Dropped.
const (
	beforeID      = `{"recordId":`
	beforeResult  = `,"result":"`
	afterResult   = `"},`
	beforeData    = `,"result":"Ok","data":"`
	beforeType    = `","metadata":{"partitionKeys":{"type":"`
	beforeDay     = `","day":"`
	afterDay      = `"}}},`
	shortest      = len(beforeID + beforeResult + resultFailed + afterResult) // without the id
	withoutData   = len(beforeID + beforeData + beforeType + beforeDay + afterDay)
	responseStart = `{"records":[`
	responseEnd   = `]}`
	emptyResponse = len(responseStart + responseEnd)
)

func newBatch(h *Handler, records []record, size int) *batch {
	b := &batch{
		handler: h, converter: telemetry.NewConverter(h.Layout),
		response: make([]byte, 0, size), reasons: map[string]int{},
	}
	b.response = append(b.response, responseStart...)
	b.room = cmp.Or(h.limit, maxResponse) - emptyResponse
	for _, r := range records {
		b.room -= shortest + len(r.id.Raw)
	}
	return b
}

// take converts a record and adds its result.
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
	errNoData = &telemetry.RejectedError{Reason: "data is not base64"}
	errPanic  = &telemetry.RejectedError{Reason: "panic"}
)

// convert converts a record to b.row. It recovers from panics: a panic would end the process, and
// after a few retries Firehose would fail the entire batch because of one record.
func (b *batch) convert(ctx context.Context, r *record) (partition telemetry.Partition, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			b.handler.Logger.ErrorContext(ctx, "panic",
				"record", string(r.id.Text()), "stack", string(debug.Stack()))
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
	b.row, partition, err = convert(b.converter, b.row[:0], b.record, r.arrived)
	return partition, err
}

func (b *batch) fail(r *record, reason string) {
	b.failed++
	b.reasons[reason]++
	b.add(r.id.Raw, resultFailed)
}

// add adds the result of a record without a row. After the first requeued record, results wait in
// the tail until the stream has the requeued records.
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

// addRow adds b.row as a record's result, and reports whether there was room for it.
func (b *batch) addRow(id []byte, partition telemetry.Partition) bool {
	size := withoutData + base64.StdEncoding.EncodedLen(len(b.row)) +
		len(partition.Type) + len(partition.Day)
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

// requeue marks the current record to be put into the stream again, unless it was requeued too
// often.
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

// putRequeued puts the requeued records into the stream. Records that the stream rejects fail.
func (b *batch) putRequeued(ctx context.Context) {
	if len(b.requeued) == 0 {
		return
	}
	limited, cancel := deadline.WithMargin(ctx)
	defer cancel()
	rejected, err := b.handler.Stream.Put(limited, b.requeued)
	if err != nil {
		b.handler.Logger.ErrorContext(ctx, "requeue failed",
			"records", len(rejected), "error", err.Error())
	}
	for _, i := range rejected {
		b.tail[b.requeuedAt[i]].result = resultFailed
	}
	b.requeuedCount = len(b.requeued) - len(rejected)
	b.failed += len(rejected)
	if len(rejected) > 0 {
		b.reasons["requeue failed"] = len(rejected)
	}
}

// finish returns the complete response.
func (b *batch) finish() []byte {
	for _, e := range b.tail {
		b.addEntry(e)
	}
	if last := len(b.response) - 1; b.response[last] == ',' {
		b.response = b.response[:last]
	}
	return append(b.response, responseEnd...)
}
