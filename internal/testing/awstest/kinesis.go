package awstest

import (
	"crypto/md5" //nolint:gosec // Kinesis assigns shards by MD5
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Kinesis is a fake stream of Amazon Kinesis Data Streams: AWS_ENDPOINT_URL_KINESIS. Its shards
// never close.
type Kinesis struct {
	Recorder
	URL string

	name string

	mu     sync.Mutex
	shards [][]KinesisRecord
	count  int // records put so far
	reject func(data []byte) (code string)
}

// A KinesisRecord is a record that was put into the stream.
type KinesisRecord struct {
	Data           []byte
	PartitionKey   string
	SequenceNumber string
	ArrivedAt      time.Time // approximate, as on the service
}

// Limits of the service: "PutRecords" and "GetRecords" in the Kinesis Data Streams API Reference.
// The size of a record is the default of a stream: "Handle large records" in the developer guide.
const (
	maxPutRecords      = 500
	maxPutBytes        = 10 << 20
	maxKinesisRecord   = 1 << 20
	maxPartitionKey    = 256
	maxGetRecords      = 10_000
	maxGetRecordsBytes = 10 << 20
)

// StartKinesis returns a fake empty stream that runs until the test ends.
func StartKinesis(t testing.TB, name string, shards int) *Kinesis {
	k := &Kinesis{name: name, shards: make([][]KinesisRecord, shards)}
	k.URL = start(t, k.serve)
	return k
}

// Records returns the records of all shards, each shard's in order.
func (k *Kinesis) Records() []KinesisRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.shards...)
}

// RejectRecords calls f with each record of a PutRecords. f returns the record's error code, such
// as ProvisionedThroughputExceededException, or an empty string to accept the record. f is not
// called concurrently. A nil f resets it.
func (k *Kinesis) RejectRecords(f func(data []byte) (code string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reject = f
}

// A kinesisRequest has the parameters of all operations.
type kinesisRequest struct {
	StreamName, StreamARN string

	Data         []byte
	PartitionKey string
	Records      []kinesisEntry

	ShardId, ShardIteratorType, StartingSequenceNumber string

	ShardIterator string
	Limit         int
}

type kinesisEntry struct {
	Data         []byte
	PartitionKey string
}

type kinesisError struct {
	code, message string
}

func (e *kinesisError) Error() string { return e.code + ": " + e.message }

func (k *Kinesis) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "kinesis") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "Kinesis_20131202.")
	do, ok := map[string]func(kinesisRequest) (any, error){
		"PutRecord":        k.putRecord,
		"PutRecords":       k.putRecords,
		"ListShards":       k.listShards,
		"GetShardIterator": k.getShardIterator,
		"GetRecords":       k.getRecords,
	}[operation]
	if !ok {
		jsonError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	var request kinesisRequest
	// With an unread body, the server does not notice that a client disconnects.
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &request) != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	fault, done := k.fail(w, r, Call{Action: "kinesis:" + operation, Resource: k.name}, jsonError)
	if done {
		return
	}
	k.mu.Lock()
	response, err := do(request)
	k.mu.Unlock()
	failure, _ := err.(*kinesisError)
	switch {
	case fault.TruncateResponse:
		reset(w)
	case failure != nil:
		jsonError(w, http.StatusBadRequest, failure.code, failure.message)
	default:
		writeJSON(w, http.StatusOK, response)
	}
}

// check returns an error for a request that does not name the stream.
func (k *Kinesis) check(request kinesisRequest) error {
	if _, name, ok := strings.Cut(request.StreamARN, ":stream/"); ok {
		request.StreamName = name
	}
	if request.StreamName != k.name {
		return &kinesisError{
			"ResourceNotFoundException",
			"Stream " + request.StreamName + " under account 111111111111 not found.",
		}
	}
	return nil
}

func (k *Kinesis) putRecord(request kinesisRequest) (any, error) {
	if err := k.check(request); err != nil {
		return nil, err
	}
	entry := kinesisEntry{request.Data, request.PartitionKey}
	if err := entry.check(); err != nil {
		return nil, err
	}
	if code := k.rejection(entry.Data); code != "" {
		return nil, &kinesisError{code, ""}
	}
	shard, number := k.add(entry)
	return map[string]string{
		"ShardId": shard, "SequenceNumber": number, "EncryptionType": "KMS",
	}, nil
}

func (k *Kinesis) putRecords(request kinesisRequest) (any, error) {
	if err := k.check(request); err != nil {
		return nil, err
	}
	if len(request.Records) == 0 || len(request.Records) > maxPutRecords {
		return nil, &kinesisError{
			"ValidationException",
			"Member must have length less than or equal to 500, and greater than or equal to 1",
		}
	}
	size := 0
	for _, entry := range request.Records {
		if err := entry.check(); err != nil {
			return nil, err
		}
		size += len(entry.Data) + len(entry.PartitionKey)
	}
	if size > maxPutBytes {
		return nil, &kinesisError{"InvalidArgumentException", "Records size exceeds 10 MB limit"}
	}
	failed := 0
	results := make([]map[string]string, len(request.Records))
	for i, entry := range request.Records {
		if code := k.rejection(entry.Data); code != "" {
			failed++
			results[i] = map[string]string{
				"ErrorCode":    code,
				"ErrorMessage": "Rejected for shard shardId-000000000000 in stream " + k.name,
			}
			continue
		}
		shard, number := k.add(entry)
		results[i] = map[string]string{"ShardId": shard, "SequenceNumber": number}
	}
	return map[string]any{
		"FailedRecordCount": failed, "Records": results, "EncryptionType": "KMS",
	}, nil
}

