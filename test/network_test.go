package test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// subnets returns the logical ids of the network's subnets of a kind: Public, Private or Isolated.
func subnets(stack assembly.Stack, kind string) []string {
	var ids []string
	for _, subnet := range stack.Template.OfType("AWS::EC2::Subnet") {
		if strings.HasPrefix(subnet.ID, "NetworkVPC"+kind) {
			ids = append(ids, subnet.ID)
		}
	}
	return ids
}

// defaultRoute returns the type of the resource that routes a subnet's traffic to the internet, or
// an empty string.
func defaultRoute(stack assembly.Stack, subnet string) string {
	for _, association := range stack.Template.OfType("AWS::EC2::SubnetRouteTableAssociation") {
		if assembly.Refers(association.At("SubnetId")) != subnet {
			continue
		}
		for _, route := range stack.Template.OfType("AWS::EC2::Route") {
			table := assembly.Refers(association.At("RouteTableId"))
			if route.At("DestinationCidrBlock") == "0.0.0.0/0" &&
				assembly.Refers(route.At("RouteTableId")) == table {
				for _, target := range []string{"GatewayId", "NatGatewayId"} {
					if id := assembly.Refers(route.At(target)); id != "" {
						return stack.Template.Resources[id].Type
					}
				}
			}
		}
	}
	return ""
}

func TestEachKindOfSubnetHasItsOwnWayOut(t *testing.T) {
	forEachEnvironment(t, "Network",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			zones := max(len(environment.Zones), 2)
			private := "AWS::EC2::NatGateway"
			if environment.NAT == environments.NATNone {
				private = ""
			}
			for kind, want := range map[string]string{
				"Public": "AWS::EC2::InternetGateway", "Private": private, "Isolated": "",
			} {
				ids := subnets(stack, kind)
				if len(ids) != zones {
					t.Errorf("there are %d %s subnets, want %d, one per zone", len(ids), kind,
						zones)
				}
				for _, id := range ids {
					if got := defaultRoute(stack, id); got != want {
						t.Errorf("%s reaches the internet through %q, want %q", id, got, want)
					}
				}
			}
			gateways := len(stack.Template.OfType("AWS::EC2::NatGateway"))
			if gateways != environment.NATGateways() {
				t.Errorf("there are %d NAT gateways, want %d", gateways, environment.NATGateways())
			}
		})
}

func TestS3AndDynamoDBAreReachedFromEverySubnetWithoutNAT(t *testing.T) {
	forEachEnvironment(t, "Network", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		routeTables := len(stack.Template.OfType("AWS::EC2::RouteTable"))
		for service, id := range map[string]string{
			".s3": "NetworkVPCS3", ".dynamodb": "NetworkVPCDynamoDB",
		} {
			endpoint := only(t, stack, "AWS::EC2::VPCEndpoint", id)
			want(t, endpoint, "Gateway", "VpcEndpointType")
			if !strings.Contains(text(endpoint.At("ServiceName")), service) {
				t.Errorf("%s is for %s, want %s", endpoint.ID, text(endpoint.At("ServiceName")),
					service)
			}
			if tables, _ := endpoint.At("RouteTableIds").([]any); len(tables) != routeTables {
				t.Errorf("%s serves %d route tables, want all %d", endpoint.ID, len(tables),
					routeTables)
			}
		}
	})
}

// TestFunctionsInTheVPCReachTheServicesThatTheyCall matters without NAT: a call to a service
// without an endpoint would hang until the function times out.
func TestFunctionsInTheVPCReachTheServicesThatTheyCall(t *testing.T) {
	// Lambda delivers logs outside the VPC, and creates network interfaces itself. A custom
	// resource responds through a presigned S3 URL.
	outside := []string{"logs", "ec2"}
	named := map[string]string{"ses": "email"} // IAM's name of a service to its endpoint's
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		network := platforms[stack.Environment]["Network"].Template
		if len(network.OfType("AWS::EC2::NatGateway")) > 0 {
			return
		}
		var endpoints string
		for _, endpoint := range network.OfType("AWS::EC2::VPCEndpoint") {
			endpoints += text(endpoint.At("ServiceName"))
		}
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			if function.At("VpcConfig") == nil {
				continue
			}
			role := assembly.Refers(function.At("Role"))
			actions := slices.DeleteFunc(allowed(t, stack, role), func(action string) bool {
				return isPollingOnly(t, stack, function, role, action)
			})
			if len(actions) == 0 {
				t.Errorf("%s calls no service: the test found no policy", function.ID)
			}
			for _, action := range actions {
				service, _, _ := strings.Cut(action, ":")
				service = cmp.Or(named[service], service)
				if !slices.Contains(outside, service) &&
					!strings.Contains(endpoints, "."+service+`"`) {
					t.Errorf(
						"%s may call %s, which it cannot reach: there is no NAT, and the "+
							"endpoints are %s",
						function.ID, action, endpoints)
				}
			}
		}
	})
}

