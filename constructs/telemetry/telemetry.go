// Package telemetry provisions the way of readings from devices and clients to daily reports: what devices publish to, the
// stream, the delivery into a table, and the queries that are made of it.
package telemetry

import (
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiot"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

// Props describes the way of the readings. Zero values take the stated default.
type Props struct {
	// Topic is what the topics of devices begin with, lower-case letters and digits with slashes between: a thing publishes to
	// <Topic>/<its name>/readings. No other Telemetry of the account and region has the same, since what AWS wants a name for
	// is named after it: of ashlar/dev, the rule ashlar_dev_readings, the database ashlar_dev and the work group ashlar-dev.
	// Another one loses nothing, but all devices have to know it. Required.
	Topic string

	// Shards of the stream, each for 1 MiB or 1,000 readings a second. Kinesis doubles or halves them at most, at a time. Default: 0,
	// on demand: the stream grows by itself, and is billed by what goes through it.
	Shards    int
	Retention time.Duration // how long the stream keeps what cannot be delivered; default: 24 h, the least; at most 365 days; whole hours

	// What an object of the table is made of: what arrives until there is so much of one type and day, or until so long has
	// passed. Athena reads few large objects faster, and S3 bills each.
	BufferingSizeMiB  int           // default: 128, the most; at least 64, since the records become Parquet
	BufferingInterval time.Duration // default: 15 min, the most; at least 1 min; whole seconds

	RawRetention time.Duration // how long readings can be replayed, and errors looked at; whole days; default: 365 days

	// BytesScannedCutoffPerQuery is what a query in the work group may read before Athena gives it up; Athena is paid for by what
	// is read. Default: 10 GiB; at least 10 MB.
	BytesScannedCutoffPerQuery int64

	LogRetention time.Duration // of access logs too; default: the scope's (package defaults)
	Disposable   bool          // delete the readings and the reports with the stack
}

// Telemetry is the way of the readings.
//
// What cannot be undone: the delivery stream reads from the stream what comes after it was made, so one in its place would
// miss what the old one had not read; its dynamic partitioning is for life. A thing type keeps its name, and CloudFormation
// cannot delete it, nor the policy, as long as things have them.
type Telemetry struct {
	// Key encrypts the readings, wherever they are, and the reports.
	Key awskms.Key

	// Topic is Props.Topic.
	Topic string
	// ThingType is that of all devices, and ThingPolicy the policy that their certificates get: a thing may connect by its own
	// name alone, and publish to its own topic.
	ThingType   awsiot.CfnThingType
	ThingPolicy awsiot.CfnPolicy
	// Rule puts what devices publish into Stream; what it fails at is an object below errors/rule/ in Ingestion.
	Rule awsiot.CfnTopicRule

	// Stream has what devices and clients have sent, until it is delivered.
	Stream awskinesis.Stream

	// Transform makes rows of readings. Delivery puts them into Ingestion below telemetry/, as they came below raw/, and what
	// failed below errors/.
	Transform *gofunction.Function
	Delivery  awskinesisfirehose.CfnDeliveryStream
	// DeliveryErrors has what Delivery has to say of what it fails at.
	DeliveryErrors    awslogs.LogGroup
	Ingestion awss3.Bucket

	// Database is that of Tables, by name: telemetry, and each of the reports. No crawler looks for partitions: the table of the
	// readings says where they are, and a report is small enough to have none.
	Database awsglue.CfnDatabase
	Tables   map[string]awsglue.CfnTable

	// WorkGroup is that of all queries: it says where the results go, by which key, and how much a query may read.
	WorkGroup awsathena.CfnWorkGroup
	// Reports has the reports below parquet/ and csv/, made by Reporter's function when there are new readings, each day's as
	// often as there are, and every six hours.
	Reports  awss3.Bucket
	ReportRequests *consumer.Consumer
	// AccessLogs holds the access logs of both buckets.
	AccessLogs awss3.Bucket

	// Alarms say each what it means, and what to look at first. They have no actions.
	Alarms []awscloudwatch.Alarm
}

// New declares the way of the readings under scope.
func New(scope constructs.Construct, id string, props Props) *Telemetry {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.LogRetention, props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	t := &Telemetry{Topic: props.Topic, Key: newKey(construct, props)}
	t.declareBuckets(construct, props)
	t.Stream = newStream(construct, t.Key, props)
	t.declareTables(construct)
	t.declareDelivery(construct, props)
	t.declareDevices(construct)
	t.declareQueries(construct, props)
	t.declareReports(construct, props)
	t.declareAlarms(construct, props)
	return t
}

// name is Topic as the name of something, whose words are separated.
func (t *Telemetry) name(separator string) string { return strings.ReplaceAll(t.Topic, "/", separator) }

// arn is the ARN of what the account has in the stack's region.
func (t *Telemetry) arn(service, resource, name string) string {
	return *awscdk.Stack_Of(t.Key).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String(service), Resource: jsii.String(resource), ResourceName: jsii.String(name),
	})
}

func newKey(scope constructs.Construct, props Props) awskms.Key {
	removal := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	return awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts readings and reports"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removal,
		PendingWindow:     awscdk.Duration_Days(jsii.Number(7)), // the shortest; 30 days are the default
	})
}

