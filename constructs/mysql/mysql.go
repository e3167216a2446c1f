// Package mysql provisions a private, encrypted Amazon RDS for MySQL database with read replicas
// and a rotated password.
package mysql

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// A Version is a major version of MySQL; RDS chooses the minor version and keeps it up to date.
type Version string

// The versions that RDS offers. 8.0 left standard support on 31 July 2026: AWS bills its extended
// support by the vCPU and hour ("Amazon RDS Extended Support" in the Amazon RDS User Guide), so use
// it only while upgrading to 8.4. RDS upgrades replicas before their source; remove them for the
// upgrade.
const (
	Version84 Version = "8.4"
	Version80 Version = "8.0"
)

// Port is the port that the database listens on.
const Port = 3306

// passwordExclusions are the characters that generated passwords do not contain: a connection
// string or a shell would require them to be quoted.
const passwordExclusions = " %+~`#$&*()|[]{}:;<>?!'/@\"\\" //nolint:gosec // G101: no password

const day = 24 * time.Hour

var instanceClass = regexp.MustCompile(`^[a-z][a-z0-9]+\.[a-z0-9]+$`)

// Props describes the database. Zero values take the stated default.
type Props struct {
	// VPC is required. The database runs in its isolated subnets. The private subnets need access
	// to Secrets Manager, by NAT or an interface endpoint, for the functions that connect and for
	// the rotation.
	VPC awsec2.IVpc

	Version                Version // default: 8.4; a downgrade is not possible
	InstanceClass          string  // without "db."; default: t4g.micro
	StorageGiB             int     // default: 20; storage cannot shrink
	MaxAllocatedStorageGiB int     // limit of storage autoscaling; default: twice StorageGiB
	// DatabaseName is the schema that is created with the instance. It cannot be changed, because a
	// named instance cannot be replaced. Default: app.
	DatabaseName string
	MultiAZ      bool // keep a standby in a second zone
	Replicas     int  // read replicas; default: 0
	Proxy        bool // put RDS Proxy between functions and the writer
	// DatabaseInsights enables Database Insights with 7 days of history (its free tier). It is not
	// offered for micro and small classes.
	DatabaseInsights bool
	BackupRetention  time.Duration // of automated backups; default: 7 days, at most 35
	RotationInterval time.Duration // of the passwords; default: 30 days
	// LogRetention applies to the error and slow-query logs. Default: the scope's (package
	// defaults).
	LogRetention time.Duration

	// Disposable deletes the database and its backups with the stack, without a snapshot. Without
	// it, the instance has deletion protection, and its deletion leaves a snapshot.
	Disposable bool
}

// A Database is a MySQL instance, its replicas, and the secrets of its two users: admin, who
// changes the schema, and app, the user of the functions. The user app exists in the instance only
// after AddMigration.
type Database struct {
	Instance      awsrds.DatabaseInstance
	Replicas      []awsrds.DatabaseInstanceReadReplica
	Proxy         awsrds.DatabaseProxy // nil unless Props.Proxy
	AdminSecret   awssecretsmanager.ISecret
	AppSecret     awssecretsmanager.ISecret
	SecurityGroup awsec2.SecurityGroup // of the instance and its replicas

	name     string
	rotation *awssecretsmanager.SecretRotationProps // settings that both rotations share
}

