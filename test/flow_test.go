package test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"golang.org/x/sync/errgroup"

	declared "github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/firehosetest"
	"github.com/ashlar-cdk/ashlar/internal/testing/gatewaytest"
	"github.com/ashlar-cdk/ashlar/internal/testing/iottest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// Numbers of records by sender.
const (
	flowDevices         = 10
	deviceReadings      = 74_770 // published by devices
	clientEvents        = 20_000 // posted by clients
	wrongTableRecords   = 5_000  // published while the table's columns are wrong
	heavyRecords        = 230    // published at the end; each makes a row of twice its size
	flowRecords         = deviceReadings + clientEvents + wrongTableRecords + heavyRecords
	foreignPublications = 200 // publications to the topics of other devices
	eventsARequest      = 100
)

// An outcome is the expected outcome of a record.
type outcome string

const (
	kept      outcome = "kept"      // it is in the table, at the latest after the replay of its day
	discarded outcome = "discarded" // its type is declared with Discard
	rejected  outcome = "rejected"  // it cannot be converted to a row
)

// A flow is the path of records in Dev, as its templates define it, on emulators of the AWS
// services.
type flow struct {
	stream    *awstest.Kinesis
	objects   *s3test.Server
	broker    *iottest.Broker
	events    *gatewaytest.Method
	bootstrap string // the transform function, as built
	function  *lambdatest.Function
	delivery  *firehosetest.Delivery
	table     map[string]any // the AWS::Glue::Table

	batches int    // how many the function got
	batch   string // the invocation id of the last one
	attempt int    // how often the function got the last one

	// fault returns the fault of an attempt, or nil. A nil function means no faults.
	fault func(batch, attempt int) *invocationFault

	outcomes map[string]outcome // by id
	dropped  map[string]bool
}

const ingestionBucket = "ingestion"

// newFlow starts the emulators with the resources of Dev's templates.
func newFlow(t *testing.T) *flow {
	t.Helper()
	f := &flow{
		stream:   awstest.StartKinesis(t, stream, 2),
		objects:  s3test.Start(t),
		outcomes: map[string]outcome{},
		dropped:  map[string]bool{},
	}
	f.objects.Bucket(t, ingestionBucket)
	f.events = postEvents(t, "Dev", f.stream.URL)
	f.bootstrap = lambdatest.Build(t, transformfn.Package)
	schema, err := json.Marshal(declared.Schema())
	if err != nil {
		t.Fatal(err)
	}
	lambdatest.AddFiles(t, f.bootstrap, fstest.MapFS{transformfn.SchemaFile: {Data: schema}})
	f.function = lambdatest.New(t, f.bootstrap, map[string]string{
		"STREAM_NAME": stream, "AWS_ENDPOINT_URL_KINESIS": f.stream.URL,
	})
	fake := credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
		lambdatest.SecretAccessKey, lambdatest.SessionToken)
	streams := kinesis.New(
		kinesis.Options{BaseEndpoint: &f.stream.URL, Region: lambdatest.Region, Credentials: fake})
	objects := s3.New(s3.Options{
		BaseEndpoint: &f.objects.URL, Region: lambdatest.Region, Credentials: fake,
		UsePathStyle: true,
	})

	telemetry := platforms["Dev"]["Telemetry"]
	properties := func(resourceType, prefix string) map[string]any {
		return flowValue(telemetry,
			only(t, telemetry, resourceType, prefix).Properties).(map[string]any)
	}
	f.table = properties("AWS::Glue::Table", "TelemetryTelemetryTable")
	f.broker = iottest.Start(t, iottest.Settings{
		Policy:  properties("AWS::IoT::Policy", "Telemetry"),
		Rule:    properties("AWS::IoT::TopicRule", "Telemetry"),
		Kinesis: streams, S3: objects,
	})
	f.delivery = firehosetest.New(t, firehosetest.Settings{
		Delivery: properties("AWS::KinesisFirehose::DeliveryStream", "Telemetry"), Table: f.table,
		Kinesis: streams, S3: objects, Invoke: f.transform,
		Dropped: func(data []byte) {
			for _, id := range idsIn(t, data) {
				f.dropped[id] = true
			}
		},
	})
	return f
}

