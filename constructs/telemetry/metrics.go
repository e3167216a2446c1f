package telemetry

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// alarmPeriod is the period of the alarms' metrics.
const alarmPeriod = 5 * time.Minute

// The metrics of Delivery and Rule, which are L1 resources, and of the transform's log. Options may
// be nil; the default period is 5 minutes. Stream, the functions and the queues have the CDK's
// metric methods.
//
// Those of Delivery are explained in "Monitor Amazon Data Firehose with CloudWatch metrics" in the
// Amazon Data Firehose Developer Guide.

// MetricDelivery returns the metric of the delivery stream with a name of the namespace
// AWS/Firehose. Default: the sum.
func (t *Telemetry) MetricDelivery(
	name string, options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return t.deliveryMetric(name, "Sum", options)
}

// MetricDeliveryDataFreshness returns the age of the oldest record that is not in the table yet, in
// seconds. Default: the maximum.
func (t *Telemetry) MetricDeliveryDataFreshness(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return t.deliveryMetric("DeliveryToS3.DataFreshness", "Maximum", options)
}

// MetricDeliveryMillisBehindLatest returns how far the delivery is behind the stream, in
// milliseconds. Default: the maximum.
func (t *Telemetry) MetricDeliveryMillisBehindLatest(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return t.deliveryMetric("KinesisMillisBehindLatest", "Maximum", options)
}

// MetricDeliveryFormatConversionFailed returns the number of rows that do not match the table.
// Default: the sum.
func (t *Telemetry) MetricDeliveryFormatConversionFailed(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return t.deliveryMetric("FailedConversion.Records", "Sum", options)
}

// MetricDeliveryPartitionCountExceeded returns 1 while records arrive for more types and days than
// Firehose has active partitions. Default: the maximum.
func (t *Telemetry) MetricDeliveryPartitionCountExceeded(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return t.deliveryMetric("PartitionCountExceeded", "Maximum", options)
}

// MetricRuleFailure returns the number of messages of devices that the rule could not put into the
// stream. Only the options' period applies.
func (t *Telemetry) MetricRuleFailure(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.MathExpression {
	return t.ruleMetric("Failure", options)
}

// MetricRuleErrorActionFailure returns the number of messages of devices that are lost: the rule
// could put them neither into the stream nor below errors/rule/. Only the options' period applies.
func (t *Telemetry) MetricRuleErrorActionFailure(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.MathExpression {
	return t.ruleMetric("ErrorActionFailure", options)
}

// MetricTransformRecords returns the number of records that the transform received. Default: the
// sum.
func (t *Telemetry) MetricTransformRecords(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return with(t.transformed, options)
}

// MetricTransformFailedRecords returns the number of records that failed validation. Default: the
// sum.
func (t *Telemetry) MetricTransformFailedRecords(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return with(t.failed, options)
}

// MetricTransformFailedPercentage returns the percentage of records that failed validation. Only
// the options' period applies.
func (t *Telemetry) MetricTransformFailedPercentage(
	options *awscloudwatch.MetricOptions,
) awscloudwatch.MathExpression {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("100 * failed / records"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"failed":  t.MetricTransformFailedRecords(options),
			"records": t.MetricTransformRecords(options),
		},
		Label:  jsii.String("Failed records, per cent"),
		Period: period(options),
	})
}

func (t *Telemetry) deliveryMetric(
	name, statistic string, options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	return with(awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String("AWS/Firehose"),
		MetricName:    jsii.String(name),
		DimensionsMap: &map[string]*string{"DeliveryStreamName": t.Delivery.Ref()},
		Statistic:     jsii.String(statistic),
		Period:        convert.Duration(alarmPeriod),
	}), options)
}

// ruleMetric returns a metric that counts the rule's actions. It is a Metrics Insights query,
// because the metrics have the dimension ActionType besides RuleName, and its values are not
// documented: "AWS IoT metrics and dimensions" in the AWS IoT Core Developer Guide.
func (t *Telemetry) ruleMetric(
	name string, options *awscloudwatch.MetricOptions,
) awscloudwatch.MathExpression {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String(fmt.Sprintf(`SELECT SUM(%s) FROM "AWS/IoT" WHERE RuleName = '%s'`,
			name, *t.Rule.RuleName())),
		UsingMetrics: &map[string]awscloudwatch.IMetric{},
		Label:        jsii.String(name),
		Period:       period(options),
	})
}

// declareTransformMetrics declares the metrics of the log line that the transform writes for each
// batch.
func (t *Telemetry) declareTransformMetrics() {
	count := func(name, field string) awscloudwatch.Metric {
		filter := t.Transform.LogGroup.AddMetricFilter(jsii.String(name),
			&awslogs.MetricFilterOptions{
				FilterPattern: awslogs.FilterPattern_Literal(
					jsii.String(`{ $.message = "transformed" }`)),
				MetricNamespace: jsii.String(t.Topic),
				MetricName:      jsii.String(name),
				MetricValue:     jsii.String("$." + field),
			})
		return filter.Metric(metricOptions("Sum"))
	}
	t.failed = count("FailedRecords", "failed")
	t.transformed = count("TransformedRecords", "records")
}

// metricOptions returns the options of a metric with the alarms' period.
func metricOptions(statistic string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{
		Statistic: jsii.String(statistic), Period: convert.Duration(alarmPeriod),
	}
}

func with(metric awscloudwatch.Metric, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	if options == nil {
		return metric
	}
	return metric.With(options)
}

func period(options *awscloudwatch.MetricOptions) awscdk.Duration {
	if options == nil || options.Period == nil {
		return convert.Duration(alarmPeriod)
	}
	return options.Period
}
