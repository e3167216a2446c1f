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

// exportedLogs are all that Redshift Serverless sends to CloudWatch, by the ids of their groups.
var exportedLogs = []struct{ id, name string }{{"ConnectionLog", "connectionlog"}, {"UserActivityLog", "useractivitylog"}, {"UserLog", "userlog"}}

// newRole declares the role that the warehouse reads by, for users of the work group alone: Redshift says in the
// external id who of them it is for, "Restricting access to IAM roles" in the Amazon Redshift Management Guide. The
// other principal, which "Granting permissions to Amazon Redshift Serverless" there asks for, knows no condition; who
// gives a role to a namespace needs iam:PassRole on it.
func (w *Warehouse) newRole(scope constructs.Construct) awsiam.Role {
	users := awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("redshift"), Resource: jsii.String("dbuser"), ResourceName: jsii.String(w.name + "/*"),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	return awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		Description: jsii.String("How the warehouse reads catalogs and buckets"),
		AssumedBy: awsiam.NewCompositePrincipal(
			awsiam.NewServicePrincipal(jsii.String("redshift.amazonaws.com"), &awsiam.ServicePrincipalOpts{
				Conditions: &map[string]any{"StringLike": map[string]any{"sts:ExternalId": users}},
			}),
			awsiam.NewServicePrincipal(jsii.String("redshift-serverless.amazonaws.com"), nil),
		),
	})
}

// newNamespace declares the namespace, and its log groups before it can make them itself and keep them for ever. Their
// names are fixed by "Audit logging for Amazon Redshift Serverless" in the Amazon Redshift Management Guide.
func (w *Warehouse) newNamespace(scope constructs.Construct, props Props) {
	var exports []*string
	for _, log := range exportedLogs {
		exports = append(exports, jsii.String(log.name))
	}
	w.Namespace = awsredshiftserverless.NewCfnNamespace(scope, jsii.String("Namespace"), &awsredshiftserverless.CfnNamespaceProps{
		NamespaceName: jsii.String(w.name),
		DbName:        jsii.String(Database),
		KmsKeyId:      props.Key.KeyArn(),
		// Redshift makes the password, and changes it every 30 days. The secret has the key that Secrets Manager manages, which
		// no role needs a right to.
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

// newWorkgroup declares the work group and its ways out of the isolated subnets, which all its traffic takes: to the
// catalog by an endpoint of its own, to buckets by the VPC's gateway. Queries of a catalog's tables need both: "Amazon
// Redshift Spectrum limitations" in the Amazon Redshift Database Developer Guide.
func (w *Warehouse) newWorkgroup(scope constructs.Construct, props Props) {
	isolated := &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	w.SecurityGroup = awsec2.NewSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Who may reach the warehouse"),
		AllowAllOutbound: jsii.Bool(false),
	})
	// S3 has public addresses, which the gateway's route leads to and no other.
	w.SecurityGroup.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("AWS services over TLS"), nil)
	group := awsec2.NewSecurityGroup(scope, jsii.String("CatalogSecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Who may reach Glue by the endpoint of the warehouse"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddIngressRule(w.SecurityGroup, awsec2.Port_Tcp(jsii.Number(443)), jsii.String("The warehouse"), nil)
	w.glueEndpoint = awsec2.NewInterfaceVpcEndpoint(scope, jsii.String("Catalog"), &awsec2.InterfaceVpcEndpointProps{
		Vpc:            props.VPC,
		Service:        awsec2.InterfaceVpcEndpointAwsService_GLUE(),
		Subnets:        isolated,
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		Open:           jsii.Bool(false),
	})
	w.glueEndpoint.Node().AddDependency(group) // and so what waits for the endpoint has the rule too
	var subnets []any
	for _, subnet := range *props.VPC.SelectSubnets(isolated).SubnetIds {
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
	w.Workgroup = awsredshiftserverless.NewCfnWorkgroup(scope, jsii.String("Workgroup"), &awsredshiftserverless.CfnWorkgroupProps{
		WorkgroupName:      jsii.String(w.name),
		NamespaceName:      w.Namespace.Ref(),
		BaseCapacity:       jsii.Number(props.BaseCapacity),
		MaxCapacity:        jsii.Number(props.MaxCapacity),
		ConfigParameters:   parameters,
		SubnetIds:          &subnets,
		SecurityGroupIds:   &[]any{w.SecurityGroup.SecurityGroupId()},
		EnhancedVpcRouting: jsii.Bool(true),
		PubliclyAccessible: jsii.Bool(false),
		Port:               jsii.Number(Port),
	})
}

// newSchemaFunction declares the function that makes schemas, as the administrator. It needs no VPC: it calls the Data API.
func (w *Warehouse) newSchemaFunction(scope constructs.Construct, props Props) *gofunction.Function {
	stack := awscdk.Stack_Of(scope)
	fn := gofunction.New(scope, "ExternalSchema", gofunction.Props{
		Package:     externalschemafn.Package,
		Description: "Makes the schemas by which the warehouse shows the tables of a catalog",
		Timeout:     5 * time.Minute, // a warehouse that sleeps takes a while to wake up
	})
	fn.AddToRolePolicy([]string{"redshift-data:ExecuteStatement"}, *w.Workgroup.AttrWorkgroupWorkgroupArn())
	fn.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("redshift-data:DescribeStatement"), Resources: jsii.Strings("*"), // a statement has no ARN
		Conditions: &map[string]any{"StringEquals": map[string]any{"redshift-data:statement-owner-iam-userid": "${aws:userid}"}},
	}))
	// The Data API reads the secret in the function's name. CloudFormation does not know the secret's ARN, which ends with six
	// characters that Secrets Manager makes up.
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("secretsmanager"), Resource: jsii.String("secret"), ResourceName: jsii.String(w.secretName() + "-??????"),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	}))
	return fn
}

// secretName is how Redshift calls the secret of the administrator.
func (w *Warehouse) secretName() string { return "redshift!" + w.name + "-" + administrator }
