package gofunction_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
)

// Settings are a struct of the function's package, which loads them with lambdaenv.MustLoad.
type Settings struct {
	Bucket  string        `env:"BUCKET"`
	MaxWait time.Duration `env:"MAX_WAIT"`
}

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{
		// Without this line, the function is built.
		Context: &map[string]any{"aws:cdk:bundling-stacks": []string{}},
	})
	stack := awscdk.NewStack(app, jsii.String("Invoices"), nil)

	bucket := awss3.NewBucket(stack, jsii.String("Bucket"), nil)
	fn := gofunction.New(stack, "Archive", gofunction.Props{
		Package:  "example.com/invoices/lambdas/archive",
		Settings: Settings{Bucket: *bucket.BucketName(), MaxWait: time.Second},
	})
	bucket.GrantPut(fn, jsii.String("invoices/*"))

	app.Synth(nil)
	fmt.Println(*fn.Function.Architecture().Name())
	// Output: arm64
}
