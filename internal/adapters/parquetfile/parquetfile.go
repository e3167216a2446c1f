// Package parquetfile writes rows as an Apache Parquet file for a table of the Glue Data Catalog.
package parquetfile

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/deprecated"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// types maps Glue's types to Parquet's. Parquet deprecates timestamps of 96 bits, but Amazon Data
// Firehose writes them, and Athena, Redshift Spectrum and Hive all read them.
var types = map[telemetryschema.ColumnType]reflect.Type{
	telemetryschema.String:    reflect.TypeFor[string](),
	telemetryschema.Timestamp: reflect.TypeFor[deprecated.Int96](),
	telemetryschema.Double:    reflect.TypeFor[float64](),
	telemetryschema.Bigint:    reflect.TypeFor[int64](),
	telemetryschema.Boolean:   reflect.TypeFor[bool](),
}

// Write writes a file with the columns, in their order and compressed with Snappy, to w. A row has
// one value per column: a string, [time.Time], float64, int64 or bool that matches the column's
// type, or nil for null. A file may have no rows.
//
// Write returns an error if a row has another length or a value another type.
func Write(w io.Writer, columns []telemetryschema.Column, rows [][]any) error {
	schema, err := schemaOf(columns)
	if err != nil {
		return err
	}
	file := parquet.NewGenericWriter[any](w, schema, parquet.Compression(&snappy.Codec{}),
		// Every reader since the format's first version reads these, and Amazon Data Firehose
		// writes them. By default the library writes strings and pages in newer encodings
		// (DELTA_LENGTH_BYTE_ARRAY, version 2), which Spark 3.2 rejects.
		parquet.DataPageVersion(1), parquet.DefaultEncoding(&parquet.Plain))
	row := make(parquet.Row, len(columns))
	for n, values := range rows {
		if len(values) != len(columns) {
			return fmt.Errorf("parquetfile: row %d has %d values, want %d",
				n, len(values), len(columns))
		}
		for i, column := range columns {
			value, err := valueOf(column.Type, values[i])
			if err != nil {
				return fmt.Errorf("parquetfile: row %d: %s: %w", n, column.Name, err)
			}
			level := 1
			if value.IsNull() {
				level = 0
			}
			row[i] = value.Level(0, level, i)
		}
		if _, err := file.WriteRows([]parquet.Row{row}); err != nil {
			return fmt.Errorf("parquetfile: %w", err)
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("parquetfile: %w", err)
	}
	return nil
}

// schemaOf returns the schema of the columns, which are all nullable. It is derived from a struct,
// because a [parquet.Group] sorts its columns by name.
func schemaOf(columns []telemetryschema.Column) (*parquet.Schema, error) {
	fields := make([]reflect.StructField, len(columns))
	for i, column := range columns {
		kind, ok := types[column.Type]
		if !ok {
			return nil, fmt.Errorf("parquetfile: %s: unknown column type %q",
				column.Name, column.Type)
		}
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("Column%d", i),
			Type: kind,
			Tag:  reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional"`, column.Name)),
		}
	}
	return parquet.SchemaOf(reflect.Zero(reflect.StructOf(fields)).Interface()), nil
}

func valueOf(kind telemetryschema.ColumnType, value any) (parquet.Value, error) {
	if value == nil {
		return parquet.NullValue(), nil
	}
	switch value := value.(type) {
	case string:
		if kind == telemetryschema.String {
			return parquet.ByteArrayValue([]byte(value)), nil
		}
	case time.Time:
		if kind == telemetryschema.Timestamp {
			return parquet.Int96Value(int96(value)), nil
		}
	case float64:
		if kind == telemetryschema.Double {
			return parquet.DoubleValue(value), nil
		}
	case int64:
		if kind == telemetryschema.Bigint {
			return parquet.Int64Value(value), nil
		}
	case bool:
		if kind == telemetryschema.Boolean {
			return parquet.BooleanValue(value), nil
		}
	}
	return parquet.Value{}, fmt.Errorf("the value is a %T, want a %s", value, kind)
}

// int96 returns a timestamp in the format of Parquet files since Impala: nanoseconds of the day in
// UTC, and the Julian day.
func int96(t time.Time) deprecated.Int96 {
	const julianDayOf1970 = 2_440_588
	const secondsOfDay = 24 * 60 * 60
	day := int64(math.Floor(float64(t.Unix()) / secondsOfDay))
	seconds := t.Unix() - day*secondsOfDay
	nanoseconds := uint64(seconds*int64(time.Second) + int64(t.Nanosecond())) //nolint:gosec // >= 0
	return deprecated.Int96{
		0: uint32(nanoseconds & math.MaxUint32),
		1: uint32(nanoseconds >> 32),     //nolint:gosec // of a day: 46 bits
		2: uint32(day + julianDayOf1970), //nolint:gosec // until the year 11 million
	}
}
