package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const (
	timeout   = time.Minute // of the function
	throttled = "ProvisionedThroughputExceededException"
)

var received = time.Date(2026, 11, 21, 17, 43, 55, 123_000_000, time.UTC)

// A platform is the built function with its stream.
type platform struct {
	stream *awstest.Kinesis
	fn     *lambdatest.Function
}

func startPlatform(t *testing.T, bootstrap string) *platform {
	t.Helper()
	p := &platform{stream: awstest.StartKinesis(t, "Readings", 2)}
	environment, err := lambdaenv.Encode(contract.Settings{Stream: "Readings"})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(environment, map[string]string{
		"AWS_ENDPOINT_URL_KINESIS": p.stream.URL,
		// No pauses of the SDK's retries; the function has its own retries.
		"AWS_MAX_ATTEMPTS": "1",
	})
	p.fn = lambdatest.New(t, bootstrap, environment)
	return p
}

// eventOf returns an event as Firehose sends it, with records whose ids are their indexes.
func eventOf(t *testing.T, records ...[]byte) []byte {
	t.Helper()
	const account = "eu-central-1:111111111111"
	event := events.KinesisFirehoseEvent{
		InvocationID:           "0d9b7f5e-1f61-4d1c-8f0e-7a1e2f3b4c5d",
		DeliveryStreamArn:      "arn:aws:firehose:" + account + ":deliverystream/Readings",
		SourceKinesisStreamArn: "arn:aws:kinesis:" + account + ":stream/Readings",
		Region:                 "eu-central-1",
	}
	arrived := events.MilliSecondsEpochTime{Time: received.Add(time.Second)}
	for i, data := range records {
		event.Records = append(event.Records, events.KinesisFirehoseEventRecord{
			RecordID: recordID(i), Data: data, ApproximateArrivalTimestamp: arrived,
			KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
				ShardID: "shardId-000000000000", PartitionKey: "4d1ad2b924f84b9d",
				SequenceNumber: fmt.Sprintf("49671%051d", i), ApproximateArrivalTimestamp: arrived,
			},
		})
	}
	encoded, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func recordID(i int) string { return fmt.Sprintf("49671%051d000000", i) }

func messageOf(t *testing.T, topic, payload string, requeued int) []byte {
	t.Helper()
	encoded, err := json.Marshal(telemetryschema.Message{
		Topic: topic, ReceivedAt: received.UnixMilli(), Data: []byte(payload), Requeued: requeued,
	})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// device returns the record of a payload that a device published.
func device(t *testing.T, payload string) []byte {
	t.Helper()
	return messageOf(t, "ashlar/dev/thing-1/readings", payload, 0)
}

// A line is the function's log line about a batch.
type line struct {
	Message                                  string
	Records, OK, Discarded, Failed, Requeued int
	Reasons                                  map[string]int
}

// transform invokes the function, checks that the response is valid for Firehose, and returns the
// response and its log line.
func (p *platform) transform(
	t *testing.T, timeout time.Duration, payload []byte,
) (events.KinesisFirehoseResponse, line) {
	t.Helper()
	encoded, err := p.fn.Invoke(t.Context(), payload, timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.fn.Logs())
	}
	var response events.KinesisFirehoseResponse
	var event events.KinesisFirehoseEvent
	if json.Unmarshal(encoded, &response) != nil || json.Unmarshal(payload, &event) != nil {
		t.Fatalf("%.200s is not a response", encoded)
	}
	if len(encoded) > 6_000_000 {
		t.Errorf("the response has %d bytes", len(encoded))
	}
	var asked, answered []string
	for _, record := range event.Records {
		asked = append(asked, record.RecordID)
	}
	results := map[string]int{}
	for _, record := range response.Records {
		answered = append(answered, record.RecordID)
		results[record.Result]++
		keys := record.Metadata.PartitionKeys
		converted := keys["type"] != "" && keys["day"] != "" && json.Valid(record.Data)
		if (record.Result == "Ok") != converted {
			t.Errorf("%s is %s, with the keys %v", record.RecordID, record.Result, keys)
		}
	}
	if diff := gocmp.Diff(asked, answered); diff != "" {
		t.Errorf("ids: %s", diff)
	}
	var logged line
	for text := range strings.Lines(p.fn.Logs()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Errorf("a log line is not JSON: %s", text)
		}
		if l.Message == "transformed" {
			logged = l
		}
	}
	want := map[string]int{
		"Ok": logged.OK, "Dropped": logged.Discarded + logged.Requeued,
		"ProcessingFailed": logged.Failed,
	}
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	diff := gocmp.Diff(want, results)
	if diff != "" || logged.Records != len(asked) ||
		logged.OK+logged.Discarded+logged.Failed+logged.Requeued != len(asked) {
		t.Errorf("%d records, logged %+v: %s", len(asked), logged, diff)
	}
	return response, logged
}

