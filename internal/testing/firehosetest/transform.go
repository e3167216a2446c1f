package firehosetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
)

// What the function is sent: "Data transformation" in the Amazon Data Firehose Developer Guide, and what the service adds for
// records of a stream.
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

// What the function answers.
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

// A lambdaError is what Firehose has to say of a batch or a record, in its words.
type lambdaError struct{ code, message string }

func (r *lambdaError) Error() string { return r.code + ": " + r.message }

// transform has the function transform a batch, and puts each of its records where it belongs.
func (d *Delivery) transform(ctx context.Context, batch []record) error {
	d.counts.Records += len(batch)
	e := event{
		InvocationID:           uuid.NewString(),
		SourceKinesisStreamArn: d.configuration.stream,
		DeliveryStreamArn:      "arn:aws:firehose:" + lambdatest.Region + ":111111111111:deliverystream/" + d.name,
		Region:                 lambdatest.Region,
	}
	for _, r := range batch {
		at := r.arrivedAt.UnixMilli()
		e.Records = append(e.Records, eventRecord{
			RecordID: r.sequenceNumber + "000000", ApproximateArrivalTimestamp: at, Data: r.data,
			KinesisRecordMetadata: metadata{SequenceNumber: r.sequenceNumber, PartitionKey: r.partitionKey, ShardID: r.shard, ApproximateArrivalTimestamp: at},
		})
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		return err
	}
	var answers []responseRecord
	for attempt := 1; ; attempt++ {
		d.counts.Invocations++
		text, err := d.settings.Invoke(ctx, encoded)
		if err == nil {
			answers, err = checkResponse(text, e.Records)
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
		switch given := answers[i]; given.Result {
		case "Dropped":
			d.counts.Dropped++
			if d.settings.Dropped != nil {
				d.settings.Dropped(r.data)
			}
		case "ProcessingFailed":
			d.counts.Failed++
			d.processingFailed(r, 1, &lambdaError{"Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"})
		default:
			d.counts.Ok++
			if err := d.convert(r, given); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkResponse returns the answers in the order of records. What is wrong with one is wrong with the batch: "Lambda errors" in
// "Monitor with CloudWatch Logs" in the developer guide.
func checkResponse(text []byte, records []eventRecord) ([]responseRecord, error) {
	var given response
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, &lambdaError{"Lambda.JsonProcessingException", err.Error()}
	}
	byID := map[string]responseRecord{}
	for _, record := range given.Records {
		if _, twice := byID[record.RecordID]; twice {
			return nil, &lambdaError{"Lambda.DuplicatedRecordId", record.RecordID}
		}
		if record.Result != "Ok" && record.Result != "Dropped" && record.Result != "ProcessingFailed" {
			return nil, &lambdaError{"Lambda.JsonProcessingException", "result " + record.Result}
		}
		byID[record.RecordID] = record
	}
	if len(byID) != len(records) {
		return nil, &lambdaError{"Lambda.MissingRecordId", fmt.Sprintf("%d answers to %d records", len(byID), len(records))}
	}
	answers := make([]responseRecord, len(records))
	for i, record := range records {
		found, ok := byID[record.RecordID]
		if !ok {
			return nil, &lambdaError{"Lambda.MissingRecordId", record.RecordID}
		}
		answers[i] = found
	}
	return answers, nil
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

// processingFailed writes down that a record cannot be processed: "Handle failure in data transformation" in the developer guide.
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

// addFailure keeps a document for the error prefix. They are a line each.
func (d *Delivery) addFailure(kind string, r record, document map[string]any) {
	encoded, err := json.Marshal(document)
	if err != nil {
		panic(err) // it has an encoding
	}
	if d.failures[kind] == nil {
		d.failures[kind] = new(object)
	}
	d.failures[kind].add(r.arrivedAt, append(encoded, '\n'))
}

func (d *Delivery) putFailures(ctx context.Context, kind string) error {
	o := d.failures[kind]
	if err := d.put(ctx, expand(d.configuration.ErrorOutputPrefix, o.since, kind, nil), "", o.since, o.content.Bytes()); err != nil {
		return err
	}
	delete(d.failures, kind)
	return nil
}
