// Package parquetfile writes rows as a file in the format Apache Parquet, as the tables of the Glue Data Catalog have them.
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

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// types are Parquet's of Glue's. Parquet calls a timestamp of 96 bits deprecated; it is what Amazon Data Firehose writes, and
// what all of Athena, Redshift Spectrum and Hive read.
var types = map[string]reflect.Type{
	"string":    reflect.TypeFor[string](),
	"timestamp": reflect.TypeFor[deprecated.Int96](),
	"double":    reflect.TypeFor[float64](),
	"bigint":    reflect.TypeFor[int64](),
	"boolean":   reflect.TypeFor[bool](),
}

// Write writes a file to w that has the columns in their order, compressed by Snappy. A row has a value for each column: a
// string, a [time.Time], a float64, an int64, a bool as the column's type is, or nil for null. A file may have no rows.
//
// Rows of another length, and values of another type, are an error.
func Write(w io.Writer, columns []columns.Column, rows [][]any) error {
	schema, err := schemaOf(columns)
	if err != nil {
		return err
	}
	file := parquet.NewGenericWriter[any](w, schema, parquet.Compression(&snappy.Codec{}),
		// What every reader has read since the format's first version, and Amazon Data Firehose writes. By default the library
		// writes strings and pages in ways that came later (DELTA_LENGTH_BYTE_ARRAY, version 2), which Spark 3.2 refuses.
		parquet.DataPageVersion(1), parquet.DefaultEncoding(&parquet.Plain))
	row := make(parquet.Row, len(columns))
	for n, values := range rows {
		if len(values) != len(columns) {
			return fmt.Errorf("parquetfile: row %d has %d values, and there are %d columns", n, len(values), len(columns))
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

// schemaOf returns the schema of columns that may all be null. It is made by way of a struct, since a [parquet.Group] sorts its
// columns by name.
func schemaOf(columns []columns.Column) (*parquet.Schema, error) {
	fields := make([]reflect.StructField, len(columns))
	for i, column := range columns {
		kind, ok := types[column.Type]
		if !ok {
			return nil, fmt.Errorf("parquetfile: %s: no type of a column is %q", column.Name, column.Type)
		}
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("Column%d", i),
			Type: kind,
			Tag:  reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional"`, column.Name)),
		}
	}
	return parquet.SchemaOf(reflect.Zero(reflect.StructOf(fields)).Interface()), nil
}

func valueOf(kind string, value any) (parquet.Value, error) {
	if value == nil {
		return parquet.NullValue(), nil
	}
	switch value := value.(type) {
	case string:
		if kind == "string" {
			return parquet.ByteArrayValue([]byte(value)), nil
		}
	case time.Time:
		if kind == "timestamp" {
			return parquet.Int96Value(int96(value)), nil
		}
	case float64:
		if kind == "double" {
			return parquet.DoubleValue(value), nil
		}
	case int64:
		if kind == "bigint" {
			return parquet.Int64Value(value), nil
		}
	case bool:
		if kind == "boolean" {
			return parquet.BooleanValue(value), nil
		}
	}
	return parquet.Value{}, fmt.Errorf("a %T is no %s", value, kind)
}

// int96 is a timestamp as Parquet's files have had it since Impala: nanoseconds of the day in UTC, and the Julian day.
func int96(t time.Time) deprecated.Int96 {
	const julianDayOf1970 = 2_440_588
	const secondsOfDay = 24 * 60 * 60
	day := int64(math.Floor(float64(t.Unix()) / secondsOfDay))
	nanoseconds := uint64((t.Unix()-day*secondsOfDay)*int64(time.Second) + int64(t.Nanosecond())) //nolint:gosec // of a day: not negative
	return deprecated.Int96{
		0: uint32(nanoseconds & math.MaxUint32),
		1: uint32(nanoseconds >> 32),     //nolint:gosec // of a day: 46 bits
		2: uint32(day + julianDayOf1970), //nolint:gosec // until the year 11 million
	}
}
