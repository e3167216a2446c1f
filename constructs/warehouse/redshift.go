package warehouse

import (
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsredshiftserverless"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	externalschemafn "github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// exportedLogs are all the logs that Redshift Serverless exports to CloudWatch, with the construct
// ids of their log groups.
var exportedLogs = []struct{ id, name string }{
	{"ConnectionLog", "connectionlog"}, {"UserActivityLog", "useractivitylog"},
	{"UserLog", "userlog"},
}

// newRole declares the role that the warehouse reads with. Only database users of the workgroup may
// assume it through redshift.amazonaws.com, which passes the user as the external id: "Restricting
// access to IAM roles" in the Amazon Redshift Management Guide. The other principal, which
// "Granting permissions to Amazon Redshift Serverless" there requires, supports no condition;
// attaching the role to a namespace needs iam:PassRole on it.
func (w *Warehouse) newRole(scope constructs.Construct) awsiam.Role {
	users := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("redshift"), Resource: jsii.String("dbuser"),
		ResourceName: jsii.String(w.name + "/*"),
		ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	return awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		Description: jsii.String("Reads Glue catalogs and S3 buckets for the data warehouse"),
		AssumedBy: awsiam.NewCompositePrincipal(
			awsiam.NewServicePrincipal(jsii.String("redshift.amazonaws.com"),
				&awsiam.ServicePrincipalOpts{
					Conditions: &map[string]any{
						"StringLike": map[string]any{"sts:ExternalId": users},
					},
				}),
			awsiam.NewServicePrincipal(jsii.String("redshift-serverless.amazonaws.com"), nil),
		),
	})
}

// newNamespace declares the namespace, and before it its log groups, which Redshift would otherwise
// create itself without expiry. Their names are fixed by "Audit logging for Amazon Redshift
// Serverless" in the Amazon Redshift Management Guide.
func (w *Warehouse) newNamespace(scope constructs.Construct, props Props) {
	var exports []*string
	for _, log := range exportedLogs {
		exports = append(exports, jsii.String(log.name))
	}
	w.Namespace = awsredshiftserverless.NewCfnNamespace(scope, jsii.String("Namespace"),
		&awsredshiftserverless.CfnNamespaceProps{
			NamespaceName: jsii.String(w.name),
			DbName:        jsii.String(Database),
			KmsKeyId:      w.Key.KeyArn(),
			// Redshift generates the password and rotates it every 30 days. The secret is encrypted
			// with the key that Secrets Manager manages, to which no role needs access.
			AdminUsername:       jsii.String(administrator),
			ManageAdminPassword: jsii.Bool(true),
			IamRoles:            &[]any{w.Role.RoleArn()},
			DefaultIamRoleArn:   w.Role.RoleArn(),
			LogExports:          &exports,
		})
	policy := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		policy = awscdk.RemovalPolicy_DESTROY
	}
	w.Namespace.ApplyRemovalPolicy(policy, nil)
	logs := constructs.NewConstruct(scope, jsii.String("Logs"))
	for _, log := range exportedLogs {
		group := loggroup.New(logs, log.id, "/aws/redshift/"+w.name+"/"+log.name)
		w.Namespace.AddResourceDependency(group.Node().DefaultChild().(awscdk.CfnResource), nil)
	}
}

// newWorkgroup declares the workgroup and its network paths from its subnets, which carry all its
// traffic: an interface endpoint for the catalog, the VPC's gateway endpoint for buckets. Queries
// of a catalog's tables need both: "Amazon Redshift Spectrum limitations" in the Amazon Redshift
// Database Developer Guide.
func (w *Warehouse) newWorkgroup(scope constructs.Construct, props Props) {
	selection := props.VPCSubnets
	if selection == nil {
		selection = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	}
	if len(props.SecurityGroups) == 0 { // otherwise AWS would take the VPC's default group
		props.SecurityGroups = []awsec2.ISecurityGroup{newSecurityGroup(scope, props.VPC)}
	}
	w.connections = awsec2.NewConnections(&awsec2.ConnectionsProps{
		SecurityGroups: &props.SecurityGroups,
		DefaultPort:    awsec2.Port_Tcp(jsii.Number(Port)),
	})
	if props.GlueEndpoint == nil {
		props.GlueEndpoint = w.newGlueEndpoint(scope, props.VPC, selection)
	} else {
		props.GlueEndpoint.Connections().AllowFrom(w, awsec2.Port_Tcp(jsii.Number(443)),
			jsii.String("Redshift Serverless workgroup"))
	}
	var groups, subnets []any
	for _, group := range props.SecurityGroups {
		groups = append(groups, group.SecurityGroupId())
		w.network = append(w.network, group)
	}
	w.network = append(w.network, props.GlueEndpoint)
	for _, group := range *props.GlueEndpoint.Connections().SecurityGroups() {
		w.network = append(w.network, group) // and its rules
	}
	for _, subnet := range *props.VPC.SelectSubnets(selection).SubnetIds {
		subnets = append(subnets, subnet)
	}
	var parameters []any
	for _, parameter := range [][2]string{
		{"enable_user_activity_logging", "true"},
		{"max_query_execution_time", strconv.Itoa(int(props.QueryTimeout / time.Second))},
		{"require_ssl", "true"},
	} {
		parameters = append(parameters, &awsredshiftserverless.CfnWorkgroup_ConfigParameterProperty{
			ParameterKey: jsii.String(parameter[0]), ParameterValue: jsii.String(parameter[1]),
		})
	}
	w.Workgroup = awsredshiftserverless.NewCfnWorkgroup(scope, jsii.String("Workgroup"),
		&awsredshiftserverless.CfnWorkgroupProps{
			WorkgroupName:      jsii.String(w.name),
			NamespaceName:      w.Namespace.Ref(),
			BaseCapacity:       jsii.Number(props.BaseCapacity),
			MaxCapacity:        jsii.Number(props.MaxCapacity),
			ConfigParameters:   parameters,
			SubnetIds:          &subnets,
			SecurityGroupIds:   &groups,
			EnhancedVpcRouting: jsii.Bool(true),
			PubliclyAccessible: jsii.Bool(false),
			Port:               jsii.Number(Port),
		})
}

