// Package kinesisstream puts records into a Kinesis data stream.
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

// Limits of the service in records and bytes, partition keys included: "PutRecords" in the Kinesis
// Data Streams API Reference. It allows 10 MiB a call; half of that, the limit of earlier years, is
// enough to send and to retry.
const (
	maxRecords = 500
	maxBytes   = 5 << 20
	// The default limit of a stream: "Handle large records" in the developer guide.
	maxRecordBytes = 1 << 20
)

// API is the part of the Kinesis API that a Stream calls. A [kinesis.Client] implements it.
type API interface {
	PutRecords(
		context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options),
	) (*kinesis.PutRecordsOutput, error)
}

// A Stream puts records into a data stream, in no order: each record has a random partition key,
// which distributes them over the shards.
type Stream struct {
	Name string
	API  API
}

// Put puts records into the stream. Until ctx ends, it retries single records that are throttled,
// and calls that fail temporarily. It returns the indexes of the rejected records in ascending
// order: those that are not in the stream as far as Put knows. The others may be there twice, so
// consumers must identify a record by its content. The error is the reason for the rejections; it
// is nil if there are none.
func (s *Stream) Put(ctx context.Context, records [][]byte) (rejected []int, err error) {
	var pending []int
	for i, record := range records {
		// the service would reject the others of the call too
		if len(record)+keyBytes > maxRecordBytes {
			rejected = append(rejected, i)
			err = fmt.Errorf("put records: a record exceeds %d bytes", maxRecordBytes-keyBytes)
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

// putOnce tries once to put the records at the given indexes into the stream, and returns the
// indexes of those that are still pending.
func (s *Stream) putOnce(
	ctx context.Context, records [][]byte, indexes []int,
) (left []int, err error) {
	for len(indexes) > 0 {
		var call []types.PutRecordsRequestEntry
		size := 0
		for _, index := range indexes {
			size += len(records[index]) + keyBytes
			if len(call) == maxRecords || size > maxBytes {
				break
			}
			call = append(call, types.PutRecordsRequestEntry{
				Data: records[index], PartitionKey: aws.String(randomKey()),
			})
		}
		output, failure := s.API.PutRecords(ctx,
			&kinesis.PutRecordsInput{StreamName: &s.Name, Records: call})
		if failure != nil {
			err = wrap(failure)
			if !errors.Is(err, retry.ErrUnavailable) {
				return append(left, indexes...), err
			}
			left = append(left, indexes[:len(call)]...)
		} else {
			for i, result := range output.Records {
				// "ProvisionedThroughputExceededException or InternalFailure": both are temporary.
				if result.ErrorCode != nil {
					left = append(left, indexes[i])
					err = fmt.Errorf("put records: %w: %s", retry.ErrUnavailable, *result.ErrorCode)
				}
			}
		}
		indexes = indexes[len(call):]
	}
	return left, err
}

func wrap(err error) error {
	const action = "put records"
	// The SDK does not classify this one as temporary.
	if awsclient.Is(err, "KMSThrottlingException") {
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	}
	return awsclient.Wrap(action, err)
}

// keyBytes is the length of a random partition key.
const keyBytes = 16

func randomKey() string {
	return fmt.Sprintf("%0*x", keyBytes, rand.Uint64()) //nolint:gosec // G404: not a secret
}
