// Package bucket declares the S3 buckets of the other constructs.
package bucket

import (
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	emptybucketfn "github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket/contract"
)

// Day is the unit of lifecycle rules, which take effect at the midnight (UTC) after.
const Day = 24 * time.Hour

// Props describes a bucket. Zero values take the stated default.
type Props struct {
	// Key encrypts what is put into the bucket, by a key of the bucket's own that KMS is asked for seldom (S3 Bucket Keys).
	// Default: S3's key.
	Key            awskms.IKey
	Versioned      bool                   // keep what is overwritten or deleted, until a rule expires it
	LifecycleRules []*awss3.LifecycleRule // default: none but that unfinished uploads are aborted after a day
	CORS           []*awss3.CorsRule      // default: no web page may read from it or write to it
	// AccessLogs is the bucket, made by NewAccessLogs, in which S3 logs each request below LogPrefix. Default: no logs.
	AccessLogs awss3.IBucket
	LogPrefix  string

	// Disposable deletes the bucket with the stack, and all that is in it.
	Disposable   bool
	LogRetention time.Duration // of the function that empties a disposable bucket; default: 30 days
}

// New declares a private bucket under scope.
func New(scope constructs.Construct, id string, props Props) awss3.Bucket {
	bucketProps := &awss3.BucketProps{
		ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED, // no object has an ACL
		Versioned:       jsii.Bool(props.Versioned),
		Cors:            convert.List(props.CORS),
	}
	if props.AccessLogs != nil {
		bucketProps.ServerAccessLogsBucket = props.AccessLogs
		bucketProps.ServerAccessLogsPrefix = jsii.String(props.LogPrefix)
	}
	bucket := newBucket(scope, id, bucketProps, props)
	if props.AccessLogs != nil {
		EmptyAfter(props.AccessLogs, bucket)
	}
	return bucket
}

// AccessLogsProps describes a bucket for access logs. Zero values take the stated default.
type AccessLogsProps struct {
	Retention  time.Duration // default: 30 days, as of all logs; whole days
	CloudFront bool          // takes the logs of distributions as well
	Disposable bool          // delete the logs with the stack
}

// NewAccessLogs declares a bucket under scope for the access logs of S3 and CloudFront. Both deliver hours later as well:
// where that is between the emptying of a disposable bucket and its deletion, the stack has to be deleted again.
func NewAccessLogs(scope constructs.Construct, id string, props AccessLogsProps) awss3.Bucket {
	if props.Retention == 0 {
		props.Retention = loggroup.DefaultRetention
	}
	ownership := awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED
	if props.CloudFront {
		// CloudFront's standard logs are written by an account of CloudFront's, which an ACL of the bucket admits ("Configure
		// standard logging (legacy)" in the Amazon CloudFront Developer Guide). The newer ones need a stack in us-east-1.
		ownership = awss3.ObjectOwnership_BUCKET_OWNER_PREFERRED
	}
	return newBucket(scope, id, &awss3.BucketProps{ObjectOwnership: ownership}, Props{
		LifecycleRules: []*awss3.LifecycleRule{{Id: jsii.String("ExpireLogs"), Expiration: convert.Duration(props.Retention)}},
		Disposable:     props.Disposable,
		LogRetention:   props.Retention,
	})
}

// newBucket gives a bucket what all of them have.
func newBucket(scope constructs.Construct, id string, bucketProps *awss3.BucketProps, props Props) awss3.Bucket {
	rules := append(slices.Clone(props.LifecycleRules), &awss3.LifecycleRule{
		Id: jsii.String("AbortIncompleteUploads"), AbortIncompleteMultipartUploadAfter: convert.Duration(Day),
	})
	bucketProps.LifecycleRules = &rules
	bucketProps.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	bucketProps.Encryption = awss3.BucketEncryption_S3_MANAGED // an origin access identity cannot use a key of KMS
	if props.Key != nil {
		bucketProps.Encryption = awss3.BucketEncryption_KMS
		bucketProps.EncryptionKey = props.Key
		bucketProps.BucketKeyEnabled = jsii.Bool(true)
	}
	bucketProps.EnforceSSL = jsii.Bool(true)
	bucketProps.RemovalPolicy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		bucketProps.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
	}
	bucket := awss3.NewBucket(scope, jsii.String(id), bucketProps)
	if props.Disposable {
		addEmptyOnDelete(bucket, props.LogRetention)
	}
	return bucket
}

// addEmptyOnDelete has a function empty the bucket before CloudFormation deletes it. The function
// may do no more, and to no other bucket: one that is replaced stays behind, since the function's
// rights are to the new one by then.
func addEmptyOnDelete(bucket awss3.Bucket, logRetention time.Duration) {
	// Not by awscdk.Tags, which would tag what stands below the bucket too.
	bucket.Node().DefaultChild().(awss3.CfnBucket).Tags().SetTag(jsii.String(emptybucketfn.Tag), jsii.String("true"), nil, nil)
	const timeout = 15 * time.Minute // Lambda's longest: a million objects
	fn := gofunction.New(bucket, "EmptyBucket", gofunction.Props{
		Package:      emptybucketfn.Package,
		Description:  "Empties a bucket that is deleted with its stack",
		Timeout:      timeout,
		LogRetention: logRetention,
		Disposable:   true,
	})
	fn.Allow([]string{"s3:GetBucketTagging", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}, *bucket.BucketArn())
	fn.Allow([]string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"}, *bucket.ArnForObjects(jsii.String("*")))
	resource := awscdk.NewCustomResource(bucket, jsii.String(emptyOnDeleteID), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String("Custom::EmptyBucket"),
		ServiceToken:   fn.Function.FunctionArn(),
		ServiceTimeout: convert.Duration(timeout + time.Minute), // CloudFormation's own patience is an hour
		Properties:     &map[string]any{emptybucketfn.BucketName: bucket.BucketName()},
	})
	// The permissions have to outlive the emptying.
	resource.Node().AddDependency(fn.Role)
}

const emptyOnDeleteID = "EmptyOnDelete" // of the custom resource below its bucket

// EmptyAfter has writers deleted before the bucket is emptied, if it is disposable: what they put into it would keep
// CloudFormation from deleting it.
func EmptyAfter(bucket awss3.IBucket, writers ...constructs.IConstruct) {
	resource := bucket.Node().TryFindChild(jsii.String(emptyOnDeleteID))
	if resource == nil {
		return
	}
	for _, writer := range writers {
		writer.Node().AddDependency(resource)
	}
}
