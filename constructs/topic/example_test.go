package topic_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/topic"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	invoices := awssqs.NewQueue(stack, jsii.String("Invoices"), nil)
	failed := awssqs.NewQueue(stack, jsii.String("Failed"), nil)
	shop := awsiam.NewUser(stack, jsii.String("Website"), nil)

	orders := topic.New(stack, "Orders", topic.Props{})
	orders.GrantPublish(shop)
	orders.AddQueueSubscription(invoices, failed, map[string][]string{"event": {"order.paid"}})

	app.Synth(nil)
	template := assertions.Template_FromStack(stack, nil)
	for _, found := range *template.FindResources(jsii.String("AWS::SNS::Subscription"), nil) {
		properties := (*found)["Properties"].(map[string]any)
		fmt.Println(properties["FilterPolicy"], properties["RawMessageDelivery"])
	}
	// Output: map[event:[order.paid]] true
}
