// Package node declares the node of each construct of this library in the construct tree.
package node

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// flags are the CDK's feature flags that change the templates of this library. A construct pins
// them on its node, so its template and its logical ids are the same in every app.
var flags = []string{
	"@aws-cdk/aws-apigateway:authorizerChangeDeploymentLogicalId",
}

// New declares the node of a construct under scope, and pins the feature flags for all nodes below
// it. It panics if scope is nil or id is empty.
func New(scope constructs.Construct, id string) constructs.Construct {
	switch {
	case scope == nil:
		panic(fmt.Errorf("%q: scope is required; pass a stack, or a construct in a stack", id))
	case id == "":
		panic(fmt.Errorf("%s: id is required; pass an id that is unique in its scope",
			*scope.Node().Path()))
	}
	construct := constructs.NewConstruct(scope, jsii.String(id))
	for _, flag := range flags {
		construct.Node().SetContext(jsii.String(flag), true)
	}
	return construct
}
