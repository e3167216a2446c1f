package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/profile"
	profilefn "github.com/ashlar-cdk/ashlar/lambdas/profile/contract"
)

// NewAPI declares the stack of what clients call: the REST API and its functions.
func NewAPI(stage awscdk.Stage, env environments.Environment, network *Network, data *Data, schema *Schema, identity *Identity) {
	stack := newStack(stage, "API", "REST API and its functions", env)
	stack.AddStackDependency(schema.Stack, jsii.String("functions expect the schema that they were written for"))
	api := restapi.New(stack, "API", restapi.Props{
		UserPool:       identity.Identity.UserPool,
		AllowedOrigins: env.WebOrigins,
		LogRetention:   env.LogRetention,
		Disposable:     env.Disposable,
	})
	fn := gofunction.New(stack, "Profile", gofunction.Props{
		Package:      profilefn.Package,
		Settings:     profilefn.Settings{AllowedOrigins: env.WebOrigins},
		Description:  "Reads and writes the signed-in user's profile",
		VPC:          network.VPC,
		LogRetention: env.LogRetention,
		Disposable:   env.Disposable,
	})
	data.Database.ConnectFrom(fn)
	api.Handle("GET", "/profile", fn, nil)
	api.Handle("PUT", "/profile", fn, profileBody())
	output(stack, "APIEndpoint", "Where clients call the API; ends with a slash", api.RestAPI.Url())
}

// profileBody lets through what the function would accept as far as a schema can tell; the limits are the domain's.
func profileBody() *awsapigateway.JsonSchema {
	text := func(longest int) *awsapigateway.JsonSchema {
		return &awsapigateway.JsonSchema{Type: awsapigateway.JsonSchemaType_STRING, MaxLength: jsii.Number(longest)}
	}
	return &awsapigateway.JsonSchema{
		Type: awsapigateway.JsonSchemaType_OBJECT,
		Properties: &map[string]*awsapigateway.JsonSchema{
			"displayName": text(profile.MaxDisplayName),
			"bio":         text(profile.MaxBio),
			"language":    text(profile.MaxLanguage),
		},
		Required:             jsii.Strings("displayName"),
		AdditionalProperties: false,
	}
}
