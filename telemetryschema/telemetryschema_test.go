package telemetryschema_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// valid returns a valid schema, for tests to spoil.
func valid() telemetryschema.Schema {
	return telemetryschema.Schema{
		Columns: []telemetryschema.Column{
			{Name: "client", Type: "string", Comment: "Installation", Source: "client"},
			{Name: "degrees", Type: "double", Source: "device"},
			{Name: "n", Type: "bigint"}, {Name: "on", Type: "boolean"},
			{Name: "until", Type: "timestamp"},
		},
		Types: []telemetryschema.Type{
			{Name: "reading", Source: "device", Required: []string{"degrees", "n"}},
			{Name: "Page.open-2", Source: "client", Required: []string{"client"}},
			{Name: "ping", Source: "device", Discard: true},
		},
	}
}

func report() telemetryschema.Report {
	return telemetryschema.Report{
		Name: "daily_counts", Comment: "Number of records",
		SQL: telemetryschema.WithLatest("-- What?\n" +
			`SELECT day, count(*) AS n FROM latest ` +
			`WHERE type <> 'it''s?' /* ? */ AND "a?" IS NULL`),
		Columns: []telemetryschema.Column{
			{Name: "day", Type: "string"}, {Name: "n", Type: "bigint"},
		},
	}
}

