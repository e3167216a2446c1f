package test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
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
			migration := only(t, schema, "Custom::Migration", "")
			if !slices.Contains(oneOrMore(appSchedule.DependsOn), any(migration.ID)) {
				t.Errorf("app's password is rotated after %s, want %s, which creates that user",
					text(appSchedule.DependsOn), migration.ID)
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
						strings.HasPrefix(s.resource, "MigrationsFunctionRole")
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
			function := only(t, schema, "AWS::Lambda::Function", "MigrationsFunction")
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
			MaxAllocatedStorageGiB: 10, DatabaseName: "orders-eu", Replicas: -1,
			DatabaseInsights: true, SecurityGroups: []awsec2.ISecurityGroup{nil},
			BackupRetention: time.Hour, RotationInterval: time.Hour,
		})
	},
		"mysql: Database: VPC is required; pass network.VPC",
		"mysql: Database: SecurityGroups[0] is required; pass a security group of the VPC",
		"mysql: Database: Version: 5.7, want 8.4 or 8.0",
		`mysql: Database: InstanceClass: "db.t4g.micro", want an instance class without the `+
			"prefix db., such as t4g.micro",
		"mysql: Database: StorageGiB: 10, want 20 to 65536",
		"mysql: Database: MaxAllocatedStorageGiB: 10, want at least 10 % above StorageGiB, at "+
			"most 65536",
		`mysql: Database: DatabaseName: "orders-eu", want a letter, then up to 63 letters, digits `+
			"and underscores, but no reserved word of MySQL",
		"mysql: Database: Replicas: -1, want 0 to 15",
		"mysql: Database: DatabaseInsights: true, want false with db.t4g.micro, or a class from "+
			"medium up",
		"mysql: Database: BackupRetention: 1h0m0s, want whole days, 24h0m0s to 840h0m0s",
		"mysql: Database: RotationInterval: 1h0m0s, want whole days, 24h0m0s to 24000h0m0s",
	)
}

type clientSettings struct {
	Database mysqlconn.Settings
}

// newClient declares a function that can be connected to a database.
func newClient(stack awscdk.Stack, id string, vpc awsec2.IVpc) *gofunction.Function {
	return gofunction.New(stack, id, gofunction.Props{
		Package: "example.com/function", Settings: clientSettings{}, VPC: vpc,
	})
}

// migrationFiles are migrations with one file.
var migrationFiles = fstest.MapFS{"1_orders.sql": {Data: []byte(
	"-- +goose Up\nCREATE TABLE orders (id INT PRIMARY KEY);\n")}}

func TestOnlyFunctionsInTheVPCCanBeConnected(t *testing.T) {
	var stack awscdk.Stack
	var database *mysql.Database
	var other awsec2.IVpc
	synthStack(func(s awscdk.Stack) {
		stack = s
		vpc := network.New(stack, "Network", network.Props{}).VPC
		other = network.New(stack, "Other", network.Props{}).VPC
		database = mysql.New(stack, "Database", mysql.Props{VPC: vpc})
		for want, client := range map[string]mysql.Client{
			"mysql: Test/Stack/Database.GrantConnect: grantee is required; pass the function or " +
				"the role that gets the permissions": nil,
			"mysql: Test/Stack/Database.GrantConnect: client: Test/Stack/Outside is not in a VPC " +
				"and cannot reach the database; pass gofunction.Props.VPC": newClient(stack,
				"Outside", nil),
			"mysql: Test/Stack/Database.GrantConnect: client: Test/Stack/Elsewhere is in the VPC " +
				"Test/Stack/Other/VPC and cannot reach the database in Test/Stack/Network/VPC; " +
				"pass the same VPC to both": newClient(stack, "Elsewhere", other),
		} {
			got := panicMessage(func() { database.GrantConnect(client) })
			if got != want {
				t.Errorf("panics with %q, want %q", got, want)
			}
		}
		// The stack must synthesize.
		for _, id := range []string{"Outside", "Elsewhere"} {
			stack.Node().TryRemoveChild(jsii.String(id))
		}
	})
}

// fieldClient is another team's client: it has a function of the CDK as a field.
type fieldClient struct {
	function awslambda.Function
	vpc      awsec2.IVpc
}

