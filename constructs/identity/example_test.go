package identity_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Users"), nil)

	users := identity.New(stack, "Identity", identity.Props{
		DomainPrefix:    "example-dev",
		WebCallbackURLs: []string{"https://app.example.com/signed-in"},
		WebLogoutURLs:   []string{"https://app.example.com/"},
	})
	accounts := gofunction.New(stack, "Accounts", gofunction.Props{Package: "example.com/accounts"})
	users.GrantDeleteUsers(accounts)

	app.Synth(nil)
	fmt.Println(users.MobileClient == nil)
	// Output: true
}
