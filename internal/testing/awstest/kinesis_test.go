package awstest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

func startKinesis(t *testing.T, shards int) (*awstest.Kinesis, *kinesis.Client) {
	t.Helper()
	stream := awstest.StartKinesis(t, "Readings", shards)
	return stream, kinesis.New(kinesis.Options{
		Region: "eu-central-1", BaseEndpoint: &stream.URL, Retryer: aws.NopRetryer{},
		Credentials: fakeCredentials,
	})
}

func entries(data ...string) (entries []kinesistypes.PutRecordsRequestEntry) {
	for _, d := range data {
		entries = append(entries, kinesistypes.PutRecordsRequestEntry{
			Data: []byte(d), PartitionKey: aws.String("key of " + d),
		})
	}
	return entries
}

// readShard reads a shard to its end, with at most limit records per request.
func readShard(
	t *testing.T, client *kinesis.Client, input kinesis.GetShardIteratorInput, limit int32,
) (data []string) {
	t.Helper()
	input.StreamName = aws.String("Readings")
	iterator, err := client.GetShardIterator(t.Context(), &input)
	if err != nil {
		t.Fatal(err)
	}
	for at := iterator.ShardIterator; ; {
		read, err := client.GetRecords(t.Context(),
			&kinesis.GetRecordsInput{ShardIterator: at, Limit: &limit})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range read.Records {
			if since := time.Since(*record.ApproximateArrivalTimestamp); since < 0 ||
				since > time.Minute || *record.PartitionKey == "" {
				t.Errorf("%s by %q arrived %s ago", record.Data, *record.PartitionKey, since)
			}
			data = append(data, string(record.Data))
		}
		if *read.MillisBehindLatest == 0 {
			return data
		}
		at = read.NextShardIterator
	}
}

