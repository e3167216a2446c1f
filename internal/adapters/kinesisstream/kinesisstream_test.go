package kinesisstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

// responseTimeout is longer than a server needs on a busy machine: a retried call would put its
// records twice.
const responseTimeout = time.Minute

var testCredentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
})

// start returns a stream whose client has the response timeout.
func start(t *testing.T, responseTimeout time.Duration) (*awstest.Kinesis, *kinesisstream.Stream) {
	t.Helper()
	server := awstest.StartKinesis(t, "Readings", 4)
	return server, &kinesisstream.Stream{Name: "Readings", API: kinesisstream.NewClient(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL,
		HTTPClient: awsclient.WithResponseTimeout(responseTimeout), Credentials: testCredentials,
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	})}
}

func numbered(n, size int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = append(bytes.Repeat([]byte(" "), max(size-6, 0)), fmt.Sprintf("%06d", i)...)
	}
	return records
}

// times returns how often the stream has each record.
func times(server *awstest.Kinesis, records [][]byte) []int {
	counted := map[string]int{}
	for _, record := range server.Records() {
		counted[string(record.Data)]++
	}
	var counts []int
	for _, record := range records {
		counts = append(counts, counted[string(record)])
	}
	return counts
}

const throttled = "ProvisionedThroughputExceededException"

func TestStream_Put_splits_calls_at_the_limits(t *testing.T) {
	for name, trial := range map[string]struct{ records, size, calls int }{
		"none":            {0, 0, 0},
		"one":             {1, 0, 1},
		"most records":    {500, 0, 1},
		"one record more": {501, 0, 2},
		"most bytes":      {5, 1<<20 - 16, 1},
		"too many bytes":  {11, 1<<20 - 16, 3},
	} {
		server, stream := start(t, responseTimeout)
		records := numbered(trial.records, trial.size)
		rejected, err := stream.Put(t.Context(), records)
		if rejected != nil || err != nil || len(server.Calls()) != trial.calls {
			t.Errorf("%s: rejected %v, error %v after %d calls, want %d",
				name, rejected, err, len(server.Calls()), trial.calls)
		}
		counts := times(server, records)
		if slices.ContainsFunc(counts, func(n int) bool { return n != 1 }) {
			t.Errorf("%s: the stream has %v of each", name, counts)
		}
	}
}

func TestStream_Put_distributes_records_over_shards(t *testing.T) {
	server, stream := start(t, responseTimeout)
	if _, err := stream.Put(t.Context(), numbered(1000, 0)); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, record := range server.Records() {
		keys[record.PartitionKey] = true
	}
	if len(keys) != 1000 {
		t.Errorf("%d partition keys, want one for each of 1000", len(keys))
	}
}

func TestStream_Put_rejects_large_records(t *testing.T) {
	server, stream := start(t, responseTimeout)
	records := [][]byte{[]byte("a"), bytes.Repeat([]byte("b"), 1<<20-15), []byte("c"), {}}
	rejected, err := stream.Put(t.Context(), records)
	if !slices.Equal(rejected, []int{1}) || err == nil ||
		!strings.Contains(err.Error(), "exceeds 1048560 bytes") {
		t.Errorf("rejected %v, error %v", rejected, err)
	}
	if counts := times(server, records); !slices.Equal(counts, []int{1, 0, 1, 1}) {
		t.Errorf("the stream has %v of each", counts)
	}

	server.SetFault(awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
	rejected, err = stream.Put(t.Context(), records)
	if !slices.Equal(rejected, []int{0, 1, 2, 3}) || err == nil ||
		!strings.Contains(err.Error(), "exceeds 1048560 bytes") ||
		!strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("access denied: rejected %v, error %v", rejected, err)
	}
}

