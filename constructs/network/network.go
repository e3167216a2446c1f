package network

import (
	"errors"
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	groupfn "github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup/contract"
)

// dummyZone is the first zone that the CDK uses until its CLI has looked up the zones.
const dummyZone = "dummy1a"

// Props describes the network. Zero values take the stated default.
type Props struct {
	// AvailabilityZones are two or three zones of the stack's region. Default: the region's first
	// two. In a stack with an account and a region, the CDK CLI looks those up in the account once,
	// which takes credentials, and stores them in cdk.context.json, which belongs into version
	// control: a zone that AWS adds must not move subnets. With AvailabilityZones there is no
	// look-up: they are the zones of all constructs of the stack.
	AvailabilityZones []string
	CIDR              string // a /16; a change replaces the VPC; default: 10.0.0.0/16
	NATGateways       int    // at most one per zone; default: 0, private subnets have no egress
	// InterfaceEndpoints are the AWS services that private subnets reach without NAT, by construct
	// id. S3 and DynamoDB always have gateway endpoints, which are free. Each interface endpoint is
	// billed by the hour and zone. Default: none.
	InterfaceEndpoints map[string]awsec2.InterfaceVpcEndpointAwsService
	LogRetention       time.Duration // of the flow logs; default: the scope's (package defaults)
	Disposable         bool          // delete the flow logs with the stack
}

// A Network is a VPC with a public, a private and an isolated subnet in every zone.
type Network struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects
	VPC       awsec2.Vpc
}

// New declares the network under scope.
func New(scope constructs.Construct, id string, props Props) *Network {
	props = props.withDefaults()
	props.check(scope, id)
	setZones(scope, props.AvailabilityZones)
	construct := node.New(scope, id)
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
	// The addresses are laid out for it: a VPC can grow to it without moving a subnet.
	vpcProps.ReservedAzs = jsii.Number(check.MaxZones - zones)
	n := &Network{
		Construct: construct,
		VPC:       awsec2.NewVpc(construct, jsii.String("VPC"), vpcProps),
	}

	if *(*n.VPC.AvailabilityZones())[0] == dummyZone {
		awscdk.Annotations_Of(construct).AddWarningV2(jsii.String(
			"ashlar:network:zones"), jsii.Sprintf(
			"network: %s: the zones of %s are not known, and the template has dummies: run the "+
				"CDK "+
				"CLI with credentials of the account, or pass AvailabilityZones", id,
			*awscdk.Stack_Of(scope).Region()))
	}

	endpoints := constructs.NewConstruct(construct, jsii.String("Endpoints"))
	for _, name := range slices.Sorted(maps.Keys(props.InterfaceEndpoints)) {
		awsec2.NewInterfaceVpcEndpoint(endpoints, jsii.String(name),
			&awsec2.InterfaceVpcEndpointProps{
				Vpc:     n.VPC,
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

// zonesKey returns the key of the CDK's context that holds the zones of the stack's region, and
// whether there is one: the CDK does not look up zones for an unknown account or region.
func zonesKey(stack awscdk.Stack) (key string, lookedUp bool) {
	if *awscdk.Token_IsUnresolved(stack.Account()) || *awscdk.Token_IsUnresolved(stack.Region()) {
		return "", false
	}
	return "availability-zones:account=" + *stack.Account() + ":region=" + *stack.Region(), true
}

// setZones makes zones those of the stack. awsec2.Vpc compares the zones that it is passed with
// those of the stack, so the CDK would look them up all the same.
func setZones(scope constructs.Construct, zones []string) {
	if scope == nil || len(zones) == 0 {
		return
	}
	stack := awscdk.Stack_Of(scope)
	key, lookedUp := zonesKey(stack)
	if lookedUp && stack.Node().TryGetContext(jsii.String(key)) == nil {
		stack.Node().SetContext(jsii.String(key), zones)
	}
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

func (p Props) check(scope constructs.Construct, id string) {
	zones := len(p.AvailabilityZones)
	if p.AvailabilityZones == nil {
		zones = 2
	}
	prefix, err := netip.ParsePrefix(p.CIDR)
	problems := []error{
		check.That("CIDR", p.CIDR, err == nil && prefix.Bits() == 16 && prefix.Masked() == prefix &&
			prefix.Addr().IsPrivate(), "a private /16 such as 10.0.0.0/16"),
		check.That("NATGateways", p.NATGateways, p.NATGateways >= 0 && p.NATGateways <= zones,
			"0 to one per zone"),
	}
	if scope != nil {
		problems = append(problems, p.checkZones(awscdk.Stack_Of(scope))...)
	}
	check.Props("network", id, append(problems, p.checkEndpoints()...)...)
}

// checkZones returns the problems of explicit zones.
func (p Props) checkZones(stack awscdk.Stack) (problems []error) {
	if p.AvailabilityZones == nil {
		return nil
	}
	problem := check.Zones("AvailabilityZones", p.AvailabilityZones, *stack.Region())
	key, lookedUp := zonesKey(stack)
	if problem != nil || !lookedUp {
		return []error{problem}
	}
	path := *stack.Node().Path()
	known, isSet := stack.Node().TryGetContext(jsii.String(key)).([]any)
	if isSet {
		for _, name := range p.AvailabilityZones {
			if !slices.Contains(known, any(name)) {
				problems = append(problems, fmt.Errorf("AvailabilityZones: %q, want one of %v: "+
					"the "+
					"context %s of %s has those; correct it, or declare the network in another "+
					"stack",
					name, known, key, path))
			}
		}
	} else if children := len(*stack.Node().Children()); children > 0 {
		problems = append(problems,
			fmt.Errorf("AvailabilityZones: %v: %s has %d constructs already, "+
				"and the CDK would look the zones up for them; declare the network as the first "+
				"construct directly in its stack, or set the context %s in cdk.json to the zones",
				p.AvailabilityZones, path, children, key))
	}
	return problems
}

func (p Props) checkEndpoints() (problems []error) {
	ids := map[string]string{} // by service
	for _, id := range slices.Sorted(maps.Keys(p.InterfaceEndpoints)) {
		service := p.InterfaceEndpoints[id]
		switch {
		case id == "":
			problems = append(problems, errors.New("InterfaceEndpoints: an id is empty, want one "+
				"that names the service, such as SecretsManager"))
		case service == nil:
			problems = append(problems,
				fmt.Errorf("InterfaceEndpoints: %s is nil; pass a service such "+
					"as awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER()", id))
		case ids[*service.ShortName()] != "":
			// The private DNS name of a service is unique in a VPC.
			problems = append(problems,
				fmt.Errorf("InterfaceEndpoints: %s is the same service as %s; "+
					"remove one", id, ids[*service.ShortName()]))
		default:
			ids[*service.ShortName()] = id
		}
	}
	return problems
}
