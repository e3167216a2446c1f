package media_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/media"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Pictures"), nil)

	pictures := media.New(stack, "Media", media.Props{
		AllowedOrigins: []string{"https://app.example.com"},
	})
	uploads := gofunction.New(stack, "Uploads", gofunction.Props{Package: "example.com/uploads"})
	pictures.GrantUpload(uploads)

	app.Synth(nil)
	fmt.Println(pictures.TransferAcceleration)
	// Output: true
}
