package dashboards_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/dashboards"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// reports are also those of the construct telemetry, whose GrantQueryReports lets the dashboard's
// role query them.
var reports = []telemetryschema.Report{{
	Name: "daily_senders",
	SQL:  telemetryschema.WithLatest("SELECT day, count(*) AS records FROM latest GROUP BY day"),
	Columns: []telemetryschema.Column{
		{Name: "day", Type: "string"}, {Name: "records", Type: "bigint"},
	},
}}

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Dashboards"), nil)

	workGroup := awsathena.NewCfnWorkGroup(stack, jsii.String("WorkGroup"),
		&awsathena.CfnWorkGroupProps{Name: jsii.String("acme-dev")})
	d := dashboards.New(stack, "Dashboards", dashboards.Props{
		Owner:     "arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts",
		Name:      "Acme",
		WorkGroup: *workGroup.Ref(),
		Database:  "acme_dev",
		Reports:   reports,
	})

	app.Synth(nil)
	fmt.Println(len(d.DataSets), "data set")
	// Output: 1 data set
}
