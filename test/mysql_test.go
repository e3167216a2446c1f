package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// ingress returns the security groups that may reach the security group with that name (a logical
// id, or an export that ends with the id's output), each with its port.
func ingress(environment, group string) map[string]any {
	found := map[string]any{}
	for _, stack := range platforms[environment] {
		for _, rule := range stack.Template.OfType("AWS::EC2::SecurityGroupIngress") {
			if strings.Contains(text(rule.At("GroupId")), group) {
				found[assembly.Refers(rule.At("SourceSecurityGroupId"))] = rule.At("ToPort")
			}
		}
	}
	return found
}

// databaseFunctions lists the folders of the functions that may reach the database. Each can read
// and write all users' data, so adding one is a deliberate decision.
var databaseFunctions = []string{
	"lambdas/accounts", "lambdas/notifications", "lambdas/postconfirmation", "lambdas/posts",
	"lambdas/resources/migrate",
}

func TestOnlyTheFunctionsTheProxyAndTheRotationReachTheDatabase(t *testing.T) {
	forEachEnvironment(t, "Data", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		instance := only(t, stack, "AWS::RDS::DBInstance", "DatabaseWriter")
		group := assembly.Refers(instance.At("VPCSecurityGroups", 0))
		allowed := []string{
			only(t, stack, "AWS::EC2::SecurityGroup", "DatabaseRotationSecurityGroup").ID,
		}
		if environment.DatabaseProxy {
			allowed = append(allowed,
				only(t, stack, "AWS::EC2::SecurityGroup", "DatabaseProxySecurityGroup").ID)
		}
		functions := 0
		for _, stack := range platforms[environment.Name] {
			for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
				if slices.Contains(databaseFunctions, folder(t, function)) {
					allowed = append(allowed,
						assembly.Refers(function.At("VpcConfig", "SecurityGroupIds", 0)))
					functions++
				}
			}
		}
		if functions != len(databaseFunctions) {
			t.Errorf("%d functions of %q are deployed, want each of them once", functions,
				databaseFunctions)
		}
		found := ingress(environment.Name, group)
		for source, port := range found {
			if !slices.Contains(allowed, source) {
				t.Errorf("%s reaches the database, want only %q, the proxy and the rotation",
					source, databaseFunctions)
			}
			// Rules in the database's own stack refer to the instance's port.
			if text(port) != "3306" &&
				text(port) != text(
					map[string]any{"Fn::GetAtt": []string{instance.ID, "Endpoint.Port"}}) {
				t.Errorf("%s reaches the port %s, want the database's", source, text(port))
			}
		}
		if len(found) != len(allowed) {
			t.Errorf("%d security groups reach the database, want %d: %v", len(found), len(allowed),
				found)
		}
		want(t, stack.Template.Resources[group], nil, "SecurityGroupIngress")
	})
}

func TestTheDatabaseCannotReachTheInternet(t *testing.T) {
	forEachEnvironment(t, "Data", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		for _, group := range stack.Template.OfType("AWS::EC2::SecurityGroup") {
			rotation := strings.HasPrefix(group.ID, "DatabaseRotation") // calls Secrets Manager
			for _, rule := range oneOrMore(group.At("SecurityGroupEgress")) {
				everything := assembly.At(rule, "CidrIp") == "0.0.0.0/0"
				if everything && (!rotation || assembly.At(rule, "ToPort") != 443.0) {
					t.Errorf("%s reaches %s, want only the rotation to reach AWS", group.ID,
						text(rule))
				}
			}
		}
		group := only(t, stack, "AWS::RDS::DBSubnetGroup", "")
		for _, subnet := range oneOrMore(group.At("SubnetIds")) {
			if !strings.Contains(assembly.Refers(subnet), "VPCIsolatedSubnet") {
				t.Errorf("the database is in %s, want isolated subnets", text(subnet))
			}
		}
	})
}

func TestTheDatabaseIsEncryptedBackedUpAndPatched(t *testing.T) {
	forEachEnvironment(t, "Data",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			writer := only(t, stack, "AWS::RDS::DBInstance", "DatabaseWriter")
			want(t, writer, true, "StorageEncrypted")
			want(t, writer, environment.BackupRetention.Hours()/24, "BackupRetentionPeriod")
			want(t, writer, !environment.Disposable, "DeletionProtection")
			want(t, writer, environment.DatabaseMultiAZ, "MultiAZ")
			want(t, writer, "8.4", "EngineVersion")
			want(t, writer, true, "AutoMinorVersionUpgrade")
			want(t, writer, "open-source-rds-extended-support-disabled", "EngineLifecycleSupport")
			want(t, writer, []string{"error", "slowquery"}, "EnableCloudwatchLogsExports")
		})
}