// addSchema puts the schema beside the executable, as the deployment does.
func addSchema(t *testing.T, bootstrap string, schema telemetryschema.Schema) {
	t.Helper()
	encoded, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	lambdatest.AddFiles(t, bootstrap, fstest.MapFS{contract.SchemaFile: {Data: encoded}})
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	addSchema(t, bootstrap, records.Schema())
	var mu sync.Mutex
	var calls []awstest.Call
	t.Run("each", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *platform){
			"hostile records": testHostileRecords,
			"full responses":  testFullResponses,
			"stream faults":   testStreamFaults,
			"invalid events":  testInvalidEvents,
			"empty event":     testEmptyEvent,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := startPlatform(t, bootstrap)
				test(t, p)
				if processes := p.fn.Processes(); processes > 1 {
					t.Errorf("%d processes: the function died\n%s", processes, p.fn.Logs())
				}
				mu.Lock()
				defer mu.Unlock()
				calls = slices.Concat(calls, p.stream.Calls())
			})
		}
	})
	awstest.CheckActions(t, "calls.txt", calls)
}

func testHostileRecords(t *testing.T, p *platform) {
	const good = `{"id":"a","type":"measurement","temperature":21.5}`
	for name, trial := range map[string]struct {
		record []byte
		result string
	}{
		"a reading":            {device(t, good), "Ok"},
		"a discarded type":     {device(t, `{"id":"a","type":"keep_alive"}`), "Dropped"},
		"nothing":              {nil, "ProcessingFailed"},
		"an empty payload":     {device(t, ""), "ProcessingFailed"},
		"an empty object":      {device(t, "{}"), "ProcessingFailed"},
		"no JSON":              {[]byte("hello"), "ProcessingFailed"},
		"no JSON in a message": {device(t, "temperature=21.5"), "ProcessingFailed"},
		"binary":               {[]byte{0, 1, 2, 0xff, 0xfe}, "ProcessingFailed"},
		"binary in a message":  {device(t, "\x1f\x8b\x08\x00\x00"), "ProcessingFailed"},
		"no UTF-8": {
			device(t, `{"id":"a","type":"measurement","note":"`+"\xc3\x28"+`"}`),
			"ProcessingFailed",
		},
		"half a surrogate pair": {
			device(t, `{"id":"a","type":"measurement","note":"\ud83d"}`), "ProcessingFailed",
		},
		"a record not in UTF-8": {[]byte("{\"data\":\"\xff\"}"), "ProcessingFailed"},
		"an array":              {device(t, `[`+good+`]`), "ProcessingFailed"},
		"two readings":          {device(t, good+good), "ProcessingFailed"},
		"a duplicate field": {
			device(t, `{"id":"a","id":"b","type":"measurement"}`), "ProcessingFailed",
		},
		"a megabyte": {
			device(t, `{"id":"a","type":"measurement","x":"`+strings.Repeat("x", 780_000)+`"}`),
			"ProcessingFailed",
		},
		"a megabyte of space": {device(t, strings.Repeat(" ", 780_000)+good), "Ok"},
		"a megabyte of fields": {
			device(t, `{"id":"a","type":"measurement"`+strings.Repeat(`,"":0`, 150_000)+`}`),
			"ProcessingFailed",
		},
		"a megabyte of brackets": {
			device(t, strings.Repeat("[", 780_000)), "ProcessingFailed",
		},
		"a megabyte of depth": {
			device(t, `{"id":"a","type":"measurement","x":`+strings.Repeat(`{"a":`, 150_000)),
			"ProcessingFailed",
		},
		"a megabyte of digits": {
			device(t, `{"id":"a","type":"measurement","battery":`+strings.Repeat("9", 780_000)+`}`),
			"ProcessingFailed",
		},
		"a topic without a thing":       {messageOf(t, "readings", good, 0), "ProcessingFailed"},
		"a device's type from a client": {messageOf(t, "", good, 0), "ProcessingFailed"},
		"an unknown type": {
			device(t, `{"id":"a","type":"__proto__"}`), "ProcessingFailed",
		},
	} {
		response, _ := p.transform(t, timeout,
			eventOf(t, device(t, good), trial.record, device(t, good)))
		results := []string{
			response.Records[0].Result, response.Records[1].Result, response.Records[2].Result,
		}
		if diff := gocmp.Diff([]string{"Ok", trial.result, "Ok"}, results); diff != "" {
			t.Errorf("%s between two readings: %s", name, diff)
		}
	}
	// Queries count it once.
	_, logged := p.transform(t, timeout, eventOf(t, device(t, good), device(t, good)))
	if logged.OK != 2 {
		t.Errorf("the same reading twice: %+v", logged)
	}
	event := string(eventOf(t, device(t, good), []byte("hello")))
	repeated := strings.ReplaceAll(event, recordID(1), recordID(0))
	response, err := p.fn.Invoke(t.Context(), []byte(repeated), timeout)
	if err != nil || strings.Count(string(response), "recordId") != 1 {
		t.Errorf("a duplicate id: %s, %v", response, err)
	}
	if calls := p.stream.Calls(); len(calls) > 0 {
		t.Errorf("calls %v, want none while there is room", calls)
	}
}

