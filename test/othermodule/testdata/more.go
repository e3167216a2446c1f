// Package more declares what the examples leave out: every construct that deploys a function of the
// library, so that each function is built and started.
package more

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Declare declares a disposable bucket, sign-in with Google, and a report.
func Declare(stage awscdk.Stage) {
	stack := awscdk.NewStack(stage, jsii.String("More"), nil)
	media.New(stack, "Media", media.Props{Disposable: true})
	identity.New(stack, "Identity", identity.Props{
		DomainPrefix:     "example-dev",
		WebCallbackURLs:  []string{"https://app.example.com/signed-in"},
		WebLogoutURLs:    []string{"https://app.example.com/"},
		GoogleClientID:   "111111111111-example.apps.googleusercontent.com",
		GoogleSecretName: "google",
	})
	type columns struct {
		Litres float64 `column:"litres" source:"device"`
	}
	type totals struct {
		Day    string  `column:"day"`
		Litres float64 `column:"litres"`
	}
	telemetry.New(stack, "Telemetry", telemetry.Props{
		Topic:   "acme/test",
		Columns: telemetryschema.Columns[columns](),
		Types:   []telemetryschema.Type{{Name: "flow", Source: telemetryschema.Device}},
		Reports: []telemetryschema.Report{{
			Name: "totals", Comment: "Litres of a day", Columns: telemetryschema.Columns[totals](),
			SQL: telemetryschema.WithLatest(
				"SELECT day, sum(litres) AS litres FROM latest GROUP BY day"),
		}},
	})
}
