// Package firehosetest stands in for Amazon Data Firehose: it reads a stream, has a function transform what is in it, and delivers
// that to a bucket as Parquet, as a delivery stream and a table of a CloudFormation template say. What the stand-in does not know
// of these is an error, so that nothing passes a test that nobody has looked at.
//
// As the service, it delivers at least once, and keeps on trying where that is the bucket's or the stream's fault. Unlike it,
// it does not wait before it does.
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

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// Settings are what a delivery is made of.
type Settings struct {
	// The properties of an AWS::KinesisFirehose::DeliveryStream and of the AWS::Glue::Table that it names, with values in the
	// place of references. ARNs have to be such: the names of bucket and stream are taken from them.
	Delivery, Table map[string]any

	Kinesis *kinesis.Client
	S3      *s3.Client

	// Invoke calls the transform function once.
	Invoke func(ctx context.Context, event []byte) ([]byte, error)
	// Dropped, unless it is nil, sees each record that the function drops.
	Dropped func(data []byte)
}

// A Delivery stands in for a delivery stream. Its methods must not overlap.
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

// Counts are what has become of records so far.
type Counts struct {
	Records           int // that came from the stream; the sum of the next four
	Ok                int // that the function has made a row of
	Dropped           int // by the function, which may have put them back into the stream
	Failed            int // that the function has refused
	FailedInvocations int // that the function was not fit for, as often as it was tried

	Rows                   int // that are in the table, of Ok
	FormatConversionFailed int // that do not fit the table, of Ok

	Invocations int // of the function, those that failed too
	Objects     int // in the bucket
	Retried    int // deliveries that were made again
}

