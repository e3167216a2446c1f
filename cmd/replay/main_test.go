package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const (
	bucket = "ingestion"
	day    = "2026-11-20"
)

// A deployed is a deployed environment with the bucket and the stream of its telemetry.
type deployed struct {
	*s3test.Server
	stream     *awstest.Kinesis
	parameters *awstest.SSM
}

func deploy(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{
		Server: s3test.Start(t), stream: awstest.StartKinesis(t, "readings", 2),
		parameters: awstest.StartSSM(t),
	}
	d.Bucket(t, bucket)
	d.parameters.PutParameter("/ashlar/Dev/IngestionBucket", bucket)
	d.parameters.PutParameter("/ashlar/Dev/TelemetryStream", "readings")
	for name, value := range map[string]string{
		"HOME":                      t.TempDir(),
		"AWS_ENDPOINT_URL_S3":       d.URL,
		"AWS_ENDPOINT_URL_KINESIS":  d.stream.URL,
		"AWS_ENDPOINT_URL_SSM":      d.parameters.URL,
		"AWS_REGION":                lambdatest.Region,
		"AWS_ACCESS_KEY_ID":         lambdatest.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":     lambdatest.SecretAccessKey,
		"AWS_SESSION_TOKEN":         lambdatest.SessionToken,
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS":          "1",
	} {
		t.Setenv(name, value)
	}
	return d
}

