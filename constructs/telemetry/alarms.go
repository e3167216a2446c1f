package telemetry

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// alarmPeriod is what each point of an alarm is about.
const alarmPeriod = 5 * time.Minute

// declareAlarms declares the alarms. Who is to hear of them adds actions. What has no data, since nothing happens, is in order.
func (t *Telemetry) declareAlarms(scope constructs.Construct, props Props) {
	alarm := func(id string, metric awscloudwatch.IMetric, above float64, periods int, description string) {
		t.Alarms = append(t.Alarms, awscloudwatch.NewAlarm(scope, jsii.String(id), &awscloudwatch.AlarmProps{
			AlarmDescription:   jsii.String(description),
			Metric:             metric,
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			Threshold:          jsii.Number(above),
			EvaluationPeriods:  jsii.Number(periods),
			TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		}))
	}
	// "Monitor Amazon Data Firehose with CloudWatch metrics" in the Amazon Data Firehose Developer Guide.
	// With dynamic partitioning it may take one and a half times the interval, and the function buffers as well: "Buffer data for
	// dynamic partitioning" there.
	late := props.BufferingInterval + 15*time.Minute
	alarm("DeliveryDataFreshness", t.deliveryMetric("DeliveryToS3.DataFreshness", "Maximum"), late.Seconds(), 3,
		fmt.Sprintf("Readings wait for longer than %v to come into the table. What Firehose has read it tries to put for two hours, the rest the stream keeps. "+
			"Look first at what Firehose says in the log group Errors, then at TransformErrors.", late))
	alarm("DeliveryMillisBehindLatest", t.deliveryMetric("KinesisMillisBehindLatest", "Maximum"), float64((15 * time.Minute).Milliseconds()), 3,
		"The delivery reads from the stream what came 15 minutes ago. What it has not read after the stream's retention is lost. "+
			"Look first whether its role may read the stream and use the key, then whether others read the stream too.")
	alarm("DeliveryFormatConversionFailed", t.deliveryMetric("FailedConversion.Records", "Sum"), 0, 1,
		"The function's rows are none of the table's; they are below errors/format-conversion-failed/. "+
			"Look first whether the table has the columns of the deployment, then replay the day.")
	alarm("DeliveryPartitionCountExceeded", t.deliveryMetric("PartitionCountExceeded", "Maximum"), 0, 1,
		"Readings are of more types and days at a time than Firehose has partitions for, 500; the rest is below errors/activePartitionExceeded/. "+
			"Look first whether several days are being replayed at once, then whose readings are late. Replay the day, alone.")

	alarm("RuleActionFailure", t.ruleMetric("Failure"), 0, 1,
		"The rule cannot put what devices publish into the stream, and keeps it below errors/rule/. "+
			"Look first at the errorMessage of an object there; StreamWriteThroughputExceeded tells whether the stream is. Then replay the day.")
	alarm("RuleErrorActionFailure", t.ruleMetric("ErrorActionFailure"), 0, 1,
		"What the rule failed at could not be kept either: these readings are lost, unless their devices send them again. "+
			"Look first whether the rule's role may write below errors/rule/ and use the key.")
	alarm("StreamWriteThroughputExceeded", t.Stream.MetricWriteProvisionedThroughputExceeded(metricOptions("Sum")), 0, 3,
		"The stream takes more slowly than readings come. The API's clients send theirs again, and the rule keeps devices' below errors/rule/. "+
			"Look first whether a shard more is due, or whether somebody floods it.")

	alarm("TransformErrors", t.Transform.Function.MetricErrors(metricOptions("Sum")), 0, 1,
		"The transform fails as a whole; a batch that it fails at four times is below errors/processing-failed/. "+
			"Look first at its log. Mend it, then replay the day.")
	alarm("TransformFailedRecords", t.failedPercentage(), 5, 3,
		"More than 5 % of the records are no readings as they are declared; they are below errors/processing-failed/. "+
			"Look first at the reasons in the transform's log: a new firmware or client may send a type before it is declared. Declare it, then replay the day.")
	alarm("ReportsDLQMessages", t.ReportRequests.DeadLetterQueue.MetricApproximateNumberOfMessagesVisible(metricOptions("Maximum")), 0, 1,
		"Reports could not be made after five attempts. Look first at the report function's log, for what Athena says. "+
			"Mend it, then make redrive QUEUE=Reports.")
}

// metricOptions has a metric reckoned over a period of alarms.
func metricOptions(statistic string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String(statistic), Period: convert.Duration(alarmPeriod)}
}

func (t *Telemetry) deliveryMetric(name, statistic string) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String("AWS/Firehose"),
		MetricName:    jsii.String(name),
		DimensionsMap: &map[string]*string{"DeliveryStreamName": t.Delivery.Ref()},
		Statistic:     jsii.String(statistic),
		Period:        convert.Duration(alarmPeriod),
	})
}

// ruleMetric counts what the rule's actions did. It is a query, since the metrics have the dimension ActionType besides
// RuleName, and its values are not documented: "AWS IoT metrics and dimensions" in the AWS IoT Core Developer Guide.
func (t *Telemetry) ruleMetric(name string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String(fmt.Sprintf(`SELECT SUM(%s) FROM "AWS/IoT" WHERE RuleName = '%s'`, name, *t.Rule.RuleName())),
		UsingMetrics: &map[string]awscloudwatch.IMetric{},
		Label:        jsii.String(name),
		Period:       convert.Duration(alarmPeriod),
	})
}

// failedPercentage is how many of a hundred records the transform fails, by its log line of each batch.
func (t *Telemetry) failedPercentage() awscloudwatch.IMetric {
	count := func(name, field string) awscloudwatch.IMetric {
		filter := t.Transform.LogGroup.AddMetricFilter(jsii.String(name), &awslogs.MetricFilterOptions{
			FilterPattern:   awslogs.FilterPattern_Literal(jsii.String(`{ $.message = "transformed" }`)),
			MetricNamespace: jsii.String(t.Topic),
			MetricName:      jsii.String(name),
			MetricValue:     jsii.String("$." + field),
		})
		return filter.Metric(metricOptions("Sum"))
	}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String("100 * failed / records"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{"failed": count("FailedRecords", "failed"), "records": count("TransformedRecords", "records")},
		Label:        jsii.String("Failed records, per cent"),
		Period:       convert.Duration(alarmPeriod),
	})
}
