package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	postconfirmationfn "github.com/ashlar-cdk/ashlar/lambdas/postconfirmation/contract"
)

// NewIdentity declares sign-up and sign-in, and the function that creates the profile of a new
// user.
func NewIdentity(
	stage awscdk.Stage, env environments.Environment,
	vpc awsec2.IVpc, database *mysql.Database, schema awscdk.Stack,
) *identity.Identity {
	stack := newStack(stage, "Identity", "User pool, identity pool, web client and mobile client")
	stack.AddStackDependency(schema, jsii.String("the function needs the schema of its version"))
	users := identity.New(stack, "Identity", identity.Props{
		// With the account's number, an environment that anyone may deploy has a unique domain.
		DomainPrefix:       env.SignInDomain + "-" + *stack.Account(),
		WebCallbackURLs:    env.WebCallbackURLs,
		WebLogoutURLs:      env.WebLogoutURLs,
		MobileCallbackURLs: env.MobileCallbackURLs,
		MobileLogoutURLs:   env.MobileLogoutURLs,
		GoogleClientID:     env.GoogleClientID,
		GoogleSecretName:   env.GoogleSecretName,
		AppleServicesID:    env.AppleServicesID,
		AppleTeamID:        env.AppleTeamID,
		AppleKeyID:         env.AppleKeyID,
		AppleSecretName:    env.AppleSecretName,
		ProtectedPrefix:    pictures.ProtectedPrefix,
		PrivatePrefix:      pictures.PrivatePrefix,
	})
	fn := gofunction.New(stack, "PostConfirmation", gofunction.Props{
		Package:     postconfirmationfn.Package,
		Settings:    postconfirmationfn.Settings{},
		Description: "Creates the profile of a new user",
		VPC:         vpc,
		Timeout:     5 * time.Second, // Cognito waits no longer
	})
	database.GrantConnect(fn)
	users.UserPool.AddTrigger(
		awscognito.UserPoolOperation_POST_CONFIRMATION(), fn.Function,
		awscognito.LambdaVersion_V1_0)
	output(stack, "UserPoolId", "User pool that clients sign in to", users.UserPool.UserPoolId())
	output(stack, "WebClientId", "Client id of the web client", users.WebClient.UserPoolClientId())
	output(stack, "MobileClientId", "Client id of the mobile client",
		users.MobileClient.UserPoolClientId())
	output(stack, "IdentityPoolId", "Identity pool for the AWS credentials of signed-in clients",
		users.IdentityPool.Ref())
	output(stack, "SignInURL", "URL of the managed login pages, without a slash at the end",
		users.Domain.BaseUrl(nil))
	return users
}