func TestStream_Put_retries_temporary_failures(t *testing.T) {
	for name, fault := range map[string]awstest.Fault{
		"5xx": {Status: http.StatusInternalServerError, Code: "InternalFailure", Times: 2},
		"unavailable": {
			Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Times: 2,
		},
		"throttled":    {Status: http.StatusBadRequest, Code: throttled, Times: 2},
		"limited":      {Status: http.StatusBadRequest, Code: "LimitExceededException", Times: 2},
		"KMS throttle": {Status: http.StatusBadRequest, Code: "KMSThrottlingException", Times: 2},
		"silent":       {NoResponse: true, Times: 2},
		"reset":        {Reset: true, Times: 2},
	} {
		timeout := responseTimeout
		if fault.NoResponse {
			timeout = time.Second
		}
		server, stream := start(t, timeout)
		server.SetFault(fault)
		records := numbered(3, 0)
		rejected, err := stream.Put(t.Context(), records)
		if rejected != nil || err != nil || !slices.Equal(times(server, records), []int{1, 1, 1}) {
			t.Errorf("%s: rejected %v, error %v, the stream has %v of each",
				name, rejected, err, times(server, records))
		}
	}
}

func TestStream_Put_repeats_records_after_a_lost_response(t *testing.T) {
	server, stream := start(t, responseTimeout)
	server.SetFault(awstest.Fault{TruncateResponse: true, Times: 1})
	records := numbered(3, 0)
	rejected, err := stream.Put(t.Context(), records)
	if rejected != nil || err != nil || !slices.Equal(times(server, records), []int{2, 2, 2}) {
		t.Errorf("rejected %v, error %v, the stream has %v of each",
			rejected, err, times(server, records))
	}
}

func TestStream_Put_retries_only_rejected_records(t *testing.T) {
	server, stream := start(t, responseTimeout)
	rejections := map[string]int{}
	server.RejectRecords(func(data []byte) string {
		rejections[string(data)]++
		if rejections[string(data)] == 1 && bytes.HasSuffix(data, []byte("1")) {
			return throttled
		}
		return ""
	})
	records := numbered(502, 0)
	rejected, err := stream.Put(t.Context(), records)
	if rejected != nil || err != nil || len(server.Calls()) != 3 {
		t.Errorf("rejected %v, error %v, after %d calls, want 3",
			rejected, err, len(server.Calls()))
	}
	if i := slices.IndexFunc(times(server, records), func(n int) bool { return n != 1 }); i >= 0 {
		t.Errorf("the stream does not have the record %d once", i)
	}
}

func TestStream_Put_rejects_at_the_deadline(t *testing.T) {
	server, stream := start(t, responseTimeout)
	server.RejectRecords(func(data []byte) string {
		if bytes.HasSuffix(data, []byte("3")) {
			return throttled
		}
		return ""
	})
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	rejected, err := stream.Put(ctx, numbered(20, 0))
	if !slices.Equal(rejected, []int{3, 13}) || !errors.Is(err, retry.ErrUnavailable) ||
		!strings.Contains(err.Error(), throttled) {
		t.Errorf("rejected %v, error %v", rejected, err)
	}
	if calls := len(server.Calls()); calls < 2 {
		t.Errorf("%d calls, want more than one", calls)
	}
}

