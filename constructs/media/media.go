package media

import (
	"cmp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3notifications"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/internal/check"
	thumbnailsfn "github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// Props describes the buckets, the function and the distribution. Zero values take the stated
// default.
type Props struct {
	// AllowedOrigins are the web origins whose pages may upload and read pictures: https, or http
	// for localhost. Default: none; back ends and mobile apps need none.
	AllowedOrigins []string

	// Widths are those of the thumbnails of every picture, in pixels. Default: 320, 640, 1280.
	Widths    []int
	MaxBytes  int64 // larger originals get no thumbnails; default: 20 MiB; at most 100 MiB
	MaxPixels int   // larger originals get no thumbnails; default and at most: 50 million

	// Originals is an existing bucket for the originals. Its lifecycle, access logs, acceleration
	// and, for AllowedOrigins, its CORS rules are its owner's; only those of the thumbnails follow
	// the other props. The CDK's AddEventNotification adds the event notifications, with a function
	// of its own, and the owner may add others. The bucket must be one of the construct's stack, or
	// imported into it, and belong to one Media. Default: a new bucket.
	Originals awss3.IBucket

	// Key prefixes, the same in both buckets: one folder each, with a slash at the end. After a
	// change, objects below the earlier prefix neither expire nor are they delivered.
	TempPrefix      string // uploads that are not promoted; they expire; default: temp/
	PermanentPrefix string // promoted uploads; default: permanent/
	ProtectedPrefix string // uploads of signed-in clients, delivered; default: protected/
	PrivatePrefix   string // uploads of signed-in clients, not delivered; default: private/

	// TempRetention is how long uploads below TempPrefix are kept; whole days. Default: 1 day.
	TempRetention time.Duration

	// EventBridge sends S3's events of Originals to the account's default event bus, for rules that
	// match the bucket's name. Methods of Originals that add notifications fail the synthesis,
	// because CloudFormation would replace those that the thumbnails need. Default: no events
	// there; S3 then bills none.
	EventBridge bool

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
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	// Originals holds pictures as they were uploaded. Uploads below TempPrefix expire after
	// TempRetention; promoting one copies it to PermanentPrefix. Signed-in clients with credentials
	// of their own write below ProtectedPrefix and PrivatePrefix.
	Originals awss3.IBucket
	// TransferAcceleration reports whether Originals accepts uploads at S3's accelerated endpoint:
	// not if it is Props.Originals.
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
	props.check(scope, id)
	construct := node.New(scope, id)
	defaults.Override(construct, props.LogRetention, props.Disposable)
	m := &Media{
		Construct:            construct,
		Originals:            props.Originals,
		TransferAcceleration: props.Originals == nil && !props.DisableTransferAcceleration,
		tempPrefix:           props.TempPrefix,
		permanentPrefix:      props.PermanentPrefix,
		AccessLogs: bucket.NewAccessLogs(construct, "AccessLogs",
			bucket.AccessLogsProps{CloudFront: true}),
	}
	var own awss3.Bucket
	if props.Originals == nil {
		own = m.newOriginals(construct, props)
		m.Originals = own
	}
	m.Thumbnails = m.newBucket(construct, "Thumbnails", props,
		// A browser reads private thumbnails with its user's credentials.
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD)
	m.addThumbnailEvents(construct)
	m.addFunction(construct, props)
	m.addOriginalEvents(construct, props, own)
	m.addDistribution(construct, props)
	return m
}

// URL returns the base URL of the thumbnails, without a slash at the end.
func (m *Media) URL() string { return "https://" + *m.Distribution.DistributionDomainName() }

// GrantUpload lets grantee sign uploads below TempPrefix, and delete them.
func (m *Media) GrantUpload(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("media", m.Construct, "GrantUpload", grantee)
	granted := grant.To(grantee, []string{"s3:PutObject", "s3:DeleteObject"},
		m.originals(m.tempPrefix))
	return m.withKey(grantee, granted)
}

// GrantPromoteUploads lets grantee copy uploads from TempPrefix to PermanentPrefix, and delete
// promoted ones. It includes listing the bucket, without which S3 responds with 403 instead of 404
// for a missing upload.
func (m *Media) GrantPromoteUploads(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("media", m.Construct, "GrantPromoteUploads", grantee)
	granted := grant.To(grantee, []string{"s3:GetObject"}, m.originals(m.tempPrefix)).Combine(
		grant.To(grantee, []string{"s3:PutObject", "s3:DeleteObject"},
			m.originals(m.permanentPrefix))).Combine(
		grant.To(grantee, []string{"s3:ListBucket"}, *m.Originals.BucketArn()))
	return m.withKey(grantee, granted)
}

// GrantDeletePictures lets grantee delete promoted uploads.
func (m *Media) GrantDeletePictures(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("media", m.Construct, "GrantDeletePictures", grantee)
	return grant.To(grantee, []string{"s3:DeleteObject"}, m.originals(m.permanentPrefix))
}

// withKey adds the use of the originals' KMS key to granted. Only a bucket from Props has one.
func (m *Media) withKey(grantee awsiam.IGrantable, granted awsiam.Grant) awsiam.Grant {
	key := m.Originals.EncryptionKey()
	if key == nil {
		return granted
	}
	return granted.Combine(key.GrantEncryptDecrypt(grantee))
}

// originals returns the ARN pattern of the originals below prefix.
func (m *Media) originals(prefix string) string {
	return *m.Originals.ArnForObjects(jsii.String(prefix + "*"))
}

// newOriginals declares the bucket of originals.
func (m *Media) newOriginals(scope constructs.Construct, props Props) awss3.Bucket {
	originals := m.newBucket(scope, "Originals", props,
		// A browser uploads with a form that the API has signed (POST), or with its user's
		// credentials (the other methods; a multipart upload begins and ends with POST).
		awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT,
		awss3.HttpMethods_POST, awss3.HttpMethods_DELETE)
	if m.TransferAcceleration {
		originals.Node().DefaultChild().(awss3.CfnBucket).SetAccelerateConfiguration(
			&awss3.CfnBucket_AccelerateConfigurationProperty{
				AccelerationStatus: jsii.String("Enabled"),
			})
	}
	return originals
}

// newBucket declares a bucket whose objects below TempPrefix expire.
func (m *Media) newBucket(
	scope constructs.Construct, id string, props Props, methods ...awss3.HttpMethods,
) awss3.Bucket {
	bucketProps := bucket.Props{
		LifecycleRules: []*awss3.LifecycleRule{
			{
				Id: jsii.String("ExpireTempUploads"), Prefix: jsii.String(props.TempPrefix),
				Expiration: convert.Duration(props.TempRetention),
			},
		},
		AccessLogs: m.AccessLogs,
		LogPrefix:  strings.ToLower(id) + "/",
	}
	if len(props.AllowedOrigins) > 0 {
		bucketProps.CORS = []*awss3.CorsRule{{
			AllowedOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowedMethods: &methods,
			// Signed requests have many, which need no protection.
			AllowedHeaders: jsii.Strings("*"),
			ExposedHeaders: jsii.Strings("ETag"), // needed to complete a multipart upload
			MaxAge:         jsii.Number(time.Hour.Seconds()),
		}}
	}
	return bucket.New(scope, id, bucketProps)
}

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
			TempPrefix:      props.TempPrefix,
			PermanentPrefix: props.PermanentPrefix,
			ProtectedPrefix: props.ProtectedPrefix,
			PrivatePrefix:   props.PrivatePrefix,
		},
		Description: "Generates thumbnails of pictures",
		// One vCPU: "Configure Lambda function memory" in the AWS Lambda Developer Guide.
		MemoryMiB: 1769,
		Timeout:   time.Minute, // for a batch
	})
	m.withKey(m.Function, grant.To(m.Function, []string{"s3:GetObject"}, m.originals("")))
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
// own is the new bucket, or nil if the originals are in an existing one.
func (m *Media) addOriginalEvents(scope constructs.Construct, props Props, own awss3.Bucket) {
	m.OriginalEvents = consumer.New(scope, "OriginalEvents", consumer.Props{
		Function:  m.Function.Function,
		BatchSize: 5, // the function processes one picture after the other
		// A flood of uploads waits in the queue, and leaves the account's concurrency to the API.
		MaxConcurrency: 5,
	})
	m.OriginalEvents.GrantSendToDLQ(m.Function)
	if own != nil {
		bucket.Notify(own, bucket.Notifications{
			Queue:       m.OriginalEvents.Queue,
			Events:      []string{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"},
			EventBridge: props.EventBridge,
			Remedy: "set EventBridge of media.Props, and consume the events with a rule of " +
				"EventBridge",
		})
	} else {
		to := awss3notifications.NewSqsDestination(m.OriginalEvents.Queue)
		m.Originals.AddEventNotification(awss3.EventType_OBJECT_CREATED, to)
		m.Originals.AddEventNotification(awss3.EventType_OBJECT_REMOVED, to)
	}
	bucket.EmptyAfter(m.Thumbnails, m.OriginalEvents.Mapping)
}

func (p Props) withDefaults() Props {
	if p.Widths == nil {
		p.Widths = []int{320, 640, 1280}
	}
	p.MaxBytes = cmp.Or(p.MaxBytes, 20<<20)
	p.MaxPixels = cmp.Or(p.MaxPixels, maxPixels)
	p.TempPrefix = cmp.Or(p.TempPrefix, "temp/")
	p.PermanentPrefix = cmp.Or(p.PermanentPrefix, "permanent/")
	p.ProtectedPrefix = cmp.Or(p.ProtectedPrefix, "protected/")
	p.PrivatePrefix = cmp.Or(p.PrivatePrefix, "private/")
	p.TempRetention = cmp.Or(p.TempRetention, bucket.Day)
	return p
}

const (
	// maxPixels is what the function's memory holds: decoded, a pixel has 4 bytes, and twice that
	// while it is scaled.
	maxPixels = 50_000_000
	maxBytes  = 100 << 20 // besides the pixels
)

func (p Props) check(scope constructs.Construct, id string) {
	problems := []error{
		p.checkOriginals(scope),
		check.Each("AllowedOrigins", p.AllowedOrigins, check.Origin),
		check.NoDuplicates("AllowedOrigins", p.AllowedOrigins),
		check.Required("Widths", len(p.Widths) > 0, "pass nil for the default"),
		check.Each("Widths", p.Widths, func(prop string, width int) error {
			return check.Range(prop, width, 1, 65535) // JPEG has 16 bits for a dimension
		}),
		check.NoDuplicates("Widths", p.Widths),
		check.Range("MaxBytes", p.MaxBytes, 1, maxBytes),
		check.Range("MaxPixels", p.MaxPixels, 1, maxPixels),
		check.Duration("TempRetention", p.TempRetention, bucket.Day, 0, bucket.Day),
		check.That("EventBridge", p.EventBridge, !p.EventBridge || p.Originals == nil,
			"false with Originals; call EnableEventBridgeNotification of the bucket"),
	}
	prefixes := []struct{ name, value string }{
		{"TempPrefix", p.TempPrefix},
		{"PermanentPrefix", p.PermanentPrefix},
		{"ProtectedPrefix", p.ProtectedPrefix},
		{"PrivatePrefix", p.PrivatePrefix},
	}
	for i, prefix := range prefixes {
		// A prefix within another one would make private thumbnails public.
		problems = append(problems, check.KeyPrefix(prefix.name, prefix.value))
		for _, other := range prefixes[:i] {
			problems = append(problems, check.That(prefix.name, prefix.value,
				prefix.value != other.value, "a prefix different from "+other.name))
		}
	}
	check.Props("media", id, problems...)
}

// checkOriginals accepts a bucket of the scope's stack. The CDK declares the notifications in the
// bucket's stack: with two stacks, each would depend on the other.
func (p Props) checkOriginals(scope constructs.Construct) error {
	if p.Originals == nil || scope == nil { // New refuses the scope
		return nil
	}
	stack := *awscdk.Stack_Of(scope).Node().Addr()
	return check.That("Originals", *p.Originals.Node().Path(),
		*awscdk.Stack_Of(p.Originals).Node().Addr() == stack,
		"a bucket of the same stack; import it there with awss3.Bucket_FromBucketName")
}
