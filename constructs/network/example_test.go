package network_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/network"
)

// A network whose private subnets reach two services without NAT.
func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Network"), &awscdk.StackProps{
		Env: &awscdk.Environment{
			Account: jsii.String("111111111111"), Region: jsii.String("eu-central-1"),
		},
	})

	shared := network.New(stack, "Network", network.Props{
		AvailabilityZones: []string{"eu-central-1a", "eu-central-1b"},
		InterfaceEndpoints: map[string]awsec2.InterfaceVpcEndpointAwsService{
			"SecretsManager": awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(),
			"SQS":            awsec2.InterfaceVpcEndpointAwsService_SQS(),
		},
	})

	app.Synth(nil)
	for _, subnet := range *shared.VPC.PrivateSubnets() {
		fmt.Println(*subnet.Node().Id(), *subnet.AvailabilityZone(), *subnet.Ipv4CidrBlock())
	}
	// Output:
	// PrivateSubnet1 eu-central-1a 10.0.32.0/19
	// PrivateSubnet2 eu-central-1b 10.0.64.0/19
}