// tooMuch returns records whose rows do not fit into one response: 60 KB each that grow to 160 KB.
func tooMuch(t *testing.T, requeued int) (records [][]byte) {
	t.Helper()
	for i := range 40 {
		quotes := strings.Repeat(`\"`, 30_000)
		payload := fmt.Sprintf(`{"id":"id-%d","type":"measurement","quotes":"%s"}`, i, quotes)
		records = append(records, messageOf(t, "ashlar/dev/thing-1/readings", payload, requeued))
	}
	return append(records, device(t, `{"id":"last","type":"keep_alive"}`), []byte("hello"))
}

// testFullResponses delivers the requeued records again, until all have a result.
func testFullResponses(t *testing.T, p *platform) {
	ok := map[string]int{}
	records := tooMuch(t, 0)
	for round := 0; len(records) > 0; round++ {
		if round == 5 {
			t.Fatal("records are still requeued")
		}
		before := len(p.stream.Records())
		response, logged := p.transform(t, timeout, eventOf(t, records...))
		for _, record := range response.Records {
			if record.Result != "Ok" {
				continue
			}
			var row struct{ ID string }
			if err := json.Unmarshal(record.Data, &row); err != nil {
				t.Fatal(err)
			}
			ok[row.ID]++
		}
		if round == 0 && (logged.Requeued == 0 || logged.Discarded != 1 || logged.Failed != 1) {
			t.Errorf("%+v, want some requeued, one dropped and one failed", logged)
		}
		records = nil
		for _, put := range p.stream.Records()[before:] {
			var message telemetryschema.Message
			err := json.Unmarshal(put.Data, &message)
			if err != nil || message.Requeued != round+1 {
				t.Fatalf("requeued %d times, %v; want %d", message.Requeued, err, round+1)
			}
			records = append(records, put.Data)
		}
		if len(records) != logged.Requeued {
			t.Errorf("%d in the stream, want %d", len(records), logged.Requeued)
		}
		// As in a single shard.
		slices.SortFunc(records, func(a, b []byte) int {
			return strings.Compare(string(a), string(b))
		})
	}
	for i := range 40 {
		if n := ok[fmt.Sprint("id-", i)]; n != 1 {
			t.Errorf("id-%d has %d rows", i, n)
		}
	}
	_, logged := p.transform(t, timeout, eventOf(t, tooMuch(t, 5)...))
	if logged.Requeued != 0 || logged.Reasons["requeued too often"] == 0 {
		t.Errorf("the sixth time: %+v", logged)
	}
}