func (d *deployed) put(t *testing.T, key string, content []byte) {
	t.Helper()
	_, err := d.Client.PutObject(t.Context(),
		&s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
}

// putRaw stores records as Firehose does.
func (d *deployed) putRaw(t *testing.T, key string, records ...any) {
	t.Helper()
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	for _, record := range records {
		encoded, ok := record.([]byte)
		if !ok {
			var err error
			if encoded, err = json.Marshal(record); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := compressed.Write(encoded); err != nil {
			t.Fatal(err)
		}
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	d.put(t, key, content.Bytes())
}

// inStream returns the messages in the stream, ordered by their data.
func (d *deployed) inStream(t *testing.T) []telemetryschema.Message {
	t.Helper()
	messages := []telemetryschema.Message{}
	for _, record := range d.stream.Records() {
		var message telemetryschema.Message
		if err := json.Unmarshal(record.Data, &message); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message)
	}
	slices.SortFunc(messages, func(a, b telemetryschema.Message) int {
		return bytes.Compare(a.Data, b.Data)
	})
	return messages
}

// replayed runs the command.
func replayed(ctx context.Context, arguments ...string) (stdout, stderr string, code int) {
	var out, problems bytes.Buffer
	code = run(ctx, arguments, &out, &problems)
	return out.String(), problems.String(), code
}

// seed stores the messages of a day in every form, and messages that must not be replayed.
func seed(t *testing.T, d *deployed) {
	d.putRaw(t, "raw/day="+day+"/delivery-1-a.gz",
		telemetryschema.Message{
			Topic: "ashlar/dev/kettle-1/readings", ReceivedAt: 1, Data: []byte("a"),
		},
		[]byte("no message"),
		telemetryschema.Message{ReceivedAt: 2, Data: []byte("b")},
		telemetryschema.Message{ReceivedAt: 2, Data: []byte("b again"), Requeued: 1},
		telemetryschema.Message{ReceivedAt: 2, Data: []byte("b once more"), Replayed: true})
	d.putRaw(t, "raw/day="+day+"/delivery-1-b.gz",
		telemetryschema.Message{ReceivedAt: 3, Data: []byte("c")})
	d.putRaw(t, "raw/day=2026-11-19/delivery-1-c.gz",
		telemetryschema.Message{ReceivedAt: 3, Data: []byte("of another day")})
	d.put(t, "errors/rule/day="+day+"/1", []byte(`{
		"ruleName": "readings", "topic": "ashlar/dev/kettle-2/readings",
		"clientId": "kettle-2", "base64OriginalPayload": "ZA==",
		"failures": [{
			"failedAction": "KinesisAction", "failedResource": "readings",
			"errorMessage": "throttled"
		}]
	}`))
	d.put(t, "errors/rule/day=2026-11-19/2",
		[]byte(`{"topic":"ashlar/dev/kettle-2/readings","base64OriginalPayload":"ZA=="}`))
	d.put(t, "errors/processing-failed/day="+day+"/3", []byte(`{"rawData":"YQ=="}`))
}

func TestRun(t *testing.T) {
	d := deploy(t)
	seed(t, d)
	before := time.Now()
	stdout, stderr, code := replayed(t.Context(), "-day", day, "Dev")
	wantOut := "3 of 3 objects read, 4 messages replayed\n" +
		"2 copies of requeued or replayed messages skipped\n"
	if stdout != wantOut || code != 0 {
		t.Errorf("exit code %d, stdout\n%swant\n%s", code, stdout, wantOut)
	}
	wantErr := "replay: 10 bytes of the raw copies are not messages; " +
		"the transform rejected them too\n"
	if stderr != wantErr {
		t.Errorf("stderr\n%swant\n%s", stderr, wantErr)
	}
	got := d.inStream(t)
	if len(got) != 4 {
		t.Fatalf("in the stream: %+v", got)
	}
	written := got[3].ReceivedAt
	if age := before.Sub(time.UnixMilli(written)).Abs(); age > time.Minute {
		t.Errorf("the rule's message was received %s ago, want when its document was written", age)
	}
	want := []telemetryschema.Message{
		{Topic: "ashlar/dev/kettle-1/readings", ReceivedAt: 1, Data: []byte("a"), Replayed: true},
		{ReceivedAt: 2, Data: []byte("b"), Replayed: true},
		{ReceivedAt: 3, Data: []byte("c"), Replayed: true},
		{
			Topic: "ashlar/dev/kettle-2/readings", ReceivedAt: written, Data: []byte("d"),
			Replayed: true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the stream, -want +got:\n%s", diff)
	}
	for _, call := range slices.Concat(d.Calls(), d.stream.Calls(), d.parameters.Calls()) {
		if !strings.Contains(usage, call.Action) {
			t.Errorf("the command called %s, which is not in its usage", call.Action)
		}
	}
}

// TestRun_names replays the telemetry of another team, which has no environments and parameters.
func TestRun_names(t *testing.T) {
	d := deploy(t)
	seed(t, d)
	stdout, stderr, code := replayed(t.Context(), "-day", day, "-bucket", bucket,
		"-stream", "readings")
	if !strings.HasPrefix(stdout, "3 of 3 objects read, 4 messages replayed\n") || code != 0 {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if got := d.inStream(t); len(got) != 4 {
		t.Errorf("in the stream: %+v", got)
	}
	if calls := d.parameters.Calls(); len(calls) > 0 {
		t.Errorf("the command called %v", calls)
	}
}

func TestRun_dry_run(t *testing.T) {
	d := deploy(t)
	seed(t, d)
	stdout, _, code := replayed(t.Context(), "-day", day, "-dry-run", "Dev")
	if !strings.HasPrefix(stdout, "3 of 3 objects read, 4 messages would be replayed\n") ||
		code != 0 {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if calls := d.stream.Calls(); len(calls) > 0 {
		t.Errorf("the command called %v", calls)
	}
}

func TestRun_prints_progress(t *testing.T) {
	d := deploy(t)
	var records []any
	for i := range 2*batchMessages + 1 {
		records = append(records, telemetryschema.Message{ReceivedAt: 1, Data: fmt.Append(nil, i)})
	}
	d.putRaw(t, "raw/day="+day+"/delivery-1-a.gz", records...)
	puts := 0
	d.stream.RejectRecords(func([]byte) string {
		if puts++; puts%3 == 0 && puts < 1000 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	})
	stdout, stderr, code := replayed(t.Context(), "-day", day, "Dev")
	const want = "0 of 1 objects read, 5000 messages replayed\n" +
		"0 of 1 objects read, 10000 messages replayed\n" +
		"1 of 1 objects read, 10001 messages replayed\n" +
		"0 copies of requeued or replayed messages skipped\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if got := len(d.inStream(t)); got != len(records) {
		t.Errorf("%d in the stream, want %d", got, len(records))
	}
}

func TestRun_errors(t *testing.T) {
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	today := time.Now().UTC().Format(time.DateOnly)
	denied := awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	for name, test := range map[string]struct {
		spoil     func(*testing.T, *deployed)
		arguments []string
		code      int
		puts      int // messages in the stream
		stderr    string
	}{
		"no environment": {
			arguments: []string{"-day", day}, code: 2,
			stderr: `environment "", want one of Dev, Staging, Prod`,
		},
		"unknown environment": {
			arguments: []string{"-day", day, "Test"}, code: 2,
			stderr: `environment "Test", want one of Dev, Staging, Prod`,
		},
		"bucket without stream": {
			arguments: []string{"-day", day, "-bucket", bucket}, code: 2,
			stderr: "pass both -bucket and -stream, or an environment alone",
		},
		"stream without bucket": {
			arguments: []string{"-day", day, "-stream", "readings"}, code: 2,
			stderr: "pass both -bucket and -stream, or an environment alone",
		},
		"names beside an environment": {
			arguments: []string{"-day", day, "-bucket", bucket, "-stream", "readings", "Dev"},
			code:      2,
			stderr:    "pass both -bucket and -stream, or an environment alone",
		},
		"no day": {
			arguments: []string{"Dev"}, code: 2,
			stderr: `invalid -day "": use today (UTC) or an earlier day, such as -day ` + today,
		},
		"invalid day": {
			arguments: []string{"-day", "20.11.2026", "Dev"}, code: 2,
			stderr: `invalid -day "20.11.2026"`,
		},
		"tomorrow": {
			arguments: []string{"-day", tomorrow, "Dev"}, code: 2,
			stderr: "use today (UTC) or an earlier day",
		},
		"unknown flag": {arguments: []string{"-all", "Dev"}, code: 2, stderr: "usage: replay"},
		"help": {
			arguments: []string{"--help"}, code: 0,
			stderr: "usage: replay -day YYYY-MM-DD [-dry-run] ENVIRONMENT",
		},
		"not deployed": {
			spoil: func(_ *testing.T, d *deployed) {
				d.parameters.DeleteParameter("/ashlar/Dev/IngestionBucket")
				d.parameters.DeleteParameter("/ashlar/Dev/TelemetryStream")
			},
			arguments: []string{"-day", day, "Dev"}, code: 1,
			stderr: "Dev is not deployed there; run make deploy ENV=Dev",
		},
		"no telemetry": {
			spoil: func(_ *testing.T, d *deployed) {
				d.parameters.DeleteParameter("/ashlar/Dev/TelemetryStream")
			},
			arguments: []string{"-day", day, "Dev"}, code: 1,
			stderr: "parameter /ashlar/Dev/TelemetryStream not found: " +
				"Dev has no telemetry; make deploy ENV=Dev",
		},
		"list denied": {
			spoil: func(_ *testing.T, d *deployed) {
				fault := denied
				fault.Action = "s3:ListBucket"
				d.SetFault(fault)
			},
			arguments: []string{"-day", day, "Dev"}, code: 1,
			stderr: "list raw/day=2026-11-20/ of the bucket ingestion",
		},
		"put denied": {
			spoil:     func(_ *testing.T, d *deployed) { d.stream.SetFault(denied) },
			arguments: []string{"-day", day, "Dev"}, code: 1,
			stderr: "stopped after 0 messages; fix the cause, then replay the day again " +
				"(duplicates do no harm)",
		},
		"corrupt object": { // the others are replayed
			spoil: func(t *testing.T, d *deployed) {
				d.put(t, "raw/day="+day+"/delivery-1-z.gz", []byte("not compressed"))
			},
			arguments: []string{"-day", day, "Dev"}, code: 1, puts: 4,
			stderr: "raw/day=2026-11-20/delivery-1-z.gz: gzip: invalid header",
		},
		"invalid document of the rule": {
			spoil: func(t *testing.T, d *deployed) {
				d.put(t, "errors/rule/day="+day+"/z", []byte(`{"base64OriginalPayload":"ZA=="}`))
			},
			arguments: []string{"-day", day, "Dev"}, code: 1, puts: 4,
			stderr: "errors/rule/day=2026-11-20/z: " +
				"not a document of the rule's error action: no topic",
		},
		"archived object": {
			spoil: func(_ *testing.T, d *deployed) {
				d.Intercept(func(call awstest.Call) awstest.Fault {
					if strings.HasSuffix(call.Resource, "delivery-1-a.gz") {
						return awstest.Fault{
							Status: http.StatusForbidden, Code: "InvalidObjectState",
						}
					}
					return awstest.Fault{}
				})
			},
			arguments: []string{"-day", day, "Dev"}, code: 1, puts: 2,
			stderr: "raw/day=2026-11-20/delivery-1-a.gz: the object is archived",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			seed(t, d)
			if test.spoil != nil {
				test.spoil(t, d)
			}
			_, stderr, code := replayed(t.Context(), test.arguments...)
			if code != test.code || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stderr\n%s\nwant %d and %s",
					code, stderr, test.code, test.stderr)
			}
			if got := d.inStream(t); len(got) != test.puts {
				t.Errorf("%d messages in the stream, want %d", len(got), test.puts)
			}
		})
	}
}

func TestRun_day_without_records(t *testing.T) {
	deploy(t)
	stdout, stderr, code := replayed(t.Context(), "-day", day, "Dev")
	const want = "nothing arrived on 2026-11-20: the bucket ingestion has no objects below " +
		"raw/day=2026-11-20/ and errors/rule/day=2026-11-20/\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
}

func TestRun_interrupted(t *testing.T) {
	d := deploy(t)
	seed(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	d.stream.Intercept(func(awstest.Call) awstest.Fault {
		cancel()
		return awstest.Fault{
			Status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException",
		}
	})
	_, stderr, code := replayed(ctx, "-day", day, "Dev")
	if !strings.Contains(stderr, "replay: stopped after 0 messages") || code != 1 {
		t.Errorf("%d: %s", code, stderr)
	}
}
