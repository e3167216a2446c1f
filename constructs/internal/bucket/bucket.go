// Package bucket declares the S3 buckets of the other constructs.
package bucket

import (
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	emptybucketfn "github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket/contract"
)

// Day is the unit of lifecycle rules, which take effect at the following midnight (UTC).
const Day = 24 * time.Hour

// Props describes a bucket. Zero values take the stated default.
type Props struct {
	// Key encrypts the bucket's objects, with an S3 Bucket Key, which reduces the calls to KMS.
	// Default: S3's key.
	Key       awskms.IKey
	Versioned bool // keep noncurrent versions until a rule expires them
	// LifecycleRules are added to the rule that aborts unfinished uploads after a day.
	LifecycleRules []*awss3.LifecycleRule
	CORS           []*awss3.CorsRule // default: no cross-origin requests
	// AccessLogs is a bucket of NewAccessLogs, in which S3 logs each request below LogPrefix.
	// Default: no logs.
	AccessLogs awss3.IBucket
	LogPrefix  string
}

// New declares a private bucket under scope. If Disposable is the scope's default, the bucket is
// deleted with the stack, including its objects.
func New(scope constructs.Construct, id string, props Props) awss3.Bucket {
	bucketProps := &awss3.BucketProps{
		ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED, // no object has an ACL
		Versioned:       jsii.Bool(props.Versioned),
		Cors:            convert.List(props.CORS),
	}
	bucket := newBucket(scope, id, bucketProps, props)
	if props.AccessLogs != nil {
		logTo(bucket, props.AccessLogs, props.LogPrefix)
		EmptyAfter(props.AccessLogs, bucket)
	}
	return bucket
}

// logTo makes S3 log the bucket's requests in logs below prefix. Without the feature flag
// @aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy, the CDK's own prop sets an ACL, which buckets
// without ACLs reject.
func logTo(bucket awss3.Bucket, logs awss3.IBucket, prefix string) {
	resource(bucket).SetLoggingConfiguration(&awss3.CfnBucket_LoggingConfigurationProperty{
		DestinationBucketName: logs.BucketName(), LogFilePrefix: jsii.String(prefix),
	})
	logs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{
			awsiam.NewServicePrincipal(jsii.String("logging.s3.amazonaws.com"), nil),
		},
		Actions:   jsii.Strings("s3:PutObject"),
		Resources: &[]*string{logs.ArnForObjects(jsii.String(prefix + "*"))},
		Conditions: &map[string]any{
			"ArnLike":      map[string]any{"aws:SourceArn": bucket.BucketArn()},
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(bucket).Account()},
		},
	}))
}

// resource returns the L1 resource of a bucket, for properties that the L2 construct does not
// offer.
func resource(bucket awss3.Bucket) awss3.CfnBucket {
	return bucket.Node().DefaultChild().(awss3.CfnBucket)
}

// AccessLogsProps describes a bucket for access logs. Zero values take the stated default.
type AccessLogsProps struct {
	CloudFront bool // accepts logs of distributions too
}

// NewAccessLogs declares a bucket under scope for the access logs of S3 and CloudFront. Both may
// deliver logs hours later. If they do between the emptying of a disposable bucket and its
// deletion, the stack must be deleted a second time.
func NewAccessLogs(scope constructs.Construct, id string, props AccessLogsProps) awss3.Bucket {
	ownership := awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED
	if props.CloudFront {
		// CloudFront's standard logs are written by an account of CloudFront, which needs an ACL of
		// the bucket ("Configure standard logging (legacy)" in the Amazon CloudFront Developer
		// Guide). Standard logging v2 needs a stack in us-east-1.
		ownership = awss3.ObjectOwnership_BUCKET_OWNER_PREFERRED
	}
	return newBucket(scope, id, &awss3.BucketProps{ObjectOwnership: ownership}, Props{
		LifecycleRules: []*awss3.LifecycleRule{{
			Id:         jsii.String("ExpireLogs"),
			Expiration: convert.Duration(defaults.Of(scope).LogRetention),
		}},
	})
}

// newBucket declares a bucket with the properties that all buckets have.
func newBucket(
	scope constructs.Construct, id string, bucketProps *awss3.BucketProps, props Props,
) awss3.Bucket {
	rules := append(slices.Clone(props.LifecycleRules), &awss3.LifecycleRule{
		Id:                                  jsii.String("AbortIncompleteUploads"),
		AbortIncompleteMultipartUploadAfter: convert.Duration(Day),
	})
	bucketProps.LifecycleRules = &rules
	bucketProps.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	// An origin access identity cannot use a KMS key.
	bucketProps.Encryption = awss3.BucketEncryption_S3_MANAGED
	if props.Key != nil {
		bucketProps.Encryption = awss3.BucketEncryption_KMS
		bucketProps.EncryptionKey = props.Key
		bucketProps.BucketKeyEnabled = jsii.Bool(true)
	}
	bucketProps.EnforceSSL = jsii.Bool(true)
	disposable := defaults.Of(scope).Disposable
	bucketProps.RemovalPolicy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if disposable {
		bucketProps.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
	}
	bucket := awss3.NewBucket(scope, jsii.String(id), bucketProps)
	if disposable {
		addEmptyOnDelete(bucket)
	}
	return bucket
}

// addEmptyOnDelete declares a function that empties the bucket before CloudFormation deletes it.
// The function's permissions are limited to this bucket. A bucket that is replaced is retained,
// because the permissions are for the new bucket by then.
func addEmptyOnDelete(bucket awss3.Bucket) {
	// Not with awscdk.Tags, which would also tag the resources below the bucket.
	tags := resource(bucket).Tags()
	tags.SetTag(jsii.String(emptybucketfn.Tag), jsii.String("true"), nil, nil)
	const timeout = 15 * time.Minute // Lambda's maximum; enough for a million objects
	fn := gofunction.New(bucket, "EmptyBucket", gofunction.Props{
		Package:     emptybucketfn.Package,
		Description: "Empties the bucket before it is deleted with its stack",
		Timeout:     timeout,
	})
	fn.AddToRolePolicy(
		[]string{"s3:GetBucketTagging", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
		*bucket.BucketArn())
	fn.AddToRolePolicy(
		[]string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"},
		*bucket.ArnForObjects(jsii.String("*")))
	emptyOnDelete := awscdk.NewCustomResource(bucket, jsii.String(emptyOnDeleteID),
		&awscdk.CustomResourceProps{
			ResourceType: jsii.String("Custom::EmptyBucket"),
			ServiceToken: fn.Function.FunctionArn(),
			// CloudFormation's default is an hour
			ServiceTimeout: convert.Duration(timeout + time.Minute),
			Properties:     &map[string]any{emptybucketfn.BucketName: bucket.BucketName()},
		})
	// The permissions must be deleted after the bucket is emptied.
	emptyOnDelete.Node().AddDependency(fn.Role)
}

const emptyOnDeleteID = "EmptyOnDelete" // of the custom resource below its bucket

// EmptyAfter makes CloudFormation delete writers before a disposable bucket is emptied. Objects
// written in between would make the bucket's deletion fail.
func EmptyAfter(bucket awss3.IBucket, writers ...constructs.IConstruct) {
	emptyOnDelete := bucket.Node().TryFindChild(jsii.String(emptyOnDeleteID))
	if emptyOnDelete == nil {
		return
	}
	for _, writer := range writers {
		writer.Node().AddDependency(emptyOnDelete)
	}
}
