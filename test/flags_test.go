package test

import (
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/constructs/website"
)

// TestConstructsHaveTheSameTemplateWithoutFeatureFlags: other apps have the flags of the CDK's
// version with which they were made, or none.
func TestConstructsHaveTheSameTemplateWithoutFeatureFlags(t *testing.T) {
	declare := map[string]func(stack awscdk.Stack){
		"Media": func(stack awscdk.Stack) {
			defaults.Set(stack, defaults.Values{Disposable: true})
			users := newIdentity(stack)
			m := media.New(stack, "Media", pictureProps)
			users.GrantSignedInReadWrite(m.Originals)
			users.GrantSignedInRead(m.Thumbnails)
		},
		"MediaOfExistingOriginals": func(stack awscdk.Stack) {
			m := media.New(stack, "Media", media.Props{
				OriginAccessControl: true,
				Originals: awss3.Bucket_FromBucketName(stack, jsii.String("Existing"),
					jsii.String("existing")),
			})
			m.GrantPromoteUploads(gofunction.New(stack, "Posts",
				gofunction.Props{Package: "example.com/posts"}))
		},
		"Website": func(stack awscdk.Stack) {
			website.New(stack, "Website", website.Props{
				Content:     fstest.MapFS{"index.html": {}},
				DomainNames: []string{"app.example.com"},
				CertificateARN: "arn:aws:acm:us-east-1:111111111111:certificate/" +
					"00000000-0000-4000-8000-000000000001",
			})
		},
		"Identity": func(stack awscdk.Stack) {
			identity.New(stack, "Identity", identity.Props{
				DomainPrefix:     "example",
				WebCallbackURLs:  []string{"https://example.com/in"},
				WebLogoutURLs:    []string{"https://example.com/out"},
				GoogleClientID:   "1-a.apps.googleusercontent.com",
				GoogleSecretName: "google",
			})
		},
	}
	for _, name := range slices.Sorted(maps.Keys(declare)) {
		t.Run(name, func(t *testing.T) {
			template := func(app awscdk.App) any {
				stage := awscdk.NewStage(app, jsii.String("Test"), nil)
				declare[name](awscdk.NewStack(stage, jsii.String("Stack"), nil))
				return synth(app)[0].Template
			}
			flags := template(newApp())
			without := template(awscdk.NewApp(&awscdk.AppProps{
				Context: &map[string]any{
					"aws:cdk:bundling-stacks": []string{},
					// The CDK reads it from the stack. It sorts and merges statements of policies,
					// which mean the same without.
					"@aws-cdk/aws-iam:minimizePolicies": true,
				},
				Outdir:             jsii.String(t.TempDir()),
				AnalyticsReporting: jsii.Bool(false),
			}))
			if diff := cmp.Diff(flags, without); diff != "" {
				t.Errorf("template (-with flags +without):\n%s", diff)
			}
		})
	}
}