// New returns a delivery that has read nothing yet: it begins with what is in the stream already.
func New(t testing.TB, settings Settings) *Delivery {
	t.Helper()
	d := &Delivery{settings: settings, name: "delivery", iterators: map[string]*string{}, partitions: map[string]*object{}, failures: map[string]*object{}}
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

// SetTable has the delivery find another table in the catalogue from now on.
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

// SetBufferSize has the function get so many bytes at a time, and not as many as the template says.
func (d *Delivery) SetBufferSize(size int) { d.processor.size = size }

// Counts returns what has become of records so far.
func (d *Delivery) Counts() Counts { return d.counts }

// maxTries is how often the stand-in tries what the service tries for ever.
const maxTries = 100

// Deliver reads the stream until nothing more is in it, and delivers all of that, as if the buffers' intervals had passed. It
// fails when stream or bucket have failed a hundred times in a row.
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

// A record is one of the stream.
type record struct {
	shard, partitionKey, sequenceNumber string
	data                                []byte
	arrivedAt                           time.Time
}

// read returns what is new in the stream.
func (d *Delivery) read(ctx context.Context) ([]record, error) {
	var found []record
	once := func(o *kinesis.Options) { o.RetryMaxAttempts = 1 }
	if len(d.iterators) == 0 {
		var shards *kinesis.ListShardsOutput
		err := retry(func() (err error) {
			shards, err = d.settings.Kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamARN: &d.configuration.stream}, once)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, shard := range shards.Shards {
			err := retry(func() error {
				output, err := d.settings.Kinesis.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
					StreamARN: &d.configuration.stream, ShardId: shard.ShardId, ShardIteratorType: "TRIM_HORIZON",
				}, once)
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
		var output *kinesis.GetRecordsOutput
		err := retry(func() (err error) {
			output, err = d.settings.Kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{StreamARN: &d.configuration.stream, ShardIterator: iterator}, once)
			return err
		})
		if err != nil {
			return nil, err
		}
		d.iterators[shard] = output.NextShardIterator
		for _, r := range output.Records {
			found = append(found, record{shard, *r.PartitionKey, *r.SequenceNumber, r.Data, *r.ApproximateArrivalTimestamp})
		}
	}
	return found, nil
}

// retry calls do until it succeeds, a hundred times at most.
func retry(do func() error) error {
	var err error
	for range maxTries {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

// process keeps raw copies of records and has the function transform them, in batches.
func (d *Delivery) process(ctx context.Context, records []record) error {
	for len(records) > 0 {
		size, count := 0, 0
		for count < len(records) && (count == 0 || size+len(records[count].data) <= d.processor.size) {
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

// flush delivers what is in the buffers.
func (d *Delivery) flush(ctx context.Context) error {
	if err := d.putRaw(ctx); err != nil {
		return err
	}
	for partition := range d.partitions {
		if err := d.putPartition(ctx, partition); err != nil {
			return err
		}
	}
	for kind := range d.failures { // after the parts, which may have added to them
		if err := d.putFailures(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// put writes an object. A delivery whose answer does not come is made again, under another name: the service promises to
// deliver at least once.
func (d *Delivery) put(ctx context.Context, prefix, extension string, since time.Time, content []byte) error {
	attempt := 0
	return retry(func() error {
		if attempt++; attempt > 1 {
			d.counts.Retried++
		}
		bucket := bucketOf(d.configuration.BucketARN)
		key := fmt.Sprintf("%s%s-1-%s-%s%s", prefix, d.name, since.UTC().Format("2006-01-02-15-04-05"), uuid.NewString(), extension)
		_, err := d.settings.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)}, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
		if err == nil {
			d.counts.Objects++
		}
		return err
	})
}

// An object is what is delivered at a time.
type object struct {
	since   time.Time // when the stream got the oldest of it
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

// placeholder is an expression of a prefix: "Understand custom prefixes for Amazon S3 objects" in the Amazon Data Firehose
// Developer Guide.
var placeholder = regexp.MustCompile(`!\{([^:}]*):([^}]*)\}`)

// expand fills in what a prefix has to know.
func expand(prefix string, since time.Time, errorType string, partitionKeys map[string]string) string {
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

// decode fills into with properties, all of which it has to know.
func decode(properties map[string]any, into any) error {
	encoded, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// A resource is the AWS::KinesisFirehose::DeliveryStream. What is of no matter here is any.
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

// A processor is the function, and how it is called.
type processor struct {
	function string
	retries  int
	size     int // of a batch, in bytes
}

// check finds what the stand-in would not do as it is said.
func (c configuration) check() (processor, error) {
	for name, is := range map[string]bool{
		"dynamic partitioning":                   c.DynamicPartitioningConfiguration.Enabled,
		"processing":                             c.ProcessingConfiguration.Enabled && len(c.ProcessingConfiguration.Processors) == 1,
		"conversion":                             c.DataFormatConversionConfiguration.Enabled,
		"OpenX":                                  c.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe != nil,
		"Parquet":                                c.DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.ParquetSerDe != nil,
		"raw copies":                             c.S3BackupMode == "Enabled" && c.S3BackupConfiguration.CompressionFormat == "GZIP",
		"one bucket":                             c.BucketARN == c.S3BackupConfiguration.BucketARN && strings.HasPrefix(c.BucketARN, "arn:aws:s3:::"),
		"no compression besides Parquet's":       c.CompressionFormat == "UNCOMPRESSED",
		"an error prefix with error-output-type": strings.Contains(c.ErrorOutputPrefix, "!{firehose:error-output-type}"),
	} {
		if !is {
			return processor{}, fmt.Errorf("want %s; the stand-in knows nothing else", name)
		}
	}
	for _, prefix := range []string{c.Prefix, c.ErrorOutputPrefix, c.S3BackupConfiguration.Prefix} {
		for _, parts := range placeholder.FindAllStringSubmatch(prefix, -1) {
			known := parts[1] == "partitionKeyFromLambda" || parts[0] == "!{timestamp:yyyy-MM-dd}" || parts[0] == "!{firehose:error-output-type}"
			if !known {
				return processor{}, fmt.Errorf("the stand-in does not know %s", parts[0])
			}
		}
	}
	p := processor{retries: 3, size: 1 << 20} // by default: ProcessorParameter in the API reference
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
			err = errors.New("the stand-in does not know it")
		}
		if err != nil {
			return processor{}, fmt.Errorf("%s: %w", parameter.ParameterName, err)
		}
	}
	return p, nil
}

// A table is the AWS::Glue::Table.
type table struct {
	CatalogId, DatabaseName string
	TableInput              struct {
		Name, Description, TableType string
		Parameters                   map[string]string
		PartitionKeys                []struct{ Name, Type, Comment string }
		StorageDescriptor            struct {
			Columns                             []columns.Column
			Location, InputFormat, OutputFormat string
			SerdeInfo                           any
		}
	}
}

// check finds out whether it is the table that the delivery stream names, and whether its rows are where it looks for them.
func (t table) check(c configuration) error {
	schema := c.DataFormatConversionConfiguration.SchemaConfiguration
	if t.DatabaseName != schema.DatabaseName || t.TableInput.Name != schema.TableName {
		return fmt.Errorf("it is %s.%s, and the delivery stream has %s.%s", t.DatabaseName, t.TableInput.Name, schema.DatabaseName, schema.TableName)
	}
	keys := map[string]string{}
	for _, partition := range t.TableInput.PartitionKeys {
		keys[partition.Name] = "${" + partition.Name + "}"
	}
	delivered := "s3://" + bucketOf(c.BucketARN) + "/" + expand(c.Prefix, time.Time{}, "", keys)
	if looked := t.TableInput.Parameters["storage.location.template"]; looked != delivered {
		return fmt.Errorf("it looks for rows at %s, which are delivered to %s", looked, delivered)
	}
	return nil
}
