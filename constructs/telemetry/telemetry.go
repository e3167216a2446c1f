package telemetry

import (
	"fmt"
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/key"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Props describes the pipeline. Zero values take the stated default.
type Props struct {
	// Topic is the prefix of the devices' MQTT topics: lower-case letters and digits with slashes
	// between. A thing publishes to <Topic>/<its name>/readings. It must be unique among the
	// Telemetry constructs of the account and region, because physical names are derived from it:
	// acme/dev gives the rule acme_dev_readings, the database acme_dev and the workgroup acme-dev.
	// Changing it loses no data, but all devices have to be reconfigured. Required.
	Topic string

	// Columns are the columns of the table telemetry besides those that every table has; Columns of
	// package telemetryschema makes them from a struct. A column may be added later, but not
	// renamed or given another type. Default: none; all fields go into the column extra.
	Columns []telemetryschema.Column
	// Types are the types of records. Records of another type fail. Required.
	Types []telemetryschema.Type
	// Reports are made for each day from its records. Default: none, and neither the function that
	// makes them nor its queue.
	Reports []telemetryschema.Report
	// FirstDay is the first day of the table, such as 2026-01-31, in UTC: a query without a day
	// reads the partitions of all days since. Default: 2026-01-01.
	FirstDay string

	// Shards is the number of shards, each for 1 MiB or 1,000 records a second. Kinesis at most
	// doubles or halves it in one change. Default: 0, on-demand mode: the stream scales
	// automatically, and is billed by throughput.
	Shards int
	// Retention is how long the stream keeps records, for when the delivery fails; whole hours.
	// Default: 24 h, the minimum; at most 365 days.
	Retention time.Duration

	// Firehose writes an object of the table when it has buffered BufferingSizeMiB of one type and
	// day, or after BufferingInterval. Athena reads few large objects faster, and S3 bills each
	// PUT.
	BufferingSizeMiB  int           // default: 128, the maximum; at least 64, for Parquet
	BufferingInterval time.Duration // default: 15 min, the maximum; at least 1 min; whole seconds

	// RawRetention is how long records can be replayed and errors examined; whole days. Default:
	// 365 days.
	RawRetention time.Duration

	// BytesScannedCutoffPerQuery is the amount of data after which Athena cancels a query in the
	// workgroup; Athena bills by data scanned. Default: 10 GiB; at least 10 MB.
	BytesScannedCutoffPerQuery int64

	// EventBridge sends S3's events of the bucket Ingestion to the account's default event bus, for
	// rules that match the bucket's name. Methods of Ingestion that add notifications fail the
	// synthesis, because CloudFormation would replace those that the reports need, also when
	// Reports are added later. Default: no events there.
	EventBridge bool

	// Key encrypts the records, in the stream and in the bucket, and the reports. Its policy must
	// let IAM policies of the account grant its use. Default: a key of its own.
	Key awskms.IKey

	LogRetention time.Duration // of access logs too; default: the scope's (package defaults)
	Disposable   bool          // delete the records and the reports with the stack
}

// Telemetry is the pipeline from readings and events to reports.
type Telemetry struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	Key awskms.IKey // encrypts the records and the reports

	// Topic is Props.Topic.
	Topic string
	// ThingType is the type of all devices. ThingPolicy is the policy of their certificates: a
	// thing may connect with its own name as client id, and publish to its own topic.
	ThingType   awsiot.CfnThingType
	ThingPolicy awsiot.CfnPolicy
	// Rule puts messages of devices into Stream. It writes those that it fails to put as objects
	// below errors/rule/ in Ingestion.
	Rule awsiot.CfnTopicRule

	// Stream carries the records of devices and clients until they are delivered.
	Stream awskinesis.Stream

	// Transform turns records into rows. Delivery writes the rows into Ingestion below telemetry/,
	// raw copies of the records below raw/, and failed records below errors/.
	Transform *gofunction.Function
	Delivery  awskinesisfirehose.CfnDeliveryStream
	// DeliveryErrors holds the error logs of Delivery.
	DeliveryErrors awslogs.LogGroup
	Ingestion      awss3.Bucket

	// Database holds Tables, which are keyed by name: telemetry, and one for each report. No
	// crawler discovers partitions: the telemetry table uses partition projection, and a report is
	// small enough to have no partitions.
	Database awsglue.CfnDatabase
	Tables   map[string]awsglue.CfnTable

	// WorkGroup runs all queries. It sets the location of results, their encryption key, and the
	// data limit of a query.
	WorkGroup awsathena.CfnWorkGroup
	// Reports holds the reports below parquet/ and csv/, and the results of queries below athena/.
	Reports awss3.Bucket
	// Report makes each day's reports whenever new records of that day arrive, and those of
	// yesterday and today every six hours; the requests arrive in ReportRequests. Both are nil
	// without Props.Reports.
	Report         *gofunction.Function
	ReportRequests *consumer.Consumer
	// AccessLogs holds the access logs of both buckets.
	AccessLogs awss3.Bucket

	// Alarms are all alarms of the pipeline. The description of each states what it means, and what
	// to check first. They have no actions.
	Alarms []awscloudwatch.Alarm

	schema  telemetryschema.Schema
	reports []telemetryschema.Report
	// Metrics of the transform's log.
	transformed, failed awscloudwatch.Metric
}

