// Package media provisions users' pictures: the bucket that they upload to, the function that makes
// thumbnails in a second bucket, a topic with an event for each finished picture, and the delivery
// of the thumbnails through CloudFront.
package media

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/internal/check"
	thumbnailsfn "github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// Props describes the buckets, the function and the distribution. Zero values take the stated
// default.
type Props struct {
	AllowedOrigins []string // the web origins whose pages may upload and read pictures; required

	Widths    []int // of the thumbnails of every picture, in pixels; required
	MaxBytes  int64 // larger originals get no thumbnails; required
	MaxPixels int   // larger originals get no thumbnails; for at most 50 million; required

	// Key prefixes, the same in both buckets: one folder each, with a slash at the end.
	TempPrefix      string // uploads that no post shows; they expire; default: temp/
	PermanentPrefix string // promoted uploads; default: permanent/
	ProtectedPrefix string // uploads of signed-in clients, delivered; default: protected/
	PrivatePrefix   string // uploads of signed-in clients, not delivered; default: private/

	// TempRetention is how long uploads below TempPrefix are kept; whole days. Default: 1 day.
	TempRetention time.Duration

	// DisableTransferAcceleration is for regions where S3 does not offer it: "Configuring fast,
	// secure file transfers using Amazon S3 Transfer Acceleration" in the Amazon S3 User Guide
	// lists those that do.
	DisableTransferAcceleration bool
	// OriginAccessControl authenticates CloudFront to the bucket with an origin access control.
	// Default: with an origin access identity, which AWS calls legacy, and which regions opened
	// after 2022 do not support ("Restrict access to an Amazon S3 origin" in the Amazon CloudFront
	// Developer Guide). While a deployment changes it, which takes CloudFront some minutes,
	// requests for thumbnails that are not cached fail.
	OriginAccessControl bool

	LogRetention time.Duration // of access logs too; default: the scope's (package defaults)
	Disposable   bool          // delete the pictures with the stack
}

// Media stores users' pictures and delivers their thumbnails.
//
// Only thumbnails are delivered, which the function has decoded and encoded again. An original is
// never delivered: it may reveal where it was taken, and may be no picture at all.
type Media struct {
	// Originals holds pictures as they were uploaded. Uploads below TempPrefix expire after
	// TempRetention; promoting one copies it to PermanentPrefix. Signed-in clients with credentials
	// of their own write below ProtectedPrefix and PrivatePrefix.
	Originals awss3.Bucket
	// TransferAcceleration reports whether Originals accepts uploads at S3's accelerated endpoint.
	TransferAcceleration bool
	// Thumbnails holds K/<width>.jpg for the original K, as long as the original exists. Those
	// below TempPrefix expire by the same rule.
	Thumbnails awss3.Bucket

	// Function makes the thumbnails, and deletes those of deleted originals.
	Function *gofunction.Function
	// OriginalEvents delivers S3's event notifications of Originals to the function. A message that
	// cannot succeed (the original is no picture, say) goes to the dead-letter queue, with the
	// message attribute Reason. A message that failed five times goes there without a Reason.
	OriginalEvents *consumer.Consumer

	// ThumbnailEvents carries an event for each change of an original, with its current thumbnails
	// or without any. ThumbnailEventQueue receives all of them. Messages that did not reach it, and
	// those that its consumer fails to process, go to ThumbnailEventDLQ.
	ThumbnailEvents                        *topic.Topic
	ThumbnailEventQueue, ThumbnailEventDLQ awssqs.Queue

	// Distribution delivers thumbnails below TempPrefix, PermanentPrefix and ProtectedPrefix to
	// anyone with the URL. Those below PrivatePrefix are not delivered: only their owner reads
	// them, from the bucket. Listing is not possible, so a missing thumbnail gets the same response
	// as a private one: 403. The distribution has CloudFront's domain name and certificate, with
	// which CloudFront accepts TLS 1.0 too.
	Distribution awscloudfront.Distribution
	// AccessLogs holds the logs of the distribution and of both buckets.
	AccessLogs awss3.Bucket

	tempPrefix, permanentPrefix string
}

// New declares the buckets, the function and the distribution under scope.
func New(scope constructs.Construct, id string, props Props) *Media {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	defaults.Override(construct, props.LogRetention, props.Disposable)
	m := &Media{
		TransferAcceleration: !props.DisableTransferAcceleration,
		tempPrefix:           props.TempPrefix,
		permanentPrefix:      props.PermanentPrefix,
		AccessLogs: bucket.NewAccessLogs(construct, "AccessLogs",
			bucket.AccessLogsProps{CloudFront: true}),
	}
	m.Originals = m.newBucket(construct, "Originals", props,
		// A browser uploads with a form that the API has signed (POST), or with its user's
		// credentials (the other methods; a multipart upload begins and ends with POST).
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT,
		awss3.HttpMethods_POST, awss3.HttpMethods_DELETE)
	m.Thumbnails = m.newBucket(construct, "Thumbnails", props,
		// A browser reads private thumbnails with its user's credentials.
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD)
	if m.TransferAcceleration {
		cfnBucket(m.Originals).SetAccelerateConfiguration(
			&awss3.CfnBucket_AccelerateConfigurationProperty{
				AccelerationStatus: jsii.String("Enabled"),
			})
	}
	m.addThumbnailEvents(construct)
	m.addFunction(construct, props)
	m.addOriginalEvents(construct)
	m.addDistribution(construct, props)
	return m
}

