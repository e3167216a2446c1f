package telemetry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// An outcome is what a converter makes of a record, in a form that can be compared. A rejected
// record has the zero outcome.
type outcome struct {
	Row       map[string]any // numbers as written
	Extra     map[string]any
	Partition telemetry.Partition
	Dropped   bool
}

func convert(
	t *testing.T, c *telemetry.Converter, record []byte, arrived time.Time,
) (outcome, error) {
	t.Helper()
	const before = "before"
	row, partition, err := c.Append([]byte(before), record, arrived)
	rejected := new(telemetry.RejectedError)
	switch {
	case !strings.HasPrefix(string(row), before), err != nil && string(row) != before:
		t.Fatalf("%v, with the row %s", err, row)
	case errors.Is(err, telemetry.ErrDiscarded):
		return outcome{Dropped: true}, err
	case err != nil && !errors.As(err, &rejected):
		t.Fatalf("%T is not a RejectedError: %v", err, err)
	case err != nil:
		return outcome{}, err
	}
	o := outcome{Row: decode(t, row[len(before):]), Partition: partition}
	if extra, ok := o.Row["extra"].(string); ok {
		o.Extra = decode(t, []byte(extra))
		o.Row["extra"] = "see Extra"
	}
	return o, nil
}

func decode(t *testing.T, object []byte) (decoded map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if err := decoder.Decode(&decoded); err != nil || !utf8.Valid(object) {
		t.Fatalf("%v: %q", err, object)
	}
	return decoded
}

// reference converts a record with encoding/json, written for clarity instead of speed. A rejected
// record has no outcome.
func reference(
	t *testing.T, schema telemetryschema.Schema, record []byte, arrived time.Time,
) (o outcome, rejected bool) {
	t.Helper()
	message := map[string]json.RawMessage{}
	members, ok := strictObject(record)
	if !ok {
		return o, true
	}
	for _, m := range members { // of duplicate names, the last one counts
		message[m.name] = m.value
	}
	topic, _, ok := text(message["topic"], message["topic"] != nil)
	if !ok || string(message["topic"]) == "null" {
		return o, true
	}
	receivedAt, err := strconv.ParseInt(string(message["received_at"]), 10, 64)
	received := time.UnixMilli(receivedAt).UTC()
	if err != nil || receivedAt <= 0 || received.Year() > 9999 {
		return o, true
	}
	encoded, _, ok := text(message["data"], true)
	if !ok || string(message["data"]) == "null" {
		return o, true
	}
	payload, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return o, true
	}

	row := map[string]any{}
	source := telemetryschema.Client
	if topic != "" {
		source = telemetryschema.Device
		segments := strings.Split(topic, "/")
		thing := regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
		if len(segments) < 2 || !thing.MatchString(segments[len(segments)-2]) {
			return o, true
		}
		row["device"] = segments[len(segments)-2]
	}

	columns := map[string]telemetryschema.ColumnType{
		"id": telemetryschema.String, "type": "", "at": "",
	}
	for _, column := range schema.Columns {
		if column.Source == "" || column.Source == source {
			columns[column.Name] = column.Type
		}
	}
	members, ok = strictObject(payload)
	if !ok {
		return o, true
	}
	values := map[string]json.RawMessage{}
	var extra []string
	names := map[string]bool{}
	for _, m := range members {
		if names[m.name] {
			return o, true
		}
		names[m.name] = true
		if _, ok := columns[m.name]; ok {
			values[m.name] = m.value
		} else {
			extra = append(extra, m.quoted+":"+string(m.value))
		}
	}
	if len(extra) > 0 {
		object := "{" + strings.Join(extra, ",") + "}"
		if len(object) > 64<<10 {
			return o, true
		}
		o.Extra = decode(t, []byte(object))
		row["extra"] = "see Extra"
	}

	for name, value := range values {
		if name == "type" || name == "at" {
			continue
		}
		if string(value) == `""` || string(value) == "null" {
			continue
		}
		var ok bool
		if row[name], ok = columnValue(columns[name], value); !ok {
			return o, true
		}
	}
	id, _ := row["id"].(string)
	if !regexp.MustCompile(`^[!-~]{1,64}$`).MatchString(id) {
		return o, true
	}

	name, _, _ := text(values["type"], true)
	i := slices.IndexFunc(schema.Types, func(declared telemetryschema.Type) bool {
		return declared.Name == name
	})
	if i < 0 || schema.Types[i].Source != source {
		return o, true
	}
	for _, required := range schema.Types[i].Required {
		if row[required] == nil {
			return o, true
		}
	}

	at := received
	switch value := string(values["at"]); value {
	case "", "null", `""`:
		if source == telemetryschema.Client {
			return o, true
		}
	default:
		if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
			at = time.UnixMilli(ms).UTC()
		} else if json.Unmarshal(values["at"], &at) != nil {
			return o, true
		}
		at = at.UTC().Truncate(time.Millisecond)
		if at.Before(received.AddDate(0, 0, -30)) || at.After(received.AddDate(0, 0, 1)) {
			return o, true
		}
	}
	if schema.Types[i].Discard {
		return outcome{Dropped: true}, false
	}
	const layout = "2006-01-02 15:04:05.000"
	row["at"] = at.Format(layout)
	row["received_at"] = received.Format(layout)
	row["ingested_at"] = arrived.UTC().Format(layout)
	o.Row, o.Partition = row, telemetry.Partition{Type: name, Day: at.Format(time.DateOnly)}
	return o, false
}

