// Package media provisions users' pictures: the bucket that they upload to, the function that makes thumbnails in a second
// bucket, a notification of each picture that is finished, and the delivery of the thumbnails through CloudFront.
package media

import (
	"fmt"
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
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	thumbnailsfn "github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// Props describes the buckets and what stands between them. Zero values take the stated default.
type Props struct {
	AllowedOrigins []string // the web origins whose pages may upload pictures, and read them; required

	Widths    []int // of the thumbnails that every picture gets, in pixels; required
	MaxBytes  int64 // what an original may have, to get thumbnails; required
	MaxPixels int   // likewise; required; the function's memory is for 50 million

	TempRetention time.Duration // how long what is below temp/ stays; whole days; default: 1 day

	// DisableTransferAcceleration is for regions where S3 has none: "Configuring fast, secure file transfers using Amazon S3
	// Transfer Acceleration" in the Amazon S3 User Guide lists those that have it.
	DisableTransferAcceleration bool
	// OriginAccessControl has CloudFront prove itself to the bucket by an origin access control. Default: by an origin access
	// identity, which AWS calls legacy, and which the regions that were opened after 2022 do not have ("Restrict access to an
	// Amazon S3 origin" in the Amazon CloudFront Developer Guide). While a deployment changes it, which takes CloudFront some
	// minutes, thumbnails that no edge has are refused.
	OriginAccessControl bool

	LogRetention time.Duration // of access logs too; default: 30 days
	Disposable   bool          // delete the pictures with the stack
}

// Media is where users' pictures are kept, and where they are seen.
//
// What is seen are thumbnails, which the function has decoded and encoded again. An original is delivered to nobody: it
// may tell where it was taken, and may be no picture at all.
type Media struct {
	// Originals holds pictures as they were uploaded. What lies below temp/ is deleted after TempRetention: whoever keeps an
	// upload copies it to permanent/. Signed-in clients with credentials of their own write below protected/ and private/.
	Originals awss3.Bucket
	// TransferAcceleration tells that Originals takes uploads at S3's accelerated endpoint as well.
	TransferAcceleration bool
	// Thumbnails holds K/<width>.jpg for the original K, as long as there is one. What is below temp/ goes by the same rule.
	Thumbnails awss3.Bucket

	// Function makes the thumbnails, and deletes those of originals that are gone.
	Function *gofunction.Function
	// Events tells the function what has happened in Originals. What it gives up is among the dead letters, with the message
	// attribute Reason: what is no picture, say. So is what it failed at five times, without one.
	Events *consumer.Consumer

	// Finished tells of each original that the function has seen to: which thumbnails there are, or that there are none any
	// more. FinishedPictures gets all of that; what did not reach it, and what its consumer fails at, is in
	// DeadFinishedPictures.
	Finished                               *topic.Topic
	FinishedPictures, DeadFinishedPictures awssqs.Queue

	// Distribution delivers what Thumbnails has below temp/, permanent/ and protected/ to everybody who knows its name. What
	// is below private/ is its owner's. Nothing can be listed, so what is missing is refused like what is private: 403. It has
	// CloudFront's own name and certificate, with which CloudFront takes TLS 1.0 too.
	Distribution awscloudfront.Distribution
	// AccessLogs holds the logs of the distribution and of both buckets.
	AccessLogs awss3.Bucket
}

// New declares the buckets, the function and the distribution under scope.
func New(scope constructs.Construct, id string, props Props) *Media {
	props = props.withDefaults()
	props.check(id)
	this := constructs.NewConstruct(scope, jsii.String(id))
	m := &Media{
		TransferAcceleration: !props.DisableTransferAcceleration,
		AccessLogs:           bucket.NewAccessLogs(this, "AccessLogs", bucket.AccessLogsProps{Retention: props.LogRetention, CloudFront: true, Disposable: props.Disposable}),
	}
	m.Originals = m.newBucket(this, "Originals", props,
		// A browser uploads by a form that the API has signed (POST), and by credentials of its user (the others; POST is
		// how a multipart upload begins and ends).
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT, awss3.HttpMethods_POST, awss3.HttpMethods_DELETE)
	m.Thumbnails = m.newBucket(this, "Thumbnails", props,
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD) // by its user's credentials a browser reads what is private
	if m.TransferAcceleration {
		cfnBucket(m.Originals).SetAccelerateConfiguration(&awss3.CfnBucket_AccelerateConfigurationProperty{AccelerationStatus: jsii.String("Enabled")})
	}
	m.notify(this)
	m.makeThumbnails(this, props)
	m.takeEvents(this)
	m.deliver(this, props)
	return m
}

// URL is where thumbnails are delivered, without a slash at the end.
func (m *Media) URL() string { return "https://" + *m.Distribution.DistributionDomainName() }

// AllowUploading lets fn sign uploads below temp/, and delete what is there.
func (m *Media) AllowUploading(fn *gofunction.Function) {
	fn.Allow([]string{"s3:PutObject", "s3:DeleteObject"}, *m.Originals.ArnForObjects(jsii.String("temp/*")))
}

// AllowKeeping lets fn copy what is below temp/ to permanent/, and delete what is there. That it may list the bucket has
// S3 tell it what is missing, instead of refusing it.
func (m *Media) AllowKeeping(fn *gofunction.Function) {
	fn.Allow([]string{"s3:GetObject"}, *m.Originals.ArnForObjects(jsii.String("temp/*")))
	fn.Allow([]string{"s3:PutObject", "s3:DeleteObject"}, *m.Originals.ArnForObjects(jsii.String("permanent/*")))
	fn.Allow([]string{"s3:ListBucket"}, *m.Originals.BucketArn())
}

// AllowLettingGo lets fn delete what is below permanent/.
func (m *Media) AllowLettingGo(fn *gofunction.Function) {
	fn.Allow([]string{"s3:DeleteObject"}, *m.Originals.ArnForObjects(jsii.String("permanent/*")))
}

// newBucket declares a bucket whose objects below temp/ are forgotten.
func (m *Media) newBucket(scope constructs.Construct, id string, props Props, methods ...awss3.HttpMethods) awss3.Bucket {
	return bucket.New(scope, id, bucket.Props{
		LifecycleRules: []*awss3.LifecycleRule{
			{Id: jsii.String("ForgetWhatNobodyKept"), Prefix: jsii.String("temp/"), Expiration: convert.Duration(props.TempRetention)},
		},
		CORS: []*awss3.CorsRule{{
			AllowedOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowedMethods: &methods,
			AllowedHeaders: jsii.Strings("*"),    // those that a signed request has are many, and CORS protects none of them
			ExposedHeaders: jsii.Strings("ETag"), // without it, no browser can complete a multipart upload
			MaxAge:         jsii.Number(time.Hour.Seconds()),
		}},
		AccessLogs:   m.AccessLogs,
		LogPrefix:    strings.ToLower(id) + "/",
		LogRetention: props.LogRetention,
		Disposable:   props.Disposable,
	})
}

// cfnBucket is the resource beneath, for what the bucket's construct does not offer.
func cfnBucket(b awss3.Bucket) awss3.CfnBucket { return b.Node().DefaultChild().(awss3.CfnBucket) }

// notify declares the topic of finished pictures, and the queue that gets what it says.
func (m *Media) notify(scope constructs.Construct) {
	m.Finished = topic.New(scope, "Finished", topic.Props{})
	m.DeadFinishedPictures = queue.NewDeadLetters(scope, "DeadFinishedPictures")
	m.FinishedPictures = queue.New(scope, "FinishedPictures", queue.Props{DeadLetters: m.DeadFinishedPictures, VisibilityTimeout: 30 * time.Second})
	m.Finished.AddQueueSubscription(m.FinishedPictures, m.DeadFinishedPictures, nil)
}

// makeThumbnails declares the function between the buckets.
func (m *Media) makeThumbnails(scope constructs.Construct, props Props) {
	m.Function = gofunction.New(scope, "MakeThumbnails", gofunction.Props{
		Package: thumbnailsfn.Package,
		Settings: thumbnailsfn.Settings{
			ThumbnailBucket: *m.Thumbnails.BucketName(),
			Widths:          props.Widths,
			MaxBytes:        props.MaxBytes,
			MaxPixels:       props.MaxPixels,
		},
		Description:  "Makes thumbnails of pictures",
		MemoryMiB:    1769,        // one vCPU: "Configure Lambda function memory" in the AWS Lambda Developer Guide
		Timeout:      time.Minute, // for a batch
		LogRetention: props.LogRetention,
		Disposable:   props.Disposable,
	})
	m.Function.Allow([]string{"s3:GetObject"}, *m.Originals.ArnForObjects(jsii.String("*")))
	// That it may list the bucket has S3 tell it that an original is gone, instead of refusing it. It lists nothing.
	m.Function.Allow([]string{"s3:ListBucket"}, *m.Originals.BucketArn())
	m.Function.Allow([]string{"s3:PutObject", "s3:DeleteObject"}, *m.Thumbnails.ArnForObjects(jsii.String("*")))
	m.Finished.GrantPublish(m.Function)
}

// takeEvents has S3 tell the function of everything that comes into Originals or is deleted from it. What a lifecycle rule
// expires is left out: the thumbnails have the same rule.
//
// The notification is the bucket's own property. The CDK would have a function in Python set it (ADR 4), so that the
// queue's policy may name the bucket. S3 tries the queue before it takes the notification, so the policy comes first; it
// lets in what S3 sends for any bucket of the account.
func (m *Media) takeEvents(scope constructs.Construct) {
	m.Events = consumer.New(scope, "Events", consumer.Props{
		Function:  m.Function,
		BatchSize: 5, // the function works on one picture after the other
		// So many pictures at once, at most: a flood of uploads waits in the queue, and leaves the account's concurrency to
		// the API.
		MaxConcurrency: 5,
	})
	m.Events.GrantSendToDLQ()
	events := m.Events.Queue
	allowed := events.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("s3.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{events.QueueArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(scope).Account()}},
	}))
	var configurations []any
	for _, event := range []string{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"} {
		configurations = append(configurations, &awss3.CfnBucket_QueueConfigurationProperty{Event: jsii.String(event), Queue: events.QueueArn()})
	}
	resource := cfnBucket(m.Originals)
	resource.SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{QueueConfigurations: configurations})
	resource.Node().AddDependency(allowed.PolicyDependable)
	bucket.EmptyAfter(m.Thumbnails, m.Events.Mapping)
}

