package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/environments"
)

// NewNetwork declares the network of all other stacks.
func NewNetwork(stage awscdk.Stage, env environments.Environment) *network.Network {
	stack := newStack(stage, "Network", "VPC, subnets, NAT and endpoints")
	props := network.Props{
		AvailabilityZones: env.Zones,
		NATGateways:       env.NATGateways(),
	}
	if env.NATGateways() == 0 {
		// The services that functions in the VPC call, besides S3 and DynamoDB. With NAT they use
		// the gateway, which is cheaper than endpoints for their little traffic.
		props.InterfaceEndpoints = map[string]awsec2.InterfaceVpcEndpointAwsService{
			"CognitoIDP":     awsec2.InterfaceVpcEndpointAwsService_COGNITO_IDP(),
			"Email":          awsec2.InterfaceVpcEndpointAwsService_EMAIL(), // the API of SES
			"SecretsManager": awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(),
			"SNS":            awsec2.InterfaceVpcEndpointAwsService_SNS(),
			"XRay":           awsec2.InterfaceVpcEndpointAwsService_XRAY(),
		}
	}
	return network.New(stack, "Network", props)
}
