package telemetry_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Telemetry"), nil)

	type columns struct {
		Litres float64 `column:"litres" source:"device"`
	}
	t := telemetry.New(stack, "Telemetry", telemetry.Props{
		Topic:   "acme/dev",
		Columns: telemetryschema.Columns[columns](),
		Types:   []telemetryschema.Type{{Name: "flow", Source: telemetryschema.Device}},
	})

	app.Synth(nil)
	fmt.Println("devices publish to", t.Topic+"/{thing}/readings")
	// Output: devices publish to acme/dev/{thing}/readings
}

// A report is a query of the day's records. Its table has the struct's columns.
func Example_report() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{
		Context: &map[string]any{"aws:cdk:bundling-stacks": []string{}},
	})
	stack := awscdk.NewStack(app, jsii.String("Telemetry"), nil)

	type senders struct {
		Day     string `column:"day"`
		Devices int64  `column:"devices"`
	}
	t := telemetry.New(stack, "Telemetry", telemetry.Props{
		Topic: "acme/dev",
		Types: []telemetryschema.Type{{Name: "flow", Source: telemetryschema.Device}},
		Reports: []telemetryschema.Report{{
			Name:    "daily_senders",
			Comment: "Number of devices that sent readings",
			SQL: telemetryschema.WithLatest(
				"SELECT day, count(DISTINCT device) AS devices FROM latest GROUP BY day"),
			Columns: telemetryschema.Columns[senders](),
		}},
	})

	app.Synth(nil)
	fmt.Println(len(t.Tables), "tables")
	// Output: 2 tables
}
