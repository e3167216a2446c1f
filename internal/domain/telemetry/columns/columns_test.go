package columns_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

func TestOf(t *testing.T) {
	type row struct {
		Name    string    `column:"name" doc:"Its name"`
		At      time.Time `column:"at"`
		Degrees float64   `column:"degrees"`
		Count   int64     `column:"count"`
		Open    bool      `column:"open"`
		Beside  []byte    // has no column
	}
	want := []columns.Column{
		{Name: "name", Type: "string", Comment: "Its name"}, {Name: "at", Type: "timestamp"},
		{Name: "degrees", Type: "double"},
		{Name: "count", Type: "bigint"}, {Name: "open", Type: "boolean"},
	}
	if diff := cmp.Diff(want, columns.Of[row]()); diff != "" {
		t.Error(diff)
	}
}

func TestOf_panics_on_other_types(t *testing.T) {
	defer func() {
		if cause := recover(); cause == nil {
			t.Error("no panic")
		}
	}()
	columns.Of[struct {
		Raw []byte `column:"raw"`
	}]()
}