func (c fieldClient) VPC() awsec2.IVpc                  { return c.vpc }
func (c fieldClient) Connections() awsec2.Connections   { return c.function.Connections() }
func (c fieldClient) GrantPrincipal() awsiam.IPrincipal { return c.function.GrantPrincipal() }
func (c fieldClient) AddSettings(settings any) {
	variables, err := lambdaenv.Encode(settings)
	if err != nil {
		panic(err)
	}
	for name, value := range variables {
		c.function.AddEnvironment(jsii.String(name), jsii.String(value), nil)
	}
}

func TestAClientOfAnotherTeamIsAStruct(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		database := mysql.New(stack, "Database", mysql.Props{VPC: vpc})
		database.AddMigrations(stack, "Migrations", migrationFiles)
		database.GrantConnect(fieldClient{vpc: vpc, function: awslambda.NewFunction(stack,
			jsii.String("Python"), &awslambda.FunctionProps{
				Runtime: awslambda.Runtime_PYTHON_3_13(), Handler: jsii.String("index.handler"),
				Code: awslambda.Code_FromInline(jsii.String("handler = print")),
				Vpc:  vpc, AllowAllOutbound: jsii.Bool(false),
			})})
	})
	found := false
	for _, policy := range stack.Template.OfType("AWS::IAM::Policy") {
		found = found || strings.HasPrefix(policy.ID, "Python") &&
			strings.Contains(text(policy.At("PolicyDocument")), "secretsmanager:GetSecretValue")
	}
	if !found {
		t.Error("the client may not read the secret")
	}
}

func TestAGrantWithoutMigrationsFailsTheSynth(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		database := mysql.New(stack, "Database", mysql.Props{VPC: vpc})
		database.GrantConnect(newClient(stack, "Orders", vpc))
	})
	want := "[Stack/Database] mysql: GrantConnect of Stack/Orders: the user app would not exist; " +
		"call AddMigrations with the SQL files of the schema, or AddMigration with a function of " +
		"your own"
	if !strings.Contains(message, want) {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
}

// TestOneFunctionUsesTwoDatabases has both databases, their migrations and the function in one
// stack, which CloudFormation must be able to order.
func TestOneFunctionUsesTwoDatabases(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		fn := gofunction.New(stack, "Orders", gofunction.Props{
			Package: "example.com/orders", VPC: vpc,
			Settings: struct {
				Database mysqlconn.Settings
				Archive  mysqlconn.Settings `envPrefix:"ARCHIVE_"`
			}{},
		})
		main := mysql.New(stack, "Database", mysql.Props{VPC: vpc, DatabaseName: "orders"})
		main.GrantConnect(fn)
		fn.Construct.Node().AddDependency(
			main.AddMigrations(stack, "Migrations", migrationFiles))
		archive := mysql.New(stack, "Archive", mysql.Props{VPC: vpc, DatabaseName: "archive"})
		fn.Construct.Node().AddDependency(
			archive.AddMigrations(stack, "ArchiveMigrations", migrationFiles))
		archive.GrantConnect(fn.WithPrefix("ARCHIVE_"))
	})
	function := only(t, stack, "AWS::Lambda::Function", "OrdersFunction")
	want(t, function, "orders", "Environment", "Variables", "DATABASE_NAME")
	want(t, function, "archive", "Environment", "Variables", "ARCHIVE_DATABASE_NAME")
	for prefix, database := range map[string]string{"": "Database", "ARCHIVE_": "Archive"} {
		host := assembly.Refers(function.At("Environment", "Variables",
			prefix+"DATABASE_WRITER_HOST"))
		if writer := only(t, stack, "AWS::RDS::DBInstance", database+"Writer").ID; host != writer {
			t.Errorf("%sDATABASE_WRITER_HOST is that of %s, want %s", prefix, host, writer)
		}
	}
	if n := len(stack.Template.OfType("Custom::Migration")); n != 2 {
		t.Errorf("there are %d migrations, want 2", n)
	}
	checkOrder(t, stack)
}

// checkOrder fails the test if the stack's resources depend on each other in a circle.
func checkOrder(t *testing.T, stack assembly.Stack) {
	t.Helper()
	const inProgress, done = 1, 2
	state := map[string]int{}
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		path = append(path, id)
		if state[id] == inProgress {
			t.Fatalf("circular dependency: %s", strings.Join(path, " -> "))
		}
		if state[id] == done {
			return
		}
		state[id] = inProgress
		resource := stack.Template.Resources[id]
		depends := text(resource.Properties) + text(resource.DependsOn)
		for other := range stack.Template.Resources {
			if other != id && strings.Contains(depends, `"`+other+`"`) {
				visit(other, path)
			}
		}
		state[id] = done
	}
	for id := range stack.Template.Resources {
		visit(id, nil)
	}
}

