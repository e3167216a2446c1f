// Package columns provides the columns of a table from a struct's tags, so that the table in the
// Glue Data Catalog and the Go code that fills it have one declaration.
package columns

import (
	"fmt"
	"reflect"
	"time"
)

// A Column is a column of a table in the Glue Data Catalog.
type Column struct {
	Name    string
	Type    string // string, timestamp, double, bigint or boolean
	Comment string
}

// types maps Go types to Glue's: "Data types in Amazon Athena" in the Amazon Athena User Guide.
var types = map[reflect.Type]string{
	reflect.TypeFor[string]():    "string",
	reflect.TypeFor[time.Time](): "timestamp",
	reflect.TypeFor[float64]():   "double",
	reflect.TypeFor[int64]():     "bigint",
	reflect.TypeFor[bool]():      "boolean",
}

// Of returns the columns of T in the order of its fields: the fields with the tag column, which is
// the column's name. The tag doc is the comment. Of panics if a field's type is not string,
// time.Time, float64, int64 or bool.
func Of[T any]() []Column {
	var columns []Column
	for field := range reflect.TypeFor[T]().Fields() {
		name, ok := field.Tag.Lookup("column")
		if !ok {
			continue
		}
		kind, ok := types[field.Type]
		if !ok {
			panic(fmt.Errorf(
				"columns: %v.%s has the type %v; use string, time.Time, float64, int64 or bool",
				reflect.TypeFor[T](), field.Name, field.Type))
		}
		columns = append(columns, Column{Name: name, Type: kind, Comment: field.Tag.Get("doc")})
	}
	return columns
}