func TestTheDefaultSecurityGroupIsRestricted(t *testing.T) {
	forEachEnvironment(t, "Network",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			restricted := only(t, stack, "Custom::RestrictedDefaultSecurityGroup", "")
			vpc := only(t, stack, "AWS::EC2::VPC", "")
			want(t, restricted, []string{vpc.ID, "DefaultSecurityGroup"}, "SecurityGroupId",
				"Fn::GetAtt")
			function := only(t, stack, "AWS::Lambda::Function", "")
			want(t, restricted, []string{function.ID, "Arn"}, "ServiceToken", "Fn::GetAtt")
		})
}

func TestAllTrafficOfTheVPCIsLogged(t *testing.T) {
	forEachEnvironment(t, "Network",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			log := only(t, stack, "AWS::EC2::FlowLog", "")
			want(t, log, "ALL", "TrafficType")
			want(t, log, only(t, stack, "AWS::EC2::VPC", "").ID, "ResourceId", "Ref")
		})
}

// TestAddingAZoneReplacesNoSubnet: CloudFormation replaces a subnet whose addresses change, with
// all resources in it.
func TestAddingAZoneReplacesNoSubnet(t *testing.T) {
	addresses := func(zones ...string) map[string]any {
		found := map[string]any{}
		stack := synthStack(func(stack awscdk.Stack) {
			stack.Node().SetContext(
				jsii.String("availability-zones:account=111111111111:region=eu-central-1"), zones)
			network.New(stack, "Network", network.Props{AvailabilityZones: zones})
		})
		for _, subnet := range stack.Template.OfType("AWS::EC2::Subnet") {
			found[subnet.ID] = subnet.At("CidrBlock")
		}
		return found
	}
	two := addresses("eu-central-1a", "eu-central-1b")
	three := addresses("eu-central-1a", "eu-central-1b", "eu-central-1c")
	if len(two) != 6 || len(three) != 9 {
		t.Fatalf("there are %d and %d subnets, want 6 and 9", len(two), len(three))
	}
	for id, address := range two {
		if three[id] != address {
			t.Errorf("%s changes from %v to %v", id, address, three[id])
		}
	}
}

func TestNetworkPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		network.New(stack, "Network", network.Props{
			CIDR: "10.0.0.0/8", AvailabilityZones: []string{"eu-central-1a"}, NATGateways: 2,
		})
	},
		"network: Network: CIDR: 10.0.0.0/8, want a private /16 such as 10.0.0.0/16",
		"network: Network: NATGateways: 2, want 0 to one per zone",
		"network: Network: AvailabilityZones: [eu-central-1a], want 2 or 3",
	)
	wantPanic(t, func(stack awscdk.Stack) {
		network.New(stack, "Network", network.Props{
			AvailabilityZones: []string{"eu-central-1a", "", "eu-central-1a"},
			InterfaceEndpoints: map[string]awsec2.InterfaceVpcEndpointAwsService{
				"":        awsec2.InterfaceVpcEndpointAwsService_SNS(),
				"Secrets": nil,
				"SQS":     awsec2.InterfaceVpcEndpointAwsService_SQS(),
				"Queues":  awsec2.InterfaceVpcEndpointAwsService_SQS(),
			},
		})
	},
		`network: Network: AvailabilityZones[1]: "", want a zone of the region eu-central-1, `+
			"without duplicates",
		`network: Network: AvailabilityZones[2]: "eu-central-1a", want a zone of the region `+
			"eu-central-1, without duplicates",
		"network: Network: InterfaceEndpoints: an id is empty, want one that names the service, "+
			"such as SecretsManager",
		"network: Network: InterfaceEndpoints: SQS is the same service as Queues; remove one",
		"network: Network: InterfaceEndpoints: Secrets is nil; pass a service such as "+
			"awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER()",
	)
	got := panicMessage(func() {
		network.New(newRegionalStack(newApp(), "Stack"), "Network", network.Props{
			AvailabilityZones: []string{"eu-central-1a", "eu-west-1a"},
		})
	})
	want := `network: Network: AvailabilityZones[1]: "eu-west-1a", want a zone of the region ` +
		"eu-central-1, without duplicates"
	if got != want {
		t.Errorf("panics with %q, want %q", got, want)
	}
}