func TestMigrationsAreValidated(t *testing.T) {
	up := []byte("-- +goose Up\nSELECT 1;\n")
	synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		database := mysql.New(stack, "Database", mysql.Props{VPC: vpc})
		const prefix = "mysql: Test/Stack/Database.AddMigrations: "
		for _, refused := range []struct {
			files fs.FS
			want  []string
		}{
			{nil, []string{"files is required; pass SQL files, for example an embed.FS"}},
			{fstest.MapFS{
				"sql/1_a.sql": {Data: up},
			}, []string{"files: no *.sql at the root; pass " +
				`the folder that has them, for example with fs.Sub(files, "sql")`}},
			{
				fstest.MapFS{
					"1_a.sql": {Data: up}, "01_b.sql": {Data: up}, "0_c.sql": {Data: up},
					"d.sql": {Data: up}, "2-e.sql": {Data: up},
					"3_f.sql": {Data: []byte("SELECT 1;")},
				},
				[]string{
					"files: 0_c.sql, want a name with a number above 0, such as 0001_orders.sql",
					"files: 1_a.sql has the same number as 01_b.sql; want the next number",
					"files: 2-e.sql, want a name with a number above 0, such as 0001_orders.sql",
					`files: 3_f.sql has no line "-- +goose Up"; write it above the statement`,
					"files: d.sql, want a name with a number above 0, such as 0001_orders.sql",
				},
			},
		} {
			want := prefix + strings.Join(refused.want, "\n"+prefix)
			got := panicMessage(func() {
				database.AddMigrations(stack, "Migrations", refused.files)
			})
			if got != want {
				t.Errorf("panics with\n%s\nwant\n%s", got, want)
			}
		}
		got := panicMessage(func() { database.AddMigrations(nil, "", migrationFiles) })
		want := prefix + "scope is required; pass a stack, or a construct in a stack\n" + prefix +
			"id is required; pass an id that is unique in its scope"
		if got != want {
			t.Errorf("panics with\n%s\nwant\n%s", got, want)
		}

		database.AddMigrations(stack, "Migrations", migrationFiles)
		got = panicMessage(func() { database.AddMigrations(stack, "Second", migrationFiles) })
		want = prefix + "the database has the migrations Test/Stack/Migrations already; put all " +
			"files into one set"
		if got != want {
			t.Errorf("panics with %q, want %q", got, want)
		}
	})
}

func TestAMigrateFunctionOfOnesOwn(t *testing.T) {
	type settings struct {
		Database mysqlconn.Settings
		App      mysqlconn.AppUser
	}
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		database := mysql.New(stack, "Database", mysql.Props{VPC: vpc})
		const prefix = "mysql: Test/Stack/Database.AddMigration: "
		const noVersion = prefix +
			"version is required; pass a text that changes with the schema, " +
			"such as a checksum of its files"
		got := panicMessage(func() { database.AddMigration(stack, "Migration", nil, "") })
		want := prefix +
			"fn is required; pass the function that migrates, or call AddMigrations\n" +
			noVersion
		if got != want {
			t.Errorf("panics with %q, want %q", got, want)
		}
		fn := gofunction.New(stack, "Migrate",
			gofunction.Props{Package: "example.com/migrate", Settings: settings{}, VPC: vpc})
		got = panicMessage(func() { database.AddMigration(stack, "Migration", fn, "") })
		if got != noVersion {
			t.Errorf("panics with %q, want %q", got, noVersion)
		}
		database.AddMigration(stack, "Migration", fn, "1")
	})
	migration := only(t, stack, "Custom::Migration", "")
	want(t, migration, "1", "Version")
	want(t, migration, "70", "ServiceTimeout") // a minute longer than the function's
	source := only(t, stack, "AWS::EC2::SecurityGroup", "MigrateSecurityGroup").ID
	for _, rule := range append(stack.Template.OfType("AWS::EC2::SecurityGroupIngress"),
		stack.Template.OfType("AWS::EC2::SecurityGroupEgress")...) {
		if strings.Contains(text(rule.Properties), source) &&
			!slices.Contains(oneOrMore(migration.DependsOn), any(rule.ID)) {
			t.Errorf("the migration does not depend on %s, its way to the database", rule.ID)
		}
	}
	checkOrder(t, stack)
}