func TestDatabaseLogGroupsAreCreatedBeforeTheDatabase(t *testing.T) {
	forEachEnvironment(t, "Data", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		for _, instance := range stack.Template.OfType("AWS::RDS::DBInstance") {
			var names []string
			for _, id := range oneOrMore(instance.DependsOn) {
				name, _ := stack.Template.Resources[id.(string)].At("LogGroupName").(string)
				names = append(names, name)
			}
			identifier, _ := instance.At("DBInstanceIdentifier").(string)
			wanted := []string{"/aws/rds/instance/" + identifier +
				"/error", "/aws/rds/instance/" + identifier + "/slowquery"}
			if identifier != strings.ToLower(identifier) || len(identifier) > 63 ||
				!cmp.Equal(names, wanted) {
				t.Errorf("%s depends on the log groups %q, want %q", instance.ID, names, wanted)
			}
		}
	})
}

func TestTheDatabaseUsesStrictModeAndRequiresTLS(t *testing.T) {
	forEachEnvironment(t, "Data",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			parameters := only(t, stack, "AWS::RDS::DBParameterGroup", "")
			want(t, parameters, "mysql8.4", "Family")
			want(t, parameters, "1", "Parameters", "require_secure_transport")
			want(t, parameters, "utf8mb4", "Parameters", "character_set_server")
			want(t, parameters, "2", "Parameters", "innodb_lock_wait_timeout")
			want(t, parameters, "600", "Parameters", "wait_timeout")
			mode, _ := parameters.At("Parameters", "sql_mode").(string)
			if !strings.Contains(mode, "STRICT_TRANS_TABLES") {
				t.Errorf("the SQL mode is %q, want STRICT_TRANS_TABLES", mode)
			}
			for _, instance := range stack.Template.OfType("AWS::RDS::DBInstance") {
				want(t, instance, parameters.ID, "DBParameterGroupName", "Ref")
			}
			if proxies := stack.Template.OfType("AWS::RDS::DBProxy"); environment.DatabaseProxy {
				want(t, proxies[0], true, "RequireTLS")
			} else if len(proxies) > 0 {
				t.Errorf("there are %d proxies, want none", len(proxies))
			}
		})
}

func TestThePasswordsAreGeneratedAndRotated(t *testing.T) {
	forEachEnvironment(t, "Data",
		func(t *testing.T, environment environments.Environment, data assembly.Stack) {
			admin, app := secretAttachment(t, data, "admin"), secretAttachment(t, data, "app")
			schema := platforms[environment.Name]["Schema"]
			if secrets := data.Template.OfType("AWS::SecretsManager::Secret"); len(secrets) != 2 {
				t.Errorf("there are %d secrets, want the administrator's and app's", len(secrets))
			}
			adminSchedule := only(t, data, "AWS::SecretsManager::RotationSchedule", "")
			want(t, adminSchedule, admin, "SecretId", "Ref")
			appSchedule := only(t, schema, "AWS::SecretsManager::RotationSchedule", "")
			secret := assembly.Refers(appSchedule.At("SecretId"))
			if !strings.Contains(secret, app) {
				t.Errorf("%s is rotated after the migration, want %s", secret, app)
			}
			if !slices.Contains(oneOrMore(appSchedule.DependsOn), any("Migration")) {
				t.Errorf("app's password is rotated after %s, want Migration, which creates that "+
					"user",
					text(appSchedule.DependsOn))
			}
			for _, schedule := range []assembly.Resource{adminSchedule, appSchedule} {
				want(t, schedule, "rate(30 days)", "RotationRules", "ScheduleExpression")
			}
		})
}

