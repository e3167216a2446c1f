package queries_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

func TestReports_queries_have_the_day_as_only_parameter(t *testing.T) {
	for _, report := range queries.Reports() {
		if n := strings.Count(report.SQL, "?"); n != 1 ||
			!strings.Contains(report.SQL, "WHERE day = ?") {
			t.Errorf("%s has %d parameters:\n%s", report.Name, n, report.SQL)
		}
		if report.Name == "" || report.Comment == "" || len(report.Columns) == 0 ||
			report.Columns[0].Name != "day" {
			t.Errorf("%+v", report)
		}
	}
}

// A query names the types that it reads, so that Athena does not charge for others. A type that is
// declared later must be added to the query.
func TestReports_device_health_reads_all_types_of_devices(t *testing.T) {
	at := slices.IndexFunc(queries.Reports(), func(r telemetryschema.Report) bool {
		return r.Name == "device_health"
	})
	var names []string
	for _, kind := range records.Schema().Types {
		if kind.Source == telemetryschema.Device && !kind.Discard {
			names = append(names, "'"+kind.Name+"'")
		}
	}
	if want := "type IN (" + strings.Join(names, ", ") +
		")"; !strings.Contains(queries.Reports()[at].SQL, want) {
		t.Errorf("device_health does not contain %s:\n%s", want, queries.Reports()[at].SQL)
	}
}
