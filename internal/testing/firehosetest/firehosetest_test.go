package firehosetest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/firehosetest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const delivery = `{
	"KinesisStreamSourceConfiguration": {
		"KinesisStreamARN": "arn:aws:kinesis:eu-central-1:111111111111:stream/readings"},
	"ExtendedS3DestinationConfiguration": {
		"BucketARN": "arn:aws:s3:::ingestion", "CompressionFormat": "UNCOMPRESSED",
		"Prefix": "rows/kind=!{partitionKeyFromLambda:kind}/",
		"ErrorOutputPrefix": "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/",
		"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
		"DynamicPartitioningConfiguration": {"Enabled": true},
		"ProcessingConfiguration": {"Enabled": true, "Processors": [{
			"Type": "Lambda", "Parameters": [
			{"ParameterName": "LambdaArn", "ParameterValue": "arn:of:function"},
			{"ParameterName": "NumberOfRetries", "ParameterValue": "2"}]}]},
		"DataFormatConversionConfiguration": {"Enabled": true,
			"SchemaConfiguration": {"DatabaseName": "d", "TableName": "t"},
			"InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
			"OutputFormatConfiguration": {
				"Serializer": {"ParquetSerDe": {"Compression": "SNAPPY"}}}},
		"S3BackupMode": "Enabled", "S3BackupConfiguration": {
			"BucketARN": "arn:aws:s3:::ingestion", "CompressionFormat": "GZIP",
			"Prefix": "raw/day=!{timestamp:yyyy-MM-dd}/",
			"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60}}}}`

const table = `{"DatabaseName": "d", "TableInput": {"Name": "t",
	"PartitionKeys": [{"Name": "kind", "Type": "string"}],
	"Parameters": {"storage.location.template": "s3://ingestion/rows/kind=${kind}/"},
	"StorageDescriptor": {"Columns": [
		{"Name": "id", "Type": "string"}, {"Name": "at", "Type": "timestamp"},
		{"Name": "heat", "Type": "double"},
		{"Name": "count", "Type": "bigint"}, {"Name": "is", "Type": "boolean"}]}}}`

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var properties map[string]any
	if err := json.Unmarshal([]byte(text), &properties); err != nil {
		t.Fatal(err)
	}
	return properties
}

type world struct {
	*firehosetest.Delivery
	stream  *awstest.Kinesis
	objects *s3test.Server
	streams *kinesis.Client

	invoke func(records []record) (results []any, err error)
}

// A record is a record of the function's event.
type record struct {
	RecordID                    string `json:"recordId"`
	ApproximateArrivalTimestamp int64
	Data                        []byte
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{
		stream: awstest.StartKinesis(t, "readings", 2), objects: s3test.Start(t), invoke: acceptAll,
	}
	w.objects.Bucket(t, "ingestion")
	fakeCredentials := credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
		lambdatest.SecretAccessKey, lambdatest.SessionToken)
	w.streams = kinesis.New(kinesis.Options{
		BaseEndpoint: &w.stream.URL, Region: lambdatest.Region, Credentials: fakeCredentials,
	})
	w.Delivery = firehosetest.New(t, firehosetest.Settings{
		Delivery: object(t, delivery), Table: object(t, table), Kinesis: w.streams,
		S3: s3.New(s3.Options{
			BaseEndpoint: &w.objects.URL, Region: lambdatest.Region, Credentials: fakeCredentials,
			UsePathStyle: true,
		}),
		Invoke: func(_ context.Context, event []byte) ([]byte, error) {
			var e struct{ Records []record }
			if err := json.Unmarshal(event, &e); err != nil {
				return nil, err
			}
			results, err := w.invoke(e.Records)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]any{"records": results})
		},
	})
	return w
}

// acceptAll returns each record's own data, for the partition kind=a.
func acceptAll(records []record) (results []any, err error) {
	for _, r := range records {
		results = append(results, result(r, "Ok"))
	}
	return results, nil
}

func result(r record, status string) map[string]any {
	return map[string]any{
		"recordId": r.RecordID, "result": status, "data": r.Data,
		"metadata": map[string]any{"partitionKeys": map[string]string{"kind": "a"}},
	}
}

