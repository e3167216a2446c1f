package handler

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	declared "github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

var _ lambda.Handler = (*Handler)(nil)

const receivedAt = 1795283035123 // 2026-11-21 17:43:55.123

var arrived = time.UnixMilli(receivedAt + 300)

// A stream stores records, except those that it rejects.
type stream struct {
	rejects func(i int) bool
	err     error

	taken [][]byte
	ctx   context.Context // of the last call
}

func (s *stream) Put(ctx context.Context, records [][]byte) (rejected []int, err error) {
	s.ctx = ctx
	for i, record := range records {
		if s.rejects != nil && s.rejects(i) {
			rejected = append(rejected, i)
			err = s.err
			continue
		}
		s.taken = append(s.taken, record)
	}
	return rejected, err
}

// A world is a handler with its stream and its log.
type world struct {
	Handler
	stream stream
	log    bytes.Buffer
}

func newWorld() *world {
	w := &world{}
	w.Handler = Handler{
		Layout: newLayout(), Stream: &w.stream,
		Logger: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	return w
}

func newLayout() *telemetry.Layout {
	layout, err := telemetry.NewLayout(declared.Schema())
	if err != nil {
		panic(err)
	}
	return layout
}

type counts struct {
	Msg                                                string
	Records, OK, Discarded, Failed, Requeued, Repeated int
	Reasons                                            map[string]int
}

// invoke returns the response and the counts in the last line of the log.
func (w *world) invoke(t failer, payload []byte) (events.KinesisFirehoseResponse, counts) {
	t.Helper()
	encoded, err := w.Invoke(context.Background(), payload)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var response events.KinesisFirehoseResponse
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&response)
	if err != nil || response.Records == nil || !json.Valid(encoded) {
		t.Fatalf("%s: %v", encoded, err)
	}
	lines := bytes.Split(bytes.TrimSpace(w.log.Bytes()), []byte("\n"))
	var counted counts
	err = json.Unmarshal(lines[len(lines)-1], &counted)
	if err != nil || counted.Msg != "transformed" {
		t.Fatalf("%s: %v", w.log.Bytes(), err)
	}
	return response, counted
}

// A failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func payloadOf(id, rest string) string {
	return `{"id":"` + id + `","type":"measurement"` + rest + `}`
}

func messageOf(payload string, requeued int) []byte {
	encoded, err := json.Marshal(telemetryschema.Message{
		Topic: "ashlar/dev/thing-1/readings", ReceivedAt: receivedAt, Data: []byte(payload),
		Requeued: requeued,
	})
	if err != nil {
		panic(err)
	}
	return encoded
}

func recordOf(id string, data []byte) events.KinesisFirehoseEventRecord {
	at := events.MilliSecondsEpochTime{Time: arrived}
	return events.KinesisFirehoseEventRecord{
		RecordID: id, Data: data, ApproximateArrivalTimestamp: at,
		KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
			ShardID: "shardId-000000000000", PartitionKey: "key", SequenceNumber: id,
			ApproximateArrivalTimestamp: at,
		},
	}
}

func eventOf(records ...events.KinesisFirehoseEventRecord) []byte {
	const account = "eu-central-1:111111111111"
	encoded, err := json.Marshal(events.KinesisFirehoseEvent{
		InvocationID:           "invocation",
		DeliveryStreamArn:      "arn:aws:firehose:" + account + ":deliverystream/Readings",
		SourceKinesisStreamArn: "arn:aws:kinesis:" + account + ":stream/Readings",
		Region:                 "eu-central-1",
		Records:                records,
	})
	if err != nil {
		panic(err)
	}
	return encoded
}

// A drawn is a record with the converter's result for it.
type drawn struct {
	id      string
	message []byte
	row     string
	telemetry.Partition
	err error
}