// URL returns the base URL of the thumbnails, without a slash at the end.
func (m *Media) URL() string { return "https://" + *m.Distribution.DistributionDomainName() }

// GrantUpload lets fn sign uploads below TempPrefix, and delete them.
func (m *Media) GrantUpload(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"s3:PutObject", "s3:DeleteObject"}, m.originals(m.tempPrefix))
}

// GrantPromoteUploads lets fn copy uploads from TempPrefix to PermanentPrefix, and delete promoted
// ones. It includes listing the bucket, without which S3 responds with 403 instead of 404 for a
// missing upload.
func (m *Media) GrantPromoteUploads(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"s3:GetObject"}, m.originals(m.tempPrefix))
	fn.AddToRolePolicy([]string{"s3:PutObject", "s3:DeleteObject"}, m.originals(m.permanentPrefix))
	fn.AddToRolePolicy([]string{"s3:ListBucket"}, *m.Originals.BucketArn())
}

// GrantDeletePictures lets fn delete promoted uploads.
func (m *Media) GrantDeletePictures(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"s3:DeleteObject"}, m.originals(m.permanentPrefix))
}

// originals returns the ARN pattern of the originals below prefix.
func (m *Media) originals(prefix string) string {
	return *m.Originals.ArnForObjects(jsii.String(prefix + "*"))
}

// newBucket declares a bucket whose objects below TempPrefix expire.
func (m *Media) newBucket(
	scope constructs.Construct, id string, props Props, methods ...awss3.HttpMethods,
) awss3.Bucket {
	return bucket.New(scope, id, bucket.Props{
		LifecycleRules: []*awss3.LifecycleRule{
			{
				Id: jsii.String("ExpireTempUploads"), Prefix: jsii.String(props.TempPrefix),
				Expiration: convert.Duration(props.TempRetention),
			},
		},
		CORS: []*awss3.CorsRule{{
			AllowedOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowedMethods: &methods,
			// Signed requests have many, which need no protection.
			AllowedHeaders: jsii.Strings("*"),
			ExposedHeaders: jsii.Strings("ETag"), // needed to complete a multipart upload
			MaxAge:         jsii.Number(time.Hour.Seconds()),
		}},
		AccessLogs: m.AccessLogs,
		LogPrefix:  strings.ToLower(id) + "/",
	})
}

// cfnBucket returns the L1 resource of a bucket, for properties that the L2 construct does not
// offer.
func cfnBucket(b awss3.Bucket) awss3.CfnBucket { return b.Node().DefaultChild().(awss3.CfnBucket) }

// addThumbnailEvents declares the topic, its queue and their dead-letter queue.
func (m *Media) addThumbnailEvents(scope constructs.Construct) {
	m.ThumbnailEvents = topic.New(scope, "ThumbnailEvents", topic.Props{})
	m.ThumbnailEventDLQ = queue.NewDeadLetterQueue(scope, "ThumbnailEventDLQ")
	m.ThumbnailEventQueue = queue.New(scope, "ThumbnailEventQueue", queue.Props{
		DeadLetterQueue: m.ThumbnailEventDLQ, VisibilityTimeout: 30 * time.Second,
	})
	m.ThumbnailEvents.AddQueueSubscription(m.ThumbnailEventQueue, m.ThumbnailEventDLQ, nil)
}

// addFunction declares the function that generates thumbnails.
func (m *Media) addFunction(scope constructs.Construct, props Props) {
	m.Function = gofunction.New(scope, "GenerateThumbnails", gofunction.Props{
		Package: thumbnailsfn.Package,
		Settings: thumbnailsfn.Settings{
			ThumbnailBucket: *m.Thumbnails.BucketName(),
			Widths:          props.Widths,
			MaxBytes:        props.MaxBytes,
			MaxPixels:       props.MaxPixels,
		},
		Description: "Generates thumbnails of pictures",
		// One vCPU: "Configure Lambda function memory" in the AWS Lambda Developer Guide.
		MemoryMiB: 1769,
		Timeout:   time.Minute, // for a batch
	})
	m.Function.AddToRolePolicy([]string{"s3:GetObject"}, m.originals(""))
	// With this permission, S3 responds with 404 for a missing original instead of 403. The
	// function does not list.
	m.Function.AddToRolePolicy([]string{"s3:ListBucket"}, *m.Originals.BucketArn())
	m.Function.AddToRolePolicy([]string{"s3:PutObject", "s3:DeleteObject"},
		*m.Thumbnails.ArnForObjects(jsii.String("*")))
	m.ThumbnailEvents.GrantPublish(m.Function)
}

