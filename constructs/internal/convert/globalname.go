package convert

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// GlobalName returns a physical name for a resource of scope, with the region. Most names that the
// CDK generates do not contain the region, so an environment could not exist in two regions of one
// account.
func GlobalName(scope constructs.Construct, name string) *string {
	unique := awscdk.Names_UniqueResourceName(scope,
		&awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(32)})
	return jsii.Sprintf("%s-%s-%s", *unique, name, *awscdk.Stack_Of(scope).Region())
}
