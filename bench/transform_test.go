package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	declared "github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/handler"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// BenchmarkTransform measures the transform's handler with an event of 1000 records, from its bytes
// to the bytes of the response, compared with a handler on Node.js that does the same in the style
// of AWS's blueprint. They run in turn, one thread each, after a warm-up. It fails if the handler
// takes more than half the time of the blueprint.
//
//	PATH=$PWD/node_modules/.bin:$PATH go test ./bench -run '^$' -bench Transform -benchtime 1x
func BenchmarkTransform(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	blueprint := startNode(b, "blueprint")
	var messages []telemetryschema.Message
	for i := range records {
		messages = append(messages, message(i, usual[i%len(usual)]))
	}
	payload := firehoseEvent(b, messages)
	file := writeEvent(b, payload)
	for b.Loop() {
		ratio := takeTurns(b, 10, func() time.Duration {
			began := time.Now()
			for range batches {
				if _, err := newTransform().Invoke(context.Background(), payload); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(began) / batches
		}, "blueprint", func() time.Duration {
			result := askBlueprint(b, blueprint, file, batches)
			if len(result.Response.Records) != records {
				b.Fatalf("%d records, want %d", len(result.Response.Records), records)
			}
			return milliseconds(result.Milliseconds)
		})
		if ratio > 0.5 {
			b.Errorf("%.2f times the blueprint's time, want at most 0.5", ratio)
		}
	}
}

// The two do the same work: the same rows, and the same records without a row.
func TestTransform_equals_blueprint(t *testing.T) {
	t.Parallel()
	blueprint := startNode(t, "blueprint")
	var messages []telemetryschema.Message
	for i, payload := range slices.Concat(usual, unusual) {
		messages = append(messages, message(i, payload))
	}
	payload := firehoseEvent(t, messages)
	response, err := newTransform().Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var ours events.KinesisFirehoseResponse
	if err := json.Unmarshal(response, &ours); err != nil {
		t.Fatal(err)
	}
	theirs := askBlueprint(t, blueprint, writeEvent(t, payload), 1).Response
	if len(ours.Records) != len(messages) || len(theirs.Records) != len(messages) {
		t.Fatalf("%d results, theirs %d, want %d",
			len(ours.Records), len(theirs.Records), len(messages))
	}
	results := map[string]int{}
	for i, record := range ours.Records {
		results[record.Result]++
		if diff := cmp.Diff(readable(t, theirs.Records[i]), readable(t, record)); diff != "" {
			t.Errorf("%s: ours is + of\n%s", messages[i].Data, diff)
		}
	}
	if len(results) != 3 {
		t.Errorf("results %v for %d records, want all three", results, len(messages))
	}
}

// readable returns a result with its row decoded, including the column extra.
func readable(t *testing.T, record events.KinesisFirehoseResponseRecord) map[string]any {
	t.Helper()
	decoded := map[string]any{
		"id": record.RecordID, "result": record.Result, "keys": record.Metadata.PartitionKeys,
	}
	if record.Data == nil {
		return decoded
	}
	var row map[string]any
	if err := json.Unmarshal(record.Data, &row); err != nil {
		t.Fatal(err)
	}
	if extra, ok := row["extra"].(string); ok {
		var fields any
		if err := json.Unmarshal([]byte(extra), &fields); err != nil {
			t.Fatal(err)
		}
		row["extra"] = fields
	}
	decoded["row"] = row
	return decoded
}

type blueprintResponse struct {
	Milliseconds float64
	Response     events.KinesisFirehoseResponse
}

func askBlueprint(
	tb testing.TB, blueprint *node, file string, times int,
) (response blueprintResponse) {
	tb.Helper()
	blueprint.ask(tb, map[string]any{"payload": file, "times": times}, &response)
	return response
}

// layout is made at the function's start, not for each event.
var layout = func() *telemetry.Layout {
	layout, err := telemetry.NewLayout(declared.Schema())
	if err != nil {
		panic(err)
	}
	return layout
}()

func newTransform() *handler.Handler {
	// no stream: no record is requeued
	return &handler.Handler{Layout: layout, Logger: slog.New(slog.DiscardHandler)}
}

func writeEvent(tb testing.TB, payload []byte) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "event.json")
	if err := os.WriteFile(file, payload, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// received is the time at which all messages were received.
var received = time.Date(2026, 11, 21, 17, 43, 55, 123_000_000, time.UTC)

// usual are payloads as devices and clients send them; ID is a placeholder.
var usual = []string{
	`{"id":"ID","type":"measurement","at":"2026-11-21T17:43:54.871Z",` +
		`"temperature":21.4,"battery":87}`,
	`{"id":"ID","type":"measurement","temperature":-3.25,"battery":12.5,"firmware":"2.14.0",` +
		`"humidity":0.44,"position":{"lat":52.52,"lon":13.405}}`,
	`{"id":"ID","type":"post_view","at":1795283034871,` +
		`"client":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","session":"5f1c2d3e",` +
		`"post":"0199a1b2-0000-7e5f-8a9b-0c1d2e3f4a5b"}`,
	`{"id":"ID","type":"measurement","at":"2026-11-21T18:43:54+01:00",` +
		`"temperature":19.0,"battery":55,"note":"열람실 \"A\"\n"}`,
	`{"id":"ID","type":"app_open","at":"2026-11-21T17:43:50Z",` +
		`"client":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","session":"5f1c2d3e",` +
		`"referrer":"https://www.example.com/?q=ashlar"}`,
	`{"id":"ID","type":"boot","firmware":"2.14.0","reason":"watchdog"}`,
	`{"id":"ID","type":"comment","at":1795283034871,` +
		`"client":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","session":"5f1c2d3e",` +
		`"post":"0199a1b2-0000-7e5f-8a9b-0c1d2e3f4a5b","length":140}`,
	`{"id":"ID","type":"keep_alive","battery":71}`,
}

// unusual are payloads that fail, or nearly do.
var unusual = []string{
	``, `null`, `[]`, `{`, `{}`, "{\"id\":\"\xff\"}", `{"id":"ID","type":"measurement"}x`,
	`{"type":"measurement"}`, `{"id":"ID"}`, `{"id":"ID","type":"nothing"}`,
	`{"id":"ID","type":"app_open","client":"c"}`, `{"id":7,"type":"boot"}`,
	`{"id":"a b","type":"measurement"}`,
	`{"id":"` + strings.Repeat("i", 65) + `","type":"measurement"}`,
	`{"id":"","type":"measurement"}`,
	`{"id":"ID","type":"boot"}`, `{"id":"ID","type":"boot","firmware":null}`,
	`{"id":"ID","type":"boot","firmware":""}`, `{"id":"ID","type":"boot","firmware":2}`,
	`{"id":"ID","type":"boot","firmware":"` + strings.Repeat("가", 86) + `"}`,
	`{"id":"ID","type":"boot","firmware":"` + strings.Repeat("가", 85) + `"}`,
	`{"id":"ID","type":"measurement","temperature":"21"}`,
	`{"id":"ID","type":"measurement","temperature":1e400}`,
	`{"id":"ID","type":"measurement","temperature":1e3,"battery":null}`,
	`{"id":"ID","type":"measurement","at":"yesterday"}`,
	`{"id":"ID","type":"measurement","at":true}`, `{"id":"ID","type":"measurement","at":1.5}`,
	`{"id":"ID","type":"measurement","at":1795283034}`,
	`{"id":"ID","type":"measurement","at":1795369435123}`,
	`{"id":"ID","type":"measurement","at":1795369435124}`,
	`{"id":"ID","type":"measurement","at":"2026-10-22T17:43:55.123Z"}`,
	`{"id":"ID","type":"measurement","at":"2026-10-22T17:43:55.122Z"}`,
	`{"id":"ID","type":"measurement","client":"c","post":7,"device":"d","extra":"e","day":null}`,
	`{"\u0069d":"ID","type":"measure\u006dent","a\"b":[1,{"c":"\ud83d\ude00\/"}]}`,
	`{"id":"ID","type":"measurement","padding":"` + strings.Repeat("x", 64<<10) + `"}`,
}

// message returns the message of a payload: from a client if the payload names one, else from a
// device.
func message(i int, payload string) telemetryschema.Message {
	id := uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}).String()
	m := telemetryschema.Message{
		ReceivedAt: received.UnixMilli(),
		Data:       []byte(strings.ReplaceAll(payload, `"ID"`, `"`+id+`"`)),
	}
	if !strings.Contains(payload, `"client":"0`) {
		m.Topic = fmt.Sprintf("ashlar/prod/sensor-%05d/readings", i)
	}
	return m
}