// New declares the database under scope.
func New(scope constructs.Construct, id string, props Props) *Database {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	d := &Database{name: props.DatabaseName}
	d.SecurityGroup = awsec2.NewSecurityGroup(construct, jsii.String("SecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              props.VPC,
			Description:      jsii.String("Access to the RDS instance and its read replicas"),
			AllowAllOutbound: jsii.Bool(false),
		})
	engine := awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{
		Version: awsrds.MysqlEngineVersion_Of(jsii.String(string(props.Version)),
			jsii.String(string(props.Version))),
	})
	parameters := newParameterGroup(construct, engine)
	subnets := awsrds.NewSubnetGroup(construct, jsii.String("SubnetGroup"),
		&awsrds.SubnetGroupProps{
			Vpc:         props.VPC,
			VpcSubnets:  isolated(),
			Description: jsii.String("Isolated subnets of the RDS instances"),
		})

	writer := constructs.NewConstruct(construct, jsii.String("Writer"))
	identifier, logs := newLogs(writer)
	d.Instance = awsrds.NewDatabaseInstance(writer, jsii.String("Instance"),
		&awsrds.DatabaseInstanceProps{
			Engine:                 engine,
			EngineLifecycleSupport: lifecycleSupport(props.Version),
			InstanceIdentifier:     jsii.String(identifier),
			InstanceType:           awsec2.NewInstanceType(jsii.String(props.InstanceClass)),
			AllocatedStorage:       jsii.Number(props.StorageGiB),
			MaxAllocatedStorage:    jsii.Number(props.MaxAllocatedStorageGiB),
			StorageType:            awsrds.StorageType_GP3,
			StorageEncrypted:       jsii.Bool(true),
			DatabaseName:           jsii.String(props.DatabaseName),
			Credentials: awsrds.Credentials_FromGeneratedSecret(jsii.String("admin"),
				nil),
			Vpc:                       props.VPC,
			SubnetGroup:               subnets,
			SecurityGroups:            &[]awsec2.ISecurityGroup{d.SecurityGroup},
			PubliclyAccessible:        jsii.Bool(false),
			MultiAz:                   jsii.Bool(props.MultiAZ),
			ParameterGroup:            parameters,
			BackupRetention:           convert.Duration(props.BackupRetention),
			CopyTagsToSnapshot:        jsii.Bool(true),
			DeleteAutomatedBackups:    jsii.Bool(props.Disposable),
			AutoMinorVersionUpgrade:   jsii.Bool(true),
			AllowMajorVersionUpgrade:  jsii.Bool(true), // when Version changes; never automatically
			CloudwatchLogsExports:     jsii.Strings(exportedLogs...),
			EnablePerformanceInsights: databaseInsights(props),
			DeletionProtection:        jsii.Bool(!props.Disposable),
			RemovalPolicy:             removalPolicy(props),
		})
	awscdk.Validations_Of(d.Instance).Acknowledge(&awscdk.Acknowledgment{
		Id: jsii.String("CloudFormation-Validate::E9006"),
		Reason: jsii.String("RDS accepts a major version and keeps the minor version up to date; " +
			"the rule accepts full versions only"),
	})
	logs.createBefore(d.Instance)
	d.AdminSecret = d.Instance.Secret()
	app := awsrds.NewDatabaseSecret(construct, jsii.String("AppSecret"),
		&awsrds.DatabaseSecretProps{
			Username: jsii.String("app"), Dbname: jsii.String(props.DatabaseName),
		})
	d.AppSecret = app.Attach(d.Instance)
	if !props.Disposable {
		// A snapshot is useless without its passwords.
		app.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
		admin := d.Instance.Node().FindChild(jsii.String("Secret")).(awscdk.Resource)
		admin.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
	}
	d.rotation = newRotation(construct, d.Instance, props)
	rotateAdmin := *d.rotation
	rotateAdmin.Secret = d.AdminSecret
	awssecretsmanager.NewSecretRotation(construct, jsii.String("AdminRotation"), &rotateAdmin)

	for i := range props.Replicas {
		reader := constructs.NewConstruct(construct, jsii.Sprintf("Reader%d", i+1))
		identifier, logs := newLogs(reader)
		replica := awsrds.NewDatabaseInstanceReadReplica(reader, jsii.String("Instance"),
			&awsrds.DatabaseInstanceReadReplicaProps{
				SourceDatabaseInstance:    d.Instance,
				InstanceIdentifier:        jsii.String(identifier),
				InstanceType:              awsec2.NewInstanceType(jsii.String(props.InstanceClass)),
				MaxAllocatedStorage:       jsii.Number(props.MaxAllocatedStorageGiB),
				StorageType:               awsrds.StorageType_GP3, // encrypted like its source
				Vpc:                       props.VPC,
				SubnetGroup:               subnets,
				SecurityGroups:            &[]awsec2.ISecurityGroup{d.SecurityGroup},
				PubliclyAccessible:        jsii.Bool(false),
				ParameterGroup:            parameters,
				AutoMinorVersionUpgrade:   jsii.Bool(true),
				CloudwatchLogsExports:     jsii.Strings(exportedLogs...),
				EnablePerformanceInsights: databaseInsights(props),
				// A replica holds only data that its source holds too.
				DeletionProtection: jsii.Bool(false),
				RemovalPolicy:      awscdk.RemovalPolicy_DESTROY,
			})
		logs.createBefore(replica)
		d.Replicas = append(d.Replicas, replica)
	}
	if props.Proxy {
		d.Proxy = d.newProxy(construct, props)
	}
	return d
}

