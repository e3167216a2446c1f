// Package mysql provisions a private, encrypted Amazon RDS for MySQL database with read replicas and a rotated
// password.
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// A Version is a major version of MySQL; RDS picks and keeps up the minor one.
type Version string

// The versions that RDS offers. 8.0 left standard support on 31 July 2026: AWS bills its extended support by the
// vCPU and hour ("Amazon RDS Extended Support" in the Amazon RDS User Guide), so choose it only on the way to 8.4.
// Replicas have to be upgraded before their source: take them away for the change.
const (
	Version84 Version = "8.4"
	Version80 Version = "8.0"
)

// Port is where the database listens.
const Port = 3306

// unquotable are the characters that AWS keeps out of a database's generated password: a connection string or a shell
// would need them quoted.
const unquotable = " %+~`#$&*()|[]{}:;<>?!'/@\"\\"

const day = 24 * time.Hour

var instanceClass = regexp.MustCompile(`^[a-z][a-z0-9]+\.[a-z0-9]+$`)

// Props describes the database. Zero values take the stated default.
type Props struct {
	// VPC is required. The database lives in its isolated subnets; its private ones need a way to Secrets Manager, by
	// NAT or an interface endpoint, for the functions that connect and for the rotation.
	VPC awsec2.IVpc

	Version                Version       // default: 8.4; a downgrade is not possible
	InstanceClass          string        // without "db."; default: t4g.micro
	StorageGiB             int           // default: 20; storage never shrinks
	MaxAllocatedStorageGiB int           // where storage autoscaling stops; default: twice StorageGiB
	DatabaseName           string        // the schema made with the instance, for good: a named instance is not replaced; default: app
	MultiAZ                bool          // keep a standby in a second zone
	Replicas               int           // read replicas; default: 0
	Proxy                  bool          // put RDS Proxy between functions and the writer
	DatabaseInsights       bool          // Database Insights, 7 days (its free tier); not offered for micro and small classes
	BackupRetention        time.Duration // how long automated backups are kept; default: 7 days, at most 35
	RotationInterval       time.Duration // after which the password is rotated; default: 30 days
	LogRetention           time.Duration // of the error and slow-query logs; default: the scope's (package defaults)

	// Disposable deletes the database and its backups with the stack, without a snapshot. Without it, deletion is
	// refused until somebody lifts the protection, and leaves a snapshot.
	Disposable bool
}

// A Database is a MySQL instance, its replicas, and the secrets of its two users: the administrator, who changes the
// schema, and app, whom functions sign in as. The instance knows app only once AddMigration has had that user made.
type Database struct {
	Instance      awsrds.DatabaseInstance
	Replicas      []awsrds.DatabaseInstanceReadReplica
	Proxy         awsrds.DatabaseProxy // nil unless Props.Proxy
	AdminSecret   awssecretsmanager.ISecret
	AppSecret     awssecretsmanager.ISecret
	SecurityGroup awsec2.SecurityGroup // of the instance and its replicas

	name     string
	rotation *awssecretsmanager.SecretRotationProps // what both rotations have in common
}

