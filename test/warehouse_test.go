package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/warehouse"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	uploadsfn "github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestWarehouseAndDashboardsAreOptional(t *testing.T) {
	for _, environment := range allEnvironments() {
		for name, enabled := range map[string]bool{
			"Warehouse": environment.Warehouse, "Dashboards": environment.DashboardsOwner != "",
		} {
			if _, has := platforms[environment.Name][name]; has != enabled {
				t.Errorf("%s has a stack %s: %t, want %t", environment.Name, name, has, enabled)
			}
		}
	}
}

// importOfComplete returns the import of a value that another stack of Complete exports.
func importOfComplete(t *testing.T, from string, value any) any {
	t.Helper()
	for _, output := range platforms["Complete"][from].Template.Outputs {
		if output["Export"] != nil && text(output["Value"]) == text(value) {
			return map[string]any{"Fn::ImportValue": assembly.At(output["Export"], "Name")}
		}
	}
	t.Fatalf("Complete/%s exports no %s", from, text(value))
	return nil
}

func TestTheWarehouseIsUnreachableWithoutAGrant(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	want(t, workgroup, false, "PubliclyAccessible")
	group := only(t, stack, "AWS::EC2::SecurityGroup", "WarehouseSecurityGroup")
	want(t, workgroup, []any{map[string]any{"Fn::GetAtt": []string{group.ID, "GroupId"}}},
		"SecurityGroupIds")
	want(t, group, nil, "SecurityGroupIngress")
	for _, rule := range stack.Template.OfType("AWS::EC2::SecurityGroupIngress") {
		if assembly.Refers(rule.At("GroupId")) == group.ID {
			t.Errorf("%s allows access to the warehouse, want no rule", rule.ID)
		}
	}
}

func TestAGrantOfTheWarehouseOpensItsPortOnly(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := warehouseProps(stack)
		w := warehouse.New(stack, "Warehouse", props)
		w.GrantConnect(gofunction.New(stack, "Reader",
			gofunction.Props{Package: uploadsfn.Package, VPC: props.VPC}))
	})
	group := only(t, stack, "AWS::EC2::SecurityGroup", "WarehouseSecurityGroup")
	reader := only(t, stack, "AWS::EC2::SecurityGroup", "Reader")
	rule := only(t, stack, "AWS::EC2::SecurityGroupIngress", "WarehouseSecurityGroup")
	want(t, rule, group.ID, "GroupId", "Fn::GetAtt", 0)
	want(t, rule, reader.ID, "SourceSecurityGroupId", "Fn::GetAtt", 0)
	want(t, rule, warehouse.Port, "FromPort")
	want(t, rule, warehouse.Port, "ToPort")
}

// TestAllTrafficOfTheWarehouseStaysInTheVPC: from its subnets it reaches only Glue, and S3 through
// the gateway endpoint of every subnet (TestS3AndDynamoDBAreReachedFromEverySubnetWithoutNAT).
func TestAllTrafficOfTheWarehouseStaysInTheVPC(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	var isolated []any
	for _, id := range subnets(platforms["Complete"]["Network"], "Isolated") {
		isolated = append(isolated, importOfComplete(t, "Network", map[string]any{"Ref": id}))
	}
	if len(isolated) != 3 {
		t.Errorf("%d isolated subnets, want 3", len(isolated))
	}
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	want(t, workgroup, true, "EnhancedVpcRouting")
	want(t, workgroup, isolated, "SubnetIds")

	endpoint := only(t, stack, "AWS::EC2::VPCEndpoint", "")
	want(t, endpoint, "com.amazonaws.eu-central-1.glue", "ServiceName")
	want(t, endpoint, true, "PrivateDnsEnabled")
	want(t, endpoint, isolated, "SubnetIds")
	rule := only(t, stack, "AWS::EC2::SecurityGroupIngress", "")
	want(t, rule, assembly.Refers(endpoint.At("SecurityGroupIds", 0)), "GroupId", "Fn::GetAtt", 0)
	want(t, rule, assembly.Refers(workgroup.At("SecurityGroupIds", 0)), "SourceSecurityGroupId",
		"Fn::GetAtt", 0)
	want(t, rule, 443, "FromPort")
	want(t, rule, 443, "ToPort")
	want(t, only(t, stack, "AWS::EC2::SecurityGroup",
		"WarehouseSecurityGroup"), []any{map[string]any{
		"CidrIp": "0.0.0.0/0", "Description": "AWS services over TLS", "FromPort": 443,
		"ToPort": 443, "IpProtocol": "tcp",
	}}, "SecurityGroupEgress")
}