// newRegionalStack declares a stack in a region, whose zones the CDK looks up.
func newRegionalStack(app awscdk.App, id string) awscdk.Stack {
	return awscdk.NewStack(app, jsii.String(id), &awscdk.StackProps{
		Env: &awscdk.Environment{
			Account: jsii.String("111111111111"), Region: jsii.String("eu-central-1"),
		},
	})
}

// TestExplicitZonesAreNotLookedUp: without the zones in the context, the CDK CLI would need the
// account's credentials to synthesize.
func TestExplicitZonesAreNotLookedUp(t *testing.T) {
	app := newApp()
	stack := newRegionalStack(app, "Stack")
	network.New(stack, "Network", network.Props{
		AvailabilityZones: []string{"eu-central-1b", "eu-central-1c"},
	})
	network.New(stack, "Second", network.Props{ // in another order
		AvailabilityZones: []string{"eu-central-1c", "eu-central-1b"},
	})
	if missing := app.Synth(nil).Manifest().Missing; missing != nil && len(*missing) > 0 {
		t.Errorf("the synth lacks %s", *(*missing)[0].Key)
	}
}

func TestUnknownZonesAreReported(t *testing.T) {
	stack := newRegionalStack(newApp(), "Stack")
	network.New(stack, "Network", network.Props{})
	found := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("/Stack/Network"),
		assertions.Match_StringLikeRegexp(jsii.String("or pass AvailabilityZones")))
	if len(*found) != 1 {
		t.Errorf("there are %d warnings, want 1", len(*found))
	}
}

func TestZonesThatWouldBeLookedUpAreRefused(t *testing.T) {
	zones := []string{"eu-central-1b", "eu-central-1c"}
	const key = "availability-zones:account=111111111111:region=eu-central-1"
	declare := func(scope constructs.Construct, id string, zones []string) string {
		return panicMessage(func() {
			network.New(scope, id, network.Props{AvailabilityZones: zones})
		})
	}
	app := newApp()
	late := newRegionalStack(app, "Late")
	awscdk.NewCfnOutput(late, jsii.String("Output"),
		&awscdk.CfnOutputProps{Value: jsii.String("1")})
	want := "network: Network: AvailabilityZones: [eu-central-1b eu-central-1c]: Late has 1 " +
		"constructs already, and the CDK would look the zones up for them; declare the network " +
		"as the first construct directly in its stack, or set the context " + key +
		" in cdk.json to the zones"
	if got := declare(late, "Network", zones); got != want {
		t.Errorf("panics with %q, want %q", got, want)
	}

	first := newRegionalStack(app, "First")
	network.New(first, "Network", network.Props{AvailabilityZones: zones})
	want = `network: Second: AvailabilityZones: "eu-central-1a", want one of [eu-central-1b ` +
		"eu-central-1c]: the context " + key + " of First has those; correct it, or declare the " +
		"network in another stack"
	got := declare(first, "Second", []string{"eu-central-1a", "eu-central-1b"})
	if got != want {
		t.Errorf("panics with %q, want %q", got, want)
	}

	configured := newRegionalStack(app, "Configured")
	configured.Node().SetContext(jsii.String(key), zones)
	within := constructs.NewConstruct(configured, jsii.String("Platform"))
	if got := declare(within, "Network", zones); got != "" {
		t.Errorf("panics with %q although the context has the zones", got)
	}
}
