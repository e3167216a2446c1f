package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/parquetfile"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/internal/testing/athenatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/internal/testing/sqstest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const (
	day = "2026-11-20"

	// timeout is the timeout of the deployed function.
	timeout = 15 * time.Minute
)

// A platform is the built function with the services that it uses.
type platform struct {
	objects     *s3test.Server
	athena      *athenatest.Server
	bootstrap   string
	environment map[string]string
	fn          *lambdatest.Function
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{objects: s3test.Start(t)}
	p.objects.Bucket(t, "ingestion")
	p.objects.Bucket(t, "reports")
	p.athena = athenatest.Start(t, p.objects)
	telemetryTable := athenatest.Table{
		Name: "telemetry",
		PartitionKeys: []telemetryschema.Column{
			{Name: "type", Type: "string"}, {Name: "day", Type: "string"},
		},
		Parameters: map[string]string{
			"projection.enabled":        "true",
			"projection.type.type":      "enum",
			"projection.type.values":    "measurement,boot,app_open,post_view,sign_up,comment",
			"projection.day.type":       "date",
			"projection.day.format":     "yyyy-MM-dd",
			"projection.day.range":      "2026-01-01,NOW+1DAYS",
			"storage.location.template": "s3://ingestion/telemetry/type=${type}/day=${day}/",
		},
	}
	telemetryTable.StorageDescriptor.Columns = records.Schema().TableColumns()
	telemetryTable.StorageDescriptor.Location = "s3://ingestion/telemetry/"
	p.athena.CreateTable(t, telemetryTable)
	for _, report := range queries.Reports() {
		table := athenatest.Table{Name: report.Name}
		table.StorageDescriptor.Columns = report.Columns
		table.StorageDescriptor.Location = "s3://reports/parquet/" + report.Name + "/"
		p.athena.CreateTable(t, table)
	}
	var err error
	p.environment, err = lambdaenv.Encode(contract.Settings{
		QuerySettings: contract.QuerySettings{
			WorkGroup: athenatest.WorkGroup, Database: athenatest.Database,
		},
		Bucket: "reports", QueryTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, map[string]string{
		"AWS_ENDPOINT_URL_S3": p.objects.URL, "AWS_ENDPOINT_URL_ATHENA": p.athena.URL,
	})
	p.bootstrap = lambdatest.Build(t, contract.Package)
	addReports(t, p.bootstrap, queries.Reports())
	p.fn = lambdatest.New(t, p.bootstrap, p.environment)
	return p
}

// addReports puts the reports beside the executable, as the deployment does.
func addReports(t *testing.T, bootstrap string, declared []telemetryschema.Report) {
	t.Helper()
	encoded, err := json.Marshal(declared)
	if err != nil {
		t.Fatal(err)
	}
	lambdatest.AddFiles(t, bootstrap, fstest.MapFS{contract.ReportsFile: {Data: encoded}})
}

// put writes records of a type and a day as Firehose does, and returns the message that S3 sends to
// the queue.
func (p *platform) put(t *testing.T, kind, day string, rows ...records.Record) string {
	t.Helper()
	var values [][]any
	for _, r := range rows {
		values = append(values, []any{
			r.ID, r.At, r.ReceivedAt, r.IngestedAt, orNull(r.Device), orNull(r.Client),
			orNull(r.Session), orNull(r.Post), orNull(r.Firmware),
			orNull(r.Temperature), orNull(r.Battery), orNull(r.Extra),
		})
	}
	var file bytes.Buffer
	if err := parquetfile.Write(&file, records.Schema().TableColumns(), values); err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("telemetry/type=%s/day=%s/delivery-%s.parquet", kind, day, uuid.NewString())
	_, err := p.objects.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("ingestion"), Key: &key, Body: bytes.NewReader(file.Bytes()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return created(t, key)
}

func orNull[T comparable](value T) any {
	if value == *new(T) {
		return nil
	}
	return value
}

// created returns S3's notification that objects were created: "Event message structure" in the
// Amazon S3 User Guide.
func created(t *testing.T, keys ...string) string {
	t.Helper()
	var records []map[string]any
	for _, key := range keys {
		records = append(records, map[string]any{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": lambdatest.Region,
			"eventTime": "2026-11-21T12:00:00.123Z", "eventName": "ObjectCreated:Put",
			"s3": map[string]any{
				"s3SchemaVersion": "1.0", "configurationId": "Readings",
				"bucket": map[string]any{"name": "ingestion", "arn": "arn:aws:s3:::ingestion"},
				"object": map[string]any{
					"key": strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"), "size": 1024,
					"sequencer": "0055AED6DCD90281E5",
				},
			},
		})
	}
	body, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// newRecords returns the notification of a new object of a day, which does not exist.
func newRecords(t *testing.T, day string) string {
	t.Helper()
	return created(t,
		"telemetry/type=measurement/day="+day+"/delivery-"+uuid.NewString()+".parquet")
}

// device returns a measurement of a thing.
func device(id, name string, temperature float64) records.Record {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	at = at.Add(12*time.Hour + 345*time.Millisecond)
	return records.Record{
		ID: id, At: at, ReceivedAt: at, IngestedAt: at.Add(time.Minute), Device: name,
		Temperature: temperature,
	}
}

// send invokes the function with messages that have ids of their own, and returns the indexes of
// the messages to retry.
func (p *platform) send(
	t *testing.T, fn *lambdatest.Function, timeout time.Duration, bodies ...string,
) []int {
	t.Helper()
	return p.deliver(t, fn, timeout, batch(bodies...))
}

func batch(bodies ...string) []events.SQSMessage {
	messages := sqstest.Messages(bodies...)
	for i := range messages {
		messages[i].MessageId = uuid.NewString()
	}
	return messages
}

func (p *platform) deliver(
	t *testing.T, fn *lambdatest.Function, timeout time.Duration, messages []events.SQSMessage,
) []int {
	t.Helper()
	failed, err := sqstest.Invoke(t.Context(), fn, messages, timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return failed
}

// done is send for messages that must succeed at once.
func (p *platform) done(t *testing.T, bodies ...string) {
	t.Helper()
	if failed := p.send(t, p.fn, timeout, bodies...); len(failed) > 0 {
		t.Fatalf("messages %v of %d failed\n%s", failed, len(bodies), p.fn.Logs())
	}
}

// report reads a report's CSV, without the header.
func (p *platform) report(t *testing.T, name, day string) [][]string {
	t.Helper()
	object, err := p.objects.Client.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("reports"), Key: aws.String(reports.Key("csv", name, day)),
	})
	if err != nil {
		t.Fatalf("%s of %s: %v\n%s", name, day, err, p.fn.Logs())
	}
	content, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines[1:]
}

// devices returns the number of measurements per device of a day, from the report.
func (p *platform) devices(t *testing.T, day string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, line := range p.report(t, "device_health", day) {
		found[line[1]] = line[2]
	}
	return found
}

// made returns the names of the reports that exist for a day.
func (p *platform) made(t *testing.T, day string) (names []string) {
	t.Helper()
	keys := p.objects.Keys(t, "reports")
	for _, report := range queries.Reports() {
		if slices.Contains(keys, reports.Key("csv", report.Name, day)) &&
			slices.Contains(keys, reports.Key("parquet", report.Name, day)) {
			names = append(names, report.Name)
		}
	}
	return names
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)

	t.Run("new records generate their day's reports and the reports' tables", func(t *testing.T) {
		at := device("", "", 0).At
		view := records.Record{
			ID: "v", At: at, ReceivedAt: at, IngestedAt: at, Client: "client-1", Post: "=post",
		}
		open := records.Record{
			ID: "o", At: at.Add(-time.Hour), ReceivedAt: at, IngestedAt: at, Client: "client-1",
		}
		unseen := records.Record{
			ID: "c", At: at, ReceivedAt: at, IngestedAt: at, Client: "client-2", Post: "unseen",
		}
		p.done(t,
			p.put(t, "measurement", day, device("1", "thing-a", 20.5), device("2", "thing-a", 21.5),
				device("1", "thing-a", 20.5), device("1", "thing-b", 0)),
			p.put(t, "post_view", day, view), p.put(t, "app_open", day, open),
			p.put(t, "comment", day, unseen))
		var want []string
		for _, format := range []string{"csv", "parquet"} {
			for _, report := range []string{
				"daily_actives", "device_health", "funnel", "top_posts",
			} {
				want = append(want, reports.Key(format, report, day))
			}
		}
		if diff := cmp.Diff(want, p.objects.Keys(t, "reports")); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		for name, want := range map[string][][]string{
			"daily_actives": {{day, "client", "2"}, {day, "device", "2"}},
			"device_health": {
				{day, "thing-a", "2", "0", "", "21", "21.5", "", "2026-11-20T12:00:00.345Z"},
				{day, "thing-b", "1", "0", "", "", "", "", "2026-11-20T12:00:00.345Z"},
			},
			"funnel": {
				{day, "1", "app_open", "1"}, {day, "2", "post_view", "1"},
				{day, "3", "sign_up", "0"}, {day, "4", "comment", "0"},
			},
			"top_posts": {{day, "1", "'=post", "1", "1", "0"}},
		} {
			if diff := cmp.Diff(want, p.report(t, name, day)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		table := p.athena.Run(t, "SELECT device, measurements, battery_min, temperature_avg, "+
			"CAST(last_at AS varchar) FROM device_health WHERE day = '"+day+"' ORDER BY device")
		const wantTable = "[[thing-a 2 <nil> 21.0 2026-11-20 12:00:00.345] " +
			"[thing-b 1 <nil> <nil> 2026-11-20 12:00:00.345]]"
		if diff := cmp.Diff(wantTable, fmt.Sprint(table)); diff != "" {
			t.Errorf("the table of a report (-want +got):\n%s", diff)
		}
		if post := fmt.Sprint(p.athena.Run(t, "SELECT post FROM top_posts")); post != "[[=post]]" {
			t.Errorf("the post is %s in the table", post)
		}
	})
	t.Run("late records update their day's reports", func(t *testing.T) {
		p.done(t, p.put(t, "measurement", "2026-09-01", device("1", "thing-a", 1)))
		p.done(t, p.put(t, "measurement", "2026-09-01", device("2", "thing-late", 1)))
		want := map[string]string{"thing-a": "1", "thing-late": "1"}
		if diff := cmp.Diff(want, p.devices(t, "2026-09-01")); diff != "" {
			t.Errorf("measurements (-want +got):\n%s", diff)
		}
	})
	t.Run("each day of a batch is generated once", func(t *testing.T) {
		p.withoutEngine(t)
		before := len(p.athena.Queries())
		first, second := newRecords(t, "2026-09-02"), newRecords(t, "2026-09-03")
		both := strings.TrimSuffix(first, "]}") + "," +
			strings.TrimPrefix(second, `{"Records":[`)
		p.done(t, slices.Concat(slices.Repeat([]string{first}, 30), []string{both, both})...)
		if queries := len(p.athena.Queries()) - before; queries != 8 {
			t.Errorf("%d queries, want one for each report of the two days", queries)
		}
		if len(p.made(t, "2026-09-02")) != 4 || len(p.made(t, "2026-09-03")) != 4 {
			t.Error("a day does not have all its reports")
		}
	})
	t.Run("a redelivered batch reuses its queries", func(t *testing.T) {
		messages := batch(p.put(t, "measurement", "2026-09-04", device("1", "a", 1)))
		p.deliver(t, p.fn, timeout, messages)
		before := len(p.athena.Queries())
		p.done(t, p.put(t, "measurement", "2026-09-04", device("2", "b", 1)))
		if queries := len(p.athena.Queries()) - before; queries != 4 {
			t.Errorf("%d queries for new records, want 4", queries)
		}
		messages[0].Attributes["ApproximateReceiveCount"] = "2"
		failed := p.deliver(t, p.fn, timeout, messages)
		if len(failed) > 0 || len(p.athena.Queries()) != before+4 {
			t.Errorf("%v failed, %d queries, want none", failed, len(p.athena.Queries())-before-4)
		}
		if len(p.devices(t, "2026-09-04")) != 2 {
			t.Errorf("the older result replaced the newer one: %v", p.devices(t, "2026-09-04"))
		}
	})
	t.Run("the schedule generates the day of its message and the day before", func(t *testing.T) {
		p.withoutEngine(t)
		messages := batch(contract.Scheduled)
		midnight := time.Date(2026, 9, 6, 0, 0, 0, 0, time.UTC)
		messages[0].Attributes["SentTimestamp"] = fmt.Sprint(midnight.UnixMilli())
		if failed := p.deliver(t, p.fn, timeout, messages); len(failed) > 0 {
			t.Errorf("%v failed\n%s", failed, p.fn.Logs())
		}
		for _, day := range []string{"2026-09-05", "2026-09-06"} {
			for _, report := range queries.Reports() {
				if lines := p.report(t, report.Name, day); len(lines) != 0 {
					t.Errorf("%s of %s: %q, want no rows", report.Name, day, lines)
				}
				rows := p.athena.Run(t, "SELECT * FROM "+report.Name+" WHERE day = '"+day+"'")
				if len(rows) != 0 {
					t.Errorf("%s of %s: %v, want no rows", report.Name, day, rows)
				}
			}
		}
	})
	t.Run("accepts S3's test notification", func(t *testing.T) {
		before := len(p.athena.Calls()) + len(p.objects.Calls())
		p.done(t, `{"Service":"Amazon S3","Event":"s3:TestEvent",`+
			`"Time":"2026-11-21T11:00:00.000Z","Bucket":"ingestion",`+
			`"RequestId":"5582815E1AEA5ADF",`+
			`"HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR"}`)
		if after := len(p.athena.Calls()) + len(p.objects.Calls()); after != before {
			t.Errorf("%d calls, want none", after-before)
		}
	})
	t.Run("only invalid messages fail", func(t *testing.T) {
		p.withoutEngine(t)
		good := newRecords(t, "2026-09-07")
		poison := []string{
			"no JSON", "{}", `{"Records":[]}`, created(t, "telemetry/type=boot/a.parquet"),
			created(t, "telemetry/type=boot/day=2026-13-01/a.parquet"),
			created(t, "telemetry/type=boot/day='; DROP TABLE telemetry --/a.parquet"),
		}
		want := []int{}
		for i := range poison {
			want = append(want, i)
		}
		failed := p.send(t, p.fn, timeout, append(slices.Clone(poison), good)...)
		if !slices.Equal(failed, want) {
			t.Errorf("messages %v failed, want %v", failed, want)
		}
		if len(p.made(t, "2026-09-07")) != 4 {
			t.Error("the valid message was not processed")
		}
	})
	t.Run("results of many pages are complete", func(t *testing.T) {
		var rows []records.Record
		for i := range 2500 {
			rows = append(rows, device(fmt.Sprint(i), fmt.Sprintf("thing-%04d", i), 1))
		}
		p.done(t, p.put(t, "measurement", "2026-09-08", rows...))
		lines := p.report(t, "device_health", "2026-09-08")
		for i, line := range lines {
			if line[1] != fmt.Sprintf("thing-%04d", i) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		if len(lines) != len(rows) {
			t.Errorf("%d lines, want %d", len(lines), len(rows))
		}
	})

	t.Run("queries", func(t *testing.T) { testQueries(t, p) })
	t.Run("faults", func(t *testing.T) { testFaults(t, p) })

	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.fn.Logs())
	}
	for line := range strings.Lines(p.fn.Logs()) {
		if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
			t.Errorf("a log line is not JSON with one message: %s", line)
		}
	}
	if strings.Contains(p.fn.Logs(), "thing-") {
		t.Errorf("the log contains a device's name:\n%s", p.fn.Logs())
	}
	awstest.CheckActions(t, "calls.txt", slices.Concat(p.athena.Calls(), p.objects.Calls()))
}

// withoutEngine makes queries succeed at once and without rows until t ends, for tests of queries
// and calls instead of results.
func (p *platform) withoutEngine(t *testing.T) {
	p.athena.SetOutcome(withoutRows)
	t.Cleanup(func() { p.athena.SetOutcome(nil) })
}

func withoutRows(q athenatest.Query) athenatest.Outcome {
	outcome := athenatest.Outcome{State: "SUCCEEDED"}
	for _, report := range queries.Reports() {
		if report.SQL == q.SQL {
			for _, column := range report.Columns {
				outcome.Columns = append(outcome.Columns, column.Name)
			}
		}
	}
	return outcome
}

// testQueries makes queries fail in each of Athena's ways.
func testQueries(t *testing.T, p *platform) {
	failing := func(outcome athenatest.Outcome, times int) (started func() int) {
		n := 0
		p.athena.SetOutcome(func(q athenatest.Query) athenatest.Outcome {
			if !strings.Contains(q.SQL, "reached") { // not the funnel
				return withoutRows(q)
			}
			if n++; n <= times {
				return outcome
			}
			return withoutRows(q)
		})
		t.Cleanup(func() { p.athena.SetOutcome(nil) })
		return func() int { return n }
	}
	n := 0
	for name, test := range map[string]struct {
		outcome athenatest.Outcome
		times   int
		started int
		failed  bool
	}{
		"internal error": {
			athenatest.Outcome{State: "FAILED", Reason: "INTERNAL_ERROR_QUERY_ENGINE", Category: 1},
			2, 3, false,
		},
		"exhausted resources": {athenatest.Outcome{
			State: "FAILED", Reason: "Query exhausted resources at this scale factor", Category: 3,
			Retryable: true,
		}, 1, 2, false},
		"cancelled by a user": {
			athenatest.Outcome{State: "CANCELLED", Reason: "Query cancelled by user"}, 1, 2, false,
		},
		"always": {
			athenatest.Outcome{State: "FAILED", Reason: "INTERNAL_ERROR_QUERY_ENGINE", Category: 1},
			100, 3, true,
		},
		"syntax error": {athenatest.Outcome{
			State: "FAILED", Reason: "SYNTAX_ERROR: line 1:1: mismatched input", Category: 2,
		}, 100, 1, true},
		"scan limit exceeded": {athenatest.Outcome{
			State: "CANCELLED", Reason: "Query cancelled! : Bytes scanned limit was exceeded",
		}, 100, 1, true},
	} {
		t.Run("failed: "+name, func(t *testing.T) {
			started := failing(test.outcome, test.times)
			n++
			day := fmt.Sprintf("2026-06-%02d", n)
			failed := p.send(t, p.fn, timeout, newRecords(t, day))
			if len(failed) > 0 != test.failed || started() != test.started {
				t.Errorf("%v failed after %d queries, want %t after %d\n%s",
					failed, started(), test.failed, test.started, p.fn.Logs())
			}
			want := []string{"daily_actives", "top_posts", "device_health", "funnel"}
			if test.failed {
				want = want[:3]
			}
			if diff := cmp.Diff(want, p.made(t, day)); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
			if test.failed && !strings.Contains(p.fn.Logs(), test.outcome.Reason) {
				t.Errorf("the log does not contain the reason:\n%s", p.fn.Logs())
			}
		})
	}
	t.Run("stopped at the timeout", func(t *testing.T) {
		environment := maps.Clone(p.environment)
		environment["QUERY_TIMEOUT"] = "2s"
		fn := lambdatest.New(t, p.bootstrap, environment)
		failing(athenatest.Outcome{Hang: true}, 1)
		messages := batch(newRecords(t, "2026-09-11"))
		if failed := p.deliver(t, fn, timeout, messages); len(failed) != 1 {
			t.Errorf("%v failed, want the message\n%s", failed, fn.Logs())
		}
		stopped := slices.DeleteFunc(p.athena.Queries(), func(q athenatest.Query) bool {
			return q.State != "CANCELLED" || q.Parameters[0] != "'2026-09-11'"
		})
		if len(stopped) == 0 {
			t.Error("no query was stopped")
		}
		messages[0].Attributes["ApproximateReceiveCount"] = "2"
		failed := p.deliver(t, p.fn, timeout, messages)
		if len(failed) > 0 || len(p.report(t, "funnel", "2026-09-11")) != 0 {
			t.Errorf("%v failed\n%s", failed, p.fn.Logs())
		}
	})
}

func testFaults(t *testing.T, p *platform) {
	environment := maps.Clone(p.environment)
	environment["AWS_MAX_ATTEMPTS"] = "1" // so that the function retries, and not the SDK
	fn := lambdatest.New(t, p.bootstrap, environment)
	p.withoutEngine(t)
	n := 0
	for name, test := range map[string]struct {
		server interface{ SetFault(awstest.Fault) }
		fault  awstest.Fault
		failed bool // although the fault ends
	}{
		"start throttled": {p.athena, awstest.Fault{
			Status: http.StatusBadRequest, Code: "TooManyRequestsException",
			Action: "athena:StartQueryExecution", Times: 6,
		}, false},
		"get throttled": {p.athena, awstest.Fault{
			Status: http.StatusBadRequest, Code: "ThrottlingException",
			Action: "athena:GetQueryExecution", Times: 6,
		}, false},
		"results unavailable": {p.athena, awstest.Fault{
			Status: http.StatusInternalServerError, Code: "InternalServerException",
			Action: "athena:GetQueryResults", Times: 2,
		}, false},
		"response to start lost": {
			p.athena,
			awstest.Fault{TruncateResponse: true, Action: "athena:StartQueryExecution", Times: 4},
			false,
		},
		"start denied": {p.athena, awstest.Fault{
			Status: http.StatusBadRequest, Code: "AccessDeniedException",
			Action: "athena:StartQueryExecution", Times: 1,
		}, true},
		"S3 slow down": {
			p.objects,
			awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Times: 3}, false,
		},
		"write conflicts": {p.objects, awstest.Fault{
			Status: http.StatusConflict, Code: "ConditionalRequestConflict", Action: "s3:PutObject",
			Times: 3,
		}, false},
		"write denied": {p.objects, awstest.Fault{
			Status: http.StatusForbidden, Code: "AccessDenied", Action: "s3:PutObject", Times: 1,
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			day := fmt.Sprintf("2026-10-%02d", n)
			message := newRecords(t, day)
			before := len(p.athena.Queries())
			test.server.SetFault(test.fault)
			defer test.server.SetFault(awstest.Fault{})
			if failed := p.send(t, fn, timeout, message); len(failed) > 0 != test.failed {
				t.Errorf("%v failed\n%s", failed, fn.Logs())
			}
			if queries := len(p.athena.Queries()) - before; queries > 4 {
				t.Errorf("%d queries, want one for each report", queries)
			}
			if test.failed {
				p.done(t, message)
			}
			for _, report := range queries.Reports() {
				p.report(t, report.Name, day)
			}
		})
	}
}
