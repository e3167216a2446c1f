package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/environments"
)

// Identity is the stack of the users and their clients.
type Identity struct {
	Identity *identity.Identity
}

// NewIdentity declares sign-up and sign-in.
func NewIdentity(stage awscdk.Stage, env environments.Environment) *Identity {
	stack := newStack(stage, "Identity", "User pool, web client and mobile client", env)
	users := identity.New(stack, "Identity", identity.Props{
		WebCallbackURLs:    env.WebCallbackURLs,
		WebLogoutURLs:      env.WebLogoutURLs,
		MobileCallbackURLs: env.MobileCallbackURLs,
		MobileLogoutURLs:   env.MobileLogoutURLs,
		Disposable:         env.Disposable,
	})
	output(stack, "UserPoolId", "User pool that clients sign in to", users.UserPool.UserPoolId())
	output(stack, "WebClientId", "Client id of the web app", users.WebClient.UserPoolClientId())
	output(stack, "MobileClientId", "Client id of the mobile app", users.MobileClient.UserPoolClientId())
	return &Identity{Identity: users}
}