// columnValue returns the value of a column's field in the row.
func columnValue(kind telemetryschema.ColumnType, value json.RawMessage) (decoded any, ok bool) {
	switch kind {
	case telemetryschema.Double, telemetryschema.Bigint:
		var number json.Number
		if value[0] == '"' || json.Unmarshal(value, &number) != nil {
			return nil, false
		}
		if kind == telemetryschema.Bigint {
			_, err := number.Int64()
			return number, err == nil
		}
		float, err := number.Float64()
		return number, err == nil && !math.IsInf(float, 0)
	case telemetryschema.Boolean:
		var boolean bool
		err := json.Unmarshal(value, &boolean)
		return boolean, err == nil
	case telemetryschema.Timestamp:
		var at time.Time
		if ms, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			at = time.UnixMilli(ms).UTC()
		} else if json.Unmarshal(value, &at) != nil {
			return nil, false
		}
		at = at.UTC()
		// The first and the last time of a year of four digits, by the calendar.
		if at.Year() < 1 || at.Year() > 9999 {
			return nil, false
		}
		return at.Format("2006-01-02 15:04:05.000"), true
	}
	text, _, ok := text(value, true)
	return text, ok && len(text) <= 256
}

// text decodes a string. A string that is null or empty is not present, and neither is one that is
// missing and not required.
func text(value json.RawMessage, required bool) (decoded string, present, ok bool) {
	if !required {
		return "", false, true
	}
	if err := json.Unmarshal(value, &decoded); err != nil {
		return "", false, false
	}
	return decoded, decoded != "", true
}

type member struct {
	name, quoted string
	value        json.RawMessage
}

// strictObject returns the members of an object that is valid UTF-8, escapes included, and not
// nested too deeply.
func strictObject(object []byte) (members []member, ok bool) {
	if !json.Valid(object) || !utf8.Valid(object) || loneSurrogate(string(object)) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > jsonscan.MaxDepth {
			return nil, false
		}
	}
	decoder = json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		before := decoder.InputOffset()
		name, err := decoder.Token()
		m := member{
			name:   name.(string),
			quoted: strings.TrimLeft(string(object[before:decoder.InputOffset()]), ", \t\r\n"),
		}
		if err != nil || decoder.Decode(&m.value) != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

