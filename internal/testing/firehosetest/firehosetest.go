// Package firehosetest emulates Amazon Data Firehose: it reads a stream, calls a function that
// transforms the records, and delivers the result to a bucket as Parquet, as configured by the
// delivery stream and the table of a CloudFormation template. A setting that the package does not
// emulate is an error, so that no setting passes a test unchecked.
//
// Like the service, it delivers at least once, and retries when the bucket or the stream fails.
// Unlike the service, it does not wait between retries.
package firehosetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Settings configures a delivery.
type Settings struct {
	// Delivery and Table are the properties of an AWS::KinesisFirehose::DeliveryStream and of the
	// AWS::Glue::Table that it names, with values in place of references. ARNs must be valid: they
	// contain the names of the bucket and the stream.
	Delivery, Table map[string]any

	Kinesis *kinesis.Client
	S3      *s3.Client

	// Invoke calls the transform function once.
	Invoke func(ctx context.Context, event []byte) ([]byte, error)
	// Dropped, unless it is nil, is called with each record that the function drops.
	Dropped func(data []byte)
}

// A Delivery is a fake delivery stream. Its methods must not be called concurrently.
type Delivery struct {
	settings      Settings
	name          string
	configuration configuration
	processor     processor
	table         table

	iterators  map[string]*string // by shard
	raw        object
	partitions map[string]*object // by partition
	failures   map[string]*object // by error-output-type
	counts     Counts
}

// Counts counts records by result, and invocations and objects.
type Counts struct {
	Records           int // records read from the stream; the sum of the next four
	Ok                int // records that the function converted to rows
	Dropped           int // records that the function dropped; it may have requeued them
	Failed            int // records that the function rejected as ProcessingFailed
	FailedInvocations int // records whose invocations all failed

	Rows                   int // rows in the table, of the records in Ok
	FormatConversionFailed int // records that do not match the table, of the records in Ok

	Invocations int // invocations of the function, including failed ones
	Objects     int // objects in the bucket
	Retried     int // deliveries to the bucket that were retried
}

// New returns a delivery that starts at the oldest record in the stream.
func New(t testing.TB, settings Settings) *Delivery {
	t.Helper()
	d := &Delivery{
		settings:   settings,
		name:       "delivery",
		iterators:  map[string]*string{},
		partitions: map[string]*object{},
		failures:   map[string]*object{},
	}
	var resource resource
	err := decode(settings.Delivery, &resource)
	if err == nil {
		d.configuration = resource.ExtendedS3DestinationConfiguration
		d.configuration.stream = resource.KinesisStreamSourceConfiguration.KinesisStreamARN
		d.processor, err = d.configuration.check()
	}
	if err != nil {
		t.Fatalf("firehosetest: the delivery stream: %v", err)
	}
	d.SetTable(t, settings.Table)
	return d
}

// SetTable replaces the table in the catalog.
func (d *Delivery) SetTable(t testing.TB, properties map[string]any) {
	t.Helper()
	d.table = table{}
	err := decode(properties, &d.table)
	if err == nil {
		err = d.table.check(d.configuration)
	}
	if err != nil {
		t.Fatalf("firehosetest: the table: %v", err)
	}
}

// SetBufferSize sets the maximum size of the function's batches in bytes. The default is the
// template's.
func (d *Delivery) SetBufferSize(size int) { d.processor.size = size }

// Counts returns the counts so far.
func (d *Delivery) Counts() Counts { return d.counts }

// maxTries limits the retries, which the service continues without limit.
const maxTries = 100

// Deliver reads the stream to its end and delivers all records, as if the buffers' intervals had
// passed. It fails when the stream or the bucket has failed a hundred times in a row.
func (d *Delivery) Deliver(ctx context.Context) error {
	for {
		records, err := d.read(ctx)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		if err := d.process(ctx, records); err != nil {
			return err
		}
	}
	return d.flush(ctx)
}

// A record is a record of the stream.
type record struct {
	shard, partitionKey, sequenceNumber string
	data                                []byte
	arrivedAt                           time.Time
}

