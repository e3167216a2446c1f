package telemetry

// Table is the table of the Glue Data Catalog that holds the records.
const Table = "telemetry"

// Prefixes of the ingestion bucket. The table, the delivery stream, the rule and cmd/replay share
// them.
const (
	TablePrefix      = Table + "/"            // the table's objects, below type=…/day=…/
	RawPrefix        = "raw/"                 // raw copies of the stream's records, below day=…/
	ErrorsPrefix     = "errors/"              // records that did not get into the table
	RuleErrorsPrefix = ErrorsPrefix + "rule/" // messages the rule failed to put, below day=…/
)
