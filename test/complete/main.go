// Command complete synthesizes the environment that enables all optional features, so that make
// synth checks it with the others. No command deploys it: the CDK CLI's app is in the root folder.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/stacks"
)

func main() {
	complete := environments.Complete()
	if err := environments.Validate([]environments.Environment{complete}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stacks.NewPlatform(app, complete)
	app.Synth(nil)
}