func (p Props) withDefaults() Props {
	if p.TempRetention == 0 {
		p.TempRetention = bucket.Day
	}
	return p
}

func (p Props) check(id string) {
	problems := []error{
		check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0, "pass the web client's origins"),
		check.Required("Widths", len(p.Widths) > 0, "pass those of the thumbnails, in pixels"),
		check.Required("MaxBytes", p.MaxBytes != 0, "pass what an original may have"),
		check.Required("MaxPixels", p.MaxPixels != 0, "pass what an original may have"),
		check.That("MaxBytes", p.MaxBytes, p.MaxBytes >= 0, "more than 0"),
		check.That("MaxPixels", p.MaxPixels, p.MaxPixels >= 0, "more than 0"),
		check.That("TempRetention", p.TempRetention, p.TempRetention >= bucket.Day && p.TempRetention%bucket.Day == 0, "whole days, at least 24h0m0s"),
	}
	for i, origin := range p.AllowedOrigins {
		problems = append(problems, check.That(fmt.Sprintf("AllowedOrigins[%d]", i), origin, !strings.Contains(origin, "*"), "an origin without *"))
	}
	for i, width := range p.Widths {
		// JPEG counts in 16 bits.
		problems = append(problems, check.That(fmt.Sprintf("Widths[%d]", i), width, width >= 1 && width <= 65535, "1 to 65535"))
	}
	check.Props("media", id, problems...)
}