func draw(rt *rapid.T) (records []drawn, event []events.KinesisFirehoseEventRecord, repeated int) {
	seen := map[string]bool{}
	for i := range rapid.IntRange(0, 25).Draw(rt, "records") {
		id := fmt.Sprintf("4967%03d", i)
		if i > 0 && rapid.IntRange(0, 19).Draw(rt, "repeats") == 0 {
			id = event[rapid.IntRange(0, i-1).Draw(rt, "of")].RecordID
		}
		quotes := rapid.IntRange(0, 300).Draw(rt, "quotes")
		extra := fmt.Sprintf(`,"x":%q`, strings.Repeat(`"`, quotes))
		requeued := rapid.SampledFrom([]int{0, 0, 0, 4, 5}).Draw(rt, "requeued")
		var data []byte
		kinds := []string{
			"reading", "reading", "reading", "discarded", "rejected", "noise", "empty",
		}
		switch rapid.SampledFrom(kinds).Draw(rt, "kind") {
		case "reading":
			data = messageOf(payloadOf(fmt.Sprint("id", i), extra), requeued)
		case "discarded":
			data = messageOf(fmt.Sprintf(`{"id":"id%d","type":"keep_alive"}`, i), requeued)
		case "rejected":
			data = messageOf(fmt.Sprintf(`{"id":"id%d","type":"unknown"%s}`, i, extra), requeued)
		case "noise":
			data = rapid.SliceOf(rapid.Byte()).Draw(rt, "noise")
		case "empty":
		}
		event = append(event, recordOf(id, data))
		if seen[id] {
			repeated++
			continue
		}
		seen[id] = true
		row, partition, err := telemetry.NewConverter(newLayout()).Append(nil, data, arrived)
		records = append(records, drawn{id, data, string(row), partition, err})
	}
	return records, event, repeated
}

// For any event, response limit and stream: each record has one result, in order, and is in one
// place.
func TestHandler_Invoke_loses_no_record(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records, event, repeated := draw(rt)
		w := newWorld()
		least := len(responseStart + responseEnd)
		for _, r := range records {
			least += shortest + len(r.id) + len(`""`)
		}
		w.limit = least + rapid.IntRange(0, 6000).Draw(rt, "room")
		rejected := rapid.SliceOfN(rapid.Bool(), 30, 30).Draw(rt, "rejected")
		w.stream.rejects = func(i int) bool { return rejected[i] }
		w.stream.err = errors.New("throttled")

		payload := eventOf(event...)
		response, counted := w.invoke(rt, payload)
		encoded, err := w.Invoke(context.Background(), payload)
		if err != nil || len(encoded) > w.limit {
			rt.Fatalf("%d bytes of %d, %v", len(encoded), w.limit, err)
		}
		// Without the records that the second call requeued.
		w.stream.taken = w.stream.taken[:len(w.stream.taken)/2]

		if len(response.Records) != len(records) {
			rt.Fatalf("%d results, want %d", len(response.Records), len(records))
		}
		var want counts
		want.Msg, want.Records, want.Repeated = "transformed", len(records), repeated
		var back [][]byte
		full := false
		for i, r := range records {
			got := response.Records[i]
			if got.RecordID != r.id {
				rt.Fatalf("record %d is %s, want %s", i, got.RecordID, r.id)
			}
			if got.Result != "Ok" && (got.Data != nil || got.Metadata.PartitionKeys != nil) {
				rt.Fatalf("%s has data and the result %s", r.id, got.Result)
			}
			again, tooOften := telemetry.Requeue(r.message)
			switch {
			case errors.Is(r.err, telemetry.ErrDiscarded):
				want.Discarded++
				expect(rt, got, "Dropped")
			case r.err != nil:
				want.Failed++
				expect(rt, got, "ProcessingFailed")
			case got.Result == "Ok":
				want.OK++
				keys := map[string]string{"type": r.Type, "day": r.Day}
				if full || string(got.Data) != r.row ||
					!cmp.Equal(got.Metadata.PartitionKeys, keys) {
					rt.Fatalf("%s, after a full response: %t, is\n%s in %v, want\n%s in %v",
						r.id, full, got.Data, got.Metadata.PartitionKeys, r.row, keys)
				}
			case tooOften != nil:
				full = true
				want.Failed++
				expect(rt, got, "ProcessingFailed")
			default:
				full = true
				if rejected[len(back)] {
					want.Failed++
					expect(rt, got, "ProcessingFailed")
					back = append(back, nil)
					continue
				}
				want.Requeued++
				expect(rt, got, "Dropped")
				back = append(back, again)
			}
		}
		back = slices.DeleteFunc(back, func(record []byte) bool { return record == nil })
		diff := cmp.Diff(back, w.stream.taken,
			cmp.Transformer("text", func(b []byte) string { return string(b) }))
		if diff != "" && len(back)+len(w.stream.taken) > 0 {
			rt.Fatalf("requeued: %s", diff)
		}
		sum := 0
		for _, count := range counted.Reasons {
			sum += count
		}
		if _, none := counted.Reasons["requeue failed"]; sum != counted.Failed ||
			none && counted.Reasons["requeue failed"] == 0 {
			rt.Fatalf("%d failed, the reasons are %v", counted.Failed, counted.Reasons)
		}
		counted.Reasons = nil
		if diff := cmp.Diff(want, counted); diff != "" {
			rt.Fatalf("%s", diff)
		}
	})
}