func TestSchema_TableColumns(t *testing.T) {
	var names []string
	for _, column := range valid().TableColumns() {
		names = append(names, column.Name)
		if column.Comment == "" && !slices.Contains(valid().Columns, column) {
			t.Errorf("%s has no comment", column.Name)
		}
	}
	want := []string{
		"id", "at", "received_at", "ingested_at", "device",
		"client", "degrees", "n", "on", "until", "extra",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestSchema_PartitionTypes(t *testing.T) {
	if diff := cmp.Diff([]string{"reading", "Page.open-2"}, valid().PartitionTypes()); diff != "" {
		t.Error(diff)
	}
}

func TestSchema_Validate(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	column := func(spoil func(*telemetryschema.Column)) func(*telemetryschema.Schema) {
		return func(s *telemetryschema.Schema) { spoil(&s.Columns[1]) }
	}
	kind := func(spoil func(*telemetryschema.Type)) func(*telemetryschema.Schema) {
		return func(s *telemetryschema.Schema) { spoil(&s.Types[0]) }
	}
	for want, spoil := range map[string]func(*telemetryschema.Schema){
		`Columns[1].Name: "Degrees", want a lower-case letter`: column(
			func(c *telemetryschema.Column) { c.Name = "Degrees" }),
		`Columns[1].Name: "", want a lower-case letter`: column(
			func(c *telemetryschema.Column) { c.Name = "" }),
		`Columns[1].Name: "client", want a name that no other column has`: column(
			func(c *telemetryschema.Column) { c.Name = "client" }),
		`Columns[1].Name: "ingested_at", want another name`: column(
			func(c *telemetryschema.Column) { c.Name = "ingested_at" }),
		`Columns[1].Name: "extra", want another name`: column(
			func(c *telemetryschema.Column) { c.Name = "extra" }),
		`Columns[1].Name: "day", want another name`: column(
			func(c *telemetryschema.Column) { c.Name = "day" }),
		`Columns[1].Type: "int", want string, double,`: column(
			func(c *telemetryschema.Column) { c.Type = "int" }),
		`Columns[1].Source: "server", want device, client, or none`: column(
			func(c *telemetryschema.Column) { c.Source = "server" }),
		`Columns[1].Comment: "a\nb", want one line`: column(
			func(c *telemetryschema.Column) { c.Comment = "a\nb" }),
		`Columns[1].Comment: "\xff", want one line`: column(
			func(c *telemetryschema.Column) { c.Comment = "\xff" }),
		`bytes, UTF-8`: column(
			func(c *telemetryschema.Column) { c.Comment = strings.Repeat("a", 256) }),
		`Types: 0, want 1 to 250 types`: func(s *telemetryschema.Schema) { s.Types = nil },
		`Types: 251, want 1 to 250 types`: func(s *telemetryschema.Schema) {
			s.Types = make([]telemetryschema.Type, 251)
		},
		`Types: all have Discard`: func(s *telemetryschema.Schema) { s.Types = s.Types[2:] },
		`Types[0].Name: "a b", want a letter`: kind(
			func(k *telemetryschema.Type) { k.Name = "a b" }),
		`Types[0].Name: "a,b", want a letter`: kind(
			func(k *telemetryschema.Type) { k.Name = "a,b" }),
		`Types[2].Name: "ping", want a name that no other type has`: kind(
			func(k *telemetryschema.Type) { k.Name = "ping" }),
		`Types[0].Source: "", want device or client`: kind(
			func(k *telemetryschema.Type) { k.Source = "" }),
		`Types[0].Required: "humidity", want names of Columns`: kind(
			func(k *telemetryschema.Type) { k.Required = []string{"humidity"} }),
		`Types[0].Required: "id", want names of Columns`: kind(
			func(k *telemetryschema.Type) { k.Required = []string{"id"} }),
		`Types[0].Required: "client", want columns that a device may set`: kind(
			func(k *telemetryschema.Type) { k.Required = []string{"client"} }),
		`Types[0].Required: "n", want each name once`: kind(
			func(k *telemetryschema.Type) { k.Required = []string{"n", "n"} }),
	} {
		schema := valid()
		spoil(&schema)
		if err := schema.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestSchema_Validate_returns_all_problems(t *testing.T) {
	schema := valid()
	schema.Columns[0].Type, schema.Types[1].Source = "text", "app"
	err := schema.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 2 { // the second type requires client
		t.Errorf("%v", err)
	}
}

func TestValidateReports(t *testing.T) {
	second := report()
	second.Name = "other"
	if err := telemetryschema.ValidateReports(
		[]telemetryschema.Report{report(), second}); err != nil {
		t.Fatal(err)
	}
	if err := telemetryschema.ValidateReports(nil); err != nil {
		t.Error(err)
	}
	const another = "want a name that neither the table telemetry nor another report has"
	for want, spoil := range map[string]func(*telemetryschema.Report){
		`Reports[0].Name: "Daily", want at most 64 lower-case`: func(r *telemetryschema.Report) {
			r.Name = "Daily"
		},
		`Reports[0].Name: "a__b", want at most 64`: func(r *telemetryschema.Report) {
			r.Name = "a__b"
		},
		`Reports[0].Name: "telemetry", ` + another: func(r *telemetryschema.Report) {
			r.Name = "telemetry"
		},
		`Reports[1].Name: "other", ` + another: func(r *telemetryschema.Report) {
			r.Name = "oth_er"
		},
		`Reports[0].Comment: "a\tb"`: func(r *telemetryschema.Report) { r.Comment = "a\tb" },
		`Reports[0].SQL: 0 parameters, want a query with one`: func(r *telemetryschema.Report) {
			r.SQL = ""
		},
		`Reports[0].SQL: 2 parameters`: func(r *telemetryschema.Report) { r.SQL += " AND day = ?" },
		`Reports[0].SQL: 300`: func(r *telemetryschema.Report) {
			r.SQL += strings.Repeat(" ", 300_000)
		},
		`Reports[0].Columns: none, want the columns`: func(r *telemetryschema.Report) {
			r.Columns = nil
		},
		`Reports[0].Columns[1].Name: "day", want a name that no other`: func(
			r *telemetryschema.Report,
		) {
			r.Columns[1].Name = "day"
		},
		`Reports[0].Columns[0].Source: "device", want none`: func(r *telemetryschema.Report) {
			r.Columns[0].Source = telemetryschema.Device
		},
	} {
		first := report()
		spoil(&first)
		err := telemetryschema.ValidateReports([]telemetryschema.Report{first, second})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestParseSchema_rejects(t *testing.T) {
	for _, text := range []string{
		``, `{`, `null`, `[]`, `{"types":[]}`, `{"tables":[]}`,
		`{"types":[{"name":"a","source":"device"}]}x`,
		`{"types":[{"name":"a","source":"device"}]}{}`,
		`{"types":[{"name":"a","source":"device","requires":[]}]}`,
	} {
		if schema, err := telemetryschema.ParseSchema([]byte(text)); err == nil {
			t.Errorf("%s is %+v", text, schema)
		}
	}
}

// A schema that is parsed is valid, and stays the same when it is encoded and parsed again.
func FuzzParseSchema(f *testing.F) {
	encoded, err := json.Marshal(valid())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Add([]byte(`{"Types":[{"name":"a","source":"device","required":[]}],"columns":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		schema, err := telemetryschema.ParseSchema(text)
		if err != nil {
			return
		}
		roundTrip(t, schema, telemetryschema.ParseSchema)
	})
}

// FuzzParseReports does the same for reports.
func FuzzParseReports(f *testing.F) {
	encoded, err := json.Marshal([]telemetryschema.Report{report()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		reports, err := telemetryschema.ParseReports(text)
		if err != nil {
			return
		}
		roundTrip(t, reports, telemetryschema.ParseReports)
	})
}

func roundTrip[T any](t *testing.T, value T, parse func([]byte) (T, error)) {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse(encoded)
	if err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	twice, err := json.Marshal(again)
	if err != nil || string(twice) != string(encoded) {
		t.Errorf("%s, want %s, %v", twice, encoded, err)
	}
}