// flowValue returns a value of a template with its intrinsic functions resolved for a flow.
func flowValue(stack assembly.Stack, value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, element := range value {
			list = append(list, flowValue(stack, element))
		}
		return list
	case map[string]any:
		if parts, ok := value["Fn::Join"].([]any); ok {
			var joined []string
			for _, part := range flowValue(stack, parts[1]).([]any) {
				joined = append(joined, part.(string))
			}
			return strings.Join(joined, parts[0].(string))
		}
		if id := assembly.Refers(value); id != "" {
			names := map[string]string{
				"AWS::Partition": "aws", "AWS::Region": lambdatest.Region,
				"AWS::AccountId": "111111111111",
			}
			if name, ok := names[id]; ok {
				return name
			}
			resource := stack.Template.Resources[id]
			name, arn := id, "arn:aws:anything:"+lambdatest.Region+":111111111111:"+id
			switch resource.Type {
			case "AWS::Kinesis::Stream":
				name, arn = stream, "arn:aws:kinesis:"+lambdatest.Region+":111111111111:stream/"+
					stream
			case "AWS::S3::Bucket":
				name, arn = ingestionBucket, "arn:aws:s3:::"+ingestionBucket
			case "AWS::Glue::Table":
				name = resource.At("TableInput", "Name").(string)
			}
			if value["Ref"] != nil {
				return name
			}
			return arn
		}
		object := map[string]any{}
		for key, element := range value {
			object[key] = flowValue(stack, element)
		}
		return object
	default:
		return value
	}
}

// An invocationFault is the fault of an invocation.
type invocationFault struct {
	killed  bool                 // before it responds, as Lambda does when it runs out of memory
	timeout time.Duration        // instead of the function's own
	by      *lambdatest.Function // instead of the function
}

// transform invokes the function, with the fault of this attempt.
func (f *flow) transform(ctx context.Context, event []byte) ([]byte, error) {
	// An event begins with the invocation's id.
	if id, _, _ := bytes.Cut(event, []byte(",")); string(id) != f.batch {
		f.batch, f.attempt = string(id), 0
		f.batches++
	}
	f.attempt++
	function, timeout := f.function, time.Minute
	if f.fault != nil {
		if fault := f.fault(f.batches, f.attempt); fault != nil {
			if fault.killed {
				f.function.Kill()
			}
			function, timeout = cmp.Or(fault.by, function), cmp.Or(fault.timeout, timeout)
		}
	}
	return function.Invoke(ctx, event, timeout)
}

// A publication is a reading that a device publishes.
type publication struct {
	id      string
	payload []byte
}

