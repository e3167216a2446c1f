package warehouse

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsredshiftserverless"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/key"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	externalschemafn "github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// Database is the name of the warehouse's only database.
const Database = "warehouse"

// Port is the port that the warehouse listens on, Redshift's default.
const Port = 5439

// administrator is the admin user, which owns what CloudFormation creates. It is not the default
// name, admin: [RedshiftServerless.5] in the AWS Security Hub User Guide.
const administrator = "administrator"

// Props describes the warehouse. Zero values take the stated default.
type Props struct {
	// VPC is the network of the warehouse. Its subnets need a gateway endpoint of S3. Required.
	VPC awsec2.IVpc
	// VPCSubnets are at least three subnets in three zones: "Considerations when using Amazon
	// Redshift Serverless" in the Amazon Redshift Management Guide. Default: the VPC's isolated
	// subnets.
	VPCSubnets *awsec2.SubnetSelection
	// SecurityGroups are those of the workgroup. They must allow TLS to any address, through the
	// endpoints of S3 and Glue. Default: one of its own, which allows only that.
	SecurityGroups []awsec2.ISecurityGroup
	// GlueEndpoint is the VPC's interface endpoint of Glue; a VPC has at most one with private DNS.
	// An imported one needs its security groups, which get a rule. Default: one of its own.
	GlueEndpoint awsec2.IInterfaceVpcEndpoint

	// Key encrypts the data. Its policy must let IAM policies of the account grant its use.
	// Default: a key of its own.
	Key awskms.IKey

	// BaseCapacity is the compute capacity for queries, in RPU of 16 GiB of memory, billed by the
	// second while queries run, for at least a minute. Default: 8, the minimum that every region
	// has; some have 4. Multiples of 8 are possible up to 512.
	BaseCapacity int
	// MaxCapacity limits how far the capacity scales when queries wait or are large. Default:
	// BaseCapacity, so that the hourly price is fixed regardless of the load. CloudFormation does
	// not support usage limits, by which Redshift stops for the rest of a day.
	MaxCapacity int
	// QueryTimeout is the time after which a query is aborted. Default: 10 min; whole seconds, at
	// most 24 h less a second.
	QueryTimeout time.Duration

	// LogRetention applies to the logs of connections, of changes to users, and of queries.
	// Default: the scope's (package defaults).
	LogRetention time.Duration
	// Disposable deletes the warehouse and its data with the stack. Without it, the namespace is
	// retained, without a workgroup.
	Disposable bool
}

// A Warehouse is a namespace, which holds databases and users, and a workgroup, which runs queries.
//
// The network does not let any client reach it before GrantConnect. The query editor and the Data
// API need no network access: IAM controls who may use them, and SQL grants control what they may
// do.
type Warehouse struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	Namespace awsredshiftserverless.CfnNamespace
	Workgroup awsredshiftserverless.CfnWorkgroup
	Key       awskms.IKey
	// Role is the role with which the warehouse reads catalogs and buckets. It has no permissions
	// by default.
	Role awsiam.Role

	name           string // of the namespace and the workgroup
	connections    awsec2.Connections
	schemaFunction *gofunction.Function
	schemas        constructs.Construct
	network        []constructs.IDependable // what queries of a catalog need
}

// New declares the warehouse under scope.
func New(scope constructs.Construct, id string, props Props) *Warehouse {
	props = props.withDefaults()
	props.check(id)
	construct := node.New(scope, id)
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	// Redshift: 3 to 64 lower-case letters, digits and hyphens.
	name := *awscdk.Names_UniqueResourceName(construct, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(64), Separator: jsii.String("-"),
	})
	w := &Warehouse{Construct: construct, Key: props.Key, name: strings.ToLower(name)}
	if w.Key == nil {
		w.Key = key.New(construct, "Encrypts the data warehouse", props.Disposable)
	}
	w.Role = w.newRole(construct)
	w.newNamespace(construct, props)
	w.newWorkgroup(construct, props)
	w.schemaFunction = w.newSchemaFunction(construct)
	w.schemas = constructs.NewConstruct(construct, jsii.String("Schemas"))
	return w
}

// GrantConnect opens the network path from peer to the warehouse in the VPC. It grants no database
// credentials.
func (w *Warehouse) GrantConnect(peer awsec2.IConnectable) {
	check.Call("warehouse", *w.Construct.Node().Path(), "GrantConnect",
		check.NotNil("peer", peer, "pass the function or the service that connects"))
	// Declared on the peer's side, the rules are in its stack, which depends on the warehouse's.
	peer.Connections().AllowTo(w, awsec2.Port_Tcp(jsii.Number(Port)), jsii.String("Redshift"))
}

