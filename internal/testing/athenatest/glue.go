package athenatest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// A Table is a table of the Glue Data Catalog. As JSON, it is the property TableInput of
// AWS::Glue::Table. The other fields of TableInput do not matter to Trino.
type Table struct {
	Name              string
	PartitionKeys     []telemetryschema.Column
	StorageDescriptor struct {
		Columns  []telemetryschema.Column
		Location string // s3://bucket/prefix/
	}
	Parameters map[string]string // of partition projection
}

// trinoTypes maps Glue's types to Trino's.
var trinoTypes = map[telemetryschema.ColumnType]string{
	"string": "varchar", "timestamp": "timestamp(3)", "double": "double", "bigint": "bigint",
	"boolean": "boolean",
}

// CreateTable declares a table of Parquet files.
func (s *Server) CreateTable(t testing.TB, table Table) {
	t.Helper()
	var declared []string
	for _, column := range table.StorageDescriptor.Columns {
		declared = append(declared, column.Name+" "+trinoType(t, column))
	}
	with := [][2]string{
		{"format", "'PARQUET'"}, {"external_location", literal(table.StorageDescriptor.Location)},
	}
	var keys []string
	for _, key := range table.PartitionKeys {
		declared = append(declared,
			key.Name+" "+trinoType(t, key)+" "+projection(t, table, key.Name))
		keys = append(keys, literal(key.Name))
	}
	if len(keys) > 0 {
		with = append(with,
			[2]string{"partitioned_by", "ARRAY[" + strings.Join(keys, ", ") + "]"},
			[2]string{"partition_projection_enabled", table.Parameters["projection.enabled"]},
			[2]string{
				"partition_projection_location_template",
				literal(table.Parameters["storage.location.template"]),
			})
	}
	statement := fmt.Sprintf("CREATE TABLE %s (%s) %s", table.Name, strings.Join(declared, ", "),
		withClause(with...))
	if _, err := s.trino.run(t.Context(), statement); err != nil {
		t.Fatalf("athenatest: %s: %v", statement, err)
	}
	s.tables = append(s.tables, table)
}

func trinoType(t testing.TB, column telemetryschema.Column) string {
	t.Helper()
	kind, ok := trinoTypes[column.Type]
	if !ok {
		t.Fatalf("athenatest: %s: no Trino type for the Glue type %q; add it to trinoTypes",
			column.Name, column.Type)
	}
	return kind
}

// projection returns the properties of a partition key's projection: "Supported types for partition
// projection" in the Amazon Athena User Guide.
func projection(t testing.TB, table Table, key string) string {
	t.Helper()
	parameter := func(name string) string { return table.Parameters["projection."+key+"."+name] }
	with := [][2]string{{"partition_projection_type", literal(parameter("type"))}}
	switch parameter("type") {
	case "enum":
		with = append(with,
			[2]string{"partition_projection_values", arrayLiteral(parameter("values"))})
	case "date":
		with = append(with,
			[2]string{"partition_projection_format", literal(parameter("format"))},
			[2]string{"partition_projection_range", arrayLiteral(parameter("range"))})
	default:
		t.Fatalf("athenatest: %s.%s: the projection is %q, want enum or date", table.Name, key,
			parameter("type"))
	}
	return withClause(with...)
}

// arrayLiteral returns the SQL array of comma-separated values.
func arrayLiteral(values string) string {
	parts := strings.Split(values, ",")
	for i, part := range parts {
		parts[i] = literal(strings.TrimSpace(part))
	}
	return "ARRAY[" + strings.Join(parts, ", ") + "]"
}

// tablesIn returns the tables that a statement names.
func (s *Server) tablesIn(statement string) []Table {
	words := strings.FieldsFunc(statement, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return slices.DeleteFunc(slices.Clone(s.tables), func(table Table) bool {
		return !slices.Contains(words, table.Name)
	})
}