// GrantConnect lets fn, which must be in the VPC and have [mysqlconn.Settings] among its settings,
// use the database as the user app, who reads and writes rows. It opens the network path, lets fn
// read the secret, and fills the settings.
func (d *Database) GrantConnect(fn *gofunction.Function) {
	checkVPC(fn)
	settings := d.settings(d.AppSecret)
	for _, replica := range d.Replicas {
		settings.ReaderHosts = append(settings.ReaderHosts, *replica.DbInstanceEndpointAddress())
	}
	// Declared on the function's side, the rules are in its stack, which depends on the database's.
	if d.Proxy != nil {
		settings.WriterHost = *d.Proxy.Endpoint()
		fn.Connections().AllowTo(d.Proxy, port(),
			jsii.String("MySQL through the proxy"))
	}
	if d.Proxy == nil || len(d.Replicas) > 0 {
		fn.Connections().AllowTo(d.SecurityGroup, port(), jsii.String("MySQL"))
	}
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *d.AppSecret.SecretArn())
	fn.AddSettings(settings)
}

func (d *Database) settings(secret awssecretsmanager.ISecret) mysqlconn.Settings {
	return mysqlconn.Settings{
		SecretARN:  *secret.SecretArn(),
		WriterHost: *d.Instance.DbInstanceEndpointAddress(),
		Port:       Port,
		Name:       d.name,
	}
}

func port() awsec2.Port { return awsec2.Port_Tcp(jsii.Number(Port)) }

// AddMigration runs fn when the stack of scope is deployed: once for every new version, before
// anything that depends on the returned resource. When fn returns an error, the deployment fails
// and is rolled back.
//
// fn must be in the VPC and have [mysqlconn.Settings] and [mysqlconn.AppUser] among its settings.
// It connects as admin, directly to the instance, changes the schema, and creates the user app,
// whose password is rotated from then on. It handles CloudFormation's custom resource events. A
// rollback calls fn with the previous version; fn must treat that as success, because migrations
// only move forward.
func (d *Database) AddMigration(
	scope constructs.Construct, fn *gofunction.Function, version string,
) awscdk.CustomResource {
	checkVPC(fn)
	fn.Connections().AllowTo(d.SecurityGroup, port(), jsii.String("MySQL"))
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *d.AdminSecret.SecretArn(),
		*d.AppSecret.SecretArn())
	fn.AddSettings(d.settings(d.AdminSecret))
	fn.AddSettings(mysqlconn.AppUser{SecretARN: *d.AppSecret.SecretArn()})

	migration := awscdk.NewCustomResource(scope, jsii.String("Migration"),
		&awscdk.CustomResourceProps{
			ResourceType: jsii.String("Custom::Migration"),
			ServiceToken: fn.Function.FunctionArn(),
			Properties:   &map[string]any{"Version": version},
			// CloudFormation's default is an hour, which it would wait for a function that can no
			// longer respond.
			ServiceTimeout: awscdk.Duration_Seconds(
				jsii.Number(*fn.Function.Timeout().ToSeconds(nil) + 60)),
		})
	// The permission and the network path are separate resources, which must exist first.
	migration.Node().AddDependency(fn.Construct)

	// Secrets Manager rotates the secret immediately after the rotation is declared, and the user
	// does not exist before the migration. Therefore the rotation is declared here, on a reference
	// to the secret, and not next to admin's.
	rotateApp := *d.rotation
	rotateApp.Secret = awssecretsmanager.Secret_FromSecretCompleteArn(
		scope, jsii.String("AppSecret"), d.AppSecret.SecretArn())
	awssecretsmanager.NewSecretRotation(scope, jsii.String("AppRotation"), &rotateApp)
	rotateApp.Secret.Node().AddDependency(migration)
	return migration
}