// New declares the pipeline under scope.
func New(scope constructs.Construct, id string, props Props) *Telemetry {
	props = props.withDefaults()
	props.check(id)
	construct := node.New(scope, id)
	check.Props("telemetry", id,
		node.Claim(construct, "Topic", props.Topic, "pass a topic that no other Telemetry has"))
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	t := &Telemetry{
		Construct: construct,
		Topic:     props.Topic,
		Key:       props.Key,
		schema:    props.schema(),
		reports:   props.Reports,
	}
	if t.Key == nil {
		t.Key = key.New(construct, "Encrypts telemetry records and reports",
			props.Disposable)
	}
	t.declareBuckets(construct, props)
	t.Stream = newStream(construct, t.Key, props)
	t.declareTables(construct, props)
	t.declareDelivery(construct, props)
	t.declareDevices(construct)
	t.declareQueries(construct, props)
	notifications := bucket.Notifications{
		EventBridge: props.EventBridge,
		Remedy: "set EventBridge of telemetry.Props, and consume the events with a rule of " +
			"EventBridge",
	}
	if len(t.reports) > 0 {
		t.declareReports(construct)
		// A delivery may be in another day's folder than today's, so S3 says which days have
		// changed.
		notifications.Queue = t.ReportRequests.Queue
		notifications.Events = []string{"s3:ObjectCreated:*"}
		notifications.Prefix = transformfn.TablePrefix
	}
	bucket.Notify(t.Ingestion, notifications)
	t.declareTransformMetrics()
	t.declareAlarms(construct, props)
	return t
}

// name returns Topic with separator instead of slashes, for physical names.
func (t *Telemetry) name(separator string) string {
	return strings.ReplaceAll(t.Topic, "/", separator)
}

// arn returns the ARN of a resource of the account in the stack's region.
func (t *Telemetry) arn(service, resource, name string) string {
	return *awscdk.Stack_Of(t.Construct).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String(service), Resource: jsii.String(resource),
		ResourceName: jsii.String(name),
	})
}

