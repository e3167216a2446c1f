package telemetry

// Table is the table of the Glue Data Catalog that holds the records.
const Table = "telemetry"

// The prefixes of the ingestion bucket. What reads or writes there shares them: the table, the delivery stream, the rule, the
// report function and cmd/replay.
const (
	TablePrefix      = Table + "/"            // the table's objects, below type=…/day=…/
	RawPrefix        = "raw/"                 // the stream's records as they were, below day=…/
	ErrorsPrefix     = "errors/"              // records that are not in the table
	RuleErrorsPrefix = ErrorsPrefix + "rule/" // what the rule could not put into the stream, below day=…/
)
