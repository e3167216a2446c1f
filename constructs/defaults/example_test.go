package defaults_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	const week = 7 * 24 * time.Hour

	test := awscdk.NewStage(app, jsii.String("Test"), nil)
	defaults.Set(test, defaults.Values{LogRetention: week, Disposable: true})
	stack := awscdk.NewStack(test, jsii.String("Shop"), nil)
	gofunction.New(stack, "Invoices", gofunction.Props{Package: "example.com/shop/invoices"})

	app.Synth(nil)
	template := assertions.Template_FromStack(stack, nil)
	for _, group := range *template.FindResources(jsii.String("AWS::Logs::LogGroup"), nil) {
		properties := (*group)["Properties"].(map[string]any)
		fmt.Println(properties["RetentionInDays"], "days, on deletion:", (*group)["DeletionPolicy"])
	}
	// Output: 7 days, on deletion: Delete
}