func TestTheWarehouseRequiresTLSAndCancelsLongQueries(t *testing.T) {
	want(t, only(t, platforms["Complete"]["Warehouse"], "AWS::RedshiftServerless::Workgroup", ""),
		[]any{
			map[string]any{
				"ParameterKey": "enable_user_activity_logging", "ParameterValue": "true",
			},
			map[string]any{"ParameterKey": "max_query_execution_time", "ParameterValue": "600"},
			map[string]any{"ParameterKey": "require_ssl", "ParameterValue": "true"},
		}, "ConfigParameters")
}

func TestTheCapacityOfTheWarehouseIsLimited(t *testing.T) {
	workgroup := only(t, platforms["Complete"]["Warehouse"], "AWS::RedshiftServerless::Workgroup",
		"")
	want(t, workgroup, 8, "BaseCapacity")
	want(t, workgroup, 8, "MaxCapacity")
}

func TestTheWarehouseIsEncryptedAndRedshiftManagesItsPassword(t *testing.T) {
	namespace := only(t, platforms["Complete"]["Warehouse"], "AWS::RedshiftServerless::Namespace",
		"")
	key := only(t, platforms["Complete"]["Telemetry"], "AWS::KMS::Key", "")
	want(t, namespace, importOfComplete(t, "Telemetry", arn(key)), "KmsKeyId")
	want(t, namespace, true, "ManageAdminPassword")
	want(t, namespace, nil, "AdminUserPassword")
	want(t, namespace, nil, "AdminPasswordSecretKmsKeyId")
}

// TestWarehouseLogGroupsAreCreatedBeforeTheWarehouse: Redshift would create missing log groups,
// without retention.
func TestWarehouseLogGroupsAreCreatedBeforeTheWarehouse(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	namespace := only(t, stack, "AWS::RedshiftServerless::Namespace", "")
	want(t, namespace, []string{"connectionlog", "useractivitylog", "userlog"}, "LogExports")
	var groups []any
	names := map[string]bool{}
	for _, group := range stack.Template.OfType("AWS::Logs::LogGroup") {
		if name, ok := group.At("LogGroupName").(string); ok {
			groups = append(groups, group.ID)
			names[name] = true
		}
	}
	for _, log := range oneOrMore(namespace.At("LogExports")) {
		if name := "/aws/redshift/" + namespace.At("NamespaceName").(string) + "/" +
			log.(string); !names[name] {
			t.Errorf("there is no log group %s", name)
		}
	}
	if diff := cmp.Diff(groups, namespace.DependsOn); diff != "" || len(groups) != 3 {
		t.Errorf("the namespace depends on (-log groups +got):\n%s", diff)
	}
}

// permissions returns what statements allow together: each action on each resource, with its
// condition.
func permissions(statements []any) []string {
	var found []string
	for _, statement := range statements {
		for _, action := range oneOrMore(assembly.At(statement, "Action")) {
			for _, on := range oneOrMore(assembly.At(statement, "Resource")) {
				found = append(found, text([]any{action, on, assembly.At(statement, "Condition")}))
			}
		}
	}
	slices.Sort(found)
	return found
}