// TestAProxyIsTheOnlyWayToTheWriter: without replicas, clients need no other.
func TestAProxyIsTheOnlyWayToTheWriter(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		database := mysql.New(stack, "Database", mysql.Props{VPC: vpc, Proxy: true})
		database.AddMigrations(stack, "Migrations", migrationFiles)
		database.GrantConnect(newClient(stack, "Orders", vpc))
	})
	proxy := only(t, stack, "AWS::EC2::SecurityGroup", "DatabaseProxySecurityGroup").ID
	client := only(t, stack, "AWS::EC2::SecurityGroup", "OrdersSecurityGroup").ID
	var reached []string
	for _, rule := range stack.Template.OfType("AWS::EC2::SecurityGroupIngress") {
		if assembly.Refers(rule.At("SourceSecurityGroupId")) == client {
			reached = append(reached, assembly.Refers(rule.At("GroupId")))
		}
	}
	if !slices.Equal(reached, []string{proxy}) {
		t.Errorf("the client reaches %q, want only %s", reached, proxy)
	}
}

// TestAClientMayDecryptTheSecret that another team encrypts with its key.
func TestAClientMayDecryptTheSecret(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		secret := awssecretsmanager.NewSecret(stack, jsii.String("Secret"),
			&awssecretsmanager.SecretProps{
				EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil),
			})
		mysql.FromAttributes(stack, "Database", mysql.Attributes{
			VPC: vpc, WriterHost: "db.example.com", DatabaseName: "orders", AppSecret: secret,
			SecurityGroups: []awsec2.ISecurityGroup{awsec2.NewSecurityGroup(stack,
				jsii.String("Group"), &awsec2.SecurityGroupProps{Vpc: vpc})},
		}).GrantConnect(newClient(stack, "Orders", vpc))
	})
	policy := only(t, stack, "AWS::IAM::Policy", "OrdersRole")
	if !strings.Contains(text(policy.Properties), "kms:Decrypt") {
		t.Errorf("the client's policy is %s, want kms:Decrypt", text(policy.Properties))
	}
}

// TestMigrationsOutlastTheEndpoints: the migrate function responds to CloudFormation through S3,
// also when the stack is deleted.
func TestMigrationsOutlastTheEndpoints(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := network.New(stack, "Network", network.Props{}).VPC
		mysql.New(stack, "Database", mysql.Props{VPC: vpc}).
			AddMigrations(stack, "Migrations", migrationFiles)
	})
	migration := only(t, stack, "Custom::Migration", "")
	endpoint := only(t, stack, "AWS::EC2::VPCEndpoint", "NetworkVPCS3")
	if !slices.Contains(oneOrMore(migration.DependsOn), any(endpoint.ID)) {
		t.Errorf("the migration depends on %s, want %s", text(migration.DependsOn), endpoint.ID)
	}
	checkOrder(t, stack)
}

