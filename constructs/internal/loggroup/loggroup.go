// Package loggroup declares the CloudWatch log groups of the other constructs.
package loggroup

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DefaultRetention is how long logs are kept when nobody says otherwise. CloudWatch's own default is for ever.
const DefaultRetention = 30 * 24 * time.Hour

// Props describes a log group.
type Props struct {
	Name       string        // default: made by CloudFormation
	Retention  time.Duration // default: DefaultRetention; one of CloudWatch's steps, which the synth checks
	Disposable bool          // delete the logs with the stack
}

// New declares a log group under scope.
func New(scope constructs.Construct, id string, props Props) awslogs.LogGroup {
	if props.Retention == 0 {
		props.Retention = DefaultRetention
	}
	var name *string
	if props.Name != "" {
		name = jsii.String(props.Name)
	}
	policy := awscdk.RemovalPolicy_DESTROY
	if !props.Disposable {
		// Kept, unless the deployment that made it fails: what is left of that would stand in the next one's way.
		policy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	}
	group := awslogs.NewLogGroup(scope, jsii.String(id), &awslogs.LogGroupProps{
		LogGroupName:  name,
		RemovalPolicy: policy,
	})
	// The L2 takes an enumeration with a name for each step; the resource beneath takes the days themselves.
	resource := group.Node().DefaultChild().(awslogs.CfnLogGroup)
	resource.SetRetentionInDays(jsii.Number(props.Retention.Hours() / 24))
	return group
}
