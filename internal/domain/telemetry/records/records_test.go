package records_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

func TestSchema(t *testing.T) {
	if err := records.Schema().Validate(); err != nil {
		t.Error(err)
	}
}

// Tests write rows of the struct into a table of the schema.
func TestRecord_has_the_columns_of_the_table(t *testing.T) {
	var record, table []telemetryschema.Column
	for _, column := range telemetryschema.Columns[records.Record]() {
		record = append(record, telemetryschema.Column{Name: column.Name, Type: column.Type})
	}
	for _, column := range records.Schema().TableColumns() {
		table = append(table, telemetryschema.Column{Name: column.Name, Type: column.Type})
	}
	if diff := cmp.Diff(table, record); diff != "" {
		t.Error(diff)
	}
}
