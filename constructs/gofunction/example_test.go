package gofunction_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
)

// settings are shared with the function, which loads them with lambdaenv.MustLoad[settings].
type settings struct {
	Bucket string        `env:"BUCKET"`
	MaxAge time.Duration `env:"MAX_AGE"`
}

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)

	invoices := awss3.NewBucket(stack, jsii.String("Invoices"), nil)
	fn := gofunction.New(stack, "Archive", gofunction.Props{
		Package:  "example.com/shop/archive",
		Settings: settings{Bucket: *invoices.BucketName(), MaxAge: 24 * time.Hour},
	})
	invoices.GrantRead(fn, nil)

	app.Synth(nil)
	template := assertions.Template_FromStack(stack, nil)
	for _, found := range *template.FindResources(jsii.String("AWS::Lambda::Function"), nil) {
		environment := (*found)["Properties"].(map[string]any)["Environment"].(map[string]any)
		fmt.Println(environment["Variables"].(map[string]any)["MAX_AGE"])
	}
	// Output: 24h0m0s
}
