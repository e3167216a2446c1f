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
	"time"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

const (
	timeout   = time.Minute // the function's own
	throttled = "ProvisionedThroughputExceededException"
)

var received = time.Date(2026, 11, 21, 17, 43, 55, 123_000_000, time.UTC)

// A platform is the built function with the stream.
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
		"AWS_MAX_ATTEMPTS":         "1", // so that the test does not wait for the SDK's pauses; the stream is asked again all the same
	})
	p.fn = lambdatest.New(t, bootstrap, environment)
	return p
}

// eventOf is a batch as Firehose hands it over, of records whose ids are their places.
func eventOf(t *testing.T, records ...[]byte) []byte {
	t.Helper()
	event := events.KinesisFirehoseEvent{
		InvocationID: "0d9b7f5e-1f61-4d1c-8f0e-7a1e2f3b4c5d", DeliveryStreamArn: "arn:aws:firehose:eu-central-1:111111111111:deliverystream/Readings",
		SourceKinesisStreamArn: "arn:aws:kinesis:eu-central-1:111111111111:stream/Readings", Region: "eu-central-1",
	}
	arrived := events.MilliSecondsEpochTime{Time: received.Add(time.Second)}
	for i, data := range records {
		event.Records = append(event.Records, events.KinesisFirehoseEventRecord{
			RecordID: recordID(i), Data: data, ApproximateArrivalTimestamp: arrived,
			KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
				ShardID: "shardId-000000000000", PartitionKey: "4d1ad2b924f84b9d", SequenceNumber: fmt.Sprintf("49671%051d", i), ApproximateArrivalTimestamp: arrived,
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
	encoded, err := json.Marshal(telemetry.Message{Topic: topic, ReceivedAt: received.UnixMilli(), Data: []byte(payload), Requeued: requeued})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// device is the record of a payload that a device has published.
func device(t *testing.T, payload string) []byte {
	t.Helper()
	return messageOf(t, "ashlar/dev/thing-1/readings", payload, 0)
}

// line is what the function logs of a batch.
type line struct {
	Message                                  string
	Records, OK, Discarded, Failed, Requeued int
	Reasons                                  map[string]int
}

// transform invokes the function, holds its answer to what Firehose wants of any, and returns the answer with what was logged of it.
func (p *platform) transform(t *testing.T, timeout time.Duration, payload []byte) (events.KinesisFirehoseResponse, line) {
	t.Helper()
	answer, err := p.fn.Invoke(t.Context(), payload, timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.fn.Logs())
	}
	var response events.KinesisFirehoseResponse
	var event events.KinesisFirehoseEvent
	if json.Unmarshal(answer, &response) != nil || json.Unmarshal(payload, &event) != nil {
		t.Fatalf("%.200s is not an answer", answer)
	}
	if len(answer) > 6_000_000 {
		t.Errorf("the answer has %d bytes", len(answer))
	}
	var asked, answered []string
	for _, record := range event.Records {
		asked = append(asked, record.RecordID)
	}
	results := map[string]int{}
	for _, record := range response.Records {
		answered = append(answered, record.RecordID)
		results[record.Result]++
		if keys := record.Metadata.PartitionKeys; (record.Result == "Ok") != (keys["type"] != "" && keys["day"] != "" && json.Valid(record.Data)) {
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
	want := map[string]int{"Ok": logged.OK, "Dropped": logged.Discarded + logged.Requeued, "ProcessingFailed": logged.Failed}
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if diff := gocmp.Diff(want, results); diff != "" || logged.Records != len(asked) || logged.OK+logged.Discarded+logged.Failed+logged.Requeued != len(asked) {
		t.Errorf("%d records, logged %+v: %s", len(asked), logged, diff)
	}
	return response, logged
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	var mu sync.Mutex
	var calls []awstest.Call
	t.Run("each", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *platform){
			"hostile records":          takeHostileRecords,
			"an answer over the limit": putBackTheTail,
			"faults of the stream":     surviveTheStream,
			"what is no event":         failWithoutAnEvent,
			"an empty event":           takeNothing,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := startPlatform(t, bootstrap)
				test(t, p)
				if processes := p.fn.Processes(); processes > 1 {
					t.Errorf("%d processes: the function has died\n%s", processes, p.fn.Logs())
				}
				mu.Lock()
				defer mu.Unlock()
				calls = slices.Concat(calls, p.stream.Calls())
			})
		}
	})
	awstest.CheckActions(t, "calls.txt", calls)
}

func takeHostileRecords(t *testing.T, p *platform) {
	const good = `{"id":"a","type":"measurement","temperature":21.5}`
	for name, trial := range map[string]struct {
		record []byte
		result string
	}{
		"a reading":                  {device(t, good), "Ok"},
		"a reading that is not kept": {device(t, `{"id":"a","type":"keep_alive"}`), "Dropped"},
		"nothing":                    {nil, "ProcessingFailed"},
		"an empty payload":           {device(t, ""), "ProcessingFailed"},
		"an empty object":            {device(t, "{}"), "ProcessingFailed"},
		"no JSON":                    {[]byte("hello"), "ProcessingFailed"},
		"no JSON in a message":       {device(t, "temperature=21.5"), "ProcessingFailed"},
		"binary":                     {[]byte{0, 1, 2, 0xff, 0xfe}, "ProcessingFailed"},
		"binary in a message":        {device(t, "\x1f\x8b\x08\x00\x00"), "ProcessingFailed"},
		"no UTF-8":                   {device(t, `{"id":"a","type":"measurement","note":"`+"\xc3\x28"+`"}`), "ProcessingFailed"},
		"half a surrogate pair":      {device(t, `{"id":"a","type":"measurement","note":"\ud83d"}`), "ProcessingFailed"},
		"not UTF-8 itself":           {[]byte("{\"data\":\"\xff\"}"), "ProcessingFailed"},
		"an array":                   {device(t, `[`+good+`]`), "ProcessingFailed"},
		"two readings":               {device(t, good+good), "ProcessingFailed"},
		"a name twice":               {device(t, `{"id":"a","id":"b","type":"measurement"}`), "ProcessingFailed"},
		"a megabyte":                 {device(t, `{"id":"a","type":"measurement","x":"`+strings.Repeat("x", 780_000)+`"}`), "ProcessingFailed"},
		"a megabyte of space":        {device(t, strings.Repeat(" ", 780_000)+good), "Ok"},
		"a megabyte of names":        {device(t, `{"id":"a","type":"measurement"`+strings.Repeat(`,"":0`, 150_000)+`}`), "ProcessingFailed"},
		"a megabyte of brackets":     {device(t, strings.Repeat("[", 780_000)), "ProcessingFailed"},
		"a megabyte of depth":        {device(t, `{"id":"a","type":"measurement","x":`+strings.Repeat(`{"a":`, 150_000)), "ProcessingFailed"},
		"a megabyte of digits":       {device(t, `{"id":"a","type":"measurement","battery":`+strings.Repeat("9", 780_000)+`}`), "ProcessingFailed"},
		"a topic without a thing":    {messageOf(t, "readings", good, 0), "ProcessingFailed"},
		"a device's, by a client":    {messageOf(t, "", good, 0), "ProcessingFailed"},
		"of no known type":           {device(t, `{"id":"a","type":"__proto__"}`), "ProcessingFailed"},
	} {
		response, _ := p.transform(t, timeout, eventOf(t, device(t, good), trial.record, device(t, good)))
		results := []string{response.Records[0].Result, response.Records[1].Result, response.Records[2].Result}
		if diff := gocmp.Diff([]string{"Ok", trial.result, "Ok"}, results); diff != "" {
			t.Errorf("%s between two readings: %s", name, diff)
		}
	}
	if _, logged := p.transform(t, timeout, eventOf(t, device(t, good), device(t, good))); logged.OK != 2 { // the query counts it once
		t.Errorf("the same reading twice: %+v", logged)
	}
	repeated := strings.ReplaceAll(string(eventOf(t, device(t, good), []byte("hello"))), recordID(1), recordID(0))
	answer, err := p.fn.Invoke(t.Context(), []byte(repeated), timeout)
	if err != nil || strings.Count(string(answer), "recordId") != 1 {
		t.Errorf("an id twice: %s, %v", answer, err)
	}
	if calls := p.stream.Calls(); len(calls) > 0 {
		t.Errorf("calls %v, want none while there is room", calls)
	}
}

// tooMuch are records whose rows have no room in one answer: 60 KB each that grow to 160 KB.
func tooMuch(t *testing.T, requeued int) (records [][]byte) {
	t.Helper()
	for i := range 40 {
		payload := fmt.Sprintf(`{"id":"id-%d","type":"measurement","quotes":"%s"}`, i, strings.Repeat(`\"`, 30_000))
		records = append(records, messageOf(t, "ashlar/dev/thing-1/readings", payload, requeued))
	}
	return append(records, device(t, `{"id":"last","type":"keep_alive"}`), []byte("hello"))
}

// putBackTheTail has what there was no room for come again, until all of it is answered.
func putBackTheTail(t *testing.T, p *platform) {
	ok := map[string]int{}
	records := tooMuch(t, 0)
	for round := 0; len(records) > 0; round++ {
		if round == 5 {
			t.Fatal("it does not end")
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
			t.Errorf("%+v, want some put back, one dropped and one failed", logged)
		}
		records = nil
		for _, put := range p.stream.Records()[before:] {
			var message telemetry.Message
			if err := json.Unmarshal(put.Data, &message); err != nil || message.Requeued != round+1 {
				t.Fatalf("put back: %d times, %v; want %d", message.Requeued, err, round+1)
			}
			records = append(records, put.Data)
		}
		if len(records) != logged.Requeued {
			t.Errorf("%d in the stream, want %d", len(records), logged.Requeued)
		}
		slices.SortFunc(records, func(a, b []byte) int { return strings.Compare(string(a), string(b)) }) // as if all were in one shard
	}
	for i := range 40 {
		if n := ok[fmt.Sprint("id-", i)]; n != 1 {
			t.Errorf("id-%d has %d rows", i, n)
		}
	}
	if _, logged := p.transform(t, timeout, eventOf(t, tooMuch(t, 5)...)); logged.Requeued != 0 || logged.Reasons["put back too often"] == 0 {
		t.Errorf("for the sixth time: %+v", logged)
	}
}

// surviveTheStream has the stream fail, for a while and for good.
func surviveTheStream(t *testing.T, p *platform) {
	event := eventOf(t, tooMuch(t, 0)...)
	_, usual := p.transform(t, timeout, event)
	put := len(p.stream.Records())
	for name, trial := range map[string]struct {
		fault   awstest.Fault
		refuse  bool // one of two records, once
		timeout time.Duration
		fails   bool
	}{
		"5xx, twice":                {fault: awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalFailure", Times: 2}},
		"throttled, twice":          {fault: awstest.Fault{Status: http.StatusBadRequest, Code: throttled, Times: 2}},
		"no answer, once":           {fault: awstest.Fault{Silent: true, Times: 1}},
		"connection reset, twice":   {fault: awstest.Fault{Reset: true, Times: 2}},
		"put, and the answer lost":  {fault: awstest.Fault{Cut: true, Times: 1}},
		"single records throttled":  {refuse: true},
		"5xx, for good":             {fault: awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}, timeout: 3 * time.Second, fails: true},
		"no answer, for good":       {fault: awstest.Fault{Silent: true}, timeout: 3 * time.Second, fails: true},
		"access denied":             {fault: awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"}, fails: true},
		"the stream is not there":   {fault: awstest.Fault{Status: http.StatusBadRequest, Code: "ResourceNotFoundException"}, fails: true},
		"no time for it in the end": {timeout: time.Second, fails: true},
	} {
		p.stream.SetFault(trial.fault)
		looked := 0
		p.stream.RejectRecords(func([]byte) string {
			if looked++; trial.refuse && looked <= usual.Requeued && looked%2 == 0 {
				return throttled
			}
			return ""
		})
		before := len(p.stream.Records())
		_, logged := p.transform(t, cmp.Or(trial.timeout, timeout), event)
		want := usual
		if trial.fails {
			want.Requeued, want.Failed, want.Reasons = 0, usual.Failed+usual.Requeued, maps.Clone(usual.Reasons)
			want.Reasons["not put back"] = usual.Requeued
		}
		if diff := gocmp.Diff(want, logged); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		had := len(p.stream.Records()) - before
		switch {
		case trial.fault.Cut && had != 2*put, !trial.fault.Cut && !trial.fails && had != put, trial.fails && had != 0:
			t.Errorf("%s: %d records were put, usually %d", name, had, put)
		}
	}
}

func failWithoutAnEvent(t *testing.T, p *platform) {
	for _, payload := range []string{`[]`, `null`, `{"records":[{"data":"aGVsbG8="}]}`, `{"records":[{"recordId":"r1","data":"aGVsbG8="}`} {
		if answer, err := p.fn.Invoke(t.Context(), []byte(payload), timeout); err == nil {
			t.Errorf("%s is answered %s", payload, answer)
		}
	}
}

func takeNothing(t *testing.T, p *platform) {
	response, logged := p.transform(t, timeout, eventOf(t))
	if len(response.Records) != 0 || logged.Records != 0 {
		t.Errorf("%+v, %+v", response, logged)
	}
}

func TestBootstrapDoesNotStartWithoutSettings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	if _, err := fn.Invoke(t.Context(), []byte("{}"), timeout); err == nil || !strings.Contains(err.Error(), "STREAM_NAME") {
		t.Errorf("error %v, want it to name STREAM_NAME", err)
	}
}
