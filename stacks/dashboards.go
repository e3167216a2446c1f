package stacks

import (
	_ "embed" // reports_dashboard.json

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/dashboards"
	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
)

// reportsDashboard is the definition of the dashboard of the reports.
//
//go:embed reports_dashboard.json
var reportsDashboard string

// NewDashboards declares the dashboard of the reports, for an environment with a DashboardsOwner.
// No other stack uses it: before an environment drops the dashboard, its stack must be deleted.
func NewDashboards(
	stage awscdk.Stage, env environments.Environment, telemetry *telemetry.Telemetry,
) {
	stack := newStack(stage, "Dashboards", "Dashboard of the reports")
	d := dashboards.New(stack, "Dashboards", dashboards.Props{
		Owner:      env.DashboardsOwner,
		Name:       "Ashlar " + env.Name,
		WorkGroup:  *telemetry.WorkGroup.Ref(),
		Database:   *telemetry.Database.Ref(),
		Reports:    queries.Reports(),
		Definition: reportsDashboard,
	})
	telemetry.GrantQueryReports(d.Role)
	output(stack, "DashboardURL", "URL of the dashboard of the reports",
		jsii.Sprintf("https://%s.quicksight.aws.amazon.com/sn/dashboards/%s", *stack.Region(),
			*d.Dashboard.DashboardId()))
}
