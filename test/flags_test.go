package test

import (
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/stacks"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// newAppWithoutFlags returns an app without the feature flags of cdk.json, except those that the
// CDK reads from the stack or the app, so that a construct cannot pin them. Both change how a
// template is written, but not what it means.
func newAppWithoutFlags(t *testing.T) awscdk.App {
	t.Helper()
	return awscdk.NewApp(&awscdk.AppProps{
		Context: &map[string]any{
			"aws:cdk:bundling-stacks": []string{},
			// Sorts and merges the statements of policies.
			"@aws-cdk/aws-iam:minimizePolicies": true,
			// Writes the partition of a region that is known as it is, instead of a reference.
			"@aws-cdk/core:enablePartitionLiterals": true,
		},
		Outdir:             jsii.String(t.TempDir()),
		AnalyticsReporting: jsii.Bool(false),
	})
}

// TestStacksHaveTheSameTemplatesWithoutFeatureFlags: other apps have the flags of the CDK's version
// with which they were made, or none. The environments declare every construct.
func TestStacksHaveTheSameTemplatesWithoutFeatureFlags(t *testing.T) {
	app := newAppWithoutFlags(t)
	names := []string{"Complete", "Dev"} // Dev's stateful resources are disposable
	for _, environment := range allEnvironments() {
		if slices.Contains(names, environment.Name) {
			stacks.NewPlatform(app, environment)
		}
	}
	without := map[string]assembly.Stack{}
	for _, stack := range synth(app) {
		without[stack.Environment+"/"+stack.Name] = stack
	}
	for _, name := range names {
		if len(platforms[name]) == 0 {
			t.Fatalf("there is no environment %s", name)
		}
		for _, stack := range slices.Sorted(maps.Keys(platforms[name])) {
			t.Run(name+"/"+stack, func(t *testing.T) {
				diff := cmp.Diff(platforms[name][stack].Template, without[name+"/"+stack].Template)
				if diff != "" {
					t.Errorf("template (-with flags +without):\n%s", diff)
				}
			})
		}
	}
}

// TestExistingOriginalsHaveTheSameTemplateWithoutFeatureFlags covers what no environment has:
// notifications that the CDK declares, and an origin access control.
func TestExistingOriginalsHaveTheSameTemplateWithoutFeatureFlags(t *testing.T) {
	template := func(app awscdk.App) assembly.Template {
		stage := awscdk.NewStage(app, jsii.String("Test"), nil)
		stack := awscdk.NewStack(stage, jsii.String("Stack"), nil)
		m := media.New(stack, "Media", media.Props{
			OriginAccessControl: true,
			Originals: awss3.Bucket_FromBucketName(stack, jsii.String("Existing"),
				jsii.String("existing")),
		})
		m.GrantPromoteUploads(gofunction.New(stack, "Orders",
			gofunction.Props{Package: "example.com/orders"}))
		return synth(app)[0].Template
	}
	if diff := cmp.Diff(template(newApp()), template(newAppWithoutFlags(t))); diff != "" {
		t.Errorf("template (-with flags +without):\n%s", diff)
	}
}