// deviceReading returns reading number n, and records its expected outcome.
func (f *flow) deviceReading(n int, now time.Time) publication {
	id := fmt.Sprintf("r-%06d", n)
	reading := map[string]any{
		"id": id, "type": "measurement", "temperature": 20 + float64(n%100)/10, "battery": n % 101,
		"humidity": 0.4,
		"at":       now.Add(-time.Duration(n%48) * time.Hour).UnixMilli(),
	}
	f.outcomes[id] = kept
	switch n % 50 {
	case 1: // a device without a clock
		delete(reading, "at")
	case 2, 3:
		reading["type"], reading["firmware"] = "boot", "1.2.3"
	case 4, 5, 6:
		reading["type"], f.outcomes[id] = "keep_alive", discarded
	}
	payload := []byte(text(reading))
	if n%50 != 7 {
		return publication{id, payload}
	}
	f.outcomes[id] = rejected
	switch n / 50 % 8 {
	case 0:
		payload = []byte("no JSON, but " + id)
	case 1:
		payload = payload[:len(payload)-2] // truncated
	case 2:
		payload = bytes.Replace(payload, []byte("measurement"), []byte("measure\xff\xfe"), 1)
	case 3:
		payload = bytes.Replace(payload, []byte("measurement"), []byte("teleportation"), 1)
	case 4:
		// A type of clients.
		payload = bytes.Replace(payload, []byte("measurement"), []byte("post_view"), 1)
	case 5:
		payload = []byte(`{"id":"` + id + `","id":"` + id + `","type":"measurement"}`)
	case 6:
		payload = []byte(`{"id":"` + id + `","type":"measurement","deep":` +
			strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`)
	case 7:
		payload = []byte(`{"id":"` + id + `","type":"measurement","battery":"full"}`)
	}
	return publication{id, payload}
}

// clientEvent returns event number n, and records its expected outcome.
func (f *flow) clientEvent(n int, now time.Time) map[string]any {
	types := []string{"app_open", "post_view", "comment", "sign_up", "scroll"}
	id := fmt.Sprintf("r-%06d", n)
	reading := event(map[string]any{
		"id": id, "type": types[n%len(types)], "client": fmt.Sprint("c-", n%500),
		"post": fmt.Sprint("p-", n%30), "referrer": "feed",
		"at": now.Add(-time.Duration(n%48) * time.Hour).UTC().Format(time.RFC3339Nano),
	})
	f.outcomes[id] = kept
	switch {
	case reading["type"] == "scroll":
		f.outcomes[id] = discarded
	case n%100 == 11 && reading["type"] == "post_view":
		delete(reading, "post")
		f.outcomes[id] = rejected
	case n%100 == 12:
		reading["at"], f.outcomes[id] = "2020-01-01T00:00:00Z", rejected
	}
	return reading
}

// publish publishes from all devices at the same time.
func (f *flow) publish(published []publication) error {
	var group errgroup.Group
	for i := range flowDevices {
		group.Go(func() error {
			thing := fmt.Sprint("kettle-", i)
			device, err := f.broker.Connect(thing, thing)
			if err != nil {
				return err
			}
			var payloads [][]byte
			for n := i; n < len(published); n += flowDevices {
				payloads = append(payloads, published[n].payload)
			}
			if err := device.Publish("ashlar/dev/"+thing+"/readings", payloads...); err != nil {
				return fmt.Errorf("%s: %w", thing, err)
			}
			return device.Close()
		})
	}
	return group.Wait()
}

// post posts events in batches, and counts the retries of batches that were not accepted.
func (f *flow) post(ctx context.Context, events []any) (retries int, err error) {
	for batch := range slices.Chunk(events, eventsARequest) {
		request := gatewaytest.Request{Body: text(map[string]any{"events": batch})}
		for {
			response, err := f.events.Do(ctx, request)
			if err != nil {
				return retries, err
			}
			if response.Status == http.StatusAccepted {
				break
			}
			if response.Status != http.StatusServiceUnavailable {
				return retries, fmt.Errorf("status %d: %s", response.Status, response.Body)
			}
			retries++
		}
	}
	return retries, nil
}

// publishToForeignTopics publishes to the topics of other devices, which ends the connections.
func (f *flow) publishToForeignTopics(t *testing.T) {
	t.Helper()
	for n := range foreignPublications {
		thing := fmt.Sprint("kettle-", n%flowDevices)
		device, err := f.broker.Connect(thing, thing)
		if err != nil {
			t.Fatal(err)
		}
		topic := fmt.Sprintf("ashlar/dev/kettle-%d/readings", (n+1)%flowDevices)
		reading := text(map[string]any{"id": fmt.Sprintf("x-%06d", n), "type": "measurement"})
		if err := device.Publish(topic, []byte(reading)); err == nil {
			t.Errorf("%s has published to %s", thing, topic)
		}
	}
}

// idPattern matches the id of a record in every form. Ids of foreign publications begin with x.
var idPattern = regexp.MustCompile(`[rx]-\d{6}`)

// idsIn returns the ids in a record of the stream.
func idsIn(t *testing.T, record []byte) []string {
	var message telemetryschema.Message
	if err := json.Unmarshal(record, &message); err != nil {
		t.Errorf("%v: %s", err, record)
		return nil
	}
	return idsOf(message.Data)
}

func idsOf(payload []byte) []string {
	ids := idPattern.FindAllString(string(payload), -1)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// forEachObject calls take for each object below a prefix.
func (f *flow) forEachObject(t *testing.T, prefix string, take func(key string, content []byte)) {
	t.Helper()
	for _, key := range f.objects.Keys(t, ingestionBucket) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		found, err := f.objects.Client.GetObject(t.Context(),
			&s3.GetObjectInput{Bucket: aws.String(ingestionBucket), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(found.Body)
		if err != nil {
			t.Fatal(err)
		}
		take(key, content)
	}
}

// rows counts the rows of each record in the Parquet objects.
func (f *flow) rows(t *testing.T) map[string]int {
	t.Helper()
	rows := map[string]int{}
	partition := regexp.MustCompile(`^telemetry/type=([a-z_]+)/day=(\d{4}-\d\d-\d\d)/`)
	f.forEachObject(t, "telemetry/", func(key string, content []byte) {
		where := partition.FindStringSubmatch(key)
		if where == nil || !slices.Contains(declared.Schema().PartitionTypes(), where[1]) {
			t.Fatalf("%s is in no partition of the table", key)
		}
		type row struct {
			ID string           `parquet:"id,optional"`
			At deprecated.Int96 `parquet:"at,optional"`
		}
		found, err := parquet.Read[row](bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		for _, row := range found {
			rows[row.ID]++
			const julianDayOf1970 = 2_440_588
			day := time.Unix(0, 0).UTC().AddDate(0, 0,
				int(row.At[2])-julianDayOf1970).Format(time.DateOnly)
			if day != where[2] {
				t.Fatalf("%s: the day of %s is %s", key, row.ID, day)
			}
		}
	})
	return rows
}

// failures returns the records below the error prefix, and counts the documents of each kind.
func (f *flow) failures(t *testing.T) (ids map[string]bool, kinds map[string]int) {
	t.Helper()
	ids, kinds = map[string]bool{}, map[string]int{}
	f.forEachObject(t, "errors/", func(key string, content []byte) {
		kind := strings.Split(key, "/")[1]
		for line := range bytes.Lines(content) {
			var document struct {
				Base64OriginalPayload, RawData []byte
				ErrorCode                      string
			}
			if err := json.Unmarshal(line, &document); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			var found []string
			switch kind {
			case "rule":
				found = idsOf(document.Base64OriginalPayload)
			case "processing-failed":
				found = idsIn(t, document.RawData)
			case "format-conversion-failed":
				found = idsOf(document.RawData)
			}
			if len(found) != 1 {
				t.Fatalf("%s: a document contains %d records, want 1", key, len(found))
			}
			ids[found[0]] = true
			kinds[strings.TrimSuffix(kind+" "+document.ErrorCode, " ")]++
		}
	})
	return ids, kinds
}

// locate counts where the records of each outcome are. A record is in one place: in the table if it
// has a row, else dropped if one of its copies was, else below errors. Records that were never sent
// fail the test; the caller checks for records that are nowhere.
func (f *flow) locate(t *testing.T, when string) map[outcome]map[string]int {
	t.Helper()
	rows := f.rows(t)
	failed, kinds := f.failures(t)
	found := map[outcome]map[string]int{kept: {}, discarded: {}, rejected: {}}
	places := map[string]int{}
	copies, both := 0, 0
	for id, expected := range f.outcomes {
		place := "nowhere"
		switch {
		case rows[id] > 0:
			place = "table"
			copies += rows[id] - 1
			if failed[id] {
				both++
			}
		case f.dropped[id]:
			place = "dropped"
		case failed[id]:
			place = "errors"
		}
		found[expected][place]++
		places[place]++
	}
	for where, ids := range map[string][]string{
		"table": slices.Collect(maps.Keys(rows)), "errors": slices.Collect(maps.Keys(failed)),
		"dropped": slices.Collect(maps.Keys(f.dropped)),
	} {
		for _, id := range ids {
			if _, sent := f.outcomes[id]; !sent {
				t.Errorf("%s: %q is in %s, and was never sent", when, id, where)
			}
		}
	}
	counts := f.delivery.Counts()
	sum := counts.Ok + counts.Dropped + counts.Failed + counts.FailedInvocations
	if sum != counts.Records || counts.Records != len(f.stream.Records()) {
		t.Errorf("%s: %d records are in the stream, and the delivery counts %+v", when,
			len(f.stream.Records()), counts)
	}
	if counts.Ok != counts.Rows+counts.FormatConversionFailed {
		t.Errorf("%s: rows are missing: %+v", when, counts)
	}
	t.Logf("%s: of %d records, %d are in the table, %d were dropped, %d are only below errors/, "+
		"%d nowhere",
		when, len(f.outcomes), places["table"], places["dropped"], places["errors"],
		places["nowhere"])
	t.Logf("%s: by expected outcome: %v", when, found)
	t.Logf("%s: %d duplicate rows; %d records in the table have a copy below errors/; documents "+
		"there: %v",
		when, copies, both, kinds)
	t.Logf("%s: delivery: %+v; broker: %+v", when, counts, f.broker.Counts())
	return found
}

// TestEveryRecordEndsInOnePlaceDespiteFaults sends a hundred thousand records, from devices over
// MQTT and from clients with POST /events, while every service on their path fails as on AWS, and
// locates each. Then it replays the day: records that failed temporarily are in the table.
func TestEveryRecordEndsInOnePlaceDespiteFaults(t *testing.T) {
	f := newFlow(t)
	now := time.Now()
	begun := now
	var fromDevices []publication
	var fromClients []any
	for n := range deviceReadings {
		fromDevices = append(fromDevices, f.deviceReading(n, now))
	}
	for n := range clientEvents {
		fromClients = append(fromClients, f.clientEvent(deviceReadings+n, now))
	}

	// The stream throttles and fails: the rule writes records to the error prefix, clients retry
	// their batches.
	var put atomic.Int64
	f.stream.Intercept(func(call awstest.Call) awstest.Fault {
		if call.Action == "kinesis:PutRecord" {
			switch put.Add(1) % 400 {
			case 100:
				return awstest.Fault{
					Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
				}
			case 200:
				return awstest.Fault{
					Status: http.StatusInternalServerError, Code: "InternalFailure",
				}
			}
		}
		return awstest.Fault{}
	})
	records := 0
	f.stream.RejectRecords(func([]byte) string {
		if records++; records%2_000 == 0 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	})
	// Acknowledgements are lost: devices publish readings again that the stream has already.
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	f.broker.LosePubacks(func(payload []byte) bool {
		ids := idsOf(payload)
		if len(ids) != 1 || !strings.HasSuffix(ids[0], "77") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		seen := acknowledged[ids[0]]
		acknowledged[ids[0]] = true
		return !seen
	})
	var group errgroup.Group
	var retries int
	group.Go(func() error { return f.publish(fromDevices) })
	group.Go(func() (err error) {
		retries, err = f.post(t.Context(), fromClients)
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	f.broker.LosePubacks(nil)
	f.stream.RejectRecords(nil)
	f.publishToForeignTopics(t)
	if counts := f.broker.Counts(); counts.Lost > 0 || counts.Failed == 0 ||
		counts.Received <= deviceReadings || counts.Denied != 2*foreignPublications ||
		retries == 0 {
		t.Errorf("%d batches were retried, and the broker counts %+v", retries, counts)
	}
	t.Logf("after %s all records are published and posted", time.Since(begun).Round(time.Second))

	// Reads of the stream, writes to the bucket, and the function fail.
	reads, writes := 0, 0
	f.stream.Intercept(func(call awstest.Call) awstest.Fault {
		if call.Action == "kinesis:GetRecords" {
			if reads++; reads%3 == 0 {
				return awstest.Fault{
					Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
				}
			}
		}
		return awstest.Fault{}
	})
	f.objects.Intercept(func(call awstest.Call) awstest.Fault {
		if call.Action != "s3:PutObject" {
			return awstest.Fault{}
		}
		switch writes++; writes % 5 {
		case 1:
			return awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case 3:
			return awstest.Fault{TruncateResponse: true} // written, but the response is lost
		}
		return awstest.Fault{}
	})
	unconfigured := lambdatest.New(t, f.bootstrap, nil)
	f.fault = func(batch, attempt int) *invocationFault {
		switch {
		case batch == 2 && attempt == 1:
			return &invocationFault{killed: true}
		case batch == 4:
			return &invocationFault{by: unconfigured} // fails before it gets an event
		case batch == 6:
			return &invocationFault{timeout: time.Nanosecond}
		}
		return nil
	}
	if err := f.delivery.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.fault = nil
	f.objects.Intercept(nil)
	f.stream.Intercept(nil)

	// The table has been changed: numbers are not booleans.
	f.delivery.SetTable(t, withColumn(t, f.table, "temperature", "boolean"))
	var published []publication
	for n := range wrongTableRecords {
		published = append(published, f.deviceReading(deviceReadings+clientEvents+n, now))
	}
	if err := f.publish(published); err != nil {
		t.Fatal(err)
	}
	if err := f.delivery.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.delivery.SetTable(t, f.table)

	// Rows are twice as large as their payloads, in batches of three megabytes: a response cannot
	// hold all of them, and the stream rejects some of the requeued records at first.
	published = nil
	for n := range heavyRecords {
		id := fmt.Sprintf("r-%06d", flowRecords-heavyRecords+n)
		published = append(published, publication{id, []byte(
			`{"id":"` + id + `","type":"measurement","path":"` + strings.Repeat(`\\`, 10_000) +
				`"}`)})
		f.outcomes[id] = kept
	}
	if err := f.publish(published); err != nil {
		t.Fatal(err)
	}
	requeued := 0
	f.stream.RejectRecords(func([]byte) string {
		if requeued++; requeued < 5 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	})
	f.delivery.SetBufferSize(3 << 20)
	before := len(f.stream.Records())
	if err := f.delivery.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.stream.RejectRecords(nil)
	if requeued == 0 || len(f.stream.Records()) == before {
		t.Error("no record was requeued")
	}

	found := f.locate(t, "before the replay")
	if len(f.outcomes) != flowRecords {
		t.Fatalf("%d records were sent, want %d", len(f.outcomes), flowRecords)
	}
	t.Logf("after %s all records are delivered", time.Since(begun).Round(time.Second))
	for expected, where := range found {
		for place, count := range where {
			if place != "errors" &&
				place != map[outcome]string{kept: "table", discarded: "dropped"}[expected] &&
				count > 0 {
				t.Errorf("%d records with the outcome %s are in %s", count, expected, place)
			}
		}
	}
	if found[kept]["errors"] == 0 || found[kept]["table"] == 0 {
		t.Errorf("no fault had an effect: %v", found)
	}

	f.replay(t)
	if err := f.delivery.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	found = f.locate(t, "after the replay")
	for expected, place := range map[outcome]string{
		kept: "table", discarded: "dropped", rejected: "errors",
	} {
		if where := found[expected]; len(where) != 1 || where[place] == 0 {
			t.Errorf("records with the outcome %s are in %v, want all of them in %s", expected,
				where, place)
		}
	}
	t.Logf("after %s all records are replayed", time.Since(begun).Round(time.Second))
}