// addOriginalEvents makes S3 notify the function of every object that is created in Originals or
// deleted from it. Objects that a lifecycle rule expires are not included: the thumbnails have the
// same rule.
//
// The notification is a property of the bucket. The CDK would set it with a function in Python (ADR
// 4), so that the queue's policy can name the bucket. S3 checks the queue when the notification is
// set, so the queue's policy must exist first; it admits S3 for any bucket of the account.
func (m *Media) addOriginalEvents(scope constructs.Construct) {
	m.OriginalEvents = consumer.New(scope, "OriginalEvents", consumer.Props{
		Function:  m.Function,
		BatchSize: 5, // the function processes one picture after the other
		// A flood of uploads waits in the queue, and leaves the account's concurrency to the API.
		MaxConcurrency: 5,
	})
	m.OriginalEvents.GrantSendToDLQ()
	events := m.OriginalEvents.Queue
	allowed := events.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{
			awsiam.NewServicePrincipal(jsii.String("s3.amazonaws.com"), nil),
		},
		Actions:   jsii.Strings("sqs:SendMessage"),
		Resources: &[]*string{events.QueueArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(scope).Account()},
		},
	}))
	var configurations []any
	for _, event := range []string{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"} {
		configurations = append(configurations,
			&awss3.CfnBucket_QueueConfigurationProperty{
				Event: jsii.String(event), Queue: events.QueueArn(),
			})
	}
	resource := cfnBucket(m.Originals)
	resource.SetNotificationConfiguration(
		&awss3.CfnBucket_NotificationConfigurationProperty{QueueConfigurations: configurations})
	resource.Node().AddDependency(allowed.PolicyDependable)
	bucket.EmptyAfter(m.Thumbnails, m.OriginalEvents.Mapping)
}

func (p Props) withDefaults() Props {
	p.TempPrefix = cmp.Or(p.TempPrefix, "temp/")
	p.PermanentPrefix = cmp.Or(p.PermanentPrefix, "permanent/")
	p.ProtectedPrefix = cmp.Or(p.ProtectedPrefix, "protected/")
	p.PrivatePrefix = cmp.Or(p.PrivatePrefix, "private/")
	if p.TempRetention == 0 {
		p.TempRetention = bucket.Day
	}
	return p
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+/$`)

func (p Props) check(id string) {
	problems := []error{
		check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0,
			"pass the web client's origins"),
		check.Required("Widths", len(p.Widths) > 0, "pass the widths of the thumbnails, in pixels"),
		check.Required("MaxBytes", p.MaxBytes != 0, "pass the maximum size of an original"),
		check.Required("MaxPixels", p.MaxPixels != 0,
			"pass the maximum number of pixels of an original"),
		check.That("MaxBytes", p.MaxBytes, p.MaxBytes >= 0, "more than 0"),
		check.That("MaxPixels", p.MaxPixels, p.MaxPixels >= 0, "more than 0"),
		check.That("TempRetention", p.TempRetention,
			p.TempRetention >= bucket.Day && p.TempRetention%bucket.Day == 0,
			"whole days, at least 24h0m0s"),
	}
	prefixes := []struct{ name, value string }{
		{"TempPrefix", p.TempPrefix},
		{"PermanentPrefix", p.PermanentPrefix},
		{"ProtectedPrefix", p.ProtectedPrefix},
		{"PrivatePrefix", p.PrivatePrefix},
	}
	for i, prefix := range prefixes {
		// Wildcards would widen the grants, and a prefix within another one would make private
		// thumbnails public.
		problems = append(problems, check.That(prefix.name, prefix.value,
			prefixPattern.MatchString(prefix.value), "letters, digits, - and _, then a slash"))
		for _, other := range prefixes[:i] {
			problems = append(problems, check.That(prefix.name, prefix.value,
				prefix.value != other.value, "a prefix different from "+other.name))
		}
	}
	for i, origin := range p.AllowedOrigins {
		problems = append(problems, check.That(fmt.Sprintf("AllowedOrigins[%d]", i), origin,
			!strings.Contains(origin, "*"), "an origin without *"))
	}
	for i, width := range p.Widths {
		// JPEG has 16 bits for a dimension.
		problems = append(problems,
			check.That(fmt.Sprintf("Widths[%d]", i), width, width >= 1 && width <= 65535,
				"1 to 65535"))
	}
	check.Props("media", id, problems...)
}