// read returns the new records in the stream.
func (d *Delivery) read(ctx context.Context) ([]record, error) {
	var found []record
	once := func(o *kinesis.Options) { o.RetryMaxAttempts = 1 }
	if len(d.iterators) == 0 {
		var shards *kinesis.ListShardsOutput
		err := retry(func() (err error) {
			shards, err = d.settings.Kinesis.ListShards(ctx,
				&kinesis.ListShardsInput{StreamARN: &d.configuration.stream}, once)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, shard := range shards.Shards {
			err := retry(func() error {
				input := kinesis.GetShardIteratorInput{
					StreamARN: &d.configuration.stream, ShardId: shard.ShardId,
					ShardIteratorType: "TRIM_HORIZON",
				}
				output, err := d.settings.Kinesis.GetShardIterator(ctx, &input, once)
				if err == nil {
					d.iterators[*shard.ShardId] = output.ShardIterator
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	for shard, iterator := range d.iterators {
		input := kinesis.GetRecordsInput{
			StreamARN: &d.configuration.stream, ShardIterator: iterator,
		}
		var output *kinesis.GetRecordsOutput
		err := retry(func() (err error) {
			output, err = d.settings.Kinesis.GetRecords(ctx, &input, once)
			return err
		})
		if err != nil {
			return nil, err
		}
		d.iterators[shard] = output.NextShardIterator
		for _, r := range output.Records {
			found = append(found, record{
				shard, *r.PartitionKey, *r.SequenceNumber, r.Data, *r.ApproximateArrivalTimestamp,
			})
		}
	}
	return found, nil
}

// retry calls do until it succeeds, at most a hundred times.
func retry(do func() error) error {
	var err error
	for range maxTries {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

// process keeps raw copies of records and calls the function to transform them, in batches.
func (d *Delivery) process(ctx context.Context, records []record) error {
	for len(records) > 0 {
		size, count := 0, 0
		for count < len(records) &&
			(count == 0 || size+len(records[count].data) <= d.processor.size) {
			size += len(records[count].data)
			count++
		}
		batch := records[:count]
		records = records[count:]
		for _, r := range batch {
			d.raw.add(r.arrivedAt, r.data)
		}
		if err := d.transform(ctx, batch); err != nil {
			return err
		}
		if d.raw.size >= d.configuration.S3BackupConfiguration.BufferingHints.bytes() {
			if err := d.putRaw(ctx); err != nil {
				return err
			}
		}
		for partition, part := range d.partitions {
			if part.size >= d.configuration.BufferingHints.bytes() {
				if err := d.putPartition(ctx, partition); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flush delivers the contents of the buffers.
func (d *Delivery) flush(ctx context.Context) error {
	if err := d.putRaw(ctx); err != nil {
		return err
	}
	for partition := range d.partitions {
		if err := d.putPartition(ctx, partition); err != nil {
			return err
		}
	}
	for kind := range d.failures { // after the partitions, which may have added failures
		if err := d.putFailures(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// put writes an object. If the response is lost, it retries under another key: the service delivers
// at least once.
func (d *Delivery) put(
	ctx context.Context, prefix, extension string, since time.Time, content []byte,
) error {
	attempt := 0
	return retry(func() error {
		if attempt++; attempt > 1 {
			d.counts.Retried++
		}
		bucket := bucketOf(d.configuration.BucketARN)
		key := fmt.Sprintf("%s%s-1-%s-%s%s", prefix, d.name,
			since.UTC().Format("2006-01-02-15-04-05"), uuid.NewString(), extension)
		_, err := d.settings.S3.PutObject(ctx,
			&s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)},
			func(o *s3.Options) { o.RetryMaxAttempts = 1 })
		if err == nil {
			d.counts.Objects++
		}
		return err
	})
}

// An object is the content of one delivery.
type object struct {
	since   time.Time // arrival of the oldest record in the stream
	size    int
	content bytes.Buffer
	rows    [][]any
}

func (o *object) add(arrivedAt time.Time, data []byte) {
	if o.since.IsZero() || arrivedAt.Before(o.since) {
		o.since = arrivedAt
	}
	o.size += len(data)
	o.content.Write(data)
}

// placeholder is an expression of a prefix: "Understand custom prefixes for Amazon S3 objects" in
// the Amazon Data Firehose Developer Guide.
var placeholder = regexp.MustCompile(`!\{([^:}]*):([^}]*)\}`)

// expand replaces the placeholders of a prefix.
func expand(
	prefix string, since time.Time, errorType string, partitionKeys map[string]string,
) string {
	return placeholder.ReplaceAllStringFunc(prefix, func(expression string) string {
		parts := placeholder.FindStringSubmatch(expression)
		switch parts[1] {
		case "timestamp":
			return since.UTC().Format(time.DateOnly)
		case "firehose":
			return errorType
		default:
			return partitionKeys[parts[2]]
		}
	})
}

func bucketOf(arn string) string { return strings.TrimPrefix(arn, "arn:aws:s3:::") }

// decode decodes properties into a struct that must have a field for each of them.
func decode(properties map[string]any, into any) error {
	encoded, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// A resource is an AWS::KinesisFirehose::DeliveryStream. Properties that do not matter here are of
// type any.
type resource struct {
	DeliveryStreamType               string
	KinesisStreamSourceConfiguration struct{ KinesisStreamARN, RoleARN string }

	ExtendedS3DestinationConfiguration configuration
	Tags                               any
}

type configuration struct {
	stream string

	BucketARN, RoleARN, Prefix, ErrorOutputPrefix, CompressionFormat, S3BackupMode string
	BufferingHints                                                                 hints
	DynamicPartitioningConfiguration                                               struct {
		Enabled      bool
		RetryOptions any
	}
	ProcessingConfiguration struct {
		Enabled    bool
		Processors []struct {
			Type       string
			Parameters []struct{ ParameterName, ParameterValue string }
		}
	}
	DataFormatConversionConfiguration struct {
		Enabled             bool
		SchemaConfiguration struct {
			CatalogId, Region, DatabaseName, TableName, VersionId, RoleARN string
		}
		InputFormatConfiguration struct {
			Deserializer struct {
				OpenXJsonSerDe *struct{ CaseInsensitive bool }
			}
		}
		OutputFormatConfiguration struct {
			Serializer struct {
				ParquetSerDe *struct{ Compression string }
			}
		}
	}
	S3BackupConfiguration struct {
		BucketARN, RoleARN, Prefix, ErrorOutputPrefix, CompressionFormat string
		BufferingHints                                                   hints
		EncryptionConfiguration, CloudWatchLoggingOptions                any
	}
	EncryptionConfiguration, CloudWatchLoggingOptions any
}

type hints struct{ SizeInMBs, IntervalInSeconds int }

func (h hints) bytes() int { return h.SizeInMBs << 20 }

// A processor is the function with its settings.
type processor struct {
	function string
	retries  int
	size     int // of a batch, in bytes
}

// check returns the processor, or an error for a setting that the package does not emulate.
func (c configuration) check() (processor, error) {
	conversion := c.DataFormatConversionConfiguration
	for name, is := range map[string]bool{
		"dynamic partitioning": c.DynamicPartitioningConfiguration.Enabled,
		"processing": c.ProcessingConfiguration.Enabled &&
			len(c.ProcessingConfiguration.Processors) == 1,
		"conversion": conversion.Enabled,
		"OpenX": conversion.InputFormatConfiguration.
			Deserializer.OpenXJsonSerDe != nil,
		"Parquet": conversion.OutputFormatConfiguration.
			Serializer.ParquetSerDe != nil,
		"raw copies": c.S3BackupMode == "Enabled" &&
			c.S3BackupConfiguration.CompressionFormat == "GZIP",
		"one bucket": c.BucketARN == c.S3BackupConfiguration.BucketARN &&
			strings.HasPrefix(c.BucketARN, "arn:aws:s3:::"),
		"no compression besides Parquet's": c.CompressionFormat == "UNCOMPRESSED",
		"an error prefix with error-output-type": strings.Contains(c.ErrorOutputPrefix,
			"!{firehose:error-output-type}"),
	} {
		if !is {
			return processor{}, fmt.Errorf("want %s; firehosetest emulates nothing else", name)
		}
	}
	for _, prefix := range []string{c.Prefix, c.ErrorOutputPrefix, c.S3BackupConfiguration.Prefix} {
		for _, parts := range placeholder.FindAllStringSubmatch(prefix, -1) {
			known := parts[1] == "partitionKeyFromLambda" ||
				parts[0] == "!{timestamp:yyyy-MM-dd}" ||
				parts[0] == "!{firehose:error-output-type}"
			if !known {
				return processor{}, fmt.Errorf("firehosetest does not emulate %s", parts[0])
			}
		}
	}
	// The defaults are those of ProcessorParameter in the API reference.
	p := processor{retries: 3, size: 1 << 20}
	for _, parameter := range c.ProcessingConfiguration.Processors[0].Parameters {
		var err error
		switch parameter.ParameterName {
		case "LambdaArn":
			p.function = parameter.ParameterValue
		case "NumberOfRetries":
			p.retries, err = strconv.Atoi(parameter.ParameterValue)
		case "BufferSizeInMBs":
			var size float64
			size, err = strconv.ParseFloat(parameter.ParameterValue, 64)
			p.size = int(size * (1 << 20))
		case "BufferIntervalInSeconds", "RoleArn":
		default:
			err = errors.New("firehosetest does not emulate it")
		}
		if err != nil {
			return processor{}, fmt.Errorf("%s: %w", parameter.ParameterName, err)
		}
	}
	return p, nil
}

// A table is an AWS::Glue::Table.
type table struct {
	CatalogId, DatabaseName string
	TableInput              struct {
		Name, Description, TableType string
		Parameters                   map[string]string
		PartitionKeys                []struct{ Name, Type, Comment string }
		StorageDescriptor            struct {
			Columns                             []telemetryschema.Column
			Location, InputFormat, OutputFormat string
			SerdeInfo                           any
		}
	}
}

// check checks that t is the table that the delivery stream names, and that its location is the
// prefix that the delivery stream writes to.
func (t table) check(c configuration) error {
	schema := c.DataFormatConversionConfiguration.SchemaConfiguration
	if t.DatabaseName != schema.DatabaseName || t.TableInput.Name != schema.TableName {
		return fmt.Errorf("the table is %s.%s, but the delivery stream names %s.%s",
			t.DatabaseName, t.TableInput.Name, schema.DatabaseName, schema.TableName)
	}
	keys := map[string]string{}
	for _, partition := range t.TableInput.PartitionKeys {
		keys[partition.Name] = "${" + partition.Name + "}"
	}
	delivered := "s3://" + bucketOf(c.BucketARN) + "/" + expand(c.Prefix, time.Time{}, "", keys)
	if location := t.TableInput.Parameters["storage.location.template"]; location != delivered {
		return fmt.Errorf("the table's location is %s, but rows are delivered to %s",
			location, delivered)
	}
	return nil
}
