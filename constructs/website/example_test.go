package website_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/website"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Website"), nil)

	site := website.New(stack, "Website", website.Props{
		Content: os.DirFS("testdata/dist"), // the output of a bundler
		ContentSecurityPolicy: map[string][]string{
			"connect-src": {"'self'", "https://api.example.com"},
		},
	})

	app.Synth(nil)
	fmt.Println(strings.HasPrefix(site.Origin(), "https://"))
	// Output: true
}
