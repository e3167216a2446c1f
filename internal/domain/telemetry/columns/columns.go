// Package columns reads the columns of a table from a struct, so that the table in the Glue Data Catalog and the Go code that
// fills it are one declaration.
package columns

import (
	"fmt"
	"reflect"
	"time"
)

// A Column is a column of a table, in the words of the Glue Data Catalog.
type Column struct {
	Name    string
	Type    string // string, timestamp, double, bigint or boolean
	Comment string
}

// types are Glue's names of Go's: "Data types in Amazon Athena" in the Amazon Athena User Guide.
var types = map[reflect.Type]string{
	reflect.TypeFor[string]():    "string",
	reflect.TypeFor[time.Time](): "timestamp",
	reflect.TypeFor[float64]():   "double",
	reflect.TypeFor[int64]():     "bigint",
	reflect.TypeFor[bool]():      "boolean",
}

// Of returns the columns of T, in the order of its fields: those that have the tag column, which is the name. The tag doc is the
// comment. A field of another type than string, time.Time, float64, int64 and bool panics.
func Of[T any]() []Column {
	var columns []Column
	for field := range reflect.TypeFor[T]().Fields() {
		name, ok := field.Tag.Lookup("column")
		if !ok {
			continue
		}
		kind, ok := types[field.Type]
		if !ok {
			panic(fmt.Errorf("columns: %v.%s: a column cannot be a %v", reflect.TypeFor[T](), field.Name, field.Type))
		}
		columns = append(columns, Column{Name: name, Type: kind, Comment: field.Tag.Get("doc")})
	}
	return columns
}