func expect(rt *rapid.T, got events.KinesisFirehoseResponseRecord, result string) {
	rt.Helper()
	if got.Result != result {
		rt.Fatalf("%s is %s, want %s", got.RecordID, got.Result, result)
	}
}

func TestHandler_Invoke_fills_the_response(t *testing.T) {
	records := []events.KinesisFirehoseEventRecord{
		recordOf("r1", messageOf(payloadOf("a", ""), 0)),
		recordOf("r2", messageOf(`{"id":"b","type":"keep_alive"}`, 0)),
		recordOf("r3", messageOf(payloadOf("c", ""), 0)),
		recordOf("r4", messageOf(payloadOf("d", `,"temperature":1`), 0)),
	}
	complete, err := newWorld().Invoke(t.Context(), eventOf(records...))
	if err != nil {
		t.Fatal(err)
	}
	reserve := len(resultFailed) - len(resultDropped) // for r2, which might have failed
	for _, trial := range []struct{ limit, ok, back int }{
		{len(complete) + reserve + 1, 3, 0}, // and the comma that is not written
		{len(complete) + reserve, 2, 1},
		{len(complete) / 2, 1, 2},
	} {
		w := newWorld()
		w.limit = trial.limit
		_, counted := w.invoke(t, eventOf(records...))
		if counted.OK != trial.ok || counted.Requeued != trial.back ||
			len(w.stream.taken) != trial.back {
			t.Errorf("limit %d: %+v, want %d ok and %d requeued",
				trial.limit, counted, trial.ok, trial.back)
		}
	}
}

func TestHandler_Invoke_rejects_events_with_too_many_records(t *testing.T) {
	w := newWorld()
	w.limit = 100
	response, err := w.Invoke(t.Context(), eventOf(recordOf("r1", nil), recordOf("r2", nil)))
	if err == nil {
		t.Errorf("response %s", response)
	}
}

func TestHandler_Invoke_requeues_records_unchanged(t *testing.T) {
	w := newWorld()
	w.limit = 120
	first := messageOf(payloadOf("a", `,"x":"\u00e9"`), 2)
	_, counted := w.invoke(t, eventOf(recordOf("r1", first)))
	var was, is telemetryschema.Message
	err := errors.Join(json.Unmarshal(first, &was), json.Unmarshal(w.stream.taken[0], &is))
	if err != nil {
		t.Fatal(err)
	}
	was.Requeued = 3
	if diff := cmp.Diff(was, is); diff != "" || counted.Requeued != 1 {
		t.Errorf("%+v\n%s", counted, diff)
	}
}

func TestHandler_Invoke_leaves_time_to_respond(t *testing.T) {
	w := newWorld()
	w.limit = 120
	end := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	_, err := w.Invoke(ctx, eventOf(recordOf("r1", messageOf(payloadOf("a", ""), 0))))
	if err != nil {
		t.Fatal(err)
	}
	if given, ok := w.stream.ctx.Deadline(); !ok || !given.Before(end) {
		t.Errorf("the stream's deadline is %v, want one before %v", given, end)
	}
}