func TestOnlyMigrationsConnectAsTheAdministrator(t *testing.T) {
	forEachEnvironment(t, "Data", func(
		t *testing.T, environment environments.Environment, data assembly.Stack,
	) {
		admin := secretAttachment(t, data, "admin")
		for _, stack := range platforms[environment.Name] {
			for _, s := range statements(t, stack) {
				for _, on := range s.resources {
					migrates := stack.Name == "Schema" &&
						strings.HasPrefix(s.resource, "MigrateRole")
					if strings.Contains(assembly.Refers(on), admin) && s.effect == "Allow" &&
						!migrates {
						t.Errorf("%s/%s may read the administrator's password", stack.Name,
							s.resource)
					}
				}
			}
			for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
				secret := assembly.Refers(
					function.At("Environment", "Variables", "DATABASE_SECRET_ARN"))
				if secret != "" && strings.Contains(secret, admin) != (stack.Name == "Schema") {
					t.Errorf("%s connects with %s", function.ID, secret)
				}
			}
		}
		for _, proxy := range data.Template.OfType("AWS::RDS::DBProxy") {
			if text(proxy.At("Auth")) == "null" || strings.Contains(text(proxy.At("Auth")), admin) {
				t.Errorf("the proxy connects with %s", text(proxy.At("Auth")))
			}
		}
	})
}

// secretAttachment returns the logical id of the attachment of a user's secret to the instance.
// Other resources refer to the secret through it.
func secretAttachment(t *testing.T, data assembly.Stack, user string) string {
	t.Helper()
	for _, attachment := range data.Template.OfType("AWS::SecretsManager::SecretTargetAttachment") {
		secret := data.Template.Resources[assembly.Refers(attachment.At("SecretId"))]
		template, _ := secret.At("GenerateSecretString", "SecretStringTemplate").(string)
		if strings.Contains(template, `"username":"`+user+`"`) {
			return attachment.ID
		}
	}
	t.Fatalf("there is no secret of the user %s", user)
	return ""
}

func TestReadersAreReplicasOfTheWriter(t *testing.T) {
	forEachEnvironment(t, "Data",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			writer := only(t, stack, "AWS::RDS::DBInstance", "DatabaseWriter")
			readers := 0
			for _, instance := range stack.Template.OfType("AWS::RDS::DBInstance") {
				if source := instance.At("SourceDBInstanceIdentifier"); source != nil {
					readers++
					if !strings.Contains(text(source), writer.ID) {
						t.Errorf("%s is a replica of %s, want the writer", instance.ID,
							text(source))
					}
				}
			}
			if readers != environment.DatabaseReplicas {
				t.Errorf("there are %d replicas, want %d", readers, environment.DatabaseReplicas)
			}
			variables, _ := only(t, platforms[environment.Name]["API"], "AWS::Lambda::Function",
				"Accounts").At("Environment", "Variables").(map[string]any)
			hasReaders := variables["DATABASE_READER_HOSTS"] != nil
			if hasReaders != (environment.DatabaseReplicas > 0) {
				t.Errorf("the function's readers are %s", text(variables["DATABASE_READER_HOSTS"]))
			}
			proxied := strings.Contains(text(variables["DATABASE_WRITER_HOST"]), "Proxy")
			if proxied != environment.DatabaseProxy {
				t.Errorf("the function's writer is %s", text(variables["DATABASE_WRITER_HOST"]))
			}
		})
}

func TestTheAPIIsUpdatedAfterTheMigrations(t *testing.T) {
	forEachEnvironment(t, "API",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			if !slices.Contains(stack.DependsOn, "Schema") {
				t.Errorf("the API's stack depends on %q, want Schema among them", stack.DependsOn)
			}
			schema := platforms[environment.Name]["Schema"]
			migration := only(t, schema, "Custom::Migration", "")
			function := only(t, schema, "AWS::Lambda::Function", "Migrate")
			want(t, migration, []string{function.ID, "Arn"}, "ServiceToken", "Fn::GetAtt")
			if version, _ := migration.At("Version").(string); len(version) != 64 {
				t.Errorf("the migration's version is %q, want the checksum of the files", version)
			}
			// Without its permissions and its network path to the database, the function would fail
			// the first deployment.
			for _, resource := range schema.Template.Resources {
				switch resource.Type {
				case "AWS::IAM::Policy", "AWS::EC2::SecurityGroupIngress",
					"AWS::EC2::SecurityGroupEgress":
					if !slices.Contains(oneOrMore(migration.DependsOn), any(resource.ID)) {
						t.Errorf("the migration does not depend on %s", resource.ID)
					}
				}
			}
		})
}

