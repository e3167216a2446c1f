package consumer_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	orders := topic.New(stack, "Orders", topic.Props{})
	invoices := gofunction.New(stack, "Invoices", gofunction.Props{
		Package: "example.com/shop/invoices", Timeout: 30 * time.Second,
	})

	paid := consumer.New(stack, "PaidOrders", consumer.Props{
		Function: invoices.Function,
		Topic:    orders.Topic,
		Filter:   map[string][]string{"event": {"order.paid"}},
	})
	paid.AddSchedule("Overdue", time.Hour, `{"overdue":true}`)

	app.Synth(nil)
	template := assertions.Template_FromStack(stack, nil)
	for _, found := range *template.FindResources(jsii.String("AWS::SQS::Queue"), nil) {
		properties := (*found)["Properties"].(map[string]any)
		if timeout := properties["VisibilityTimeout"]; timeout != nil {
			fmt.Println("visibility timeout:", timeout, "seconds")
		}
	}
	// Output: visibility timeout: 180 seconds
}
