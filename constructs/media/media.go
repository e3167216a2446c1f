// Package media provisions the bucket that users' pictures are uploaded to.
package media

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// Props describes the bucket. Zero values take the stated default.
type Props struct {
	AllowedOrigins []string // the web origins whose pages may upload to it and read from it; required

	// Disposable deletes the bucket with the stack. CloudFormation deletes only an empty one: empty it first.
	Disposable bool
}

// Media is where users' pictures are kept.
type Media struct {
	// Originals holds pictures as they were uploaded. Nothing in it is public, and what lies under temp/ for a day is
	// deleted: whoever keeps an upload moves it.
	Originals awss3.Bucket
}

// New declares the bucket under scope.
func New(scope constructs.Construct, id string, props Props) *Media {
	props.check(id)
	removalPolicy := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		removalPolicy = awscdk.RemovalPolicy_DESTROY
	}
	const day = 24 * time.Hour // lifecycle rules count in whole days, from the midnight (UTC) after
	this := constructs.NewConstruct(scope, jsii.String(id))
	return &Media{
		Originals: awss3.NewBucket(this, jsii.String("Originals"), &awss3.BucketProps{
			BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
			ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
			Encryption:        awss3.BucketEncryption_S3_MANAGED,
			EnforceSSL:        jsii.Bool(true),
			LifecycleRules: &[]*awss3.LifecycleRule{
				{Id: jsii.String("ForgetWhatNobodyKept"), Prefix: jsii.String("temp/"), Expiration: convert.Duration(day)},
				{Id: jsii.String("AbortUnfinishedUploads"), AbortIncompleteMultipartUploadAfter: convert.Duration(day)},
			},
			Cors: &[]*awss3.CorsRule{{
				AllowedOrigins: jsii.Strings(props.AllowedOrigins...),
				AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT, awss3.HttpMethods_POST, awss3.HttpMethods_DELETE},
				AllowedHeaders: jsii.Strings("*"),    // those that a signed request has are many, and CORS protects none of them
				ExposedHeaders: jsii.Strings("ETag"), // without it, no browser can complete a multipart upload
				MaxAge:         jsii.Number(time.Hour.Seconds()),
			}},
			RemovalPolicy: removalPolicy,
		}),
	}
}

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

func (p Props) check(id string) {
	problems := []error{check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0, "pass the web client's origins")}
	for i, origin := range p.AllowedOrigins {
		problems = append(problems, check.That(fmt.Sprintf("AllowedOrigins[%d]", i), origin, !strings.Contains(origin, "*"), "an origin without *"))
	}
	check.Props("media", id, problems...)
}
