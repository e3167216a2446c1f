package telemetryschema

import (
	"fmt"
	"reflect"
	"time"
)

// types maps Go types to Glue's: "Data types in Amazon Athena" in the Amazon Athena User Guide.
var types = map[reflect.Type]ColumnType{
	reflect.TypeFor[string]():    String,
	reflect.TypeFor[time.Time](): Timestamp,
	reflect.TypeFor[float64]():   Double,
	reflect.TypeFor[int64]():     Bigint,
	reflect.TypeFor[bool]():      Boolean,
}

// Columns returns the columns of the struct T in the order of its fields, so that the table and the
// Go code that reads or writes its rows have one declaration:
//
//	type row struct {
//		Firmware string  `column:"firmware" doc:"Firmware version" source:"device"`
//		Battery  float64 `column:"battery" doc:"Charge in percent" source:"device"`
//	}
//
// A field without the tag column, which is the column's name, is skipped. Columns panics if a
// field's type is not string, time.Time, float64, int64 or bool.
func Columns[T any]() []Column {
	var columns []Column
	for field := range reflect.TypeFor[T]().Fields() {
		name, ok := field.Tag.Lookup("column")
		if !ok {
			continue
		}
		kind, ok := types[field.Type]
		if !ok {
			panic(fmt.Errorf("telemetryschema: %v.%s has the type %v; "+
				"use string, time.Time, float64, int64 or bool",
				reflect.TypeFor[T](), field.Name, field.Type))
		}
		columns = append(columns, Column{
			Name: name, Type: kind, Comment: field.Tag.Get("doc"),
			Source: Source(field.Tag.Get("source")),
		})
	}
	return columns
}