// withColumn returns the table with another type of a column.
func withColumn(t *testing.T, table map[string]any, name, kind string) map[string]any {
	t.Helper()
	var changed map[string]any
	if err := json.Unmarshal([]byte(text(table)), &changed); err != nil {
		t.Fatal(err)
	}
	for _, column := range assembly.At(changed, "TableInput", "StorageDescriptor",
		"Columns").([]any) {
		if column := column.(map[string]any); column["Name"] == name {
			column["Type"] = kind
			return changed
		}
	}
	t.Fatalf("the table has no column %s", name)
	return nil
}

// replay runs the command of make replay for each day on which records arrived: two around
// midnight.
func (f *flow) replay(t *testing.T) {
	t.Helper()
	parameters := awstest.StartSSM(t)
	parameters.PutParameter("/ashlar/Dev/IngestionBucket", ingestionBucket)
	parameters.PutParameter("/ashlar/Dev/TelemetryStream", stream)
	days := map[string]bool{}
	for _, key := range f.objects.Keys(t, ingestionBucket) {
		for _, prefix := range []string{"raw/day=", "errors/rule/day="} {
			if day, ok := strings.CutPrefix(key, prefix); ok {
				days[day[:len(time.DateOnly)]] = true
			}
		}
	}
	command := lambdatest.Build(t, "github.com/ashlar-cdk/ashlar/cmd/replay")
	for day := range days {
		replay := exec.CommandContext(t.Context(), command, "-day", day, "Dev")
		replay.Env = append(os.Environ(),
			"AWS_ENDPOINT_URL_S3="+f.objects.URL, "AWS_ENDPOINT_URL_KINESIS="+f.stream.URL,
			"AWS_ENDPOINT_URL_SSM="+parameters.URL,
			"AWS_REGION="+lambdatest.Region, "AWS_ACCESS_KEY_ID="+lambdatest.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY="+lambdatest.SecretAccessKey,
			"AWS_SESSION_TOKEN="+lambdatest.SessionToken)
		output, err := replay.CombinedOutput()
		if err != nil {
			t.Fatalf("replay: %v\n%s", err, output)
		}
		t.Logf("replay of %s:\n%s", day, output)
	}
}
