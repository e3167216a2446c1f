package test

import (
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
)

const week = 7 * 24 * time.Hour

// TestDefaults declares a function below scopes with and without defaults, and checks its log
// group.
func TestDefaults(t *testing.T) {
	for name, test := range map[string]struct {
		stage, scope *defaults.Values
		props        gofunction.Props
		days         int
		policy       string
	}{
		"none": {days: 30, policy: "RetainExceptOnCreate"},
		"the stage's": {
			stage: &defaults.Values{LogRetention: week, Disposable: true}, days: 7,
			policy: "Delete",
		},
		"props alone": {
			props: gofunction.Props{LogRetention: week, Disposable: true}, days: 7,
			policy: "Delete",
		},
		"a prop overrides retention": {
			stage: &defaults.Values{LogRetention: week, Disposable: true},
			props: gofunction.Props{LogRetention: 2 * week}, days: 14, policy: "Delete",
		},
		"a prop makes disposable": {
			stage: &defaults.Values{LogRetention: week}, props: gofunction.Props{Disposable: true},
			days: 7, policy: "Delete",
		},
		"a scope retains": {
			stage: &defaults.Values{LogRetention: week, Disposable: true},
			scope: &defaults.Values{}, days: 7, policy: "RetainExceptOnCreate",
		},
		"a scope without retention": {
			scope: &defaults.Values{Disposable: true}, days: 30, policy: "Delete",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := newApp()
			stage := awscdk.NewStage(app, jsii.String("Test"), nil)
			if test.stage != nil {
				defaults.Set(stage, *test.stage)
			}
			stack := awscdk.NewStack(stage, jsii.String("Stack"), nil)
			scope := constructs.NewConstruct(stack, jsii.String("Scope"))
			if test.scope != nil {
				defaults.Set(scope, *test.scope)
			}
			test.props.Package = "example.com/mail"
			gofunction.New(scope, "Mail", test.props)
			group := only(t, synth(app)[0], "AWS::Logs::LogGroup", "")
			want(t, group, test.days, "RetentionInDays")
			if group.DeletionPolicy != test.policy {
				t.Errorf("deletion policy %s, want %s", group.DeletionPolicy, test.policy)
			}
		})
	}
}

// TestDefaults_override_reaches_nested_constructs: the props of a construct apply to the constructs
// that it declares, and to no others.
func TestDefaults_override_reaches_nested_constructs(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		mailinglist.New(stack, "List", mailinglist.Props{
			Identity: "example.com", From: "hello@example.com", Templates: mails(),
			LogRetention: week, Disposable: true,
		})
		gofunction.New(stack, "Other", gofunction.Props{Package: "example.com/other"})
	})
	for resourceType, count := range map[string]int{
		"AWS::Logs::LogGroup": 3, "AWS::DynamoDB::Table": 1, "AWS::KMS::Key": 1,
	} {
		resources := stack.Template.OfType(resourceType)
		if len(resources) != count {
			t.Errorf("%d resources of type %s, want %d", len(resources), resourceType, count)
		}
		for _, resource := range resources {
			days, policy := 7, "Delete"
			if resource.ID == only(t, stack, "AWS::Logs::LogGroup", "Other").ID {
				days, policy = 30, "RetainExceptOnCreate"
			}
			if resource.DeletionPolicy != policy {
				t.Errorf("%s: deletion policy %s, want %s", resource.ID, resource.DeletionPolicy,
					policy)
			}
			if resourceType == "AWS::Logs::LogGroup" {
				want(t, resource, days, "RetentionInDays")
			}
		}
	}
}

func TestDefaults_set_too_late(t *testing.T) {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	awscdk.NewStack(stage, jsii.String("Stack"), nil)
	message := panicMessage(func() { defaults.Set(stage, defaults.Values{}) })
	if want := "defaults: Test has 1 children; call defaults.Set first"; message != want {
		t.Errorf("panics with %q, want %q", message, want)
	}
	message = panicMessage(func() { defaults.Set(app, defaults.Values{}) })
	if want := "defaults: the app has 1 children; call defaults.Set first"; message != want {
		t.Errorf("panics with %q, want %q", message, want)
	}
}

func TestDefaults_of_an_app(t *testing.T) {
	app := awscdk.NewApp(nil)
	defaults.Set(app, defaults.Values{Disposable: true})
	if values := defaults.Of(awscdk.NewStack(app, jsii.String("Stack"), nil)); !values.Disposable {
		t.Errorf("a stack of the app has %+v", values)
	}
}
