package mailinglist_test

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
)

// settings are what the app's function that subscribes addresses loads with lambdaenv.
type settings struct {
	Table string `env:"MAILING_LIST_TABLE"`
}

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("News"), nil)

	list := mailinglist.New(stack, "List", mailinglist.Props{
		Identity:  "example.com",
		From:      "Example <news@example.com>",
		Templates: os.DirFS("testdata/mails"), // en/confirm.subject.txt and so on
	})
	subscribe := gofunction.New(stack, "Subscribe", gofunction.Props{
		Package: "example.com/news/subscribe", Settings: settings{},
	})
	list.GrantSubscribe(subscribe)

	app.Synth(nil)
	fmt.Println("add", len(list.DKIMRecords()), "CNAME records to the DNS of example.com")
	// Output: add 3 CNAME records to the DNS of example.com
}
