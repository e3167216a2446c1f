package telemetryschema_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

func TestColumns(t *testing.T) {
	type row struct {
		Name    string    `column:"name" doc:"Its name"`
		At      time.Time `column:"at"`
		Degrees float64   `column:"degrees"`
		Count   int64     `column:"count" source:"client"`
		Open    bool      `column:"open"`
		Beside  []byte    // has no column
	}
	want := []telemetryschema.Column{
		{Name: "name", Type: "string", Comment: "Its name"}, {Name: "at", Type: "timestamp"},
		{Name: "degrees", Type: "double"},
		{Name: "count", Type: "bigint", Source: "client"}, {Name: "open", Type: "boolean"},
	}
	if diff := cmp.Diff(want, telemetryschema.Columns[row]()); diff != "" {
		t.Error(diff)
	}
}

func TestColumns_panics_on_other_types(t *testing.T) {
	defer func() {
		if cause := recover(); cause == nil {
			t.Error("no panic")
		}
	}()
	telemetryschema.Columns[struct {
		Raw []byte `column:"raw"`
	}]()
}
