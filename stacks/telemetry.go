package stacks

import (
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
)

// NewTelemetry declares the stack of telemetry, from devices and clients to reports.
func NewTelemetry(stage awscdk.Stage, env environments.Environment) *telemetry.Telemetry {
	stack := newStack(stage, "Telemetry", "Telemetry of devices and clients, and daily reports")
	schema := records.Schema()
	props := telemetry.Props{
		Topic:   "ashlar/" + strings.ToLower(env.Name),
		Columns: schema.Columns,
		Types:   schema.Types,
		Reports: queries.Reports(),
		Shards:  env.TelemetryShards,
	}
	if !env.Disposable {
		props.Retention = 7 * 24 * time.Hour // leaves time to fix the delivery after a weekend
	}
	t := telemetry.New(stack, "Telemetry", props)
	output(stack, "TelemetryStream", "Kinesis stream of telemetry records", t.Stream.StreamName())
	output(stack, "IngestionBucket",
		"Bucket of telemetry records, below telemetry/, raw/ and errors/",
		t.Ingestion.BucketName())
	output(stack, "ReportsBucket", "Bucket of reports, below parquet/ and csv/",
		t.Reports.BucketName())
	output(stack, "ReadingsTopic", "MQTT topic of a device; replace {thing} with its thing's name",
		jsii.String(t.Topic+"/{thing}/readings"))
	output(stack, "ThingPolicy", "IoT policy for the certificates of devices", t.ThingPolicy.Ref())
	output(stack, "ThingType", "IoT thing type of devices", t.ThingType.Ref())
	output(stack, "AthenaWorkGroup", "Athena workgroup for telemetry and reports",
		t.WorkGroup.Ref())
	outputDLQ(stack, "Reports", t.ReportRequests.DeadLetterQueue)
	return t
}