func newStream(scope constructs.Construct, key awskms.Key, props Props) awskinesis.Stream {
	streamProps := &awskinesis.StreamProps{
		StreamMode:      awskinesis.StreamMode_ON_DEMAND,
		RetentionPeriod: convert.Duration(props.Retention),
		Encryption:      awskinesis.StreamEncryption_KMS,
		EncryptionKey:   key,
		RemovalPolicy:   awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	}
	if props.Shards > 0 {
		streamProps.StreamMode = awskinesis.StreamMode_PROVISIONED
		streamProps.ShardCount = jsii.Number(props.Shards)
	}
	if props.Disposable {
		streamProps.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
	}
	return awskinesis.NewStream(scope, jsii.String("Stream"), streamProps)
}

// declareBuckets declares the buckets.
func (t *Telemetry) declareBuckets(scope constructs.Construct, props Props) {
	t.AccessLogs = bucket.NewAccessLogs(scope, "AccessLogs", bucket.AccessLogsProps{})
	expiring := func(id, prefix string) *awss3.LifecycleRule {
		return &awss3.LifecycleRule{
			Id: jsii.String(id), Prefix: jsii.String(prefix), Transitions: transitions(props.RawRetention), Expiration: convert.Duration(props.RawRetention),
		}
	}
	t.Ingestion = bucket.New(scope, "Ingestion", bucket.Props{
		Key: t.Key,
		LifecycleRules: []*awss3.LifecycleRule{
			{Id: jsii.String("TransitionTelemetry"), Prefix: jsii.String(transformfn.TablePrefix), Transitions: transitions(forever)},
			expiring("ExpireRawCopies", transformfn.RawPrefix),
			expiring("ExpireErrors", transformfn.ErrorsPrefix),
		},
		AccessLogs: t.AccessLogs,
		LogPrefix:  "ingestion/",
	})
	t.Reports = bucket.New(scope, "Reports", bucket.Props{
		Key: t.Key,
		LifecycleRules: []*awss3.LifecycleRule{
			{Id: jsii.String("ExpireQueryResults"), Prefix: jsii.String(resultsPrefix), Expiration: convert.Duration(resultsRetention)},
		},
		AccessLogs: t.AccessLogs,
		LogPrefix:  "reports/",
	})
}

const forever = time.Duration(math.MaxInt64)

// transitions are those to cheaper classes that are worth it for what is kept for so long: what is looked at seldom, and then at
// once. S3 leaves objects below 128 KiB where they are, since there they would be billed as if they had so much: "Constraints
// and considerations for transitions" in the Amazon S3 User Guide.
func transitions(kept time.Duration) *[]*awss3.Transition {
	var worth []*awss3.Transition
	for _, to := range []struct {
		class awss3.StorageClass
		after time.Duration // and so long is an object billed at least, once it is there
	}{
		{awss3.StorageClass_INFREQUENT_ACCESS(), 30 * bucket.Day},
		{awss3.StorageClass_GLACIER_INSTANT_RETRIEVAL(), 90 * bucket.Day},
	} {
		if 2*to.after <= kept {
			worth = append(worth, &awss3.Transition{StorageClass: to.class, TransitionAfter: convert.Duration(to.after)})
		}
	}
	return convert.List(worth)
}

var topicPattern = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9]+)*$`)

func (p Props) withDefaults() Props {
	if p.Retention == 0 {
		p.Retention = 24 * time.Hour
	}
	if p.BufferingSizeMiB == 0 {
		p.BufferingSizeMiB = 128
	}
	if p.BufferingInterval == 0 {
		p.BufferingInterval = 15 * time.Minute
	}
	if p.RawRetention == 0 {
		p.RawRetention = 365 * bucket.Day
	}
	if p.BytesScannedCutoffPerQuery == 0 {
		p.BytesScannedCutoffPerQuery = 10 << 30
	}
	return p
}

// The bounds are the services': CreateStream and IncreaseStreamRetentionPeriod in the Amazon Kinesis Data Streams API
// Reference, and "Configure buffering hints" and "Buffering and dynamic partitioning" in the Amazon Data Firehose Developer
// Guide, and WorkGroupConfiguration in the Amazon Athena API Reference. IoT Core takes topics of 256 bytes, of which a thing's
// name has 128.
func (p Props) check(id string) {
	check.Props("telemetry", id,
		check.Required("Topic", p.Topic != "", "pass what the topics of devices begin with, such as ashlar/dev"),
		check.That("Topic", p.Topic, p.Topic == "" || topicPattern.MatchString(p.Topic) && len(p.Topic) <= 100, "lower-case letters and digits with slashes between, at most 100"),
		check.That("Shards", p.Shards, p.Shards >= 0, "0 for as many as it takes, or more"),
		check.That("Retention", p.Retention, p.Retention >= 24*time.Hour && p.Retention <= 365*bucket.Day && p.Retention%time.Hour == 0, "whole hours, 24h0m0s to 8760h0m0s"),
		check.That("BufferingSizeMiB", p.BufferingSizeMiB, p.BufferingSizeMiB >= 64 && p.BufferingSizeMiB <= 128, "64 to 128"),
		check.That("BufferingInterval", p.BufferingInterval, p.BufferingInterval >= time.Minute && p.BufferingInterval <= 15*time.Minute && p.BufferingInterval%time.Second == 0, "whole seconds, 1m0s to 15m0s"),
		check.That("RawRetention", p.RawRetention, p.RawRetention >= bucket.Day && p.RawRetention%bucket.Day == 0, "whole days, at least 24h0m0s"),
		check.That("BytesScannedCutoffPerQuery", p.BytesScannedCutoffPerQuery, p.BytesScannedCutoffPerQuery >= 10_000_000, "at least 10000000"),
	)
}
