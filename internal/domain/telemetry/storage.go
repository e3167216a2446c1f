// Package telemetry converts the records of the stream, which are readings of devices and events of
// clients, to rows of the table telemetry.
package telemetry

import "github.com/ashlar-cdk/ashlar/telemetryschema"

// Prefixes of the ingestion bucket. The table, the delivery stream, the rule and cmd/replay share
// them.
const (
	TablePrefix      = telemetryschema.Table + "/" // the table's objects, below type=…/day=…/
	RawPrefix        = "raw/"                      // raw copies of the records, below day=…/
	ErrorsPrefix     = "errors/"                   // records that did not get into the table
	RuleErrorsPrefix = ErrorsPrefix + "rule/"      // messages the rule failed to put, below day=…/
)