// TestDatabaseInAForeignVPC has a VPC whose subnets have other names and kinds than network's.
func TestDatabaseInAForeignVPC(t *testing.T) {
	newVPC := func(stack awscdk.Stack) awsec2.Vpc {
		return awsec2.NewVpc(stack, jsii.String("VPC"), &awsec2.VpcProps{
			SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
				{Name: jsii.String("Edge"), SubnetType: awsec2.SubnetType_PUBLIC},
				{Name: jsii.String("Work"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
			},
		})
	}
	message := failure(t, false, func(stack awscdk.Stack) {
		mysql.New(stack, "Database", mysql.Props{VPC: newVPC(stack)})
	})
	const begin, end = "mysql: Database: VPCSubnets: There are ", "; pass subnets that the VPC has"
	if !strings.HasPrefix(message, begin) || !strings.HasSuffix(message, end) ||
		!strings.Contains(message, "no 'Isolated' subnet groups in this VPC") {
		t.Errorf("failed with %q, want %s…%s", message, begin, end)
	}

	stack := synthStack(func(stack awscdk.Stack) {
		vpc := newVPC(stack)
		work := &awsec2.SubnetSelection{SubnetGroupName: jsii.String("Work")}
		group := awsec2.NewSecurityGroup(stack, jsii.String("Group"),
			&awsec2.SecurityGroupProps{Vpc: vpc, AllowAllOutbound: jsii.Bool(false)})
		database := mysql.New(stack, "Database", mysql.Props{
			VPC: vpc, VPCSubnets: work, FunctionSubnets: work,
			SecurityGroups: []awsec2.ISecurityGroup{group},
		})
		database.AddMigrations(stack, "Migrations", migrationFiles)
	})
	subnets := only(t, stack, "AWS::RDS::DBSubnetGroup", "")
	function := only(t, stack, "AWS::Lambda::Function", "Migrations")
	for _, subnet := range append(oneOrMore(subnets.At("SubnetIds")),
		oneOrMore(function.At("VpcConfig", "SubnetIds"))...) {
		if !strings.HasPrefix(assembly.Refers(subnet), "VPCWorkSubnet") {
			t.Errorf("a subnet is %s, want those of Work", text(subnet))
		}
	}
	group := only(t, stack, "AWS::EC2::SecurityGroup", "Group").ID
	want(t, only(t, stack, "AWS::RDS::DBInstance", ""), []any{
		map[string]any{"Fn::GetAtt": []string{group, "GroupId"}},
	}, "VPCSecurityGroups")
	checkOrder(t, stack)
}

func TestADatabaseThatExistsAlready(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		mysql.FromAttributes(stack, "Database", mysql.Attributes{Port: 1 << 16})
	},
		"mysql: Database: VPC is required; pass the VPC of the database",
		"mysql: Database: SecurityGroups is required; pass those of the database, for example "+
			"with "+
			"awsec2.SecurityGroup_FromSecurityGroupId",
		"mysql: Database: WriterHost is required; pass the endpoint of the instance",
		"mysql: Database: Port: 65536, want 1 to 65535",
		"mysql: Database: DatabaseName is required; pass the name of the schema",
		"mysql: Database: AppSecret is required; pass the secret of the functions' user, for "+
			"example with awssecretsmanager.Secret_FromSecretCompleteArn",
	)
	const groupID = "sg-0123456789abcdef0"
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("VPC"), &awsec2.VpcAttributes{
			VpcId:             jsii.String("vpc-0123456789abcdef0"),
			AvailabilityZones: jsii.Strings("eu-central-1a", "eu-central-1b"),
			PrivateSubnetIds:  jsii.Strings("subnet-1", "subnet-2"),
		})
		attributes := mysql.Attributes{
			VPC: vpc,
			SecurityGroups: []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(
				stack, jsii.String("Group"), jsii.String(groupID), nil)},
			WriterHost: "db.example.com", ReaderHosts: []string{"replica.example.com"},
			Port: 3307, DatabaseName: "legacy-orders",
			AppSecret: awssecretsmanager.Secret_FromSecretNameV2(
				stack, jsii.String("AppSecret"), jsii.String("legacy/app")),
		}
		database := mysql.FromAttributes(stack, "Database", attributes)
		database.GrantConnect(newClient(stack, "Orders", vpc))
		got := panicMessage(func() { database.AddMigrations(stack, "Migrations", migrationFiles) })
		if want := "mysql: Test/Stack/Database.AddMigrations: Attributes.AdminSecret is " +
			"required; pass the secret of a user who may change the schema and create " +
			"users"; got != want {
			t.Errorf("panics with %q, want %q", got, want)
		}
		attributes.AdminSecret = awssecretsmanager.Secret_FromSecretNameV2(
			stack, jsii.String("AdminSecret"), jsii.String("legacy/admin"))
		mysql.FromAttributes(stack, "Migrated", attributes).AddMigrations(stack, "Migrations",
			migrationFiles)
	})
	function := only(t, stack, "AWS::Lambda::Function", "Orders")
	for name, value := range map[string]string{
		"DATABASE_WRITER_HOST": "db.example.com", "DATABASE_READER_HOSTS": "replica.example.com",
		"DATABASE_PORT": "3307", "DATABASE_NAME": "legacy-orders",
	} {
		want(t, function, value, "Environment", "Variables", name)
	}
	if n := len(stack.Template.OfType("AWS::SecretsManager::RotationSchedule")); n != 0 {
		t.Errorf("there are %d rotations, want none", n)
	}
	ingress := stack.Template.OfType("AWS::EC2::SecurityGroupIngress")
	if len(ingress) != 2 {
		t.Errorf("%d rules allow access, want those of the function and the migrations",
			len(ingress))
	}
	for _, rule := range ingress {
		want(t, rule, groupID, "GroupId")
		want(t, rule, 3307, "ToPort")
	}
	for _, role := range []string{"Orders", "Migrations"} {
		policy := text(only(t, stack, "AWS::IAM::Policy", role).Properties)
		if !strings.Contains(policy, ":secret:legacy/app-??????") {
			t.Errorf("%s may not read the secret: %s", role, policy)
		}
	}
	checkOrder(t, stack)
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