func newStream(scope constructs.Construct, key awskms.IKey, props Props) awskinesis.Stream {
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

// declareBuckets declares the buckets for records, reports and access logs.
func (t *Telemetry) declareBuckets(scope constructs.Construct, props Props) {
	t.AccessLogs = bucket.NewAccessLogs(scope, "AccessLogs", bucket.AccessLogsProps{})
	expiring := func(id, prefix string) *awss3.LifecycleRule {
		return &awss3.LifecycleRule{
			Id: jsii.String(id), Prefix: jsii.String(prefix),
			Transitions: transitions(props.RawRetention),
			Expiration:  convert.Duration(props.RawRetention),
		}
	}
	t.Ingestion = bucket.New(scope, "Ingestion", bucket.Props{
		Key: t.Key,
		LifecycleRules: []*awss3.LifecycleRule{
			{
				Id:     jsii.String("TransitionTelemetry"),
				Prefix: jsii.String(transformfn.TablePrefix), Transitions: transitions(forever),
			},
			expiring("ExpireRawCopies", transformfn.RawPrefix),
			expiring("ExpireErrors", transformfn.ErrorsPrefix),
		},
		AccessLogs: t.AccessLogs,
		LogPrefix:  "ingestion/",
	})
	t.Reports = bucket.New(scope, "Reports", bucket.Props{
		Key: t.Key,
		LifecycleRules: []*awss3.LifecycleRule{
			{
				Id: jsii.String("ExpireQueryResults"), Prefix: jsii.String(resultsPrefix),
				Expiration: convert.Duration(resultsRetention),
			},
		},
		AccessLogs: t.AccessLogs,
		LogPrefix:  "reports/",
	})
}

const forever = time.Duration(math.MaxInt64)

// transitions returns the transitions to cheaper storage classes that pay off within a retention,
// for data that is read rarely but without delay. S3 does not transition objects below 128 KiB,
// which would be billed as 128 KiB: "Constraints and considerations for transitions" in the Amazon
// S3 User Guide.
func transitions(retention time.Duration) *[]*awss3.Transition {
	var worthwhile []*awss3.Transition
	for _, to := range []struct {
		class awss3.StorageClass
		after time.Duration // also the minimum storage duration that the class bills
	}{
		{awss3.StorageClass_INFREQUENT_ACCESS(), 30 * bucket.Day},
		{awss3.StorageClass_GLACIER_INSTANT_RETRIEVAL(), 90 * bucket.Day},
	} {
		if 2*to.after <= retention {
			worthwhile = append(worthwhile, &awss3.Transition{
				StorageClass: to.class, TransitionAfter: convert.Duration(to.after),
			})
		}
	}
	return convert.List(worthwhile)
}

var topicPattern = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9]+)*$`)

func (p Props) schema() telemetryschema.Schema {
	return telemetryschema.Schema{Columns: p.Columns, Types: p.Types}
}

func (p Props) withDefaults() Props {
	if p.FirstDay == "" {
		p.FirstDay = "2026-01-01" // no deployment of this construct is older
	}
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

// The limits are the services': CreateStream and IncreaseStreamRetentionPeriod in the Amazon
// Kinesis Data Streams API Reference, "Configure buffering hints" and "Buffering and dynamic
// partitioning" in the Amazon Data Firehose Developer Guide, and WorkGroupConfiguration in the
// Amazon Athena API Reference. IoT Core accepts topics of up to 256 bytes, of which a thing's name
// may take 128.
func (p Props) check(id string) {
	problems := []error{
		check.Required("Topic", p.Topic != "",
			"pass the prefix of the devices' topics, such as acme/dev"),
		check.That("Topic", p.Topic,
			p.Topic == "" || topicPattern.MatchString(p.Topic) && len(p.Topic) <= 100,
			"lower-case letters and digits with slashes between, at most 100 characters"),
		check.That("Shards", p.Shards, p.Shards >= 0,
			"0 for on-demand mode, or the number of shards"),
		check.That("Retention", p.Retention,
			p.Retention >= 24*time.Hour && p.Retention <= 365*bucket.Day &&
				p.Retention%time.Hour == 0,
			"whole hours, 24h0m0s to 8760h0m0s"),
		check.That("BufferingSizeMiB", p.BufferingSizeMiB,
			p.BufferingSizeMiB >= 64 && p.BufferingSizeMiB <= 128, "64 to 128"),
		check.That("BufferingInterval", p.BufferingInterval,
			p.BufferingInterval >= time.Minute && p.BufferingInterval <= 15*time.Minute &&
				p.BufferingInterval%time.Second == 0,
			"whole seconds, 1m0s to 15m0s"),
		check.That("RawRetention", p.RawRetention,
			p.RawRetention >= bucket.Day && p.RawRetention%bucket.Day == 0,
			"whole days, at least 24h0m0s"),
		check.That("BytesScannedCutoffPerQuery", p.BytesScannedCutoffPerQuery,
			p.BytesScannedCutoffPerQuery >= 10_000_000, "at least 10000000"),
		check.Required("Types", len(p.Types) > 0,
			"pass the types of records, such as {Name: \"reading\", Source: "+
				"telemetryschema.Device}"),
		p.checkFirstDay(),
	}
	if len(p.Types) > 0 {
		problems = append(problems, p.schema().Validate())
	}
	check.Props("telemetry", id,
		append(problems, telemetryschema.ValidateReports(p.Reports))...)
}

func (p Props) checkFirstDay() error {
	_, err := time.Parse(time.DateOnly, p.FirstDay)
	return check.That("FirstDay", fmt.Sprintf("%q", p.FirstDay), err == nil,
		"a day such as 2026-01-31")
}