// firehoseEvent returns an event of a Firehose stream that reads a Kinesis stream.
func firehoseEvent(tb testing.TB, messages []telemetryschema.Message) []byte {
	tb.Helper()
	const account = "eu-central-1:111111111111"
	event := events.KinesisFirehoseEvent{
		InvocationID:           "f4b6f2f0-8e4e-4f6c-9d5e-2a7c1b3d5e7f",
		DeliveryStreamArn:      "arn:aws:firehose:" + account + ":deliverystream/Readings",
		SourceKinesisStreamArn: "arn:aws:kinesis:" + account + ":stream/Readings",
		Region:                 "eu-central-1",
	}
	arrived := events.MilliSecondsEpochTime{Time: received.Add(412 * time.Millisecond)}
	for i, m := range messages {
		data, err := json.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}
		number := fmt.Sprintf("49671%051d", i)
		event.Records = append(event.Records, events.KinesisFirehoseEventRecord{
			RecordID: number + "000000", ApproximateArrivalTimestamp: arrived, Data: data,
			KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
				ShardID:                     "shardId-000000000000",
				PartitionKey:                uuid.NewSHA1(uuid.Nil, data).String(),
				SequenceNumber:              number,
				ApproximateArrivalTimestamp: arrived,
			},
		})
	}
	payload, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}