// reportPermissions returns the permissions of a role that may read the reports, except listing
// their objects.
func reportPermissions(t *testing.T) []string {
	t.Helper()
	telemetry := platforms["Complete"]["Telemetry"]
	bucket := importOfComplete(t, "Telemetry",
		arn(only(t, telemetry, "AWS::S3::Bucket", "TelemetryReports")))
	key := importOfComplete(t, "Telemetry", arn(only(t, telemetry, "AWS::KMS::Key", "")))
	database := importOfComplete(t, "Telemetry",
		map[string]any{"Ref": only(t, telemetry, "AWS::Glue::Database", "").ID})
	glue := func(kind string, name ...any) any {
		return fnJoin(append([]any{"arn:aws:glue:eu-central-1:333333333333:" + kind}, name...)...)
	}
	tables := []any{glue("catalog"), glue("database/", database)}
	for _, table := range telemetry.Template.OfType("AWS::Glue::Table") {
		isReport := func(r string) bool { return r == table.At("TableInput", "Name") }
		if slices.ContainsFunc(reportNames(), isReport) {
			tables = append(tables,
				glue("table/", database, "/"+fmt.Sprint(table.At("TableInput", "Name"))))
		}
	}
	if len(tables) != 2+len(reportNames()) {
		t.Fatalf("tables %s, want one for each of %q", text(tables), reportNames())
	}
	return permissions([]any{
		map[string]any{"Action": []any{
			"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetPartition",
			"glue:GetPartitions", "glue:BatchGetPartition",
		}, "Resource": tables},
		map[string]any{
			"Action":   "glue:GetTables",
			"Resource": []any{tables[0], tables[1], glue("table/", database, "/*")},
		},
		map[string]any{"Action": "s3:GetBucketLocation", "Resource": bucket},
		map[string]any{"Action": "s3:GetObject", "Resource": fnJoin(bucket, "/parquet/*")},
		map[string]any{"Action": "kms:Decrypt", "Resource": key, "Condition": map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": "s3.eu-central-1.amazonaws.com"},
			"StringLike": map[string]any{
				"kms:EncryptionContext:aws:s3:arn": []any{bucket, fnJoin(bucket, "/*")},
			},
		}},
	})
}

func reportNames() []string {
	var names []string
	for _, report := range queries.Reports() {
		names = append(names, report.Name)
	}
	return names
}

func TestTheWarehouseReadsTheReportsAndNothingElse(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	role := only(t, stack, "AWS::IAM::Role", "WarehouseRole")
	want(t, only(t, stack, "AWS::RedshiftServerless::Namespace", ""), []any{arn(role)}, "IamRoles")
	want(t, only(t, stack, "AWS::RedshiftServerless::Namespace", ""), arn(role),
		"DefaultIamRoleArn")
	bucket := importOfComplete(t, "Telemetry",
		arn(only(t, platforms["Complete"]["Telemetry"], "AWS::S3::Bucket", "TelemetryReports")))
	wanted := append(reportPermissions(t), permissions([]any{
		map[string]any{
			"Action": "s3:ListBucket", "Resource": bucket,
			"Condition": map[string]any{"StringLike": map[string]any{"s3:prefix": "parquet/*"}},
		},
	})...)
	slices.Sort(wanted)
	diff := cmp.Diff(wanted,
		permissions(allowStatements(t, stack, "AWS::IAM::Policy", "Roles", role)))
	if diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}

// TestAReportCanBeRemovedWhileOtherStacksReadIt: CloudFormation refuses to delete an export and its
// resource while another stack imports it.
func TestAReportCanBeRemovedWhileOtherStacksReadIt(t *testing.T) {
	template := platforms["Complete"]["Telemetry"].Template
	for name, output := range template.Outputs {
		of, _ := assembly.At(output["Value"], "Ref").(string)
		if output["Export"] != nil && template.Resources[of].Type == "AWS::Glue::Table" {
			t.Errorf("%s exports the table %s", name, of)
		}
	}
}

func TestOnlyTheUsersOfTheWarehouseAssumeItsRole(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	name := only(t, stack, "AWS::RedshiftServerless::Workgroup", "").At("WorkgroupName").(string)
	want(t, only(t, stack, "AWS::IAM::Role", "WarehouseRole"), []any{
		map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole",
			"Principal": map[string]any{"Service": "redshift.amazonaws.com"},
			"Condition": map[string]any{"StringLike": map[string]any{
				"sts:ExternalId": "arn:aws:redshift:eu-central-1:333333333333:dbuser:" + name +
					"/*",
			}},
		},
		map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole",
			"Principal": map[string]any{"Service": "redshift-serverless.amazonaws.com"},
		},
	}, "AssumeRolePolicyDocument", "Statement")
}

