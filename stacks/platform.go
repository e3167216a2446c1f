// Package stacks assembles the constructs into the platform: one file per stack, and the graph of
// stacks in this file.
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/environments"
)

// NewPlatform declares one environment. A stack uses only the stacks above it.
func NewPlatform(app awscdk.App, env environments.Environment) {
	stage := awscdk.NewStage(app, jsii.String(env.Name), &awscdk.StageProps{Env: location(env)})
	defaults.Set(stage, defaults.Values{LogRetention: env.LogRetention, Disposable: env.Disposable})
	awscdk.Tags_Of(stage).Add(jsii.String("Product"), jsii.String("Ashlar"), nil)
	awscdk.Tags_Of(stage).Add(jsii.String("Environment"), jsii.String(env.Name), nil)

	website := NewWebsite(stage, env)
	vpc := NewNetwork(stage, env).VPC
	database := NewData(stage, env, vpc)
	schema := NewSchema(stage, database)
	users := NewIdentity(stage, env, vpc, database, schema)
	media := NewMedia(stage, env, users, website)
	mailingList := NewMailingList(stage, env)
	telemetry := NewTelemetry(stage, env)
	api := NewAPI(stage, env, APIProps{
		VPC:         vpc,
		Database:    database,
		Schema:      schema,
		Users:       users,
		Media:       media,
		MailingList: mailingList,
		Telemetry:   telemetry,
		Website:     website,
	})
	NewNotifications(stage, NotificationsProps{
		VPC:         vpc,
		Database:    database,
		Schema:      schema,
		Users:       users,
		MailingList: mailingList,
		API:         api,
		Website:     website,
	})
	if env.Warehouse {
		NewWarehouse(stage, vpc, telemetry)
	}
	if env.DashboardsOwner != "" {
		NewDashboards(stage, env, telemetry)
	}
}

// location returns the environment's account and region; nil leaves them to the CDK CLI's
// credentials and region.
func location(env environments.Environment) *awscdk.Environment {
	if env.Account == "" {
		return nil
	}
	return &awscdk.Environment{Account: jsii.String(env.Account), Region: jsii.String(env.Region)}
}

// newStack declares a stack of the environment. It has termination protection unless the
// environment is disposable: otherwise cdk destroy would delete the API's stack before the
// protection of the database stops it.
func newStack(stage awscdk.Stage, id, description string) awscdk.Stack {
	return awscdk.NewStack(stage, jsii.String(id), &awscdk.StackProps{
		Description:           jsii.String(description),
		TerminationProtection: jsii.Bool(!defaults.Of(stage).Disposable),
	})
}

// output declares an endpoint or an id that clients and other services need, as a stack output for
// people and as a parameter below the environment's path in Parameter Store for programs. The
// parameter's name does not contain the stack, so an output can move to another stack; its id is a
// contract.
func output(stack awscdk.Stack, id, description string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{
		Description: jsii.String(description),
		Value:       value,
	})
	awsssm.NewStringParameter(stack, jsii.String(id+"Parameter"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(environments.ParameterPath(stageName(stack)) + "/" + id),
		Description:   jsii.String(description),
		StringValue:   value,
	})
}

// outputDLQ declares the parameter with the URL of a dead-letter queue, under the name that make
// redrive uses.
func outputDLQ(stack awscdk.Stack, name string, queue awssqs.IQueue) {
	awsssm.NewStringParameter(stack, jsii.String(name+"DLQ"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(
			environments.DeadLetterQueuesPath(stageName(stack)) + "/" + name),
		Description: jsii.String("URL of the dead-letter queue of " + name),
		StringValue: queue.QueueUrl(),
	})
}

func stageName(stack awscdk.Stack) string { return *awscdk.Stage_Of(stack).StageName() }
