package firehosetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// An event is the function's input: "Data transformation" in the Amazon Data Firehose Developer
// Guide, with the fields that the service adds for records of a stream.
type event struct {
	InvocationID           string        `json:"invocationId"`
	SourceKinesisStreamArn string        `json:"sourceKinesisStreamArn"`
	DeliveryStreamArn      string        `json:"deliveryStreamArn"`
	Region                 string        `json:"region"`
	Records                []eventRecord `json:"records"`
}

type eventRecord struct {
	RecordID                    string   `json:"recordId"`
	ApproximateArrivalTimestamp int64    `json:"approximateArrivalTimestamp"`
	Data                        []byte   `json:"data"`
	KinesisRecordMetadata       metadata `json:"kinesisRecordMetadata"`
}

type metadata struct {
	SequenceNumber              string `json:"sequenceNumber"`
	SubsequenceNumber           int64  `json:"subsequenceNumber"`
	PartitionKey                string `json:"partitionKey"`
	ShardID                     string `json:"shardId"`
	ApproximateArrivalTimestamp int64  `json:"approximateArrivalTimestamp"`
}

// A response is the function's output.
type response struct {
	Records []responseRecord `json:"records"`
}

type responseRecord struct {
	RecordID string `json:"recordId"`
	Result   string `json:"result"`
	Data     []byte `json:"data"`
	Metadata struct {
		PartitionKeys map[string]string `json:"partitionKeys"`
	} `json:"metadata"`
}

// A lambdaError is Firehose's error for a batch or a record, with the service's code.
type lambdaError struct{ code, message string }

func (r *lambdaError) Error() string { return r.code + ": " + r.message }

// transform calls the function to transform a batch, and handles each record by its result.
func (d *Delivery) transform(ctx context.Context, batch []record) error {
	d.counts.Records += len(batch)
	e := event{
		InvocationID:           uuid.NewString(),
		SourceKinesisStreamArn: d.configuration.stream,
		DeliveryStreamArn: "arn:aws:firehose:" + lambdatest.Region +
			":111111111111:deliverystream/" + d.name,
		Region: lambdatest.Region,
	}
	for _, r := range batch {
		at := r.arrivedAt.UnixMilli()
		e.Records = append(e.Records, eventRecord{
			RecordID: r.sequenceNumber + "000000", ApproximateArrivalTimestamp: at, Data: r.data,
			KinesisRecordMetadata: metadata{
				SequenceNumber: r.sequenceNumber, PartitionKey: r.partitionKey, ShardID: r.shard,
				ApproximateArrivalTimestamp: at,
			},
		})
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		return err
	}
	var results []responseRecord
	for attempt := 1; ; attempt++ {
		d.counts.Invocations++
		text, err := d.settings.Invoke(ctx, encoded)
		if err == nil {
			results, err = checkResponse(text, e.Records)
		}
		if err == nil {
			break
		}
		if attempt > d.processor.retries {
			for _, r := range batch {
				d.counts.FailedInvocations++
				d.processingFailed(r, attempt, lambdaErrorOf(err))
			}
			return nil
		}
	}
	for i, r := range batch {
		switch output := results[i]; output.Result {
		case "Dropped":
			d.counts.Dropped++
			if d.settings.Dropped != nil {
				d.settings.Dropped(r.data)
			}
		case "ProcessingFailed":
			d.counts.Failed++
			d.processingFailed(r, 1, &lambdaError{
				"Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record",
			})
		default:
			d.counts.Ok++
			if err := d.convert(r, output); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkResponse returns the response's records in the order of records. An invalid record fails the
// batch: "Lambda errors" in "Monitor with CloudWatch Logs" in the developer guide.
func checkResponse(text []byte, records []eventRecord) ([]responseRecord, error) {
	var decoded response
	if err := json.Unmarshal(text, &decoded); err != nil {
		return nil, &lambdaError{"Lambda.JsonProcessingException", err.Error()}
	}
	byID := map[string]responseRecord{}
	for _, record := range decoded.Records {
		if _, twice := byID[record.RecordID]; twice {
			return nil, &lambdaError{"Lambda.DuplicatedRecordId", record.RecordID}
		}
		if record.Result != "Ok" && record.Result != "Dropped" &&
			record.Result != "ProcessingFailed" {
			return nil, &lambdaError{"Lambda.JsonProcessingException", "result " + record.Result}
		}
		byID[record.RecordID] = record
	}
	if len(byID) != len(records) {
		message := fmt.Sprintf("%d results for %d records", len(byID), len(records))
		return nil, &lambdaError{"Lambda.MissingRecordId", message}
	}
	results := make([]responseRecord, len(records))
	for i, record := range records {
		found, ok := byID[record.RecordID]
		if !ok {
			return nil, &lambdaError{"Lambda.MissingRecordId", record.RecordID}
		}
		results[i] = found
	}
	return results, nil
}

func lambdaErrorOf(err error) *lambdaError {
	if already, ok := errors.AsType[*lambdaError](err); ok {
		return already
	}
	if _, ok := errors.AsType[*lambdatest.TimeoutError](err); ok {
		return &lambdaError{"Lambda.FunctionTimedOut", err.Error()}
	}
	return &lambdaError{"Lambda.FunctionError", err.Error()}
}

// processingFailed records that a record cannot be processed: "Handle failure in data
// transformation" in the developer guide.
func (d *Delivery) processingFailed(r record, attempts int, reason *lambdaError) {
	d.addFailure("processing-failed", r, map[string]any{
		"attemptsMade":           attempts,
		"arrivalTimestamp":       r.arrivedAt.UnixMilli(),
		"errorCode":              reason.code,
		"errorMessage":           reason.message,
		"attemptEndingTimestamp": time.Now().UnixMilli(),
		"rawData":                r.data,
		"lambdaArn":              d.processor.function,
	})
}

// addFailure adds a document to the object for the error prefix, which has a document per line.
func (d *Delivery) addFailure(kind string, r record, document map[string]any) {
	encoded, err := json.Marshal(document)
	if err != nil {
		panic(err) // strings, numbers and bytes always have an encoding
	}
	if d.failures[kind] == nil {
		d.failures[kind] = new(object)
	}
	d.failures[kind].add(r.arrivedAt, append(encoded, '\n'))
}

func (d *Delivery) putFailures(ctx context.Context, kind string) error {
	o := d.failures[kind]
	prefix := expand(d.configuration.ErrorOutputPrefix, o.since, kind, nil)
	if err := d.put(ctx, prefix, "", o.since, o.content.Bytes()); err != nil {
		return err
	}
	delete(d.failures, kind)
	return nil
}