func (w *world) put(t *testing.T, records ...string) {
	t.Helper()
	for _, data := range records {
		_, err := w.streams.PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamName: aws.String("readings"), Data: []byte(data), PartitionKey: aws.String("k"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) deliver(t *testing.T) {
	t.Helper()
	if err := w.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// read returns the contents of the objects below a prefix.
func (w *world) read(t *testing.T, prefix string) (contents [][]byte) {
	t.Helper()
	for _, key := range w.objects.Keys(t, "ingestion") {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		found, err := w.objects.Client.GetObject(t.Context(),
			&s3.GetObjectInput{Bucket: aws.String("ingestion"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(found.Body)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, content)
	}
	return contents
}

// rows returns the ids in the table.
func (w *world) rows(t *testing.T) (ids []string) {
	t.Helper()
	for _, content := range w.read(t, "rows/kind=a/") {
		type row struct {
			ID string `parquet:"id,optional"`
		}
		rows, err := parquet.Read[row](bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// failures returns the attempts, error code and raw data of the documents below the error prefix
// of a type.
func (w *world) failures(t *testing.T, kind string) (found []string) {
	t.Helper()
	prefix := "errors/" + kind + "/day=" + time.Now().UTC().Format(time.DateOnly) + "/"
	for _, content := range w.read(t, prefix) {
		for line := range bytes.Lines(content) {
			document := object(t, string(line))
			raw, err := base64.StdEncoding.DecodeString(document["rawData"].(string))
			if err != nil {
				t.Fatal(err)
			}
			code, ok := document["errorCode"]
			if !ok {
				code = document["lastErrorCode"]
			}
			found = append(found, fmt.Sprint(document["attemptsMade"], " ", code, " ", string(raw)))
		}
	}
	slices.Sort(found)
	return found
}

func TestDelivery_Deliver(t *testing.T) {
	w := start(t)
	w.put(t, `{"id":"1","at":"2026-11-21 17:43:55.123","heat":1.5,"count":7,"is":true}`,
		`{"ID":"2","at":"2026-11-21T17:43:55Z"}{"id":"3","else":1}`)
	w.deliver(t)
	w.deliver(t) // delivers nothing twice
	if diff := cmp.Diff([]string{"1", "2", "3"}, w.rows(t)); diff != "" {
		t.Errorf("rows, -want +got:\n%s", diff)
	}
	raw := w.read(t, "raw/day="+time.Now().UTC().Format(time.DateOnly)+"/")
	if len(raw) != 1 {
		t.Fatalf("%d raw copies", len(raw))
	}
	compressed, err := gzip.NewReader(bytes.NewReader(raw[0]))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(compressed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), `{"id":"1"`) ||
		!strings.Contains(string(content), `"is":true}{"ID":"2"`) {
		t.Errorf("the raw copy is %s", content)
	}
	want := firehosetest.Counts{Records: 2, Ok: 2, Rows: 3, Invocations: 1, Objects: 2}
	if w.Counts() != want {
		t.Errorf("%+v, want %+v", w.Counts(), want)
	}
}

func TestDelivery_Deliver_format_conversion_failed(t *testing.T) {
	w := start(t)
	strange := []string{
		`{"heat":"hot"}`, `{"at":"yesterday"}`, `{"count":1.5}`, `{"is":"true"}`, `{"id":1}`,
		`no JSON`, `{"id":"1"}{`,
	}
	w.put(t, append(strange, `{"id":"fits"}`)...)
	w.deliver(t)
	var want []string
	for _, data := range strange {
		want = append(want, "1 DataFormatConversion.MalformedData "+data)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, w.failures(t, "format-conversion-failed")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fits"}, w.rows(t)); diff != "" {
		t.Errorf("rows, -want +got:\n%s", diff)
	}
}

func TestDelivery_Deliver_retries_the_function(t *testing.T) {
	for name, test := range map[string]struct {
		invoke func(records []record) ([]any, error)
		want   []string
	}{
		"an error": {
			func([]record) ([]any, error) { return nil, errors.New("broken") },
			[]string{"3 Lambda.FunctionError a", "3 Lambda.FunctionError b"},
		},
		"a timeout": {
			func([]record) ([]any, error) { return nil, &lambdatest.TimeoutError{} },
			[]string{"3 Lambda.FunctionTimedOut a", "3 Lambda.FunctionTimedOut b"},
		},
		"a missing record": {
			func(r []record) ([]any, error) { return []any{result(r[0], "Ok")}, nil },
			[]string{"3 Lambda.MissingRecordId a", "3 Lambda.MissingRecordId b"},
		},
		"a duplicate record": {
			func(r []record) ([]any, error) {
				return []any{result(r[0], "Ok"), result(r[1], "Ok"), result(r[0], "Dropped")}, nil
			},
			[]string{"3 Lambda.DuplicatedRecordId a", "3 Lambda.DuplicatedRecordId b"},
		},
		"an unknown record id": {
			func(r []record) ([]any, error) {
				return []any{result(r[0], "Ok"), result(record{RecordID: "x"}, "Ok")}, nil
			},
			[]string{"3 Lambda.MissingRecordId a", "3 Lambda.MissingRecordId b"},
		},
		"an unknown result": {
			func(r []record) ([]any, error) {
				return []any{result(r[0], "Ok"), result(r[1], "OK")}, nil
			},
			[]string{"3 Lambda.JsonProcessingException a", "3 Lambda.JsonProcessingException b"},
		},
		"a rejected record": {
			func(r []record) ([]any, error) {
				return []any{result(r[0], "ProcessingFailed"), result(r[1], "Dropped")}, nil
			},
			[]string{"1 Lambda.ProcessingFailedStatus a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.invoke = test.invoke
			w.put(t, "a", "b")
			w.deliver(t)
			if diff := cmp.Diff(test.want, w.failures(t, "processing-failed")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if rows := w.rows(t); len(rows) > 0 {
				t.Errorf("rows %v", rows)
			}
			want := firehosetest.Counts{
				Records: 2, FailedInvocations: 2, Invocations: 3, Objects: 2,
			}
			if name == "a rejected record" {
				want = firehosetest.Counts{
					Records: 2, Failed: 1, Dropped: 1, Invocations: 1, Objects: 2,
				}
			}
			if w.Counts() != want {
				t.Errorf("%+v, want %+v", w.Counts(), want)
			}
		})
	}
}

func TestDelivery_Deliver_retries_stream_and_bucket(t *testing.T) {
	w := start(t)
	w.put(t, `{"id":"1"}`)
	w.stream.SetFault(
		awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalFailure", Times: 5})
	writes := 0
	w.objects.Intercept(func(awstest.Call) awstest.Fault {
		switch writes++; writes {
		case 1:
			return awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case 3:
			return awstest.Fault{TruncateResponse: true}
		}
		return awstest.Fault{}
	})
	w.deliver(t)
	// The rows are those of the write whose response was cut and of its retry.
	if diff := cmp.Diff([]string{"1", "1"}, w.rows(t)); diff != "" {
		t.Errorf("rows, -want +got:\n%s", diff)
	}
	if counts := w.Counts(); counts.Retried != 2 || counts.Rows != 1 || counts.Objects != 2 {
		t.Errorf("%+v", counts)
	}
	w.put(t, `{"id":"2"}`)
	w.objects.SetFault(awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"})
	if err := w.Deliver(t.Context()); err == nil {
		t.Error("no error for a bucket that denies access")
	}
}

func TestDelivery_SetBufferSize(t *testing.T) {
	w := start(t)
	var batches []int
	w.invoke = func(records []record) ([]any, error) {
		batches = append(batches, len(records))
		return acceptAll(records)
	}
	w.SetBufferSize(25)
	w.put(t, `{"id":"1"}`, `{"id":"2"}`, `{"id":"3"}`, `{"id":"4"}`,
		`{"id":"`+strings.Repeat("5", 30)+`"}`)
	w.deliver(t)
	if diff := cmp.Diff([]int{2, 2, 1}, batches); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
