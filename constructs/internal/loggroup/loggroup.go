// Package loggroup declares the CloudWatch log groups of the other constructs.
package loggroup

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
)

// New declares a log group under scope, with the retention and the removal policy of the scope's
// defaults. The retention must be one of CloudWatch's steps, which the synth checks. Without a
// name, CloudFormation generates one.
func New(scope constructs.Construct, id, name string) awslogs.LogGroup {
	values := defaults.Of(scope)
	groupProps := &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY}
	if name != "" {
		groupProps.LogGroupName = jsii.String(name)
	}
	if !values.Disposable {
		// Retained, unless the deployment that created it fails: a leftover group would make the
		// next deployment fail.
		groupProps.RemovalPolicy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	}
	group := awslogs.NewLogGroup(scope, jsii.String(id), groupProps)
	// The L2 construct takes an enumeration with a name for each step; the L1 resource takes the
	// days.
	resource := group.Node().DefaultChild().(awslogs.CfnLogGroup)
	resource.SetRetentionInDays(jsii.Number(values.LogRetention.Hours() / 24))
	return group
}
