// Package contract is what the transform function and the construct that declares it agree on.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/transform"

// Settings is what the transform function is told by its construct.
type Settings struct {
	Stream string `env:"STREAM_NAME"` // gets back what an answer had no room for
}

// A Column is a column of a table.
type Column = columns.Column

// Where the records are: the table, and the prefixes of the ingestion bucket.
const (
	Table            = telemetry.Table
	TablePrefix      = telemetry.TablePrefix
	RawPrefix        = telemetry.RawPrefix
	ErrorsPrefix     = telemetry.ErrorsPrefix
	RuleErrorsPrefix = telemetry.RuleErrorsPrefix
)

// Columns are those of the table telemetry, which the function's rows have.
func Columns() []Column { return telemetry.Columns() }

// Types are the values of the table's partition type.
func Types() []string {
	var types []string
	for _, kind := range telemetry.Types {
		if !kind.Discard {
			types = append(types, kind.Name)
		}
	}
	return types
}
