package convert

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// GlobalName is the name of what scope has by that name. Without the region in it, as the CDK makes most of these names, an
// environment could not be in two regions of one account.
func GlobalName(scope constructs.Construct, name string) *string {
	unique := awscdk.Names_UniqueResourceName(scope, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(32)})
	return jsii.Sprintf("%s-%s-%s", *unique, name, *awscdk.Stack_Of(scope).Region())
}
