package firehosetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/adapters/parquetfile"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// convert converts the function's output for a record to rows. The output is JSON objects, one
// after the other. The rows go to the partition that the function names.
func (d *Delivery) convert(r record, output responseRecord) error {
	for _, parts := range placeholder.FindAllStringSubmatch(d.configuration.Prefix, -1) {
		if output.Metadata.PartitionKeys[parts[2]] == "" {
			return fmt.Errorf("firehosetest: the function returned no partition key %s", parts[2])
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(output.Data))
	decoder.UseNumber()
	var rows [][]any
	for {
		var fields map[string]any
		err := decoder.Decode(&fields)
		if errors.Is(err, io.EOF) {
			break
		}
		var values []any
		if err == nil {
			values, err = d.table.values(fields)
		}
		if err != nil { // one object fails its record
			d.formatConversionFailed(r, output.Data, err)
			return nil
		}
		rows = append(rows, values)
	}
	prefix := expand(d.configuration.Prefix, r.arrivedAt, "", output.Metadata.PartitionKeys)
	if d.partitions[prefix] == nil {
		d.partitions[prefix] = new(object)
	}
	d.partitions[prefix].add(r.arrivedAt, output.Data)
	d.partitions[prefix].rows = append(d.partitions[prefix].rows, rows...)
	return nil
}

// values returns the values of a row in the order of the table's columns. Fields without a column
// are dropped, as by the service.
func (t table) values(fields map[string]any) ([]any, error) {
	lower := map[string]any{}
	for name, value := range fields {
		lower[strings.ToLower(name)] = value
	}
	var values []any
	for _, column := range t.TableInput.StorageDescriptor.Columns {
		value, err := convert(column.Type, lower[column.Name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", column.Name, err)
		}
		values = append(values, value)
	}
	return values, nil
}

// timestamps are the accepted timestamp formats: "Choose the JSON deserializer" in the developer
// guide.
var timestamps = []string{"2006-1-2 15:04:05.999999999", "2006-01-02T15:04:05.999999999Z"}

func convert(kind telemetryschema.ColumnType, value any) (any, error) {
	if value == nil {
		return nil, nil //nolint:nilnil // null is null
	}
	number, isNumber := value.(json.Number)
	text, isText := value.(string)
	truth, isTruth := value.(bool)
	switch {
	case kind == telemetryschema.String && isText:
		return text, nil
	case kind == telemetryschema.Timestamp && isText:
		for _, format := range timestamps {
			if at, err := time.Parse(format, text); err == nil {
				return at, nil
			}
		}
	case kind == telemetryschema.Double && isNumber:
		return number.Float64()
	case kind == telemetryschema.Bigint && isNumber:
		return number.Int64()
	case kind == telemetryschema.Boolean && isTruth:
		return truth, nil
	}
	return nil, fmt.Errorf("cannot convert a %T to %s", value, kind)
}

// formatConversionFailed records that the function's output does not match the table: "Handle
// errors for data format conversion" in the developer guide.
func (d *Delivery) formatConversionFailed(r record, data []byte, reason error) {
	d.counts.FormatConversionFailed++
	d.addFailure("format-conversion-failed", r, map[string]any{
		"attemptsMade":           1,
		"arrivalTimestamp":       r.arrivedAt.UnixMilli(),
		"lastErrorCode":          "DataFormatConversion.MalformedData",
		"lastErrorMessage":       reason.Error(),
		"attemptEndingTimestamp": time.Now().UnixMilli(),
		"rawData":                data,
		"sequenceNumber":         r.sequenceNumber,
		"subSequenceNumber":      nil,
		"dataCatalogTable": map[string]string{
			"databaseName": d.table.DatabaseName, "tableName": d.table.TableInput.Name,
			"versionId": "LATEST",
		},
	})
}

// putPartition delivers a partition's rows as Parquet.
func (d *Delivery) putPartition(ctx context.Context, prefix string) error {
	o := d.partitions[prefix]
	var content bytes.Buffer
	columns := d.table.TableInput.StorageDescriptor.Columns
	if err := parquetfile.Write(&content, columns, o.rows); err != nil {
		return fmt.Errorf("firehosetest: %w", err)
	}
	if err := d.put(ctx, prefix, ".parquet", o.since, content.Bytes()); err != nil {
		return err
	}
	d.counts.Rows += len(o.rows)
	delete(d.partitions, prefix)
	return nil
}

// putRaw delivers the raw copies: the records one after the other, without a separator.
func (d *Delivery) putRaw(ctx context.Context) error {
	if d.raw.size == 0 {
		return nil
	}
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	if _, err := compressed.Write(d.raw.content.Bytes()); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	prefix := expand(d.configuration.S3BackupConfiguration.Prefix, d.raw.since, "", nil)
	if err := d.put(ctx, prefix, ".gz", d.raw.since, content.Bytes()); err != nil {
		return err
	}
	d.raw = object{}
	return nil
}
