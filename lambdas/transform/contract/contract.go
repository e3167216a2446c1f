// Package contract provides the settings and names that the transform function shares with the
// construct that declares it.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/transform"

// Settings configures the transform function; its construct fills it.
type Settings struct {
	Stream string `env:"STREAM_NAME"` // takes requeued records, for which a response had no room
}

// A Column is a column of a table.
type Column = columns.Column

// Locations of the records: the table, and the prefixes of the ingestion bucket.
const (
	Table            = telemetry.Table
	TablePrefix      = telemetry.TablePrefix
	RawPrefix        = telemetry.RawPrefix
	ErrorsPrefix     = telemetry.ErrorsPrefix
	RuleErrorsPrefix = telemetry.RuleErrorsPrefix
)

// Columns returns the columns of the table telemetry, which are the fields of the function's rows.
func Columns() []Column { return telemetry.Columns() }

// Types returns the values of the table's partition key type.
func Types() []string {
	var types []string
	for _, kind := range telemetry.Types {
		if !kind.Discard {
			types = append(types, kind.Name)
		}
	}
	return types
}