func TestStream_Put_does_not_retry_other_failures(t *testing.T) {
	for _, fault := range []awstest.Fault{
		{Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		{Status: http.StatusBadRequest, Code: "KMSAccessDeniedException"},
		{Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
		{Status: http.StatusBadRequest, Code: "ValidationException"},
	} {
		server, stream := start(t, responseTimeout)
		server.SetFault(fault)
		rejected, err := stream.Put(t.Context(), numbered(600, 0))
		if len(rejected) != 600 || err == nil || errors.Is(err, retry.ErrUnavailable) ||
			!strings.Contains(err.Error(), fault.Code) || len(server.Calls()) != 1 {
			t.Errorf("%s: %d rejected, error %v, after %d calls",
				fault.Code, len(rejected), err, len(server.Calls()))
		}
	}
}

// An api returns the configured result for each call and each record, in rotation.
type api struct {
	calls   []error
	records []bool // true: throttled
	lost    bool   // failed calls have put their records
	has     map[string]bool

	called, seen  int
	most, largest int // of a call, in records and in bytes
}

func (a *api) PutRecords(
	ctx context.Context, input *kinesis.PutRecordsInput, _ ...func(*kinesis.Options),
) (*kinesis.PutRecordsOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.called++
	failure := a.calls[a.called%len(a.calls)]
	output := &kinesis.PutRecordsOutput{}
	size := 0
	for _, record := range input.Records {
		size += len(record.Data) + len(*record.PartitionKey)
		a.seen++
		var result types.PutRecordsResultEntry
		switch {
		case a.records[a.seen%len(a.records)]:
			result.ErrorCode = aws.String(throttled)
		case failure == nil || a.lost:
			a.has[string(record.Data)] = true
		}
		output.Records = append(output.Records, result)
	}
	a.most, a.largest = max(a.most, len(input.Records)), max(a.largest, size)
	if failure != nil {
		return nil, failure
	}
	return output, nil
}

// After any failure, each record is in the stream or rejected.
func TestStream_Put_loses_no_record(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		service := &api{has: map[string]bool{}, lost: rapid.Bool().Draw(rt, "lost")}
		service.records = rapid.SliceOfN(rapid.Bool(), 1, 50).Draw(rt, "throttled")
		service.calls = rapid.SliceOfN(rapid.SampledFrom([]error{
			nil, nil, errors.New("connection reset"),
			&smithy.GenericAPIError{Code: "InternalFailure", Fault: smithy.FaultServer},
			&smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient},
		}), 1, 10).Draw(rt, "calls")
		timeouts := []time.Duration{0, time.Second, time.Minute}
		timeout := rapid.SampledFrom(timeouts).Draw(rt, "timeout")
		n := rapid.SampledFrom([]int{0, 1, 3, 499, 501, 1200}).Draw(rt, "records")
		size := rapid.SampledFrom([]int{0, 20_000}).Draw(rt, "size")
		records := numbered(n, size)
		var rejected []int
		var err error
		synctest.Test(t, func(t *testing.T) { // with a fake clock
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			stream := &kinesisstream.Stream{Name: "Readings", API: service}
			rejected, err = stream.Put(ctx, records)
		})
		if service.largest > 5<<20 || service.most > 500 {
			rt.Fatalf("a call has %d bytes, a call has %d records", service.largest, service.most)
		}
		if (err == nil) != (len(rejected) == 0) || !slices.IsSorted(rejected) ||
			len(slices.Compact(slices.Clone(rejected))) != len(rejected) {
			rt.Fatalf("%d rejected of %d, in order: %t, error %v", len(rejected), len(records),
				slices.IsSorted(rejected), err)
		}
		for i, record := range records {
			_, found := slices.BinarySearch(rejected, i)
			if !found && !service.has[string(record)] {
				rt.Fatalf("record %d is neither in the stream nor rejected", i)
			}
		}
	})
}

// A doer is an HTTP client for a Kinesis client.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(request *http.Request) (*http.Response, error) { return d(request) }

// The body must not have WriteTo: see NewClient.
func TestNewClient_reads_closed_bodies_to_their_end(t *testing.T) {
	var read int
	respond := func(request *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		read = len(body)
		_ = request.Body.Close() // as the SDK does when the response begins
		if n, err := io.Copy(io.Discard, request.Body); n != 0 || err != nil {
			t.Errorf("net/http reads %d more bytes and %v, want the end", n, err)
		}
		const response = `{"Records":[{"SequenceNumber":"1","ShardId":"shardId-0"}]}`
		return &http.Response{
			StatusCode: http.StatusOK,
			Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
			Body:       io.NopCloser(strings.NewReader(response)),
		}, nil
	}
	client := kinesisstream.NewClient(aws.Config{
		Region: "eu-central-1", Credentials: testCredentials, HTTPClient: doer(respond),
	})
	stream := &kinesisstream.Stream{Name: "Readings", API: client}
	rejected, err := stream.Put(t.Context(), [][]byte{[]byte("a")})
	if rejected != nil || err != nil || read == 0 {
		t.Errorf("rejected %v, error %v, after %d bytes", rejected, err, read)
	}
}