// check returns an error for an entry that makes the service reject the entire request.
func (e kinesisEntry) check() error {
	if length := len([]rune(e.PartitionKey)); length == 0 || length > maxPartitionKey {
		return &kinesisError{
			"ValidationException",
			"Value at 'partitionKey' failed to satisfy constraint: " +
				"Member must have length between 1 and 256",
		}
	}
	if len(e.Data)+len(e.PartitionKey) > maxKinesisRecord {
		return &kinesisError{
			"ValidationException",
			"Value at 'data' failed to satisfy constraint: " +
				"Member must have length less than or equal to 1048576",
		}
	}
	return nil
}

func (k *Kinesis) rejection(data []byte) (code string) {
	if k.reject == nil {
		return ""
	}
	return k.reject(data)
}

func (k *Kinesis) add(entry kinesisEntry) (shard, number string) {
	hash := md5.Sum([]byte(entry.PartitionKey)) //nolint:gosec // Kinesis assigns shards by MD5
	i, _ := bits.Mul64(binary.BigEndian.Uint64(hash[:]), uint64(len(k.shards)))
	k.count++
	number = fmt.Sprintf("49671%051d", k.count)
	k.shards[i] = append(k.shards[i],
		KinesisRecord{entry.Data, entry.PartitionKey, number, time.Now()})
	return shardID(int(i)), number //nolint:gosec // G115: fewer than shards
}

func shardID(i int) string { return fmt.Sprintf("shardId-%012d", i) }

func (k *Kinesis) listShards(request kinesisRequest) (any, error) {
	if err := k.check(request); err != nil {
		return nil, err
	}
	shards := make([]any, len(k.shards))
	for i := range k.shards {
		shards[i] = map[string]any{
			"ShardId": shardID(i),
			"HashKeyRange": map[string]string{
				"StartingHashKey": "0", "EndingHashKey": "340282366920938463463374607431768211455",
			},
			"SequenceNumberRange": map[string]string{
				"StartingSequenceNumber": "49671" + strings.Repeat("0", 51),
			},
		}
	}
	return map[string]any{"Shards": shards}, nil
}

func (k *Kinesis) getShardIterator(request kinesisRequest) (any, error) {
	if err := k.check(request); err != nil {
		return nil, err
	}
	for i, records := range k.shards {
		if shardID(i) != request.ShardId {
			continue
		}
		compare := func(record KinesisRecord, number string) int {
			return strings.Compare(record.SequenceNumber, number)
		}
		at, found := slices.BinarySearchFunc(records, request.StartingSequenceNumber, compare)
		switch request.ShardIteratorType {
		case "TRIM_HORIZON":
			at = 0
		case "LATEST":
			at = len(records)
		case "AT_SEQUENCE_NUMBER":
		case "AFTER_SEQUENCE_NUMBER":
			if found {
				at++
			}
		default:
			return nil, &kinesisError{
				"InvalidArgumentException", "ShardIteratorType " + request.ShardIteratorType,
			}
		}
		return map[string]string{"ShardIterator": iterator(i, at)}, nil
	}
	return nil, &kinesisError{
		"ResourceNotFoundException",
		"Shard " + request.ShardId + " in stream " + k.name + " does not exist",
	}
}

func iterator(shard, at int) string { return strconv.Itoa(shard) + "/" + strconv.Itoa(at) }

func (k *Kinesis) getRecords(request kinesisRequest) (any, error) {
	var shard, at int
	if _, err := fmt.Sscanf(request.ShardIterator, "%d/%d", &shard, &at); err != nil ||
		shard >= len(k.shards) || at > len(k.shards[shard]) {
		return nil, &kinesisError{"InvalidArgumentException", "Invalid ShardIterator."}
	}
	limit := request.Limit
	if limit <= 0 || limit > maxGetRecords {
		limit = maxGetRecords
	}
	records := []any{}
	for size := 0; at < len(k.shards[shard]) && len(records) < limit; at++ {
		record := k.shards[shard][at]
		if size += len(record.Data); size > maxGetRecordsBytes && len(records) > 0 {
			break
		}
		records = append(records, map[string]any{
			"Data": record.Data, "PartitionKey": record.PartitionKey,
			"SequenceNumber": record.SequenceNumber, "EncryptionType": "KMS",
			"ApproximateArrivalTimestamp": float64(record.ArrivedAt.UnixMilli()) / 1000,
		})
	}
	behind := 0
	if at < len(k.shards[shard]) {
		behind = 1000
	}
	return map[string]any{
		"Records": records, "NextShardIterator": iterator(shard, at), "MillisBehindLatest": behind,
	}, nil
}