func checkVPC(fn *gofunction.Function) {
	if fn.VPC() == nil {
		panic(fmt.Errorf(
			"mysql: %s is not in a VPC and cannot reach the database; pass gofunction.Props.VPC",
			fn.Path()))
	}
}

// newRotation returns the settings of both rotations: AWS's rotation function, from the Serverless
// Application Repository, in the private subnets, because it calls Secrets Manager as well as the
// database.
func newRotation(
	scope constructs.Construct, instance awsrds.DatabaseInstance, props Props,
) *awssecretsmanager.SecretRotationProps {
	group := awsec2.NewSecurityGroup(scope, jsii.String("RotationSecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              props.VPC,
			Description:      jsii.String("Rotation of the database passwords"),
			AllowAllOutbound: jsii.Bool(false),
		})
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)),
		jsii.String("Secrets Manager over TLS"), nil)
	application := awssecretsmanager.SecretRotationApplication_MYSQL_ROTATION_SINGLE_USER()
	return &awssecretsmanager.SecretRotationProps{
		Application:        application,
		Target:             instance,
		AutomaticallyAfter: convert.Duration(props.RotationInterval),
		ExcludeCharacters:  jsii.String(passwordExclusions),
		Vpc:                props.VPC,
		VpcSubnets: &awsec2.SubnetSelection{
			SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
		},
		SecurityGroup: group,
	}
}

func (d *Database) newProxy(scope constructs.Construct, props Props) awsrds.DatabaseProxy {
	group := awsec2.NewSecurityGroup(scope, jsii.String("ProxySecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              props.VPC,
			Description:      jsii.String("Access to the RDS proxy"),
			AllowAllOutbound: jsii.Bool(false),
		})
	return awsrds.NewDatabaseProxy(scope, jsii.String("Proxy"), &awsrds.DatabaseProxyProps{
		ProxyTarget:    awsrds.ProxyTarget_FromInstance(d.Instance),
		Secrets:        &[]awssecretsmanager.ISecret{d.AppSecret},
		Vpc:            props.VPC,
		VpcSubnets:     isolated(),
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		RequireTLS:     jsii.Bool(true),
	})
}

// exportedLogs are the logs that RDS exports to CloudWatch. The general log is not exported,
// because it contains every statement.
var exportedLogs = []string{"error", "slowquery"}

// logs are the log groups of one instance.
type logs []awslogs.LogGroup

// newLogs declares the log groups of an instance, which RDS would otherwise create itself without
// expiry. RDS derives their names from the instance's identifier, which must therefore be a
// physical name, the only one here.
func newLogs(instance constructs.Construct) (identifier string, groups logs) {
	// RDS: at most 63 letters, digits and single hyphens.
	name := *awscdk.Names_UniqueResourceName(instance, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(63), Separator: jsii.String("-"),
	})
	identifier = strings.ToLower(name)
	scope := constructs.NewConstruct(instance, jsii.String("Logs"))
	for _, name := range exportedLogs {
		groups = append(groups, loggroup.New(scope, strings.ToUpper(name[:1])+name[1:],
			"/aws/rds/instance/"+identifier+"/"+name))
	}
	return identifier, groups
}

// createBefore makes the instance depend on the log groups. Only the instance resource itself
// depends on them, not the other resources of its construct.
func (l logs) createBefore(instance awsrds.IDatabaseInstance) {
	resource := instance.Node().DefaultChild().(awscdk.CfnResource)
	for _, group := range l {
		resource.AddResourceDependency(group.Node().DefaultChild().(awscdk.CfnResource), nil)
	}
}

