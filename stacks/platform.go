// Package stacks puts the constructs together into the platform: one file a stack, and the graph of them here.
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/environments"
)

// NewPlatform declares one environment. A stack uses only the stacks above it.
func NewPlatform(app awscdk.App, env environments.Environment) {
	stage := awscdk.NewStage(app, jsii.String(env.Name), &awscdk.StageProps{Env: place(env)})
	if env.Region != "" {
		// The CDK would look the region's zones up in the account; the environment has named them.
		stage.Node().SetContext(jsii.Sprintf("availability-zones:account=%s:region=%s", env.Account, env.Region), env.Zones)
	}
	awscdk.Tags_Of(stage).Add(jsii.String("Product"), jsii.String("Ashlar"), nil)
	awscdk.Tags_Of(stage).Add(jsii.String("Environment"), jsii.String(env.Name), nil)

	website := NewWebsite(stage, env)
	network := NewNetwork(stage, env)
	data := NewData(stage, env, network)
	schema := NewSchema(stage, env, network, data)
	identity := NewIdentity(stage, env, network, data, schema)
	media := NewMedia(stage, env, identity, website)
	mail := NewMailingList(stage, env)
	telemetry := NewTelemetry(stage, env)
	api := NewAPI(stage, env, network, data, schema, identity, media, mail, telemetry, website)
	NewNotifications(stage, env, network, data, schema, identity, mail, api, website)
	if env.Warehouse {
		NewWarehouse(stage, env, network, telemetry)
	}
	if env.DashboardsOwner != "" {
		NewDashboards(stage, env, telemetry)
	}
}

// place is where the environment lives; nil leaves it to the CDK CLI's credentials and region.
func place(env environments.Environment) *awscdk.Environment {
	if env.Account == "" {
		return nil
	}
	return &awscdk.Environment{Account: jsii.String(env.Account), Region: jsii.String(env.Region)}
}

// newStack declares a stack of the environment. CloudFormation refuses to delete it, unless the environment is
// disposable: cdk destroy would take the API away before it is refused the database.
func newStack(stage awscdk.Stage, id, description string, env environments.Environment) awscdk.Stack {
	return awscdk.NewStack(stage, jsii.String(id), &awscdk.StackProps{
		Description:           jsii.String(description),
		TerminationProtection: jsii.Bool(!env.Disposable),
	})
}

// output says an endpoint or an id that clients and other services need: to people at the end of a deployment, to
// programs in Parameter Store, under the environment's path. The stack is no part of the parameter's name, so an output
// may move to another stack; its id is a contract.
func output(stack awscdk.Stack, id, description string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Description: jsii.String(description), Value: value})
	awsssm.NewStringParameter(stack, jsii.String(id+"Parameter"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(environments.ParameterPath(*awscdk.Stage_Of(stack).StageName()) + "/" + id),
		Description:   jsii.String(description),
		StringValue:   value,
	})
}

// deadLetters says where a dead-letter queue is, by the name that make redrive knows it by.
func deadLetters(stack awscdk.Stack, name string, queue awssqs.IQueue) {
	awsssm.NewStringParameter(stack, jsii.String(name+"DeadLetters"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(environments.DeadLettersPath(*awscdk.Stage_Of(stack).StageName()) + "/" + name),
		Description:   jsii.String("Where the dead letters of " + name + " are"),
		StringValue:   queue.QueueUrl(),
	})
}
