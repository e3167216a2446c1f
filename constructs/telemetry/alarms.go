package telemetry

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// declareAlarms declares the alarms without actions; the caller adds them. Missing data does not
// breach, because idle services publish none.
func (t *Telemetry) declareAlarms(scope constructs.Construct, props Props) {
	alarm := func(
		id string, metric awscloudwatch.IMetric, threshold float64, periods int, description string,
	) {
		t.Alarms = append(t.Alarms,
			awscloudwatch.NewAlarm(scope, jsii.String(id), &awscloudwatch.AlarmProps{
				AlarmDescription:   jsii.String(description),
				Metric:             metric,
				ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
				Threshold:          jsii.Number(threshold),
				EvaluationPeriods:  jsii.Number(periods),
				TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
			}))
	}
	// Dynamic partitioning may buffer for one and a half times the interval, and data for the
	// function is buffered as well: "Buffer data for dynamic partitioning" in the Amazon Data
	// Firehose Developer Guide.
	late := props.BufferingInterval + 15*time.Minute
	alarm("DeliveryDataFreshness", t.MetricDeliveryDataFreshness(nil),
		late.Seconds(), 3,
		fmt.Sprintf("Records take longer than %v to reach the telemetry table. "+
			"Firehose retries the delivery of an object for two hours; the stream keeps records "+
			"that Firehose has not read. "+
			"Check first the log group DeliveryErrors, then the alarm TransformErrors.", late))
	alarm("DeliveryMillisBehindLatest", t.MetricDeliveryMillisBehindLatest(nil),
		float64((15 * time.Minute).Milliseconds()), 3,
		"Firehose reads the stream with a delay of more than 15 minutes. Records that it has not "+
			"read within the stream's retention are lost. "+
			"Check first whether its role may read the stream and use the KMS key, then whether "+
			"other consumers read the stream.")
	alarm("DeliveryFormatConversionFailed",
		t.MetricDeliveryFormatConversionFailed(nil), 0, 1,
		"Firehose could not convert records to Parquet: the transform's output does not match the "+
			"Glue table. "+
			"The records are below errors/format-conversion-failed/ in the ingestion bucket. "+
			"Check first whether the table has the columns of the current deployment. Fix the "+
			"cause, then replay the day.")
	alarm("DeliveryPartitionCountExceeded",
		t.MetricDeliveryPartitionCountExceeded(nil), 0, 1,
		"Records have more types and days at a time than Firehose has active partitions (500). "+
			"The records above this limit are below errors/activePartitionExceeded/ in the "+
			"ingestion bucket. "+
			"Check first whether several days are being replayed at once, then which devices or "+
			"clients send late. Replay one day at a time.")

	alarm("RuleActionFailure", t.MetricRuleFailure(nil), 0, 1,
		"The IoT rule could not put messages of devices into the stream. The messages are below "+
			"errors/rule/ in the ingestion bucket. "+
			"Check first the errorMessage in an object there, then the alarm "+
			"StreamWriteThroughputExceeded. Fix the cause, then replay the day.")
	alarm("RuleErrorActionFailure", t.MetricRuleErrorActionFailure(nil), 0, 1,
		"The IoT rule could put messages neither into the stream nor below errors/rule/: these "+
			"readings are lost unless their devices send them again. "+
			"Check first whether the rule's role may write below errors/rule/ in the ingestion "+
			"bucket and use the KMS key.")
	alarm("StreamWriteThroughputExceeded",
		t.Stream.MetricWriteProvisionedThroughputExceeded(metricOptions("Sum")), 0, 3,
		"Writes exceed the throughput of the stream. Clients of the API retry theirs; the IoT "+
			"rule writes the devices' messages below errors/rule/. "+
			"Check first whether the stream needs another shard, then whether one device or "+
			"client sends too much.")

	alarm("TransformErrors", t.Transform.Function.MetricErrors(metricOptions("Sum")), 0, 1,
		"The transform function fails with an error. A batch that fails four times is below "+
			"errors/processing-failed/ in the ingestion bucket. "+
			"Check first the function's log. Fix the cause, then replay the day.")
	alarm("TransformFailedRecords", t.MetricTransformFailedPercentage(nil), 5, 3,
		"More than 5 % of the records fail validation in the transform. They are below "+
			"errors/processing-failed/ in the ingestion bucket. "+
			"Check first the reasons in the transform's log: a new version of a device or a "+
			"client may send a type that is not declared yet. Declare it, then replay the day.")
	if t.ReportRequests == nil {
		return
	}
	alarm("ReportsDLQMessages",
		t.ReportRequests.DeadLetterQueue.MetricApproximateNumberOfMessagesVisible(
			metricOptions("Maximum")), 0, 1,
		"Reports could not be made in five attempts; their messages are in the dead-letter queue. "+
			"Check first the report function's log for Athena's error. Fix the cause, then "+
			"redrive the dead-letter queue.")
}