func newParameterGroup(
	scope constructs.Construct, engine awsrds.IInstanceEngine,
) awsrds.ParameterGroup {
	parameters := &map[string]*string{
		"character_set_server":     jsii.String("utf8mb4"),
		"collation_server":         jsii.String("utf8mb4_0900_ai_ci"),
		"require_secure_transport": jsii.String("1"),
		// MySQL's default, set explicitly: a weaker mode would accept truncated values.
		"sql_mode": jsii.String("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE," +
			"NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"),
		// A lock must not outlive the request that waits for it. These are parameters and not
		// session variables, because RDS Proxy pins a session that sets them to its connection.
		"innodb_lock_wait_timeout": jsii.String("2"), // seconds
		"lock_wait_timeout":        jsii.String("2"),
		// Lambda stops idle processes without closing their connections, which the server would
		// keep for eight hours.
		"wait_timeout": jsii.String("600"), // seconds
		// Slow queries are exported to CloudWatch from files only.
		"slow_query_log":  jsii.String("1"),
		"long_query_time": jsii.String("1"), // second; a request has a few seconds in all
		"log_output":      jsii.String("FILE"),
	}
	return awsrds.NewParameterGroup(scope, jsii.String("ParameterGroup"),
		&awsrds.ParameterGroupProps{
			Engine:      engine,
			Description: jsii.String("utf8mb4, strict, TLS required"),
			Parameters:  parameters,
		})
}

// lifecycleSupport avoids the cost of extended support for a version in standard support; RDS
// upgrades the version when standard support ends. 8.0 only has extended support, without which RDS
// creates no new instance of it.
func lifecycleSupport(version Version) awsrds.EngineLifecycleSupport {
	if version == Version80 {
		return awsrds.EngineLifecycleSupport_OPEN_SOURCE_RDS_EXTENDED_SUPPORT
	}
	return awsrds.EngineLifecycleSupport_OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED
}

func isolated() *awsec2.SubnetSelection {
	return &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
}

func databaseInsights(props Props) *bool {
	if !props.DatabaseInsights {
		return nil // classes without the feature reject false
	}
	return jsii.Bool(true)
}

func removalPolicy(props Props) awscdk.RemovalPolicy {
	if props.Disposable {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_SNAPSHOT
}

func (p Props) withDefaults() Props {
	if p.Version == "" {
		p.Version = Version84
	}
	if p.InstanceClass == "" {
		p.InstanceClass = "t4g.micro"
	}
	if p.StorageGiB == 0 {
		p.StorageGiB = 20
	}
	if p.MaxAllocatedStorageGiB == 0 {
		p.MaxAllocatedStorageGiB = 2 * p.StorageGiB
	}
	if p.DatabaseName == "" {
		p.DatabaseName = "app"
	}
	if p.BackupRetention == 0 {
		p.BackupRetention = 7 * day
	}
	if p.RotationInterval == 0 {
		p.RotationInterval = 30 * day
	}
	return p
}

func (p Props) check(id string) {
	small := strings.HasSuffix(p.InstanceClass, ".micro") ||
		strings.HasSuffix(p.InstanceClass, ".small")
	check.Props("mysql", id,
		check.Required("VPC", p.VPC != nil, "pass network.VPC"),
		check.That("Version", p.Version, p.Version == Version84 || p.Version == Version80,
			"8.4 or 8.0"),
		check.That("InstanceClass", p.InstanceClass, instanceClass.MatchString(p.InstanceClass),
			"a class without the prefix db., such as t4g.micro"),
		check.That("StorageGiB", p.StorageGiB, p.StorageGiB >= 20 && p.StorageGiB <= 65536,
			"20 to 65536"),
		check.That("MaxAllocatedStorageGiB", p.MaxAllocatedStorageGiB,
			p.MaxAllocatedStorageGiB*10 >= p.StorageGiB*11 && p.MaxAllocatedStorageGiB <= 65536,
			"at least 10 % above StorageGiB, at most 65536"),
		check.That("Replicas", p.Replicas, p.Replicas >= 0 && p.Replicas <= 15, "0 to 15"),
		check.That("DatabaseInsights", p.DatabaseInsights, !p.DatabaseInsights || !small,
			"false with "+p.InstanceClass+", or a class from medium up"),
		check.That("BackupRetention", p.BackupRetention,
			p.BackupRetention >= day && p.BackupRetention <= 35*day && p.BackupRetention%day == 0,
			"whole days, 24h0m0s to 840h0m0s"),
		check.That("RotationInterval", p.RotationInterval,
			p.RotationInterval >= day && p.RotationInterval <= 1000*day &&
				p.RotationInterval%day == 0,
			"whole days, 24h0m0s to 24000h0m0s"),
	)
}
