// Package contract is what the report function and the construct that declares it agree on.
package contract

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/report"

// Settings is what the report function is told by its construct.
type Settings struct {
	WorkGroup    string        `env:"ATHENA_WORK_GROUP"` // which says where results go, and how much a query may read
	Database     string        `env:"GLUE_DATABASE"`
	Bucket       string        `env:"REPORTS_BUCKET"`
	QueryTimeout time.Duration `env:"QUERY_TIMEOUT"` // a query that takes longer is stopped; less than the function's own
}

// Scheduled is the message that has yesterday's and today's reports made, by the time at which it was sent, whether there are new
// readings or not.
const Scheduled = `{"Scheduled":true}`

// Reports are the reports that the function makes, each with its table and its query.
func Reports() []reports.Report { return reports.All() }
