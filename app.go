// Command ashlar declares every environment of the platform and synthesizes it for the CDK CLI.
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
	all := environments.All()
	if err := environments.Validate(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	for _, env := range all {
		stacks.NewPlatform(app, env)
	}
	app.Synth(nil)
}
