// Package contract provides the settings and messages that the report function shares with the
// construct that declares it.
package contract

import "time"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/report"

// ReportsFile is the name of the function's file, for gofunction.Props.Files: a list of
// telemetryschema.Report as JSON.
const ReportsFile = "reports.json"

// Settings configures the report function; its construct fills it.
type Settings struct {
	QuerySettings
	Bucket string `env:"REPORTS_BUCKET"`
	// QueryTimeout is less than the function's own; queries that take longer are stopped.
	QueryTimeout time.Duration `env:"QUERY_TIMEOUT"`
}

// QuerySettings are the settings of a function that queries the reports; the grant of the construct
// telemetry fills them.
type QuerySettings struct {
	// WorkGroup defines where results are stored and how much data a query may read.
	WorkGroup string `env:"ATHENA_WORK_GROUP"`
	Database  string `env:"GLUE_DATABASE"`
}

// Scheduled is the message that triggers the reports of the UTC day on which it is sent and of the
// day before, whether there are new records or not.
const Scheduled = `{"Scheduled":true}`