func TestTheExternalSchemaIsCreatedAfterItsPermissions(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	schema := only(t, stack, "Custom::ExternalSchema", "")
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	want(t, schema, "reports", "SchemaName")
	want(t, schema, workgroup.ID, "WorkgroupName", "Fn::GetAtt", 0)
	want(t, schema, only(t, stack, "AWS::RedshiftServerless::Namespace", "").At("DbName"),
		"DatabaseName")
	want(t, schema, arn(only(t, stack, "AWS::IAM::Role", "WarehouseRole")), "RoleARN")
	database := only(t, platforms["Complete"]["Telemetry"], "AWS::Glue::Database", "")
	want(t, schema, importOfComplete(t, "Telemetry", map[string]any{"Ref": database.ID}), "Catalog")

	before := allDependencies(stack, schema)
	for _, needed := range []assembly.Resource{
		workgroup, only(t, stack, "AWS::EC2::VPCEndpoint", ""),
		only(t, stack, "AWS::EC2::SecurityGroupIngress", ""),
		only(t, stack, "AWS::IAM::Policy", "WarehouseRole"),
		only(t, stack, "AWS::IAM::Policy", "WarehouseExternalSchema"),
	} {
		if !before[needed.ID] {
			t.Errorf("the schema does not depend on %s", needed.ID)
		}
	}
}

// allDependencies returns the logical ids of all resources that the resource depends on, directly
// or indirectly.
func allDependencies(stack assembly.Stack, resource assembly.Resource) map[string]bool {
	before := map[string]bool{}
	var visit func(resource assembly.Resource)
	visit = func(resource assembly.Resource) {
		for _, id := range dependencies(stack, resource) {
			if !before[id] {
				before[id] = true
				visit(stack.Template.Resources[id])
			}
		}
	}
	visit(resource)
	return before
}

func TestTheSchemaFunctionReadsOneSecretAndItsOwnStatements(t *testing.T) {
	stack := platforms["Complete"]["Warehouse"]
	namespace := only(t, stack, "AWS::RedshiftServerless::Namespace", "")
	secret := "redshift!" + namespace.At("NamespaceName").(string) + "-" +
		namespace.At("AdminUsername").(string)
	want(t, only(t, stack, "Custom::ExternalSchema", ""), secret, "SecretName")
	role := only(t, stack, "AWS::IAM::Role", "WarehouseExternalSchema")
	got := slices.DeleteFunc(allowStatements(t, stack, "AWS::IAM::Policy", "Roles", role),
		func(statement any) bool {
			action := text(assembly.At(statement, "Action"))
			return strings.Contains(action, "logs:") || strings.Contains(action, "xray:")
		})
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	diff := cmp.Diff(permissions([]any{map[string]any{
		"Action":   "redshift-data:ExecuteStatement",
		"Resource": map[string]any{"Fn::GetAtt": []string{workgroup.ID, "Workgroup.WorkgroupArn"}},
	}, map[string]any{
		"Action": "redshift-data:DescribeStatement", "Resource": "*",
		"Condition": map[string]any{
			"StringEquals": map[string]any{
				"redshift-data:statement-owner-iam-userid": "${aws:userid}",
			},
		},
	}, map[string]any{
		"Action":   "secretsmanager:GetSecretValue",
		"Resource": "arn:aws:secretsmanager:eu-central-1:333333333333:secret:" + secret + "-??????",
	}}), permissions(got))
	if diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}

func TestADisposableWarehouseIsDeletedWithItsStack(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		props := warehouseProps(stack)
		props.Disposable = true
		warehouse.New(stack, "Warehouse", props)
	})
	for _, resource := range slices.Concat(stack.Template.OfType(
		"AWS::RedshiftServerless::Namespace"),
		stack.Template.OfType("AWS::Logs::LogGroup")) {
		if resource.DeletionPolicy != "Delete" {
			t.Errorf("%s: on deletion %s, want Delete", resource.ID, resource.DeletionPolicy)
		}
	}
}

