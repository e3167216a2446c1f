package telemetry

import (
	"fmt"
	"slices"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// The fields that every record may have. The fields of the schema's columns follow them. All others
// go into the column extra.
const (
	fieldID = iota
	fieldType
	fieldAt
	firstColumn
)

// A Layout is a schema in the form in which converters read it: fields have numbers, and nothing is
// computed twice.
type Layout struct {
	fields []field
	// device and client find the fields that a device or a client may set.
	device, client fieldNames
	types          map[string]*recordType
}

// A field is a field of a payload that is not part of the column extra.
type field struct {
	name string
	key  string // before its value in a row: a comma, the quoted name, a colon
	kind telemetryschema.ColumnType
}

// A recordType is a type with the numbers of its required fields.
type recordType struct {
	telemetryschema.Type
	required []int
}

// NewLayout returns the layout of a schema. The error is that of the schema's Validate.
func NewLayout(schema telemetryschema.Schema) (*Layout, error) {
	if err := schema.Validate(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	l := &Layout{types: map[string]*recordType{}}
	add := func(name string, kind telemetryschema.ColumnType, source telemetryschema.Source) {
		number := len(l.fields)
		l.fields = append(l.fields, field{name: name, key: `,"` + name + `":`, kind: kind})
		if source != telemetryschema.Client {
			l.device.add(name, number)
		}
		if source != telemetryschema.Device {
			l.client.add(name, number)
		}
	}
	for _, name := range []string{fieldID: "id", fieldType: "type", fieldAt: "at"} {
		add(name, "", "")
	}
	for _, column := range schema.Columns {
		add(column.Name, column.Type, column.Source)
	}
	for _, declared := range schema.Types {
		k := &recordType{Type: declared}
		for _, name := range declared.Required {
			k.required = append(k.required,
				slices.IndexFunc(l.fields, func(f field) bool { return f.name == name }))
		}
		l.types[declared.Name] = k
	}
	return l, nil
}

// fieldNames finds the number of a field by its name. It groups the fields by the length of the
// name, so that a name is compared with few others.
type fieldNames [][]numberedName

type numberedName struct {
	name   string
	number int
}

func (n *fieldNames) add(name string, number int) {
	for len(*n) <= len(name) {
		*n = append(*n, nil)
	}
	(*n)[len(name)] = append((*n)[len(name)], numberedName{name, number})
}

// field returns the number of the field with the name, or -1 if there is none.
func (n fieldNames) field(name []byte) int {
	if len(name) >= len(n) {
		return -1
	}
	for _, candidate := range n[len(name)] {
		if string(name) == candidate.name {
			return candidate.number
		}
	}
	return -1
}
