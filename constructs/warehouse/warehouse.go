// Package warehouse provisions a data warehouse: Amazon Redshift Serverless, in the VPC alone, over the tables of a
// Glue Data Catalog.
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	externalschemafn "github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// Database is the one database of the warehouse.
const Database = "warehouse"

// Port is where the warehouse listens: Redshift's own.
const Port = 5439

// administrator is the user who owns what CloudFormation makes. Not admin, the default: [RedshiftServerless.5] in the
// AWS Security Hub User Guide.
const administrator = "administrator"

// Props describes the warehouse. Zero values take the stated default.
type Props struct {
	// VPC is required. The warehouse lives in its isolated subnets, of which it takes three in three zones: "Considerations
	// when using Amazon Redshift Serverless" in the Amazon Redshift Management Guide. They need a gateway endpoint of S3, and
	// the VPC must not have an interface endpoint of Glue, which comes with the warehouse.
	VPC awsec2.IVpc
	Key awskms.IKey // encrypts what is in the warehouse; required

	// BaseCapacity is what answers a query, in RPU of 16 GiB of memory, billed by the second while there are any queries, for a
	// minute at least. Default: 8, the least that every region has; some have 4. Multiples of 8 are possible up to 512.
	BaseCapacity int
	// MaxCapacity is up to where the warehouse grows when queries wait or are large. Default: BaseCapacity; so, whatever is
	// asked of it, an hour has one price. CloudFormation knows no usage limits, by which Redshift stops for the rest of a day.
	MaxCapacity int
	// QueryTimeout is after how long a query is stopped. Default: 10 min; at most 24 h less a second, whole seconds.
	QueryTimeout time.Duration

	LogRetention time.Duration // of who has signed in, how users have changed and what they ask; default: the scope's (package defaults)
	// Disposable deletes the warehouse with the stack, and what is in it. Without it, the namespace stays, without a work
	// group.
	Disposable bool
}

// A Warehouse is a namespace, which holds databases and users, and a work group, which answers queries.
//
// Nobody reaches it by its network before GrantConnect. The query editor and the Data API need no network: who may use them
// says IAM, and what they may do there is granted in SQL.
type Warehouse struct {
	Namespace awsredshiftserverless.CfnNamespace
	Workgroup awsredshiftserverless.CfnWorkgroup
	// SecurityGroup is that of the work group.
	SecurityGroup awsec2.SecurityGroup
	// Role is how the warehouse reads catalogs and buckets. It may read none unless it is given the right to.
	Role awsiam.Role

	scope          constructs.Construct
	name           string // of namespace and work group
	schemaFunction *gofunction.Function
	glueEndpoint        awsec2.InterfaceVpcEndpoint
}

// New declares the warehouse under scope.
func New(scope constructs.Construct, id string, props Props) *Warehouse {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.LogRetention, props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	w := &Warehouse{scope: construct, name: strings.ToLower(*awscdk.Names_UniqueResourceName(construct, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(64), Separator: jsii.String("-"), // Redshift: 3 to 64 lower-case letters, digits and hyphens
	}))}
	w.Role = w.newRole(construct)
	w.newNamespace(construct, props)
	w.newWorkgroup(construct, props)
	w.schemaFunction = w.newSchemaFunction(construct, props)
	return w
}

// GrantConnect lets peer reach the warehouse in the VPC. By which name and password it signs in is its own affair.
func (w *Warehouse) GrantConnect(peer awsec2.IConnectable) {
	// Said from the peer's side, the rules are in its stack, which is below the warehouse's.
	peer.Connections().AllowTo(w.SecurityGroup, awsec2.Port_Tcp(jsii.Number(Port)), jsii.String("Redshift"))
}

// schemaPattern is of names that nobody has to quote: "Names and identifiers" in the Amazon Redshift Database Developer
// Guide.
var schemaPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,126}$`)

// AddExternalSchema makes a schema in the warehouse that has the tables of a database of the Glue Data Catalog, after Role has been
// given its rights. Users see it when they are granted its usage in SQL: GRANT USAGE ON SCHEMA. It stays when the
// resource is deleted.
func (w *Warehouse) AddExternalSchema(schema, catalog string) awscdk.CustomResource {
	check.Props("warehouse", w.name,
		check.That("schema", fmt.Sprintf("%q", schema), schemaPattern.MatchString(schema), "a lower-case letter, and up to 126 letters, digits and underscores"),
		check.Required("catalog", catalog != "", "pass the name of a database of the Glue Data Catalog"),
	)
	resource := awscdk.NewCustomResource(w.scope, jsii.String(strings.ToUpper(schema[:1])+schema[1:]), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String("Custom::ExternalSchema"),
		ServiceToken:   w.schemaFunction.Function.FunctionArn(),
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(*w.schemaFunction.Function.Timeout().ToSeconds(nil) + 60)), // CloudFormation's own patience is an hour
		Properties: convert.Properties(externalschemafn.Properties{
			WorkgroupName: *w.Workgroup.AttrWorkgroupWorkgroupName(),
			DatabaseName:  Database,
			SecretName:    w.secretName(),
			SchemaName:    schema,
			Catalog:       catalog,
			RoleARN:       *w.Role.RoleArn(),
		}),
	})
	// The warehouse looks whether it may use the role, and needs its way to the catalog for that.
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

// The bounds are the service's: "Compute capacity for Amazon Redshift Serverless" in the Amazon Redshift Management
// Guide, and "Query monitoring metrics for Amazon Redshift Serverless" in the Amazon Redshift Database Developer Guide.
func (p Props) check(id string) {
	subnets := 0
	if p.VPC != nil {
		subnets = len(*p.VPC.IsolatedSubnets())
	}
	check.Props("warehouse", id,
		check.Required("VPC", p.VPC != nil, "pass network.VPC"),
		check.That("VPC", fmt.Sprintf("%d isolated subnets", subnets), p.VPC == nil || subnets >= 3, "three, in three zones"),
		check.Required("Key", p.Key != nil, "pass the key of the data"),
		check.That("BaseCapacity", p.BaseCapacity, p.BaseCapacity == 4 || p.BaseCapacity >= 8 && p.BaseCapacity <= 512 && p.BaseCapacity%8 == 0, "4, or a multiple of 8 up to 512"),
		check.That("MaxCapacity", p.MaxCapacity, p.MaxCapacity >= p.BaseCapacity, "at least BaseCapacity"),
		check.That("QueryTimeout", p.QueryTimeout, p.QueryTimeout >= time.Second && p.QueryTimeout < 24*time.Hour && p.QueryTimeout%time.Second == 0, "whole seconds, 1s to 23h59m59s"),
	)
}