// warehouseProps returns props with an existing VPC and key.
func warehouseProps(stack awscdk.Stack) warehouse.Props {
	return warehouse.Props{
		VPC: existingVPC(stack, "VPC", 3),
		Key: awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String(
			"arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-4000-8000-000000000000")),
	}
}

// existingVPC returns an existing VPC with private and isolated subnets in count zones.
func existingVPC(stack awscdk.Stack, id string, count int) awsec2.IVpc {
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String(id), vpcAttributes(count))
}

func vpcAttributes(count int) *awsec2.VpcAttributes {
	letters := []string{"a", "b", "c"}[:count]
	each := func(prefix string) *[]*string {
		var values []*string
		for _, letter := range letters {
			values = append(values, jsii.String(prefix+letter))
		}
		return &values
	}
	return &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0123456789abcdef0"), AvailabilityZones: each("eu-central-1"),
		PrivateSubnetIds: each(
			"subnet-0123456789abcde0"), PrivateSubnetRouteTableIds: each("rtb-0123456789abcdef0"),
		IsolatedSubnetIds:           each("subnet-0123456789abcde1"),
		IsolatedSubnetRouteTableIds: each("rtb-0123456789abcdef1"),
	}
}

func TestWarehousePropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) { warehouse.New(stack, "W", warehouse.Props{}) },
		"warehouse: W: VPC is required; pass network.VPC")
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	props := warehouseProps(stack)
	props.VPC = existingVPC(stack, "TwoZones", 2)
	props.BaseCapacity, props.MaxCapacity, props.QueryTimeout = 12, 8, 1500*time.Millisecond
	wanted := strings.Join([]string{
		"warehouse: W: VPC: 2 isolated subnets, want 3 or more, in three zones",
		"warehouse: W: BaseCapacity: 12, want 4, or a multiple of 8 up to 512",
		"warehouse: W: MaxCapacity: 8, want at least BaseCapacity",
		"warehouse: W: QueryTimeout: 1.5s, want whole seconds, 1s to 23h59m59s",
	}, "\n")
	if got := panicMessage(func() { warehouse.New(stack, "W", props) }); got != wanted {
		t.Errorf("panics with\n%s\nwant\n%s", got, wanted)
	}
	stack = awscdk.NewStack(app, jsii.String("Other"), nil)
	props = warehouseProps(stack)
	props.VPCSubnets = &awsec2.SubnetSelection{
		Subnets: &[]awsec2.ISubnet{(*props.VPC.PrivateSubnets())[0]},
	}
	const two = "warehouse: W: VPC: 1 subnets in VPCSubnets, want 3 or more, in three zones"
	if got := panicMessage(func() { warehouse.New(stack, "W", props) }); got != two {
		t.Errorf("panics with\n%s\nwant\n%s", got, two)
	}
}

