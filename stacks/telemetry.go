package stacks

import (
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/environments"
)

// NewTelemetry declares the way from a reading to a report.
func NewTelemetry(stage awscdk.Stage, env environments.Environment) *telemetry.Telemetry {
	stack := newStack(stage, "Telemetry", "Readings of devices and clients, and their reports")
	props := telemetry.Props{
		Topic:  "ashlar/" + strings.ToLower(env.Name),
		Shards: env.TelemetryShards,
	}
	if !env.Disposable {
		props.Retention = 7 * 24 * time.Hour // whoever has to mend the delivery has a weekend first
	}
	t := telemetry.New(stack, "Telemetry", props)
	output(stack, "TelemetryStream", "Stream that readings go through", t.Stream.StreamName())
	output(stack, "IngestionBucket", "Bucket of the readings, below telemetry/, raw/ and errors/", t.Ingestion.BucketName())
	output(stack, "ReportsBucket", "Bucket of the reports, below parquet/ and csv/", t.Reports.BucketName())
	output(stack, "ReadingsTopic", "Topic that a device publishes to, with its thing's name", jsii.String(t.Topic+"/{thing}/readings"))
	output(stack, "ThingPolicy", "Policy that the certificates of devices get", t.ThingPolicy.Ref())
	output(stack, "ThingType", "Thing type of devices", t.ThingType.Ref())
	output(stack, "AthenaWorkGroup", "Work group of Athena for queries of readings and reports", t.WorkGroup.Ref())
	outputDLQ(stack, "Reports", t.ReportRequests.DeadLetterQueue)
	return t
}
