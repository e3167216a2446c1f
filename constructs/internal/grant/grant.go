// Package grant provides the grants of the constructs of this library: permissions together with
// the settings that they are used with.
package grant

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Require panics if grantee, the argument of method, is nil. kind is the construct's package.
func Require(
	kind string, construct constructs.Construct, method string, grantee awsiam.IGrantable,
) {
	check.Call(kind, *construct.Node().Path(), method, check.NotNil("grantee", grantee,
		"pass the function or the role that gets the permissions"))
}

// To allows grantee to call actions on resources, which are ARNs. It panics for a grantee that
// cannot have a policy, such as the principal of a service: the CDK would ignore the grant.
func To(grantee awsiam.IGrantable, actions []string, resources ...string) awsiam.Grant {
	return Where(grantee, nil, actions, resources...)
}

// Conditions are the conditions of a policy statement, by operator and key.
type Conditions map[string]map[string]any

// Where is [To] on conditions.
func Where(
	grantee awsiam.IGrantable, conditions Conditions, actions []string, resources ...string,
) awsiam.Grant {
	options := &awsiam.GrantOnPrincipalOptions{
		// The principal: jsii takes no grantee that is a struct instead of a pointer to one.
		Grantee:      grantee.GrantPrincipal(),
		Actions:      jsii.Strings(actions...),
		ResourceArns: jsii.Strings(resources...),
	}
	if len(conditions) > 0 {
		converted := map[string]*map[string]any{}
		for operator, values := range conditions {
			converted[operator] = &values
		}
		options.Conditions = &converted
	}
	added := awsiam.Grant_AddToPrincipal(options)
	if !*added.Success() {
		panic(fmt.Errorf("grant of %s: the grantee is a service, an account or an ARN, which has "+
			"no policy; pass a function, a role, a user or a group", strings.Join(actions, ", ")))
	}
	return added
}

// Settings fills settings of grantee, a struct as for lambdaenv, if it has a method AddSettings, as
// a gofunction.Function has. The owner of any other grantee, such as a role, passes them itself.
func Settings(grantee awsiam.IGrantable, settings any) {
	if filled, ok := grantee.(interface{ AddSettings(settings any) }); ok {
		filled.AddSettings(settings)
	}
}