func TestHandler_Invoke_ingested_at(t *testing.T) {
	data := base64.StdEncoding.EncodeToString(messageOf(payloadOf("a", ""), 0))
	const (
		atFirehose = `"approximateArrivalTimestamp":1795283099000`
		atStream   = `"approximateArrivalTimestamp":1795283036001`
		metadata   = `"kinesisRecordMetadata":`
		firehose   = "2026-11-21 17:44:59.000"
		stream     = "2026-11-21 17:43:56.001"
	)
	for fields, want := range map[string]string{
		atFirehose + `,` + metadata + `{` + atStream + `,"shardId":"s"}`: stream,
		metadata + `{` + atStream + `},` + atFirehose:                    stream,
		atFirehose:                           firehose,
		atFirehose + `,` + metadata + `null`: firehose,
		atFirehose + `,` + metadata + `{"shardId":["{"],"a":null}`: firehose,
		metadata + `{}`: time.Now().UTC().Format("2006-01-02 "),
	} {
		event := `{"records":[{"recordId":"r","data":"` + data + `",` + fields + `}]}`
		response, _ := newWorld().invoke(t, []byte(event))
		if row := string(response.Records[0].Data); !strings.Contains(row, `"ingested_at":"`+want) {
			t.Errorf("%s: row %s, want %s", fields, row, want)
		}
	}
}

func TestHandler_Invoke_rejects_invalid_events(t *testing.T) {
	for _, payload := range []string{
		``, `hello`, `[]`, `null`, `{"records":[{"recordId":"r1"}]`, `{"records":[7]}`,
		`{"records":[{"data":""}]}`, `{"records":[{"recordId":""}]}`,
		`{"records":[{"recordId":7}]}`, `{"records":[{"recordId":"r1"},{"recordId":null}]}`,
		"{\"records\":[{\"recordId\":\"\xff\"}]}",
	} {
		if response, err := newWorld().Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s has the response %s", payload, response)
		}
	}
	const twice = `{"records":[{"recordId":"r\"1"},{"recordId":"r\u00221"},{"recordId":"가"}]}`
	response, counted := newWorld().invoke(t, []byte(twice))
	if len(response.Records) != 2 || response.Records[0].RecordID != `r"1` ||
		response.Records[1].RecordID != "가" || counted.Repeated != 1 {
		t.Errorf("an id written in two ways: %+v, %+v", response, counted)
	}
	for _, payload := range []string{`{}`, `{"records":[]}`, `{"records":null}`} {
		response, err := newWorld().Invoke(t.Context(), []byte(payload))
		if err != nil || string(response) != `{"records":[]}` {
			t.Errorf("%s has the response %s, %v", payload, response, err)
		}
	}
}

// A bug that one record triggers must not affect the others.
func TestHandler_Invoke_isolates_panics(t *testing.T) {
	w := newWorld()
	w.convert = func(
		c *telemetry.Converter, row, record []byte, arrived time.Time,
	) ([]byte, telemetry.Partition, error) {
		if bytes.Contains(record, []byte(`"requeued":3`)) {
			panic("on purpose")
		}
		return c.Append(row, record, arrived)
	}
	response, counted := w.invoke(t, eventOf(
		recordOf("r1", messageOf(payloadOf("a", ""), 0)),
		recordOf("r2", messageOf(payloadOf("b", ""), 3)),
		recordOf("r3", messageOf(payloadOf("c", ""), 0)),
	))
	if response.Records[1].Result != "ProcessingFailed" || counted.OK != 2 || counted.Failed != 1 ||
		counted.Reasons["panic"] != 1 {
		t.Errorf("%+v", counted)
	}
	log := w.log.String()
	if !strings.Contains(log, "handler_test.go") || !strings.Contains(log, "r2") {
		t.Errorf("the log does not contain the place and the record: %s", log)
	}
}

// More people may read the log than the records.
func TestHandler_Invoke_logs_no_data(t *testing.T) {
	w := newWorld()
	w.limit = 500
	w.stream.rejects = func(i int) bool { return i == 0 }
	w.stream.err = errors.New("throttled")
	const secret = "seCret"
	w.invoke(t, eventOf(
		recordOf("r1", []byte(secret)), recordOf("r2", messageOf(secret, 0)),
		recordOf("r3", messageOf(payloadOf("a", `,"at":"`+secret+`"`), 0)),
		recordOf("r4", messageOf(`{"id":"b","type":"`+secret+`"}`, 0)),
		recordOf("r5", messageOf(payloadOf("c", `,"`+secret+`":1,"`+secret+`":2`), 0)),
		recordOf("r6", messageOf(payloadOf(secret, ""), 0)),
		recordOf("r7", messageOf(payloadOf(secret, ""), 5)),
	))
	log := w.log.String()
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	if strings.Contains(log, secret) || strings.Contains(log, encoded) ||
		!strings.Contains(log, "throttled") {
		t.Errorf("%s", log)
	}
}
