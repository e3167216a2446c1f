// Package warehouse provisions a data warehouse: Amazon Redshift Serverless, reachable only within
// the VPC, over the tables of a Glue Data Catalog.
package warehouse

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsredshiftserverless"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
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
	// VPC is required. The warehouse runs in its isolated subnets, and needs three in three zones:
	// "Considerations when using Amazon Redshift Serverless" in the Amazon Redshift Management
	// Guide. They need a gateway endpoint of S3. The VPC must not have an interface endpoint of
	// Glue, because this construct declares one.
	VPC awsec2.IVpc
	Key awskms.IKey // encrypts the data; required

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
	Namespace awsredshiftserverless.CfnNamespace
	Workgroup awsredshiftserverless.CfnWorkgroup
	// SecurityGroup is the workgroup's.
	SecurityGroup awsec2.SecurityGroup
	// Role is the role with which the warehouse reads catalogs and buckets. It has no permissions
	// by default.
	Role awsiam.Role

	scope          constructs.Construct
	name           string // of the namespace and the workgroup
	schemaFunction *gofunction.Function
	glueEndpoint   awsec2.InterfaceVpcEndpoint
}

// New declares the warehouse under scope.
func New(scope constructs.Construct, id string, props Props) *Warehouse {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	// Redshift: 3 to 64 lower-case letters, digits and hyphens.
	name := *awscdk.Names_UniqueResourceName(construct, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(64), Separator: jsii.String("-"),
	})
	w := &Warehouse{scope: construct, name: strings.ToLower(name)}
	w.Role = w.newRole(construct)
	w.newNamespace(construct, props)
	w.newWorkgroup(construct, props)
	w.schemaFunction = w.newSchemaFunction(construct)
	return w
}

// GrantConnect opens the network path from peer to the warehouse in the VPC. It grants no database
// credentials.
func (w *Warehouse) GrantConnect(peer awsec2.IConnectable) {
	// Declared on the peer's side, the rules are in its stack, which depends on the warehouse's.
	peer.Connections().AllowTo(w.SecurityGroup, awsec2.Port_Tcp(jsii.Number(Port)),
		jsii.String("Redshift"))
}

// schemaPattern matches identifiers that need no quotes: "Names and identifiers" in the Amazon
// Redshift Database Developer Guide.
var schemaPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,126}$`)

// AddExternalSchema creates a schema in the warehouse with the tables of a database of the Glue
// Data Catalog, after all permissions have been granted to Role. Users see it after GRANT USAGE ON
// SCHEMA. The schema stays when the resource is deleted.
func (w *Warehouse) AddExternalSchema(schema, catalog string) awscdk.CustomResource {
	check.Props("warehouse", w.name,
		check.That("schema", fmt.Sprintf("%q", schema), schemaPattern.MatchString(schema),
			"a lower-case letter, then up to 126 lower-case letters, digits and underscores"),
		check.Required("catalog", catalog != "",
			"pass the name of a database of the Glue Data Catalog"),
	)
	id := strings.ToUpper(schema[:1]) + schema[1:]
	timeout := *w.schemaFunction.Function.Timeout().ToSeconds(nil)
	resource := awscdk.NewCustomResource(w.scope, jsii.String(id), &awscdk.CustomResourceProps{
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
	resource.Node().AddDependency(w.schemaFunction.Role, w.Role, w.SecurityGroup, w.glueEndpoint)
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
	subnets := 0
	if p.VPC != nil {
		subnets = len(*p.VPC.IsolatedSubnets())
	}
	check.Props("warehouse", id,
		check.Required("VPC", p.VPC != nil, "pass network.VPC"),
		check.That("VPC", fmt.Sprintf("%d isolated subnets", subnets), p.VPC == nil || subnets >= 3,
			"3 or more, in three zones"),
		check.Required("Key", p.Key != nil, "pass the KMS key that encrypts the data"),
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