func TestKinesis_shard_order(t *testing.T) {
	stream, client := startKinesis(t, 3)
	shardOf := map[string]string{}
	want := map[string][]string{}
	for i := range 4 {
		var data []string
		for j := range 10 {
			data = append(data, fmt.Sprint(i, "-", j))
		}
		put, err := client.PutRecords(t.Context(),
			&kinesis.PutRecordsInput{StreamName: aws.String("Readings"), Records: entries(data...)})
		if err != nil || *put.FailedRecordCount != 0 {
			t.Fatal(put, err)
		}
		for j, result := range put.Records {
			shardOf[data[j]] = *result.ShardId
			want[*result.ShardId] = append(want[*result.ShardId], data[j])
		}
	}
	for data, shard := range shardOf { // a key always has the same shard
		put, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamARN: aws.String("arn:aws:kinesis:eu-central-1:111111111111:stream/Readings"),
			Data:      []byte("again"), PartitionKey: aws.String("key of " + data),
		})
		if err != nil || *put.ShardId != shard {
			t.Fatalf("%s: %v, %v; want %s", data, put, err, shard)
		}
		want[shard] = append(want[shard], "again")
	}
	listed, err := client.ListShards(t.Context(),
		&kinesis.ListShardsInput{StreamName: aws.String("Readings")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, shard := range listed.Shards {
		input := kinesis.GetShardIteratorInput{
			ShardId: shard.ShardId, ShardIteratorType: "TRIM_HORIZON",
		}
		got[*shard.ShardId] = readShard(t, client, input, 3)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 3 || len(stream.Records()) != 80 {
		t.Errorf("%d records in %d shards\n%s", len(stream.Records()), len(want), diff)
	}
}

func TestKinesis_GetShardIterator(t *testing.T) {
	stream, client := startKinesis(t, 1)
	_, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{
		StreamName: aws.String("Readings"), Records: entries("a", "b", "c"),
	})
	if err != nil {
		t.Fatal(err)
	}
	second := stream.Records()[1].SequenceNumber
	for kind, want := range map[kinesistypes.ShardIteratorType][]string{
		"TRIM_HORIZON": {"a", "b", "c"}, "AT_SEQUENCE_NUMBER": {"b", "c"},
		"AFTER_SEQUENCE_NUMBER": {"c"}, "LATEST": nil,
	} {
		input := kinesis.GetShardIteratorInput{
			ShardId: aws.String("shardId-000000000000"), ShardIteratorType: kind,
		}
		if strings.HasSuffix(string(kind), "NUMBER") {
			input.StartingSequenceNumber = &second
		}
		if diff := cmp.Diff(want, readShard(t, client, input, 10)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

func TestKinesis_rejects_invalid_requests(t *testing.T) {
	stream, client := startKinesis(t, 1)
	put := func(name string, records []kinesistypes.PutRecordsRequestEntry) error {
		_, err := client.PutRecords(t.Context(),
			&kinesis.PutRecordsInput{StreamName: &name, Records: records})
		return err
	}
	large := string(bytes.Repeat([]byte("a"), 1<<20))
	many := strings.Split(strings.Repeat("a,", 500), ",")
	withoutKey := entries("a")
	withoutKey[0].PartitionKey = aws.String("")
	var tooMuch []kinesistypes.PutRecordsRequestEntry
	for range 11 {
		tooMuch = append(tooMuch, kinesistypes.PutRecordsRequestEntry{
			Data: []byte(large[1:]), PartitionKey: aws.String("k"),
		})
	}
	for name, rejected := range map[string]struct {
		err  error
		want string
	}{
		"another stream": {put("Other", entries("a")), "ResourceNotFoundException"},
		"no records": {
			put("Readings", []kinesistypes.PutRecordsRequestEntry{}), "ValidationException",
		},
		"too many records": {put("Readings", entries(many...)), "ValidationException"},
		"a large record":   {put("Readings", entries(large)), "ValidationException"},
		"a large request":  {put("Readings", tooMuch), "InvalidArgumentException"},
		"no partition key": {put("Readings", withoutKey), "ValidationException"},
	} {
		if code(rejected.err) != rejected.want {
			t.Errorf("%s: error %v, want %s", name, rejected.err, rejected.want)
		}
	}
	if _, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: aws.String("Readings"), ShardId: aws.String("shardId-000000000001"),
		ShardIteratorType: "LATEST",
	}); code(err) != "ResourceNotFoundException" {
		t.Errorf("another shard: error %v", err)
	}
	_, err := client.GetRecords(t.Context(),
		&kinesis.GetRecordsInput{ShardIterator: aws.String("AAAA")})
	if code(err) != "InvalidArgumentException" {
		t.Errorf("no iterator: error %v", err)
	}
	_, err = client.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
	if code(err) != "UnknownOperationException" {
		t.Errorf("an unknown operation: error %v, want UnknownOperationException", err)
	}
	if err := put("Readings", entries(many[:500]...)); err != nil || len(stream.Records()) != 500 {
		t.Errorf("the maximum number of records: %d in the stream, %v", len(stream.Records()), err)
	}
}

func TestKinesis_faults(t *testing.T) {
	for name, trial := range map[string]struct {
		fault awstest.Fault
		in    int
		want  string
	}{
		"5xx": {
			awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalFailure"}, 0,
			"InternalFailure",
		},
		"silent": {awstest.Fault{NoResponse: true}, 0, "deadline exceeded"},
		"reset":  {awstest.Fault{Reset: true}, 0, "connection reset"},
		"cut":    {awstest.Fault{TruncateResponse: true}, 1, "connection reset"},
		"another action": {
			awstest.Fault{Status: http.StatusForbidden, Action: "kinesis:GetRecords"}, 1, "",
		},
	} {
		stream, client := startKinesis(t, 1)
		stream.SetFault(trial.fault)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := client.PutRecords(ctx,
			&kinesis.PutRecordsInput{StreamName: aws.String("Readings"), Records: entries("a")})
		if len(stream.Records()) != trial.in || (err == nil) != (trial.want == "") ||
			err != nil && !strings.Contains(err.Error(), trial.want) {
			t.Errorf("%s: %d records, error %v; want %d and %q", name, len(stream.Records()), err,
				trial.in, trial.want)
		}
		if calls := stream.Calls(); len(calls) != 1 ||
			calls[0] != (awstest.Call{Action: "kinesis:PutRecords", Resource: "Readings"}) {
			t.Errorf("%s: calls %v", name, calls)
		}
	}

	stream, client := startKinesis(t, 1)
	stream.RejectRecords(func(data []byte) string {
		if string(data) == "b" {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	})
	put, err := client.PutRecords(t.Context(),
		&kinesis.PutRecordsInput{StreamName: aws.String("Readings"), Records: entries("a", "b")})
	if err != nil || *put.FailedRecordCount != 1 || put.Records[0].ErrorCode != nil ||
		aws.ToString(put.Records[1].ErrorCode) != "ProvisionedThroughputExceededException" {
		t.Errorf("one of two rejected: %+v, %v", put, err)
	}
	if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
		StreamName: aws.String("Readings"), Data: []byte("b"), PartitionKey: aws.String("k"),
	}); code(err) != "ProvisionedThroughputExceededException" {
		t.Errorf("rejected: error %v", err)
	}
}
