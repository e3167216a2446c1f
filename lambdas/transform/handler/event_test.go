package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
)

// FuzzDecode compares the decoder with encoding/json: the same records, and an error for the same
// payloads. Each record has one result, in the same order.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"invocationId":"i","records":[{"recordId":"r1","approximateArrivalTimestamp":2,` +
			`"data":"aGk=","kinesisRecordMetadata":` +
			`{"approximateArrivalTimestamp":1,"shardId":"s"}}]}`,
		`{"records":[{"recordId":"r1","data":"aGk\u003d"},` +
			`{"recordId":"r\u0031","data":null},{"recordId":"r1"}],"more":[{}]}`,
		`{"records":[{"recordId":"r1","kinesisRecordMetadata":{"approximateArrivalTimestamp":1},` +
			`"kinesisRecordMetadata":null,"approximateArrivalTimestamp":1.5}]}`,
		`{"records":[{"more":{"recordId":["r0"]},"recordId":"r1","data":"aGk=","most":null}]}`,
		`{"records":[{"recordId":"r\"\\1"},{"recordId":"r\u00221"},{"recordId":"\u0000"},` +
			`{"recordId":"é가😀"}]}`,
		`{"records":[{"recordId":"r1"}],"records":[{"recordId":"r2"}]}`,
		`{"records":[{"recordId":"r1"}],"records":null}`,
		`{"records":[null]}`, `{"records":[1]}`, `{"records":{}}`, `{"records":[]}`, `{}`, `[]`,
		`null`, ``, `{"records":[]}x`, `{"records":[{"recordId":7}]}`,
	} {
		f.Add([]byte(seed))
	}
	now := time.UnixMilli(7)
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, _, err := decode(payload, now)
		if errors.Is(err, jsonscan.ErrUTF8) || errors.Is(err, jsonscan.ErrDepth) {
			return // encoding/json accepts both
		}
		want, ok := decodeReference(payload, now)
		if (err == nil) != ok {
			t.Fatalf("error %v, want one: %t", err, !ok)
		}
		if err != nil {
			return
		}
		var read []referenceRecord
		for _, r := range got {
			read = append(read,
				referenceRecord{string(r.id.Text()), string(r.data.Text()), r.arrived})
		}
		if !reflect.DeepEqual(read, want) {
			t.Errorf("%+v, want %+v", read, want)
		}
		response, _ := newWorld().invoke(t, payload)
		if len(response.Records) != len(want) {
			t.Fatalf("%d results, want %d", len(response.Records), len(want))
		}
		for i, r := range response.Records {
			if r.RecordID != want[i].id {
				t.Errorf("record %d is %q, want %q", i, r.RecordID, want[i].id)
			}
		}
	})
}

type referenceRecord struct {
	id, data string
	arrived  time.Time
}

// decodeReference does the same as decode with encoding/json.
func decodeReference(payload []byte, now time.Time) (records []referenceRecord, ok bool) {
	var event map[string]json.RawMessage
	if json.Unmarshal(payload, &event) != nil || event == nil {
		return nil, false
	}
	if list := event["records"]; !bytes.HasPrefix(list, []byte("[")) {
		return nil, true
	}
	var raw []map[string]json.RawMessage
	if json.Unmarshal(event["records"], &raw) != nil {
		return nil, false
	}
	seen := map[string]bool{}
	for _, fields := range raw {
		r := referenceRecord{arrived: now}
		if json.Unmarshal(fields["recordId"], &r.id) != nil || r.id == "" {
			return nil, false
		}
		_ = json.Unmarshal(fields["data"], &r.data) // any other value counts as no data
		var metadata map[string]json.RawMessage
		_ = json.Unmarshal(fields["kinesisRecordMetadata"], &metadata) // optional
		for _, at := range []json.RawMessage{
			fields["approximateArrivalTimestamp"], metadata["approximateArrivalTimestamp"],
		} {
			if ms, err := strconv.ParseInt(string(at), 10, 64); err == nil {
				r.arrived = time.UnixMilli(ms)
			}
		}
		if !seen[r.id] {
			records = append(records, r)
		}
		seen[r.id] = true
	}
	return records, true
}