// TestAWarehouseUsesTheNetworkThatATeamHas: its subnets, security groups and endpoint of Glue.
func TestAWarehouseUsesTheNetworkThatATeamHas(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := existingVPC(stack, "VPC", 3)
		group := awsec2.NewSecurityGroup(stack, jsii.String("Mine"),
			&awsec2.SecurityGroupProps{Vpc: vpc})
		ofEndpoint := awsec2.NewSecurityGroup(stack, jsii.String("OfGlue"),
			&awsec2.SecurityGroupProps{Vpc: vpc})
		w := warehouse.New(stack, "Warehouse", warehouse.Props{
			VPC: vpc,
			VPCSubnets: &awsec2.SubnetSelection{
				SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
			},
			SecurityGroups: []awsec2.ISecurityGroup{group},
			GlueEndpoint: awsec2.InterfaceVpcEndpoint_FromInterfaceVpcEndpointAttributes(stack,
				jsii.String("Glue"), &awsec2.InterfaceVpcEndpointAttributes{
					VpcEndpointId:  jsii.String("vpce-0123456789abcdef0"),
					Port:           jsii.Number(443),
					SecurityGroups: &[]awsec2.ISecurityGroup{ofEndpoint},
				}),
		})
		for _, schema := range []string{"workgroup", "sales"} { // a name that a resource has too
			w.AddExternalSchema(schema, schema)
		}
	})
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	group := only(t, stack, "AWS::EC2::SecurityGroup", "Mine")
	want(t, workgroup, []any{map[string]any{"Fn::GetAtt": []string{group.ID, "GroupId"}}},
		"SecurityGroupIds")
	want(t, workgroup, []any{
		"subnet-0123456789abcde0a", "subnet-0123456789abcde0b", "subnet-0123456789abcde0c",
	}, "SubnetIds")
	key := only(t, stack, "AWS::KMS::Key", "Warehouse")
	want(t, only(t, stack, "AWS::RedshiftServerless::Namespace", ""), arn(key), "KmsKeyId")
	if key.DeletionPolicy != "RetainExceptOnCreate" {
		t.Errorf("the key is deleted with the stack: %s", key.DeletionPolicy)
	}
	if endpoints := stack.Template.OfType("AWS::EC2::VPCEndpoint"); len(endpoints) > 0 {
		t.Errorf("%d endpoints besides the existing one", len(endpoints))
	}
	rule := only(t, stack, "AWS::EC2::SecurityGroupIngress", "OfGlue")
	want(t, rule, group.ID, "SourceSecurityGroupId", "Fn::GetAtt", 0)
	schemas := stack.Template.OfType("Custom::ExternalSchema")
	if len(schemas) != 2 {
		t.Fatalf("%d schemas, want 2", len(schemas))
	}
	if !allDependencies(stack, schemas[0])[rule.ID] {
		t.Error("a schema does not depend on the network path to the catalog")
	}
}

func TestExternalSchemaPropsAreValidated(t *testing.T) {
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	w := warehouse.New(stack, "W", warehouseProps(stack))
	got := panicMessage(func() { w.AddExternalSchema("Reports", "") })
	_, problems, _ := strings.Cut(got, `schema: "Reports", `+
		"want a lower-case letter, then up to 126 lower-case letters, digits and underscores")
	const second = "catalog is required; pass the name of a database of the Glue Data Catalog"
	if !strings.Contains(problems, second) {
		t.Errorf("panics with %q, want both problems", got)
	}
	w.AddExternalSchema("reports", "reports")
	const twice = `warehouse: Stack/W.AddExternalSchema: schema: "reports", want a schema that ` +
		"has not been added yet"
	if got := panicMessage(func() { w.AddExternalSchema("reports", "other") }); got != twice {
		t.Errorf("panics with %q, want %q", got, twice)
	}
	const peer = "warehouse: Stack/W.GrantConnect: peer is required; pass the function or the " +
		"service that connects"
	if got := panicMessage(func() { w.GrantConnect(nil) }); got != peer {
		t.Errorf("panics with %q, want %q", got, peer)
	}
	if got := panicMessage(func() { w.GrantConnect((*gofunction.Function)(nil)) }); got != peer {
		t.Errorf("panics with %q, want %q", got, peer)
	}
}

func TestMetricsOfTheWarehouseAreOfItsWorkgroup(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		w := warehouse.New(stack, "Warehouse", warehouseProps(stack))
		metric := w.Metric("ComputeSeconds", &awscloudwatch.MetricOptions{
			Statistic: jsii.String("Maximum"),
		})
		metric.CreateAlarm(stack, jsii.String("Alarm"), &awscloudwatch.CreateAlarmOptions{
			Threshold: jsii.Number(1), EvaluationPeriods: jsii.Number(1),
		})
	})
	alarm := only(t, stack, "AWS::CloudWatch::Alarm", "Alarm")
	workgroup := only(t, stack, "AWS::RedshiftServerless::Workgroup", "")
	want(t, alarm, "AWS/Redshift-Serverless", "Namespace")
	want(t, alarm, "ComputeSeconds", "MetricName")
	want(t, alarm, "Maximum", "Statistic")
	want(t, alarm, 300, "Period")
	want(t, alarm, "Workgroup", "Dimensions", 0, "Name")
	want(t, alarm, workgroup.ID, "Dimensions", 0, "Value", "Fn::GetAtt", 0)
}
