// Package network provisions a VPC over several Availability Zones.
package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/internal/check"
	groupfn "github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup/contract"
)

// maxZones is the number of zones that the addresses are laid out for: a VPC can grow to it without
// moving a subnet.
const maxZones = 3

// Props describes the network. Zero values take the stated default.
type Props struct {
	AvailabilityZones []string // default: the region's first two
	CIDR              string   // a /16; a change replaces the VPC; default: 10.0.0.0/16
	NATGateways       int      // at most one per zone; default: 0, private subnets have no egress
	// InterfaceEndpoints are the AWS services that private subnets reach without NAT, by construct
	// id. S3 and DynamoDB always have gateway endpoints, which are free. Each interface endpoint is
	// billed by the hour and zone. Default: none.
	InterfaceEndpoints map[string]awsec2.InterfaceVpcEndpointAwsService
	LogRetention       time.Duration // of the flow logs; default: the scope's (package defaults)
	Disposable         bool          // delete the flow logs with the stack
}

// A Network is a VPC with three subnets in every zone: a public one for resources that the internet
// reaches, a private one for functions and services, and an isolated one for data.
type Network struct {
	VPC awsec2.Vpc
}

// New declares the network under scope.
func New(scope constructs.Construct, id string, props Props) *Network {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	defaults.Override(construct, props.LogRetention, props.Disposable)
	vpcProps := &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(jsii.String(props.CIDR)),
		NatGateways: jsii.Number(props.NATGateways),
		// The groups' names and sizes determine logical ids and addresses: a change replaces
		// subnets.
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{
				Name:                jsii.String("Public"),
				SubnetType:          awsec2.SubnetType_PUBLIC,
				CidrMask:            jsii.Number(22),
				MapPublicIpOnLaunch: jsii.Bool(false),
			},
			{
				Name:       jsii.String("Private"),
				SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
				CidrMask:   jsii.Number(19),
			},
			{
				Name:       jsii.String("Isolated"),
				SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED,
				CidrMask:   jsii.Number(22),
			},
		},
		// The CDK would deploy a function in Node.js for it; see restrictDefaultSecurityGroup.
		RestrictDefaultSecurityGroup: jsii.Bool(false),
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3":       {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
			"DynamoDB": {Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB()},
		},
	}
	zones := 2
	if props.AvailabilityZones == nil {
		vpcProps.MaxAzs = jsii.Number(zones)
	} else {
		zones = len(props.AvailabilityZones)
		vpcProps.AvailabilityZones = jsii.Strings(props.AvailabilityZones...)
	}
	vpcProps.ReservedAzs = jsii.Number(maxZones - zones)
	n := &Network{VPC: awsec2.NewVpc(construct, jsii.String("VPC"), vpcProps)}

	for _, name := range slices.Sorted(maps.Keys(props.InterfaceEndpoints)) {
		n.VPC.AddInterfaceEndpoint(jsii.String(name), &awsec2.InterfaceVpcEndpointOptions{
			Service: props.InterfaceEndpoints[name],
			Subnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		})
	}
	logs := loggroup.New(construct, "FlowLogs", "")
	n.VPC.AddFlowLog(jsii.String("FlowLog"), &awsec2.FlowLogOptions{
		Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(logs, nil),
	})
	n.restrictDefaultSecurityGroup(construct)
	return n
}

// restrictDefaultSecurityGroup removes the rules of the VPC's default security group, so that a
// resource without an explicit group has no network access ([EC2.2] in the AWS Security Hub User
// Guide). CloudFormation cannot do it, so a function does.
func (n *Network) restrictDefaultSecurityGroup(scope constructs.Construct) {
	stack, group := awscdk.Stack_Of(scope), n.VPC.VpcDefaultSecurityGroup()
	fn := gofunction.New(scope, "RestrictDefaultSecurityGroup", gofunction.Props{
		Package: groupfn.Package,
		Settings: groupfn.Settings{
			// "Amazon EC2 endpoints" in the AWS General Reference.
			Endpoint: "https://ec2." + *stack.Region() + "." + *stack.UrlSuffix(),
		},
		Description: "Removes the rules of the VPC's default security group",
		Timeout:     time.Minute,
	})
	fn.AddToRolePolicy(
		[]string{"ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"},
		*stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("ec2"), Resource: jsii.String("security-group"),
			ResourceName: group,
		}),
	)
	restricted := awscdk.NewCustomResource(scope, jsii.String("RestrictedDefaultSecurityGroup"),
		&awscdk.CustomResourceProps{
			ResourceType: jsii.String("Custom::RestrictedDefaultSecurityGroup"),
			ServiceToken: fn.Function.FunctionArn(),
			ServiceTimeout: convert.Duration(
				2 * time.Minute), // CloudFormation's default is an hour
			Properties: &map[string]any{"SecurityGroupId": group},
		})
	// Without its permissions the function would fail the first deployment.
	restricted.Node().AddDependency(fn.Role)
}

func (p Props) withDefaults() Props {
	if p.CIDR == "" {
		p.CIDR = "10.0.0.0/16"
	}
	return p
}

func (p Props) check(id string) {
	zones := len(p.AvailabilityZones)
	if p.AvailabilityZones == nil {
		zones = 2
	}
	prefix, err := netip.ParsePrefix(p.CIDR)
	check.Props("network", id,
		check.That("CIDR", p.CIDR, err == nil && prefix.Bits() == 16 && prefix.Masked() == prefix &&
			prefix.Addr().IsPrivate(), "a private /16 such as 10.0.0.0/16"),
		check.That("AvailabilityZones", p.AvailabilityZones, zones >= 2 && zones <= maxZones,
			fmt.Sprintf("2 to %d", maxZones)),
		check.That("NATGateways", p.NATGateways, p.NATGateways >= 0 && p.NATGateways <= zones,
			"0 to one per zone"),
	)
}
