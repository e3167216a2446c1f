package mysql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/internal/vpc"
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

// Props describes the database. Zero values take the stated default.
type Props struct {
	VPC awsec2.IVpc // required

	// VPCSubnets are the subnets of the database and its proxy, in two zones or more. Default: the
	// VPC's isolated subnets.
	VPCSubnets *awsec2.SubnetSelection
	// FunctionSubnets are the subnets of the functions that rotate the passwords and migrate the
	// schema. They need access to Secrets Manager, by NAT or an interface endpoint. Default: the
	// VPC's private subnets with egress.
	FunctionSubnets *awsec2.SubnetSelection
	// SecurityGroups are those of the instance and its replicas. Default: one of its own.
	SecurityGroups []awsec2.ISecurityGroup

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
// changes the schema, and app, the user of the functions. Migrations create the user app.
type Database struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	Instance       awsrds.DatabaseInstance // nil for FromAttributes
	Replicas       []awsrds.DatabaseInstanceReadReplica
	Proxy          awsrds.DatabaseProxy // nil unless Props.Proxy
	AdminSecret    awssecretsmanager.ISecret
	AppSecret      awssecretsmanager.ISecret
	SecurityGroups []awsec2.ISecurityGroup // of the instance and its replicas

	vpc             awsec2.IVpc
	functionSubnets *awsec2.SubnetSelection
	connection      mysqlconn.Settings                     // to the instance, without a secret
	rotation        *awssecretsmanager.SecretRotationProps // that both rotations share; nil: none

	connected  []string // paths of the clients
	migrations string   // path of the migrations; empty: none
}

