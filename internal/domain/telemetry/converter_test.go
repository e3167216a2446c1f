package telemetry_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	declared "github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

var (
	received = time.Date(2026, 11, 21, 23, 59, 59, 999_000_000, time.UTC)
	arrived  = received.Add(2 * time.Millisecond)
)

// record returns a record of the stream, from a device or, without a topic, from a client.
func record(t *testing.T, topic, payload string) []byte {
	t.Helper()
	encoded, err := json.Marshal(
		telemetryschema.Message{
			Topic: topic, ReceivedAt: received.UnixMilli(), Data: []byte(payload),
		})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// ours is this platform's schema.
var ours = declared.Schema()

// theirs is another schema, with the types that ours does not have. Some names of types and columns
// are the same as in ours.
var theirs = telemetryschema.Schema{
	Columns: []telemetryschema.Column{
		{Name: "battery", Type: telemetryschema.Bigint},
		{Name: "client", Type: telemetryschema.Timestamp, Source: telemetryschema.Client},
		{Name: "post", Type: telemetryschema.Boolean, Source: telemetryschema.Device},
		{Name: "x", Type: telemetryschema.String},
		{Name: "y", Type: telemetryschema.Timestamp},
		{Name: "x1", Type: telemetryschema.Double, Source: telemetryschema.Client},
	},
	Types: []telemetryschema.Type{
		{Name: "measurement", Source: telemetryschema.Client, Required: []string{"x"}},
		{Name: "boot", Source: telemetryschema.Device},
		{Name: "Boot.v-2", Source: telemetryschema.Device, Required: []string{"battery", "y"}},
		{Name: "app_open", Source: telemetryschema.Client},
		{Name: "post_view", Source: telemetryschema.Device, Discard: true},
	},
}

func newConverter(schema telemetryschema.Schema) *telemetry.Converter {
	layout, err := telemetry.NewLayout(schema)
	if err != nil {
		panic(err)
	}
	return telemetry.NewConverter(layout)
}

const topic = "ashlar/dev/thing-1/readings"

func TestConverter_Append(t *testing.T) {
	const times = `"received_at":"2026-11-21 23:59:59.999","ingested_at":"2026-11-22 00:00:00.001",`
	for payload, want := range map[string]struct{ topic, row, kind, day string }{
		`{"id":"a","type":"measurement","at":"2026-11-22T09:00:00.1239+09:00",` +
			`"temperature":-2.50,"battery":87}`: {
			topic, `{"id":"a","at":"2026-11-22 00:00:00.123",` + times +
				`"device":"thing-1","temperature":-2.50,"battery":87}`,
			"measurement", "2026-11-22",
		},
		`{"id":"a","type":"boot","firmware":"2.14"}`: {
			topic, `{"id":"a","at":"2026-11-21 23:59:59.999",` + times +
				`"device":"thing-1","firmware":"2.14"}`,
			"boot", "2026-11-21",
		},
		`{"id":"a","type":"post_view","at":1795219200000,"client":"c","session":"s","post":"p"}`: {
			"", `{"id":"a","at":"2026-11-21 00:00:00.000",` + times +
				`"client":"c","session":"s","post":"p"}`,
			"post_view", "2026-11-21",
		},
		// null and empty count as missing
		`{"id":"a","type":"sign_up","at":1795219199999,"client":"c","post":null,"session":""}`: {
			"", `{"id":"a","at":"2026-11-20 23:59:59.999",` + times + `"client":"c"}`,
			"sign_up", "2026-11-20",
		},
		// fields without a column, sorted by name
		`{"id":"a","type":"measurement","humidity":0.4,"door":{"open" : true,` + "\n\t" +
			`"by":"\u00e9\"\\n"},"alarms":null}`: {
			topic, `{"id":"a","at":"2026-11-21 23:59:59.999",` + times + `"device":"thing-1",` +
				`"extra":"{\"alarms\":null,\"door\":{\"open\" : true,` +
				`\"by\":\"\\u00e9\\\"\\\\n\"},\"humidity\":0.4}"}`,
			"measurement", "2026-11-21",
		},
		// fields that a device must not set
		`{"id":"a","type":"measurement","client":"c","device":"thing-2",` +
			`"ingested_at":"2030-01-01","extra":"{}","day":"2030-01-01"}`: {
			topic, `{"id":"a","at":"2026-11-21 23:59:59.999",` + times + `"device":"thing-1",` +
				`"extra":"{\"client\":\"c\",\"day\":\"2030-01-01\",\"device\":\"thing-2\",` +
				`\"extra\":\"{}\",\"ingested_at\":\"2030-01-01\"}"}`,
			"measurement", "2026-11-21",
		},
		// fields that a client must not set
		`{"id":"a","type":"app_open","at":1795219200000,"client":"c","device":"thing-2",` +
			`"temperature":"hot"}`: {
			"", `{"id":"a","at":"2026-11-21 00:00:00.000",` + times +
				`"client":"c","extra":"{\"device\":\"thing-2\",\"temperature\":\"hot\"}"}`,
			"app_open", "2026-11-21",
		},
	} {
		record := record(t, want.topic, payload)
		row, partition, err := newConverter(ours).Append(nil, record, arrived)
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		if diff := cmp.Diff(want.row, string(row)); diff != "" || partition.Type != want.kind ||
			partition.Day != want.day {
			t.Errorf("%s: partition %s/%s, want %s/%s\n%s", payload, partition.Type, partition.Day,
				want.kind, want.day, diff)
		}
	}
}

func TestConverter_Append_rejects(t *testing.T) {
	device := func(payload string) []byte { return record(t, topic, payload) }
	client := func(payload string) []byte { return record(t, "", payload) }
	const measurement = `{"id":"a","type":"measurement"`
	for reason, records := range map[string][][]byte{
		"not a message of the IoT rule or the API": {
			nil, []byte(`hello`), []byte(`{}`), []byte(`{"received_at":1,"data":7}`),
			[]byte(`{"received_at":"1","data":"e30="}`), []byte(`{"received_at":1,"data":"e30"}`),
			[]byte(`{"received_at":0,"data":"e30="}`),
			[]byte(`{"received_at":253402300800000,"data":"e30="}`),
			[]byte(`{"topic":7,"received_at":1,"data":"e30="}`),
			[]byte(`{"received_at":1,"data":"e30="}x`),
		},
		"no thing name in the topic": {
			record(t, "readings", `{}`), record(t, "ashlar//readings", `{}`),
			record(t, "a/ü/b", `{}`), record(t, "/"+strings.Repeat("a", 129)+"/", `{}`),
		},
		"not JSON": {
			device(``), device(`{`), device("\x00\x01"), device(`{}{}`), device(measurement + `,}`),
			device(`[1`), device(`[1]x`),
		},
		"not UTF-8": {
			device(measurement + ",\"x\":\"\xff\"}"), device(measurement + `,"x":"\ud83d"}`),
		},
		"nested too deeply": {
			device(measurement + `,"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`),
			device(strings.Repeat("[", 500_000)),
		},
		"not a JSON object": {device(`null`), device(`[]`), device(`"a"`), device(` 7 `)},
		"id: missing": {
			device(`{"type":"measurement"}`), device(`{"id":"","type":"measurement"}`),
			device(`{"id":null,"type":"measurement"}`),
		},
		"id: not a string": {device(`{"id":7,"type":"measurement"}`)},
		"id: too long": {
			device(`{"id":"` + strings.Repeat("a", 65) + `","type":"measurement"}`),
		},
		"id: not visible ASCII": {
			device(`{"id":"a b","type":"measurement"}`),
			device(`{"id":"é","type":"measurement"}`),
			device(`{"id":"\u0000","type":"measurement"}`),
		},
		"id: duplicate": {
			device(`{"id":"a","type":"measurement","id":"a"}`),
			device(`{"id":"","type":"measurement","\u0069d":"a"}`),
		},
		"duplicate field": {device(measurement + `,"x":1,"y":2,"\u0078":1}`)},
		"type: missing":   {device(`{"id":"a"}`), device(`{}`)},
		"type: unknown": {
			device(`{"id":"a","type":"nothing"}`), device(`{"id":"a","type":["boot"]}`),
			device(`{"id":"a","type":"Boot"}`),
		},
		"type: not allowed for a device": {
			device(`{"id":"a","type":"app_open","client":"c"}`),
		},
		"type: not allowed for a client": {client(measurement + `}`)},
		"at: missing": {
			client(`{"id":"a","type":"app_open","client":"c"}`),
		},
		"at: neither RFC 3339 nor millis": {
			device(measurement + `,"at":"yesterday"}`), device(measurement + `,"at":"2026-11-21"}`),
			device(measurement + `,"at":1.5}`), device(measurement + `,"at":[]}`),
		},
		"at: more than 30 days before it was received": {
			device(measurement + `,"at":"2026-10-22T23:59:59.998Z"}`),
			device(measurement + `,"at":1795283035}`),
			device(measurement + `,"at":-9223372036854775808}`),
		},
		"at: more than a day after it was received": {
			device(measurement + `,"at":"2026-11-23T00:00:00Z"}`),
			device(measurement + `,"at":9223372036854775807}`),
		},
		"firmware: missing": {
			device(`{"id":"a","type":"boot"}`), device(`{"id":"a","type":"boot","firmware":""}`),
			device(`{"id":"a","type":"boot","firmware":null}`),
		},
		"firmware: not a string": {device(`{"id":"a","type":"boot","firmware":2}`)},
		"firmware: too long": {
			device(`{"id":"a","type":"boot","firmware":"` + strings.Repeat("가", 86) + `"}`),
			device(`{"id":"a","type":"boot","firmware":"` + strings.Repeat("f", 257) + `"}`),
		},
		"post: missing": {
			client(`{"id":"a","type":"post_view","at":1795219200000,"client":"c"}`),
		},
		"temperature: not a number": {
			device(measurement + `,"temperature":"21"}`),
			device(measurement + `,"temperature":true}`),
		},
		"battery: not finite": {
			device(measurement + `,"battery":1e400}`),
			device(measurement + `,"battery":` + strings.Repeat("9", 400) + `}`),
		},
		"fields without a column exceed 64 KiB": {
			device(measurement + `,"x":"` + strings.Repeat("x", 64<<10-len(`{"x":""}`)+1) + `"}`),
			device(measurement + `,"a":"` + strings.Repeat("x", 1<<20) + `"}`),
		},
	} {
		for _, record := range records {
			row, _, err := newConverter(ours).Append(nil, record, arrived)
			if err == nil || !strings.HasPrefix(err.Error(), reason) || row != nil {
				t.Errorf("%.200s: row %s, error %v; want %q", record, row, err, reason)
			}
		}
	}
}

func TestConverter_Append_limits(t *testing.T) {
	for _, payload := range []string{
		`{"id":"` + strings.Repeat("~", 64) + `","type":"measurement"}`,
		`{"id":"\"\u0041","type":"measurement"}`,
		`{"id":"a","type":"boot","firmware":"` + strings.Repeat(`\u0061`, 256) + `"}`,
		`{"id":"a","type":"measurement","at":"2026-10-22T23:59:59.999Z"}`,
		`{"id":"a","type":"measurement","at":"2026-11-22T23:59:59.999Z"}`,
		`{"id":"a","type":"measurement","at":null,"battery":""}`,
		`{"id":"a","type":"measurement","temperature":1e-400,"battery":-0}`,
		`{"id":"a","type":"measurement","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) +
			`}`,
		`{"id":"a","type":"measurement","x":"` + strings.Repeat("x", 64<<10-len(`{"x":""}`)) + `"}`,
		strings.Repeat(" ", 1<<20) + `{"id":"a","type":"measurement"}`,
	} {
		record := record(t, topic, payload)
		if _, _, err := newConverter(ours).Append(nil, record, arrived); err != nil {
			t.Errorf("%.100s: %v", payload, err)
		}
	}
}

func TestConverter_Append_discards(t *testing.T) {
	for payload, want := range map[string]error{
		`{"id":"a","type":"keep_alive"}`: telemetry.ErrDiscarded,
		`{"type":"keep_alive"}`:          &telemetry.RejectedError{Field: "id", Reason: "missing"},
	} {
		row, _, err := newConverter(ours).Append(nil, record(t, topic, payload), arrived)
		if row != nil || err == nil || err.Error() != want.Error() {
			t.Errorf("%s: row %s, error %v; want %v", payload, row, err, want)
		}
	}
}

// The columns are named in two places: in the schema and in the converter.
func TestConverter_Append_columns(t *testing.T) {
	var got []string
	for _, record := range [][]byte{
		record(t, topic,
			`{"id":"a","type":"measurement","firmware":"f","temperature":1,"battery":2,"x":3}`),
		record(t, "",
			`{"id":"a","type":"comment","at":1795219200000,"client":"c","session":"s","post":"p"}`),
	} {
		row, _, err := newConverter(ours).Append(nil, record, arrived)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range decode(t, row) {
			kind := ""
			switch value := value.(type) {
			case json.Number:
				kind = "double"
			case string:
				kind = "string"
				if _, err := time.Parse("2006-01-02 15:04:05.000", value); err == nil {
					kind = "timestamp"
				}
			}
			got = append(got, name+" "+kind)
		}
	}
	var want []string
	for _, column := range ours.TableColumns() {
		want = append(want, column.Name+" "+string(column.Type))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
}

func TestRequeue(t *testing.T) {
	first := telemetryschema.Message{
		Topic: topic, ReceivedAt: 1795283035123, Data: []byte("\xff\x00{}"), Replayed: true,
	}
	record, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for times := 1; times <= 5; times++ {
		if record, err = telemetry.Requeue(record); err != nil {
			t.Fatalf("%d: %v", times, err)
		}
		var got telemetryschema.Message
		if err := json.Unmarshal(record, &got); err != nil {
			t.Fatal(err)
		}
		want := first
		want.Requeued = times
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if again, err := telemetry.Requeue(record); again != nil || err == nil ||
		err.Error() != "requeued too often" {
		t.Errorf("a sixth time: %s, %v", again, err)
	}
	rejected := new(telemetry.RejectedError)
	if again, err := telemetry.Requeue([]byte(`{"requeued":"1"}`)); again != nil ||
		!errors.As(err, &rejected) {
		t.Errorf("not a message: %s, %v", again, err)
	}
}
