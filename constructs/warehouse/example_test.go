package warehouse_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/constructs/warehouse"
)

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Warehouse"), nil)

	shared := network.New(stack, "Network", network.Props{
		AvailabilityZones: []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"},
	})
	w := warehouse.New(stack, "Warehouse", warehouse.Props{VPC: shared.VPC})
	w.AddExternalSchema("sales", "sales_catalog") // grant w.Role access to its tables and buckets

	app.Synth(nil)
	fmt.Println(warehouse.Database, warehouse.Port)
	// Output: warehouse 5439
}
