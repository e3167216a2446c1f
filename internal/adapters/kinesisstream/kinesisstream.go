// Package kinesisstream puts records into a stream of Amazon Kinesis Data Streams.
package kinesisstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// What the service takes, in records and bytes, partition keys included: "PutRecords" in the Kinesis Data Streams API
// Reference, which says 10 MiB a call. Half of that, which it said for long, is enough to send, and to send again.
const (
	maxRecords     = 500
	maxBytes       = 5 << 20
	maxRecordBytes = 1 << 20 // of a stream whose limit nobody has raised: "Handle large records" in the developer guide
)

// API is what is called of Kinesis. A [kinesis.Client] is one.
type API interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// A Stream takes records, in no order: each has a random partition key, which spreads them over the shards.
type Stream struct {
	Name string
	API  API
}

// Put puts records into the stream. Until ctx ends, it retries single records that are throttled, and
// calls that fail temporarily. It returns the indexes of the records that are not in the stream as
// far as it knows, the lowest first. Any other may be there twice, so a consumer identifies a record
// by its content. The error says why a record was rejected; it is nil if none was.
func (s *Stream) Put(ctx context.Context, records [][]byte) (rejected []int, err error) {
	var pending []int
	for i, record := range records {
		if len(record)+keyBytes > maxRecordBytes { // the service would refuse those beside it too
			rejected = append(rejected, i)
			err = fmt.Errorf("put into the stream: a record has more than %d bytes", maxRecordBytes-keyBytes)
			continue
		}
		pending = append(pending, i)
	}
	failure := retry.Do(ctx, func() (err error) {
		pending, err = s.putOnce(ctx, records, pending)
		return err
	}, retry.If(retry.Unavailable))
	rejected = append(rejected, pending...)
	slices.Sort(rejected)
	return rejected, errors.Join(err, failure)
}

// putOnce tries once to put the records at those places into the stream, and returns the places of those that are left.
func (s *Stream) putOnce(ctx context.Context, records [][]byte, places []int) (left []int, err error) {
	for len(places) > 0 {
		var call []types.PutRecordsRequestEntry
		size := 0
		for _, place := range places {
			size += len(records[place]) + keyBytes
			if len(call) == maxRecords || size > maxBytes {
				break
			}
			call = append(call, types.PutRecordsRequestEntry{Data: records[place], PartitionKey: aws.String(randomKey())})
		}
		output, failure := s.API.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &s.Name, Records: call})
		if failure != nil {
			err = wrap(failure)
			if !errors.Is(err, retry.ErrUnavailable) {
				return append(left, places...), err
			}
			left = append(left, places[:len(call)]...)
		} else {
			for i, result := range output.Records {
				if result.ErrorCode != nil { // "ProvisionedThroughputExceededException or InternalFailure"; both pass
					left = append(left, places[i])
					err = fmt.Errorf("put into the stream: %w: %s", retry.ErrUnavailable, *result.ErrorCode)
				}
			}
		}
		places = places[len(call):]
	}
	return left, err
}

func wrap(err error) error {
	const action = "put into the stream"
	if awsclient.Is(err, "KMSThrottlingException") { // which the SDK does not know to pass
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	}
	return awsclient.Wrap(action, err)
}

// keyBytes is what a random key has.
const keyBytes = 16

func randomKey() string {
	return fmt.Sprintf("%0*x", keyBytes, rand.Uint64()) //nolint:gosec // G404: nobody gains by guessing it
}