// newSecurityGroup declares the workgroup's security group.
func newSecurityGroup(scope constructs.Construct, vpc awsec2.IVpc) awsec2.SecurityGroup {
	group := awsec2.NewSecurityGroup(scope, jsii.String("SecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              vpc,
			Description:      jsii.String("Access to the Redshift Serverless workgroup"),
			AllowAllOutbound: jsii.Bool(false),
		})
	// S3 has public addresses. Isolated subnets have a route to them only through the gateway
	// endpoint.
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)),
		jsii.String("AWS services over TLS"), nil)
	return group
}

// newGlueEndpoint declares the interface endpoint of the catalog, which only the warehouse reaches.
func (w *Warehouse) newGlueEndpoint(
	scope constructs.Construct, vpc awsec2.IVpc, subnets *awsec2.SubnetSelection,
) awsec2.InterfaceVpcEndpoint {
	group := awsec2.NewSecurityGroup(scope, jsii.String("GlueEndpointSecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc: vpc,
			Description: jsii.String(
				"Access to the Glue interface endpoint of the data warehouse"),
			AllowAllOutbound: jsii.Bool(false),
		})
	for _, peer := range *w.connections.SecurityGroups() {
		group.AddIngressRule(peer, awsec2.Port_Tcp(jsii.Number(443)),
			jsii.String("Redshift Serverless workgroup"), nil)
	}
	return awsec2.NewInterfaceVpcEndpoint(scope, jsii.String("GlueEndpoint"),
		&awsec2.InterfaceVpcEndpointProps{
			Vpc:            vpc,
			Service:        awsec2.InterfaceVpcEndpointAwsService_GLUE(),
			Subnets:        subnets,
			SecurityGroups: &[]awsec2.ISecurityGroup{group},
			Open:           jsii.Bool(false),
		})
}

// newSchemaFunction declares the function that creates schemas, as the admin user. It is not in the
// VPC, because it calls the Data API.
func (w *Warehouse) newSchemaFunction(scope constructs.Construct) *gofunction.Function {
	stack := awscdk.Stack_Of(scope)
	fn := gofunction.New(scope, "ExternalSchema", gofunction.Props{
		Package:     externalschemafn.Package,
		Description: "Creates external schemas in the data warehouse",
		Timeout:     5 * time.Minute, // an idle warehouse takes a while to resume
	})
	fn.AddToRolePolicy([]string{"redshift-data:ExecuteStatement"},
		*w.Workgroup.AttrWorkgroupWorkgroupArn())
	fn.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		// A statement has no ARN.
		Actions: jsii.Strings("redshift-data:DescribeStatement"), Resources: jsii.Strings("*"),
		Conditions: &map[string]any{
			"StringEquals": map[string]any{
				"redshift-data:statement-owner-iam-userid": "${aws:userid}",
			},
		},
	}))
	// The Data API reads the secret with the function's permissions. CloudFormation does not return
	// the secret's ARN, which ends with six random characters.
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"},
		*stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("secretsmanager"), Resource: jsii.String("secret"),
			ResourceName: jsii.String(w.secretName() + "-??????"),
			ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
		}))
	return fn
}

// secretName returns the name that Redshift gives the admin user's secret.
func (w *Warehouse) secretName() string { return "redshift!" + w.name + "-" + administrator }
