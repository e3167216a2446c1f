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

// patience is more than a server needs on a machine that does much else: a call that is made again puts its records twice.
const patience = time.Minute

var nobodys = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "example"}, nil
})

// start returns a stream whose client gives up on a server after patience.
func start(t *testing.T, patience time.Duration) (*awstest.Kinesis, *kinesisstream.Stream) {
	t.Helper()
	server := awstest.StartKinesis(t, "Readings", 4)
	return server, &kinesisstream.Stream{Name: "Readings", API: kinesisstream.NewClient(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL, HTTPClient: awsclient.WithResponseTimeout(patience), Credentials: nobodys,
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

// times counts how often the stream has each record.
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

func TestCallsHaveNoMoreThanTheServiceTakes(t *testing.T) {
	for name, trial := range map[string]struct{ records, size, calls int }{
		"none":               {0, 0, 0},
		"one":                {1, 0, 1},
		"as many as allowed": {500, 0, 1},
		"one more":           {501, 0, 2},
		"as much in all":     {5, 1<<20 - 16, 1},
		"too much in all":    {11, 1<<20 - 16, 3},
	} {
		server, stream := start(t, patience)
		records := numbered(trial.records, trial.size)
		rejected, err := stream.Put(t.Context(), records)
		if rejected != nil || err != nil || len(server.Calls()) != trial.calls {
			t.Errorf("%s: rejected %v, error %v, after %d calls, want %d", name, rejected, err, len(server.Calls()), trial.calls)
		}
		if counts := times(server, records); slices.ContainsFunc(counts, func(n int) bool { return n != 1 }) {
			t.Errorf("%s: the stream has them %v times", name, counts)
		}
	}
}

func TestRecordsAreSpreadOverTheShards(t *testing.T) {
	server, stream := start(t, patience)
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

func TestARecordThatIsTooLargeIsRejectedAlone(t *testing.T) {
	server, stream := start(t, patience)
	records := [][]byte{[]byte("a"), bytes.Repeat([]byte("b"), 1<<20-15), []byte("c"), {}}
	rejected, err := stream.Put(t.Context(), records)
	if !slices.Equal(rejected, []int{1}) || err == nil || !strings.Contains(err.Error(), "more than 1048560 bytes") {
		t.Errorf("rejected %v, error %v", rejected, err)
	}
	if counts := times(server, records); !slices.Equal(counts, []int{1, 0, 1, 1}) {
		t.Errorf("the stream has them %v times", counts)
	}

	server.SetFault(awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException"})
	rejected, err = stream.Put(t.Context(), records)
	if !slices.Equal(rejected, []int{0, 1, 2, 3}) || err == nil || !strings.Contains(err.Error(), "more than 1048560 bytes") || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("none is taken: rejected %v, error %v", rejected, err)
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]awstest.Fault{
		"5xx":          {Status: http.StatusInternalServerError, Code: "InternalFailure", Times: 2},
		"unavailable":  {Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Times: 2},
		"throttled":    {Status: http.StatusBadRequest, Code: throttled, Times: 2},
		"limited":      {Status: http.StatusBadRequest, Code: "LimitExceededException", Times: 2},
		"KMS throttle": {Status: http.StatusBadRequest, Code: "KMSThrottlingException", Times: 2},
		"silent":       {Silent: true, Times: 2},
		"reset":        {Reset: true, Times: 2},
	} {
		patience := patience
		if fault.Silent {
			patience = time.Second
		}
		server, stream := start(t, patience)
		server.SetFault(fault)
		records := numbered(3, 0)
		if rejected, err := stream.Put(t.Context(), records); rejected != nil || err != nil || !slices.Equal(times(server, records), []int{1, 1, 1}) {
			t.Errorf("%s: rejected %v, error %v, the stream has them %v times", name, rejected, err, times(server, records))
		}
	}
}

func TestAnAnswerThatIsLostMayPutRecordsTwice(t *testing.T) {
	server, stream := start(t, patience)
	server.SetFault(awstest.Fault{Cut: true, Times: 1})
	records := numbered(3, 0)
	if rejected, err := stream.Put(t.Context(), records); rejected != nil || err != nil || !slices.Equal(times(server, records), []int{2, 2, 2}) {
		t.Errorf("rejected %v, error %v, the stream has them %v times", rejected, err, times(server, records))
	}
}

func TestOnlyRecordsThatWereRefusedAreTriedAgain(t *testing.T) {
	server, stream := start(t, patience)
	refused := map[string]int{}
	server.RejectRecords(func(data []byte) string {
		refused[string(data)]++
		if refused[string(data)] == 1 && bytes.HasSuffix(data, []byte("1")) {
			return throttled
		}
		return ""
	})
	records := numbered(502, 0)
	if rejected, err := stream.Put(t.Context(), records); rejected != nil || err != nil || len(server.Calls()) != 3 {
		t.Errorf("rejected %v, error %v, after %d calls, want 3", rejected, err, len(server.Calls()))
	}
	if i := slices.IndexFunc(times(server, records), func(n int) bool { return n != 1 }); i >= 0 {
		t.Errorf("the stream has the record %d not once", i)
	}
}

func TestWhatIsNotTakenUntilTheEndIsRejected(t *testing.T) {
	server, stream := start(t, patience)
	server.RejectRecords(func(data []byte) string {
		if bytes.HasSuffix(data, []byte("3")) {
			return throttled
		}
		return ""
	})
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	rejected, err := stream.Put(ctx, numbered(20, 0))
	if !slices.Equal(rejected, []int{3, 13}) || !errors.Is(err, retry.ErrUnavailable) || !strings.Contains(err.Error(), throttled) {
		t.Errorf("rejected %v, error %v", rejected, err)
	}
	if calls := len(server.Calls()); calls < 2 {
		t.Errorf("%d calls, want more than one", calls)
	}
}

func TestWhatDoesNotPassIsNotTriedAgain(t *testing.T) {
	for _, fault := range []awstest.Fault{
		{Status: http.StatusBadRequest, Code: "AccessDeniedException"}, {Status: http.StatusBadRequest, Code: "KMSAccessDeniedException"},
		{Status: http.StatusBadRequest, Code: "ResourceNotFoundException"}, {Status: http.StatusBadRequest, Code: "ValidationException"},
	} {
		server, stream := start(t, patience)
		server.SetFault(fault)
		rejected, err := stream.Put(t.Context(), numbered(600, 0))
		if len(rejected) != 600 || err == nil || errors.Is(err, retry.ErrUnavailable) || !strings.Contains(err.Error(), fault.Code) || len(server.Calls()) != 1 {
			t.Errorf("%s: %d rejected, error %v, after %d calls", fault.Code, len(rejected), err, len(server.Calls()))
		}
	}
}

// An api has a fate for each call and each record, as often as there are any.
type api struct {
	calls   []error
	records []bool // true: throttled
	lost    bool   // when a call fails, it has been done
	has     map[string]bool

	called, looked int
	most, largest  int // that a call had, records and bytes
}

func (a *api) PutRecords(ctx context.Context, input *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.called++
	failure := a.calls[a.called%len(a.calls)]
	output := &kinesis.PutRecordsOutput{}
	size := 0
	for _, record := range input.Records {
		size += len(record.Data) + len(*record.PartitionKey)
		a.looked++
		var result types.PutRecordsResultEntry
		switch {
		case a.records[a.looked%len(a.records)]:
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

// Whatever fails and when, a record is in the stream or rejected.
func TestNoRecordIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		service := &api{has: map[string]bool{}, lost: rapid.Bool().Draw(rt, "lost")}
		service.records = rapid.SliceOfN(rapid.Bool(), 1, 50).Draw(rt, "throttled")
		service.calls = rapid.SliceOfN(rapid.SampledFrom([]error{
			nil, nil, errors.New("connection reset"), &smithy.GenericAPIError{Code: "InternalFailure", Fault: smithy.FaultServer},
			&smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient},
		}), 1, 10).Draw(rt, "fates")
		timeout := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(rt, "timeout")
		records := numbered(rapid.SampledFrom([]int{0, 1, 3, 499, 501, 1200}).Draw(rt, "records"), rapid.SampledFrom([]int{0, 20_000}).Draw(rt, "size"))
		var rejected []int
		var err error
		synctest.Test(t, func(t *testing.T) { // whose clock does not wait
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			rejected, err = (&kinesisstream.Stream{Name: "Readings", API: service}).Put(ctx, records)
		})
		if service.largest > 5<<20 || service.most > 500 {
			rt.Fatalf("a call has %d bytes, one %d records", service.largest, service.most)
		}
		if (err == nil) != (len(rejected) == 0) || !slices.IsSorted(rejected) || len(slices.Compact(slices.Clone(rejected))) != len(rejected) {
			rt.Fatalf("%d rejected of %d, in order: %t, error %v", len(rejected), len(records), slices.IsSorted(rejected), err)
		}
		for i, record := range records {
			if _, found := slices.BinarySearch(rejected, i); !found && !service.has[string(record)] {
				rt.Fatalf("record %d is neither in the stream nor rejected", i)
			}
		}
	})
}

// A doer is the HTTP client of a client of Kinesis.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(request *http.Request) (*http.Response, error) { return d(request) }

// TestNetHTTPCannotLoseAnAnswerAtTheEndOfABody holds what NewClient is there for.
func TestNetHTTPCannotLoseAnAnswerAtTheEndOfABody(t *testing.T) {
	var read int
	client := kinesisstream.NewClient(aws.Config{Region: "eu-central-1", Credentials: nobodys, HTTPClient: doer(func(request *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		read = len(body)
		_ = request.Body.Close() // as the SDK does when the answer begins
		if n, err := io.Copy(io.Discard, request.Body); n != 0 || err != nil {
			t.Errorf("net/http finds %d bytes more and %v, want the end", n, err)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(`{"Records":[{"SequenceNumber":"1","ShardId":"shardId-0"}]}`))}, nil
	})})
	rejected, err := (&kinesisstream.Stream{Name: "Readings", API: client}).Put(t.Context(), [][]byte{[]byte("a")})
	if rejected != nil || err != nil || read == 0 {
		t.Errorf("rejected %v, error %v, after %d bytes", rejected, err, read)
	}
}