// testStreamFaults makes the stream fail, temporarily and permanently.
func testStreamFaults(t *testing.T, p *platform) {
	event := eventOf(t, tooMuch(t, 0)...)
	_, usual := p.transform(t, timeout, event)
	put := len(p.stream.Records())
	for name, trial := range map[string]struct {
		fault   awstest.Fault
		reject  bool // every other record, once
		timeout time.Duration
		fails   bool
	}{
		"5xx, twice": {
			fault: awstest.Fault{
				Status: http.StatusInternalServerError, Code: "InternalFailure", Times: 2,
			},
		},
		"throttled, twice": {
			fault: awstest.Fault{Status: http.StatusBadRequest, Code: throttled, Times: 2},
		},
		"no response, once":        {fault: awstest.Fault{NoResponse: true, Times: 1}},
		"connection reset, twice":  {fault: awstest.Fault{Reset: true, Times: 2}},
		"response lost, once":      {fault: awstest.Fault{TruncateResponse: true, Times: 1}},
		"single records throttled": {reject: true},
		"5xx, permanent": {
			fault: awstest.Fault{
				Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable",
			},
			timeout: 3 * time.Second, fails: true,
		},
		"no response, permanent": {
			fault: awstest.Fault{NoResponse: true}, timeout: 3 * time.Second, fails: true,
		},
		"access denied": {
			fault: awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"},
			fails: true,
		},
		"missing stream": {
			fault: awstest.Fault{Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
			fails: true,
		},
		"no time left": {timeout: time.Second, fails: true},
	} {
		p.stream.SetFault(trial.fault)
		puts := 0
		p.stream.RejectRecords(func([]byte) string {
			if puts++; trial.reject && puts <= usual.Requeued && puts%2 == 0 {
				return throttled
			}
			return ""
		})
		before := len(p.stream.Records())
		_, logged := p.transform(t, cmp.Or(trial.timeout, timeout), event)
		want := usual
		if trial.fails {
			want.Requeued = 0
			want.Failed += usual.Requeued
			want.Reasons = maps.Clone(usual.Reasons)
			want.Reasons["requeue failed"] = usual.Requeued
		}
		if diff := gocmp.Diff(want, logged); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		had := len(p.stream.Records()) - before
		switch {
		case trial.fault.TruncateResponse && had != 2*put,
			!trial.fault.TruncateResponse && !trial.fails && had != put,
			trial.fails && had != 0:
			t.Errorf("%s: %d records put, usually %d", name, had, put)
		}
	}
}

func testInvalidEvents(t *testing.T, p *platform) {
	for _, payload := range []string{
		`[]`, `null`, `{"records":[{"data":"aGVsbG8="}]}`,
		`{"records":[{"recordId":"r1","data":"aGVsbG8="}`,
	} {
		if response, err := p.fn.Invoke(t.Context(), []byte(payload), timeout); err == nil {
			t.Errorf("%s has the response %s", payload, response)
		}
	}
}

func testEmptyEvent(t *testing.T, p *platform) {
	response, logged := p.transform(t, timeout, eventOf(t))
	if len(response.Records) != 0 || logged.Records != 0 {
		t.Errorf("%+v, %+v", response, logged)
	}
}

func TestBootstrap_without_settings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	if err == nil || !strings.Contains(err.Error(), "STREAM_NAME") {
		t.Errorf("error %v, want it to name STREAM_NAME", err)
	}
}

func TestBootstrap_without_schema(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	start := func(want string) {
		fn := lambdatest.New(t, bootstrap, map[string]string{"STREAM_NAME": "Readings"})
		_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to name %s", err, want)
		}
	}
	start(contract.SchemaFile)
	addSchema(t, bootstrap, telemetryschema.Schema{})
	start("Types: 0")
}

// The function knows no record types of its own.
func TestBootstrap_other_schema(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	addSchema(t, bootstrap, telemetryschema.Schema{
		Columns: []telemetryschema.Column{
			{Name: "opened_at", Type: telemetryschema.Timestamp},
			{Name: "amount", Type: telemetryschema.Bigint},
		},
		Types: []telemetryschema.Type{
			{Name: "Valve.open", Source: telemetryschema.Device, Required: []string{"amount"}},
		},
	})
	response, _ := startPlatform(t, bootstrap).transform(t, timeout, eventOf(t,
		device(t, `{"id":"a","type":"Valve.open","opened_at":0,"amount":7,"battery":87}`),
		device(t, `{"id":"b","type":"measurement","temperature":21.5}`)))
	const want = `"opened_at":"1970-01-01 00:00:00.000","amount":7,"extra":"{\"battery\":87}"}`
	first, second := response.Records[0], response.Records[1]
	if !strings.HasSuffix(string(first.Data), want) ||
		first.Metadata.PartitionKeys["type"] != "Valve.open" {
		t.Errorf("%s, %v, want %s", first.Data, first.Metadata.PartitionKeys, want)
	}
	if second.Result != "ProcessingFailed" {
		t.Errorf("a type of another schema is %s", second.Result)
	}
}