// New declares the database under scope.
func New(scope constructs.Construct, id string, props Props) *Database {
	props = props.withDefaults()
	props.check(id)
	construct := node.New(scope, id)
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	if len(props.SecurityGroups) == 0 {
		props.SecurityGroups = []awsec2.ISecurityGroup{
			awsec2.NewSecurityGroup(construct, jsii.String("SecurityGroup"),
				&awsec2.SecurityGroupProps{
					Vpc: props.VPC,
					Description: jsii.String(
						"Access to the RDS instance and its read replicas"),
					AllowAllOutbound: jsii.Bool(false),
				}),
		}
	}
	d := &Database{
		Construct:       construct,
		SecurityGroups:  props.SecurityGroups,
		vpc:             props.VPC,
		functionSubnets: props.FunctionSubnets,
	}
	engine := awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{
		Version: awsrds.MysqlEngineVersion_Of(jsii.String(string(props.Version)),
			jsii.String(string(props.Version))),
	})
	parameters := newParameterGroup(construct, engine)
	subnets := awsrds.NewSubnetGroup(construct, jsii.String("SubnetGroup"),
		&awsrds.SubnetGroupProps{
			Vpc:         props.VPC,
			VpcSubnets:  props.VPCSubnets,
			Description: jsii.String("Subnets of the RDS instances"),
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
			SecurityGroups:            &props.SecurityGroups,
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
	d.connection = mysqlconn.Settings{
		WriterHost: *d.Instance.DbInstanceEndpointAddress(),
		Port:       Port,
		Name:       props.DatabaseName,
	}
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
				SecurityGroups:            &props.SecurityGroups,
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
	construct.Node().AddValidation(&appUserCheck{d})
	return d
}

// A Client connects to a database: a [gofunction.Function], or another team's type that has a
// construct of the CDK as a field, such as a service on Fargate or a function in another language.
type Client interface {
	awsiam.IGrantable
	awsec2.IConnectable
	AddSettings(settings any) // gets mysqlconn.Settings; lambdaenv.Encode makes variables of them
	VPC() awsec2.IVpc         // nil outside a VPC
}

// GrantConnect lets client, which must be in the VPC of the database and have
// [mysqlconn.Settings] among its settings, use the database as the user app, who reads and writes
// rows. It opens the network path, allows client to read the secret, and fills the settings. The
// user is created by migrations: see AddMigrations. A function with two databases gets one of them
// with a prefix:
//
//	database.GrantConnect(fn)
//	archive.GrantConnect(fn.WithPrefix("ARCHIVE_"))
func (d *Database) GrantConnect(client Client) awsiam.Grant {
	const method = "GrantConnect"
	grant.Require("mysql", d.Construct, method, client)
	check.Call("mysql", *d.Construct.Node().Path(), method, d.sameVPC("client", client))
	settings := d.connection
	settings.SecretARN = *d.AppSecret.SecretArn()
	for _, replica := range d.Replicas {
		settings.ReaderHosts = append(settings.ReaderHosts, *replica.DbInstanceEndpointAddress())
	}
	if d.Proxy != nil {
		settings.WriterHost = *d.Proxy.Endpoint()
		client.Connections().AllowTo(d.Proxy, d.port(), jsii.String("MySQL through the proxy"))
	}
	if d.Proxy == nil || len(d.Replicas) > 0 {
		d.allow(client)
	}
	client.AddSettings(settings)
	d.connected = append(d.connected, name(client))
	return grantRead(client, d.AppSecret)
}

// allow opens the network path from client to the instance and its replicas, and returns the
// resources that it declared for it. Declared on the client's side, they are in its stack, which
// depends on the database's.
func (d *Database) allow(client awsec2.IConnectable) []constructs.IDependable {
	groups := slices.Concat(*client.Connections().SecurityGroups(), d.SecurityGroups)
	declared := make([]int, len(groups))
	for i, group := range groups {
		declared[i] = len(*group.Node().Children())
	}
	for _, group := range d.SecurityGroups {
		client.Connections().AllowTo(group, d.port(), jsii.String("MySQL"))
	}
	var rules []constructs.IDependable
	for i, group := range groups {
		for _, rule := range (*group.Node().Children())[declared[i]:] {
			rules = append(rules, rule)
		}
	}
	return rules
}

// grantRead allows grantee to read a secret, which may be one that another team made: with a key of
// theirs, or known by its name only.
func grantRead(grantee awsiam.IGrantable, secret awssecretsmanager.ISecret) awsiam.Grant {
	if key := secret.EncryptionKey(); key != nil {
		key.GrantDecrypt(grantee.GrantPrincipal())
	}
	arn := *secret.SecretArn()
	if secret.SecretFullArn() == nil {
		arn += "-??????" // Secrets Manager adds six random characters to a name
	}
	return grant.To(grantee, []string{"secretsmanager:GetSecretValue"}, arn)
}

func (d *Database) port() awsec2.Port {
	return awsec2.Port_Tcp(jsii.Number(d.connection.Port))
}

// sameVPC returns a problem unless client is in the database's VPC.
func (d *Database) sameVPC(argument string, client Client) error {
	vpc := client.VPC()
	if vpc == nil {
		return fmt.Errorf("%s: %s is not in a VPC and cannot reach the database; pass "+
			"gofunction.Props.VPC", argument, name(client))
	}
	if *vpc.VpcId() != *d.vpc.VpcId() {
		return fmt.Errorf("%s: %s is in the VPC %s and cannot reach the database in %s; pass the "+
			"same VPC to both", argument, name(client), *vpc.Node().Path(), *d.vpc.Node().Path())
	}
	return nil
}

// name returns the path of a client, for messages.
func name(client Client) string {
	if function, ok := client.(interface{ Path() string }); ok {
		return function.Path()
	}
	return fmt.Sprintf("%T", client)
}

// appUserCheck is a validation that the CDK runs at the end of the synth, when all grants have been
// made.
type appUserCheck struct{ database *Database }

// Validate returns a problem if clients would connect as a user that does not exist, in the form
// that the CDK requires.
func (c *appUserCheck) Validate() *[]*string {
	problems := []*string{}
	if d := c.database; len(d.connected) > 0 && d.migrations == "" {
		problems = append(problems, jsii.Sprintf("mysql: GrantConnect of %s: the user app would "+
			"not "+
			"exist; call AddMigrations with the SQL files of the schema, or AddMigration with a "+
			"function of your own", strings.Join(d.connected, ", ")))
	}
	return &problems
}

// newRotation returns the settings of both rotations: AWS's rotation function, from the Serverless
// Application Repository, in the functions' subnets, because it calls Secrets Manager as well as
// the database.
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
		VpcSubnets:         props.FunctionSubnets,
		SecurityGroup:      group,
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
		VpcSubnets:     props.VPCSubnets,
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
	if p.VPCSubnets == nil {
		p.VPCSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	}
	if p.FunctionSubnets == nil {
		p.FunctionSubnets = functionSubnets()
	}
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

func functionSubnets() *awsec2.SubnetSelection {
	return &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}
}

func (p Props) check(id string) {
	check.Props("mysql", id,
		check.NotNil("VPC", p.VPC, "pass network.VPC"),
		vpc.Subnets("VPCSubnets", p.VPC, p.VPCSubnets, 2), // RDS requires two zones
		vpc.Subnets("FunctionSubnets", p.VPC, p.FunctionSubnets, 1),
		vpc.SecurityGroups("SecurityGroups", p.SecurityGroups),
		check.That("Version", p.Version, p.Version == Version84 || p.Version == Version80,
			"8.4 or 8.0"),
		check.InstanceClass("InstanceClass", p.InstanceClass),
		check.Storage("StorageGiB", p.StorageGiB),
		check.MaxAllocatedStorage(
			"MaxAllocatedStorageGiB", p.MaxAllocatedStorageGiB, "StorageGiB", p.StorageGiB),
		check.DatabaseName("DatabaseName", p.DatabaseName),
		check.Replicas("Replicas", p.Replicas),
		check.DatabaseInsights("DatabaseInsights", p.DatabaseInsights, p.InstanceClass),
		check.BackupRetention("BackupRetention", p.BackupRetention),
		// RotationRules in the AWS Secrets Manager API Reference.
		check.Duration("RotationInterval", p.RotationInterval, day, 1000*day, day),
	)
}