// Connections makes the warehouse an [awsec2.IConnectable].
func (w *Warehouse) Connections() awsec2.Connections { return w.connections }

// Metric returns the metric of the workgroup with a name of the namespace AWS/Redshift-Serverless,
// such as ComputeSeconds: "Monitoring Amazon Redshift Serverless using CloudWatch" in the Amazon
// Redshift Management Guide. Default: the sum over five minutes.
func (w *Warehouse) Metric(
	name string, options *awscloudwatch.MetricOptions,
) awscloudwatch.Metric {
	metric := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String("AWS/Redshift-Serverless"),
		MetricName:    jsii.String(name),
		DimensionsMap: &map[string]*string{"Workgroup": w.Workgroup.AttrWorkgroupWorkgroupName()},
		Statistic:     jsii.String("Sum"),
	})
	if options == nil {
		return metric
	}
	return metric.With(options)
}

// AddExternalSchema creates a schema in the warehouse with the tables of a database of the Glue
// Data Catalog, after all permissions have been granted to Role. Users see it after GRANT USAGE ON
// SCHEMA. The schema stays when the resource is deleted.
func (w *Warehouse) AddExternalSchema(schema, catalog string) awscdk.CustomResource {
	check.Call("warehouse", *w.Construct.Node().Path(), "AddExternalSchema",
		check.Identifier("schema", schema, 127), // needs no quotes
		check.Required("catalog", catalog != "",
			"pass the name of a database of the Glue Data Catalog"),
		check.That("schema", fmt.Sprintf("%q", schema),
			w.schemas.Node().TryFindChild(jsii.String(schema)) == nil,
			"a schema that has not been added yet"),
	)
	timeout := *w.schemaFunction.Function.Timeout().ToSeconds(nil)
	resource := awscdk.NewCustomResource(w.schemas, jsii.String(schema),
		&awscdk.CustomResourceProps{
			ResourceType: jsii.String("Custom::ExternalSchema"),
			ServiceToken: w.schemaFunction.Function.FunctionArn(),
			// CloudFormation's default is an hour.
			ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(timeout + 60)),
			Properties: convert.Properties(externalschemafn.Properties{
				WorkgroupName: *w.Workgroup.AttrWorkgroupWorkgroupName(),
				DatabaseName:  Database,
				SecretName:    w.secretName(),
				SchemaName:    schema,
				Catalog:       catalog,
				RoleARN:       *w.Role.RoleArn(),
			}),
		})
	// Redshift checks its access to the role, and needs the network path to the catalog for that.
	resource.Node().AddDependency(w.schemaFunction.Role, w.Role)
	resource.Node().AddDependency(w.network...)
	return resource
}

func (p Props) withDefaults() Props {
	if p.BaseCapacity == 0 {
		p.BaseCapacity = 8
	}
	if p.MaxCapacity == 0 {
		p.MaxCapacity = p.BaseCapacity
	}
	if p.QueryTimeout == 0 {
		p.QueryTimeout = 10 * time.Minute
	}
	return p
}

// The limits are the service's: "Compute capacity for Amazon Redshift Serverless" in the Amazon
// Redshift Management Guide, and "Query monitoring metrics for Amazon Redshift Serverless" in the
// Amazon Redshift Database Developer Guide.
func (p Props) check(id string) {
	subnets, kind := 0, "isolated subnets"
	switch {
	case p.VPC == nil:
	case p.VPCSubnets == nil:
		subnets = len(*p.VPC.IsolatedSubnets())
	default:
		subnets, kind = len(*p.VPC.SelectSubnets(p.VPCSubnets).SubnetIds), "subnets in VPCSubnets"
	}
	check.Props("warehouse", id,
		check.Required("VPC", p.VPC != nil, "pass network.VPC"),
		check.That("VPC", fmt.Sprintf("%d %s", subnets, kind), p.VPC == nil || subnets >= 3,
			"3 or more, in three zones"),
		check.That("BaseCapacity", p.BaseCapacity,
			p.BaseCapacity == 4 ||
				p.BaseCapacity >= 8 && p.BaseCapacity <= 512 && p.BaseCapacity%8 == 0,
			"4, or a multiple of 8 up to 512"),
		check.That("MaxCapacity", p.MaxCapacity, p.MaxCapacity >= p.BaseCapacity,
			"at least BaseCapacity"),
		check.That("QueryTimeout", p.QueryTimeout,
			p.QueryTimeout >= time.Second && p.QueryTimeout < 24*time.Hour &&
				p.QueryTimeout%time.Second == 0,
			"whole seconds, 1s to 23h59m59s"),
	)
}