var (
	surrogatePair = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`)
	anySurrogate  = regexp.MustCompile(`(?i)\\ud[89a-f]`)
	escapedEscape = strings.NewReplacer(`\\`, "_")
)

// loneSurrogate reports whether JSON has an escape that is half a surrogate pair.
func loneSurrogate(text string) bool {
	unescaped := escapedEscape.Replace(text)
	return anySurrogate.MatchString(surrogatePair.ReplaceAllString(unescaped, "_"))
}

var seeds = []string{
	`{"id":"a","type":"measurement","at":"2026-11-21T17:43:54.8719Z",` +
		`"temperature":21.4,"battery":87}`,
	`{"id":"a","type":"measurement","at":"2026-11-21T17:00:00.900Z"}`,
	`{"id":"a","type":"measurement","at":"2026-11-21T16:59:59.100Z"}`,
	`{"id":"a","type":"measurement","temperature":1e400}`,
	`{"id":"a","type":"measurement","temperature":1E400}`,
	`{"id":"a","type":"measurement","temperature":-0,"battery":1E+2}`,
	`{"id":"a","type":"measurement","temperature":-1.5e-400,"battery":null}`,
	`{"id":"a","type":"post_view","at":1795283034871,"client":"c","session":"s","post":"p",` +
		`"firmware":1}`,
	`{"id":"a","type":"app_open","at":"2026-11-21T18:43:54+01:00","client":"c",` +
		`"x":{"y":[1,2.50,"\"\\\u00e9",true,null, {} ]},"device":"d"}`,
	`{"id":"a","type":"boot","firmware":"2","client":"c"}`, `{"id":"a","type":"keep_alive"}`,
	`{"id":"a","type":"scroll","client":"c","at":1795283034871}`,
	`{"\u0069d":"\u0061","type":"measure\u006dent","a":1,"\u0061":2}`,
	`{"id":"a","id":"a","type":"measurement"}`, `{"id":"\ud83d","type":"measurement"}`,
	`{"id":"a","type":"measurement","x":"\ud83d\ude00 \uAbCf","y":"\\ud83d"}`,
	`{"id":"a","type":"measurement","x":"\ud83d\ud83d"}`,
	"{\"id\":\"a\",\"type\":\"measurement\",\"x\" : \"\xff\"}",
	"{ \"id\" :\n\"a\",\t\"type\":\"measurement\",\"x\" : {\n\"y\" : 1 } }",
	`{"id":"a","type":"measurement","at":-1}`,
	// of the other schema
	`{"id":"a","type":"Boot.v-2","battery":-7,"y":"2026-11-21T17:00:00.9+01:00","post":true}`,
	`{"id":"a","type":"Boot.v-2","battery":1.0,"y":0}`,
	`{"id":"a","type":"Boot.v-2","battery":9223372036854775808,"y":-62135596800000}`,
	`{"id":"a","type":"boot","y":-62135596800001}`, `{"id":"a","type":"boot","y":253402300800000}`,
	`{"id":"a","type":"boot","y":253402300799999}`,
	`{"id":"a","type":"boot","y":"0000-01-01T00:00:00Z"}`,
	`{"id":"a","type":"boot","y":"9999-12-31T23:59:59-01:00"}`, `{"id":"a","type":"boot","y":true}`,
	`{"id":"a","type":"boot","post":false,"x":"é"}`, `{"id":"a","type":"boot","post":"true"}`,
	`{"id":"a","type":"boot","post":0,"x1":1}`, `{"id":"a","type":"post_view"}`,
	`{"id":"a","type":"measurement","at":1795283034871,"x":"x","client":"2026-11-21T17:00:00Z",` +
		`"x1":1e9}`,
	``, `null`, `[]`, `"a"`, `1`, `{`, `{"id":"a","type":"measurement"}{}`,
	`{"id":"a","type":"measurement","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`,
	`{"id":"a","type":"measurement","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
}

// FuzzConverter_payload compares the converter with the reference on encoding/json, for any payload
// that a sender may send.
func FuzzConverter_payload(f *testing.F) {
	for _, seed := range seeds {
		f.Add("ashlar/dev/thing-1/readings", int64(1795283035123), []byte(seed))
		f.Add("", int64(1795283035123), []byte(seed))
	}
	f.Add("thing", int64(1), []byte(seeds[0]))
	f.Add("a/ü/b", int64(1), []byte(seeds[0]))
	f.Add("/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1","at":-86400001}`))
	f.Add("t/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1","at":-86400001}`))
	f.Add("t/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1","at":-1}`))
	f.Add("t/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1"}`))
	f.Add("/readings", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1"}`))
	f.Add("azAZ09:_-/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1"}`))
	f.Add(strings.Repeat("a", 128)+"/", int64(1), []byte(`{"id":"a","type":"boot","firmware":"1"}`))
	f.Fuzz(func(t *testing.T, topic string, receivedAt int64, payload []byte) {
		record, err := json.Marshal(
			telemetryschema.Message{Topic: topic, ReceivedAt: receivedAt, Data: payload})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, record)
	})
}

// A converter is reused: nothing from a record may get into the row of the next one.
func TestConverter_Append_reuse(t *testing.T) {
	var records [][]byte
	for _, seed := range seeds {
		records = append(records, record(t, topic, seed), record(t, "", seed))
	}
	records = append(records, nil, []byte(`{"received_at":1,"data":7}`))
	for _, schema := range []telemetryschema.Schema{ours, theirs} {
		for _, before := range records {
			for _, record := range records {
				used, fresh := newConverter(schema), newConverter(schema)
				_, _ = convert(t, used, before, arrived)
				got, err := convert(t, used, record, arrived)
				want, wantErr := convert(t, fresh, record, arrived)
				if !reflect.DeepEqual(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("%s\nafter %s:\n%+v, %v\nwant %+v, %v", record, before, got, err, want,
						wantErr)
				}
			}
		}
	}
}

// FuzzConverter_record compares the converter with the reference on encoding/json, for any record
// of the stream.
func FuzzConverter_record(f *testing.F) {
	data := base64.StdEncoding.EncodeToString([]byte(seeds[0]))
	for _, seed := range []string{
		`{"topic":"ashlar/dev/thing-1/readings","received_at":1795283035123,"data":"` + data + `"}`,
		`{"data":"` + data + `","topic":"ashlar\/dev\/thing-1\/readings",` +
			`"received_at":1795283035123,"requeued":1,"more":[{}]}`,
		`{"topic":"a/b/c","received_at":253402300800000,"data":"` + data + `"}`,
		`{"topic":"a/b/c","received_at":253402300799999,"data":"` + data + `"}`,
		`{"topic":"a/b/c","received_at":1.5,"data":""}`, `{"topic":null,"received_at":1,"data":""}`,
		`{"topic":"","received_at":1,"data":"e30=\n"}`, `{"received_at":1,"data":"e30"}`,
		`{"received_at":1,"data":null}`,
		`{}`, `[]`, ``, `hello`, `{00`, `{"a"`,
		`{"topic":"a/b/c","topic":"","received_at":1,"data":"e30="}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) { compare(t, record) })
}

// compare compares the converter with the reference, for both schemas.
func compare(t *testing.T, record []byte) {
	t.Helper()
	arrived := time.Date(2026, 11, 22, 0, 0, 0, 7_000_000, time.UTC)
	for _, schema := range []telemetryschema.Schema{ours, theirs} {
		c := newConverter(schema)
		got, err := convert(t, c, record, arrived)
		want, rejected := reference(t, schema, record, arrived)
		if rejected {
			want = outcome{}
		}
		if rejected != (err != nil && !errors.Is(err, telemetry.ErrDiscarded)) {
			t.Errorf("%s: error %v, want one: %t", record, err, rejected)
		} else if !reflect.DeepEqual(got, want) { // cmp is slow for deeply nested values
			t.Errorf("%s:\nmade %+v, %v\nwant %+v", record, got, err, want)
		}
		if again, _ := convert(t, c, record, arrived); !reflect.DeepEqual(again, got) {
			t.Errorf("%s: %v the second time, %v the first", record, again, got)
		}
	}
}