func TestDatabaseDefaults(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		mysql.New(stack, "Database",
			mysql.Props{VPC: network.New(stack, "Network", network.Props{}).VPC})
	})
	writer := only(t, stack, "AWS::RDS::DBInstance", "")
	want(t, writer, "db.t4g.micro", "DBInstanceClass")
	want(t, writer, "20", "AllocatedStorage")
	want(t, writer, 40, "MaxAllocatedStorage")
	want(t, writer, "gp3", "StorageType")
	want(t, writer, "app", "DBName")
	want(t, writer, "8.4", "EngineVersion")
	want(t, writer, 7, "BackupRetentionPeriod")
	want(t, writer, true, "DeletionProtection")
	want(t, writer, false, "MultiAZ")
	want(t, writer, nil, "EnablePerformanceInsights")
	if writer.DeletionPolicy != "Snapshot" {
		t.Errorf("the deletion policy is %s, want Snapshot", writer.DeletionPolicy)
	}
}

func TestMySQL80HasExtendedSupport(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		mysql.New(stack, "Database",
			mysql.Props{
				VPC: network.New(stack, "Network", network.Props{}).VPC, Version: mysql.Version80,
			})
	})
	writer := only(t, stack, "AWS::RDS::DBInstance", "")
	want(t, writer, "8.0", "EngineVersion")
	want(t, writer, "open-source-rds-extended-support", "EngineLifecycleSupport")
	want(t, only(t, stack, "AWS::RDS::DBParameterGroup", ""), "mysql8.0", "Family")
}

func TestDatabasePropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) { mysql.New(stack, "Database", mysql.Props{}) },
		"mysql: Database: VPC is required; pass network.VPC")
	wantPanic(t, func(stack awscdk.Stack) {
		mysql.New(stack, "Database", mysql.Props{
			Version: "5.7", InstanceClass: "db.t4g.micro", StorageGiB: 10,
			MaxAllocatedStorageGiB: 10, Replicas: -1, DatabaseInsights: true,
			BackupRetention: time.Hour, RotationInterval: time.Hour,
		})
	},
		"mysql: Database: VPC is required; pass network.VPC",
		"mysql: Database: Version: 5.7, want 8.4 or 8.0",
		"mysql: Database: InstanceClass: db.t4g.micro, want a class without the prefix db., such "+
			"as "+
			"t4g.micro",
		"mysql: Database: StorageGiB: 10, want 20 to 65536",
		"mysql: Database: MaxAllocatedStorageGiB: 10, want at least 10 % above StorageGiB, at "+
			"most 65536",
		"mysql: Database: Replicas: -1, want 0 to 15",
		"mysql: Database: DatabaseInsights: true, want false with db.t4g.micro, or a class from "+
			"medium up",
		"mysql: Database: BackupRetention: 1h0m0s, want whole days, 24h0m0s to 840h0m0s",
		"mysql: Database: RotationInterval: 1h0m0s, want whole days, 24h0m0s to 24000h0m0s",
	)
}

func TestOnlyFunctionsInTheVPCCanBeConnected(t *testing.T) {
	message := panicMessage(func() {
		synthStack(func(stack awscdk.Stack) {
			database := mysql.New(stack, "Database",
				mysql.Props{VPC: network.New(stack, "Network", network.Props{}).VPC})
			database.GrantConnect(
				gofunction.New(stack, "Function",
					gofunction.Props{Package: "example.com/function"}))
		})
	})
	want := "mysql: Test/Stack/Function is not in a VPC and cannot reach the database; pass " +
		"gofunction.Props.VPC"
	if message != want {
		t.Errorf("panics with %q, want %q", message, want)
	}
}

// TestAFirstProxyCanBeDeployed: CloudFormation refuses to delete an export that another stack
// imports.
func TestAFirstProxyCanBeDeployed(t *testing.T) {
	forEachEnvironment(t, "Data", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		writer := only(t, stack, "AWS::RDS::DBInstance", "DatabaseWriter")
		for _, exported := range []any{
			map[string]any{"Fn::GetAtt": []string{writer.ID, "Endpoint.Address"}},
			map[string]any{
				"Fn::GetAtt": []string{
					assembly.Refers(writer.At("VPCSecurityGroups", 0)), "GroupId",
				},
			},
		} {
			if !exports(stack, exported) {
				t.Errorf("%s is not exported", text(exported))
			}
		}
	})
}