// New declares the database under scope.
func New(scope constructs.Construct, id string, props Props) *Database {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.LogRetention, props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	d := &Database{name: props.DatabaseName}
	d.SecurityGroup = awsec2.NewSecurityGroup(construct, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Access to the RDS instance and its read replicas"),
		AllowAllOutbound: jsii.Bool(false),
	})
	engine := awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{
		Version: awsrds.MysqlEngineVersion_Of(jsii.String(string(props.Version)), jsii.String(string(props.Version))),
	})
	parameters := newParameterGroup(construct, engine)
	subnets := awsrds.NewSubnetGroup(construct, jsii.String("Subnets"), &awsrds.SubnetGroupProps{
		Vpc:         props.VPC,
		VpcSubnets:  isolated(),
		Description: jsii.String("Isolated subnets of the RDS instances"),
	})

	writer := constructs.NewConstruct(construct, jsii.String("Writer"))
	identifier, logs := newLogs(writer, props)
	d.Instance = awsrds.NewDatabaseInstance(writer, jsii.String("Instance"), &awsrds.DatabaseInstanceProps{
		Engine:                    engine,
		EngineLifecycleSupport:    lifecycleSupport(props.Version),
		InstanceIdentifier:        jsii.String(identifier),
		InstanceType:              awsec2.NewInstanceType(jsii.String(props.InstanceClass)),
		AllocatedStorage:          jsii.Number(props.StorageGiB),
		MaxAllocatedStorage:       jsii.Number(props.MaxAllocatedStorageGiB),
		StorageType:               awsrds.StorageType_GP3,
		StorageEncrypted:          jsii.Bool(true),
		DatabaseName:              jsii.String(props.DatabaseName),
		Credentials:               awsrds.Credentials_FromGeneratedSecret(jsii.String("admin"), nil),
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
		AllowMajorVersionUpgrade:  jsii.Bool(true), // when Version is changed; it never happens by itself
		CloudwatchLogsExports:     jsii.Strings(exportedLogs...),
		EnablePerformanceInsights: databaseInsights(props),
		DeletionProtection:        jsii.Bool(!props.Disposable),
		RemovalPolicy:             removalPolicy(props),
	})
	awscdk.Validations_Of(d.Instance).Acknowledge(&awscdk.Acknowledgment{
		Id:     jsii.String("CloudFormation-Validate::E9006"),
		Reason: jsii.String("RDS takes a major version and keeps the minor one up to date; the rule knows full versions only"),
	})
	logs.createBefore(d.Instance)
	d.AdminSecret = d.Instance.Secret()
	app := awsrds.NewDatabaseSecret(construct, jsii.String("AppSecret"), &awsrds.DatabaseSecretProps{
		Username: jsii.String("app"), Dbname: jsii.String(props.DatabaseName),
	})
	d.AppSecret = app.Attach(d.Instance)
	if !props.Disposable {
		// A snapshot is of no use without its passwords.
		app.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
		d.Instance.Node().FindChild(jsii.String("Secret")).(awscdk.Resource).ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
	}
	d.rotation = newRotation(construct, d.Instance, props)
	rotateAdmin := *d.rotation
	rotateAdmin.Secret = d.AdminSecret
	awssecretsmanager.NewSecretRotation(construct, jsii.String("AdminRotation"), &rotateAdmin)

	for i := range props.Replicas {
		reader := constructs.NewConstruct(construct, jsii.Sprintf("Reader%d", i+1))
		identifier, logs := newLogs(reader, props)
		replica := awsrds.NewDatabaseInstanceReadReplica(reader, jsii.String("Instance"), &awsrds.DatabaseInstanceReadReplicaProps{
			SourceDatabaseInstance:    d.Instance,
			InstanceIdentifier:        jsii.String(identifier),
			InstanceType:              awsec2.NewInstanceType(jsii.String(props.InstanceClass)),
			MaxAllocatedStorage:       jsii.Number(props.MaxAllocatedStorageGiB),
			StorageType:               awsrds.StorageType_GP3, // encrypted as its source is
			Vpc:                       props.VPC,
			SubnetGroup:               subnets,
			SecurityGroups:            &[]awsec2.ISecurityGroup{d.SecurityGroup},
			PubliclyAccessible:        jsii.Bool(false),
			ParameterGroup:            parameters,
			AutoMinorVersionUpgrade:   jsii.Bool(true),
			CloudwatchLogsExports:     jsii.Strings(exportedLogs...),
			EnablePerformanceInsights: databaseInsights(props),
			// A replica holds nothing that its source does not hold.
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

// GrantConnect lets fn, which must be in the VPC and hold a [mysqlconn.Settings] among its settings, use the database as
// the user app, who reads and writes rows: it opens the network path, allows fn to read the secret, and tells it where
// everything is.
func (d *Database) GrantConnect(fn *gofunction.Function) {
	checkVPC(fn)
	settings := d.settings(d.AppSecret)
	for _, replica := range d.Replicas {
		settings.ReaderHosts = append(settings.ReaderHosts, *replica.DbInstanceEndpointAddress())
	}
	// The rules belong to the function's stack, which is below the database's: said from the function's side, the
	// CDK puts both there.
	if d.Proxy != nil {
		settings.WriterHost = *d.Proxy.Endpoint()
		fn.SecurityGroup.Connections().AllowTo(d.Proxy, port(), jsii.String("MySQL through the proxy"))
	}
	if d.Proxy == nil || len(d.Replicas) > 0 {
		fn.SecurityGroup.Connections().AllowTo(d.SecurityGroup, port(), jsii.String("MySQL"))
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

// AddMigration runs fn while the stack of scope is deployed: once for every new version, before anything that depends on
// the returned resource. When fn reports an error, the deployment fails and is rolled back.
//
// fn must be in the VPC and hold a [mysqlconn.Settings] and a [mysqlconn.AppUser] among its settings. It signs in as the
// administrator, straight to the instance, changes the schema, and makes the user app, whose password is rotated from
// then on. It handles CloudFormation's custom resource events. When a deployment is rolled back, it is told to migrate
// to the version before, and has to take that for done: schemas only grow.
func (d *Database) AddMigration(scope constructs.Construct, fn *gofunction.Function, version string) awscdk.CustomResource {
	checkVPC(fn)
	fn.SecurityGroup.Connections().AllowTo(d.SecurityGroup, port(), jsii.String("MySQL"))
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *d.AdminSecret.SecretArn(), *d.AppSecret.SecretArn())
	fn.AddSettings(d.settings(d.AdminSecret))
	fn.AddSettings(mysqlconn.AppUser{SecretARN: *d.AppSecret.SecretArn()})

	migration := awscdk.NewCustomResource(scope, jsii.String("Migration"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::Migration"),
		ServiceToken: fn.Function.FunctionArn(),
		Properties:   &map[string]any{"Version": version},
		// CloudFormation would wait an hour for a function that can no longer answer.
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(*fn.Function.Timeout().ToSeconds(nil) + 60)),
	})
	// The permission and the network path are resources of their own, and have to stand first.
	migration.Node().AddDependency(fn.Role, fn.SecurityGroup)

	// Secrets Manager rotates, or tries to, as soon as it is told to, and before the migration there is no such user. So
	// the rotation is declared here, on a reference to the secret, and not beside the administrator's.
	rotateApp := *d.rotation
	rotateApp.Secret = awssecretsmanager.Secret_FromSecretCompleteArn(scope, jsii.String("AppSecret"), d.AppSecret.SecretArn())
	awssecretsmanager.NewSecretRotation(scope, jsii.String("AppRotation"), &rotateApp)
	rotateApp.Secret.Node().AddDependency(migration)
	return migration
}

func checkVPC(fn *gofunction.Function) {
	if fn.SecurityGroup == nil {
		panic(fmt.Errorf("mysql: %s is not in a VPC and cannot reach the database; pass gofunction.Props.VPC", fn.Path()))
	}
}

// newRotation is how the passwords are changed: by AWS's own rotation function, from the Serverless Application
// Repository. It lives where functions do, since it calls Secrets Manager as well as the database.
func newRotation(scope constructs.Construct, instance awsrds.DatabaseInstance, props Props) *awssecretsmanager.SecretRotationProps {
	group := awsec2.NewSecurityGroup(scope, jsii.String("RotationSecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Rotation of the database passwords"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("Secrets Manager over TLS"), nil)
	return &awssecretsmanager.SecretRotationProps{
		Application:        awssecretsmanager.SecretRotationApplication_MYSQL_ROTATION_SINGLE_USER(),
		Target:             instance,
		AutomaticallyAfter: convert.Duration(props.RotationInterval),
		ExcludeCharacters:  jsii.String(unquotable),
		Vpc:                props.VPC,
		VpcSubnets:         &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		SecurityGroup:      group,
	}
}

func (d *Database) newProxy(scope constructs.Construct, props Props) awsrds.DatabaseProxy {
	group := awsec2.NewSecurityGroup(scope, jsii.String("ProxySecurityGroup"), &awsec2.SecurityGroupProps{
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

// exportedLogs are sent to CloudWatch; the general log, with every statement in it, is not.
var exportedLogs = []string{"error", "slowquery"}

// logs are the log groups of one instance.
type logs []awslogs.LogGroup

// newLogs declares the log groups of an instance, which RDS would make itself and keep for ever. Their names are fixed
// by RDS and contain the instance's identifier, which therefore has to be known: the one physical name here.
func newLogs(instance constructs.Construct, props Props) (identifier string, groups logs) {
	identifier = strings.ToLower(*awscdk.Names_UniqueResourceName(instance, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(63), Separator: jsii.String("-"), // RDS: at most 63 letters, digits and single hyphens
	}))
	scope := constructs.NewConstruct(instance, jsii.String("Logs"))
	for _, name := range exportedLogs {
		groups = append(groups, loggroup.New(scope, strings.ToUpper(name[:1])+name[1:], "/aws/rds/instance/"+identifier+"/"+name))
	}
	return identifier, groups
}

// createBefore makes the groups exist before the instance writes to them. Only the instance itself waits: not what
// its construct holds besides.
func (l logs) createBefore(instance awsrds.IDatabaseInstance) {
	resource := instance.Node().DefaultChild().(awscdk.CfnResource)
	for _, group := range l {
		resource.AddResourceDependency(group.Node().DefaultChild().(awscdk.CfnResource), nil)
	}
}

func newParameterGroup(scope constructs.Construct, engine awsrds.IInstanceEngine) awsrds.ParameterGroup {
	parameters := &map[string]*string{
		"character_set_server":     jsii.String("utf8mb4"),
		"collation_server":         jsii.String("utf8mb4_0900_ai_ci"),
		"require_secure_transport": jsii.String("1"),
		// MySQL's own default, said aloud: a group that somebody loosened would let truncated values in.
		"sql_mode": jsii.String("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"),
		// A lock must not outlive the request that waits for it. Said here and not by each session: a session that sets
		// these is pinned to its connection by RDS Proxy.
		"innodb_lock_wait_timeout": jsii.String("2"), // seconds
		"lock_wait_timeout":        jsii.String("2"),
		// Lambda drops idle processes without a word, and the server would keep their connections for eight hours.
		"wait_timeout": jsii.String("600"), // seconds
		// Slow queries are exported to CloudWatch, from files only.
		"slow_query_log":  jsii.String("1"),
		"long_query_time": jsii.String("1"), // second; a request has a few in all
		"log_output":      jsii.String("FILE"),
	}
	return awsrds.NewParameterGroup(scope, jsii.String("Parameters"), &awsrds.ParameterGroupProps{
		Engine:      engine,
		Description: jsii.String("utf8mb4, strict, TLS required"),
		Parameters:  parameters,
	})
}

// lifecycleSupport keeps extended support's bill away from a version in standard support, which RDS then upgrades
// when that ends. 8.0 has no other support left, and RDS makes no new instance of it without.
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
		return nil // false would be refused for classes that do not know the property
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
	small := strings.HasSuffix(p.InstanceClass, ".micro") || strings.HasSuffix(p.InstanceClass, ".small")
	check.Props("mysql", id,
		check.Required("VPC", p.VPC != nil, "pass network.VPC"),
		check.That("Version", p.Version, p.Version == Version84 || p.Version == Version80, "8.4 or 8.0"),
		check.That("InstanceClass", p.InstanceClass, instanceClass.MatchString(p.InstanceClass), "a class without its db., such as t4g.micro"),
		check.That("StorageGiB", p.StorageGiB, p.StorageGiB >= 20 && p.StorageGiB <= 65536, "20 to 65536"),
		check.That("MaxAllocatedStorageGiB", p.MaxAllocatedStorageGiB, p.MaxAllocatedStorageGiB*10 >= p.StorageGiB*11 && p.MaxAllocatedStorageGiB <= 65536, "at least 10 % above StorageGiB, at most 65536"),
		check.That("Replicas", p.Replicas, p.Replicas >= 0 && p.Replicas <= 15, "0 to 15"),
		check.That("DatabaseInsights", p.DatabaseInsights, !p.DatabaseInsights || !small, "false with "+p.InstanceClass+", or a class from medium up"),
		check.That("BackupRetention", p.BackupRetention, p.BackupRetention >= day && p.BackupRetention <= 35*day && p.BackupRetention%day == 0, "whole days, 24h0m0s to 840h0m0s"),
		check.That("RotationInterval", p.RotationInterval, p.RotationInterval >= day && p.RotationInterval <= 1000*day && p.RotationInterval%day == 0, "whole days, 24h0m0s to 24000h0m0s"),
	)
}
