// Package contract provides the settings and names that the transform function shares with the
// construct that declares it.
package contract

import "github.com/ashlar-cdk/ashlar/internal/domain/telemetry"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/transform"

// SchemaFile is the name of the function's file, for gofunction.Props.Files: a
// telemetryschema.Schema as JSON.
const SchemaFile = "schema.json"

// Settings configures the transform function; its construct fills it.
type Settings struct {
	Stream string `env:"STREAM_NAME"` // takes requeued records, for which a response had no room
}

// Prefixes of the ingestion bucket.
const (
	TablePrefix      = telemetry.TablePrefix
	RawPrefix        = telemetry.RawPrefix
	ErrorsPrefix     = telemetry.ErrorsPrefix
	RuleErrorsPrefix = telemetry.RuleErrorsPrefix
)
