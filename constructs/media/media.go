// Package media provisions the bucket that users' pictures are uploaded to.
package media

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// Props describes the bucket. Zero values take the stated default.
type Props struct {
	AllowedOrigins []string // the web origins whose pages may upload to it and read from it; required

	LogRetention time.Duration // default: 30 days
	Disposable   bool          // delete the pictures with the stack
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
	this := constructs.NewConstruct(scope, jsii.String(id))
	return &Media{
		Originals: bucket.New(this, "Originals", bucket.Props{
			LifecycleRules: []*awss3.LifecycleRule{
				{Id: jsii.String("ForgetWhatNobodyKept"), Prefix: jsii.String("temp/"), Expiration: convert.Duration(bucket.Day)},
			},
			CORS: []*awss3.CorsRule{{
				AllowedOrigins: jsii.Strings(props.AllowedOrigins...),
				AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT, awss3.HttpMethods_POST, awss3.HttpMethods_DELETE},
				AllowedHeaders: jsii.Strings("*"),    // those that a signed request has are many, and CORS protects none of them
				ExposedHeaders: jsii.Strings("ETag"), // without it, no browser can complete a multipart upload
				MaxAge:         jsii.Number(time.Hour.Seconds()),
			}},
			LogRetention: props.LogRetention,
			Disposable:   props.Disposable,
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
