package telemetry

// Table is the table of the Glue Data Catalog that holds the records.
const Table = "telemetry"

// The prefixes of the ingestion bucket, which the table, the delivery stream, the rule and cmd/replay
// share.
const (
	TablePrefix      = Table + "/"            // the table's objects, below type=…/day=…/
	RawPrefix        = "raw/"                 // the stream's records as they were, below day=…/
	ErrorsPrefix     = "errors/"              // records that are not in the table
	RuleErrorsPrefix = ErrorsPrefix + "rule/" // messages that the rule failed to put, below day=…/
)
