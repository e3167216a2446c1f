package mysql_test

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// A database with migrations, and a function that uses it.
func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)

	vpc := network.New(stack, "Network", network.Props{NATGateways: 1}).VPC
	database := mysql.New(stack, "Database", mysql.Props{VPC: vpc})
	migrations := database.AddMigrations(stack, "Migrations", os.DirFS("testdata/migrations"))
	orders := gofunction.New(stack, "Orders", gofunction.Props{
		Package:  "example.com/shop/lambdas/orders",
		Settings: struct{ Database mysqlconn.Settings }{},
		VPC:      vpc,
	})
	database.GrantConnect(orders)
	orders.Construct.Node().AddDependency(migrations) // deploy it after the schema

	app.Synth(nil)
	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range []string{
		"AWS::RDS::DBInstance", "Custom::Migration", "AWS::SecretsManager::RotationSchedule",
	} {
		fmt.Println(kind, len(*template.FindResources(jsii.String(kind), nil)))
	}
	// Output:
	// AWS::RDS::DBInstance 1
	// Custom::Migration 1
	// AWS::SecretsManager::RotationSchedule 2
}
