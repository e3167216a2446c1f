package mysql

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/internal/vpc"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Attributes describe a database that exists already, on RDS or elsewhere in the VPC. It must offer
// TLS with a certificate of Amazon RDS, or of an authority that the operating system trusts.
type Attributes struct {
	VPC             awsec2.IVpc             // required
	FunctionSubnets *awsec2.SubnetSelection // of AddMigrations; default: private with egress
	SecurityGroups  []awsec2.ISecurityGroup // of all hosts; required

	WriterHost   string   // the instance or its RDS Proxy; required
	ReaderHosts  []string // replicas; default: functions read from the writer
	Port         int      // of all hosts; default: 3306
	DatabaseName string   // required

	// AppSecret has the credentials of the user of GrantConnect, as JSON: {"username": …,
	// "password": …}. AddMigrations creates the user if it does not exist. Required.
	AppSecret awssecretsmanager.ISecret
	// AdminSecret has the credentials of a user who changes the schema and creates users. Required
	// for AddMigrations and AddMigration.
	AdminSecret awssecretsmanager.ISecret
}

// FromAttributes returns a database that exists already, for GrantConnect and AddMigrations. It
// changes nothing of the database but the rules of its security groups; nothing rotates its
// passwords. Instance, Replicas and Proxy are nil.
func FromAttributes(scope constructs.Construct, id string, attributes Attributes) *Database {
	attributes = attributes.withDefaults()
	attributes.check(id)
	return &Database{
		Construct:       node.New(scope, id),
		AdminSecret:     attributes.AdminSecret,
		AppSecret:       attributes.AppSecret,
		SecurityGroups:  attributes.SecurityGroups,
		vpc:             attributes.VPC,
		functionSubnets: attributes.FunctionSubnets,
		connection: mysqlconn.Settings{
			WriterHost:  attributes.WriterHost,
			ReaderHosts: attributes.ReaderHosts,
			Port:        attributes.Port,
			Name:        attributes.DatabaseName,
		},
	}
}

func (a Attributes) withDefaults() Attributes {
	if a.FunctionSubnets == nil {
		a.FunctionSubnets = functionSubnets()
	}
	if a.Port == 0 {
		a.Port = Port
	}
	return a
}

func (a Attributes) check(id string) {
	check.Props("mysql", id,
		check.NotNil("VPC", a.VPC, "pass the VPC of the database"),
		check.Required("SecurityGroups", len(a.SecurityGroups) > 0,
			"pass those of the database, for example with "+
				"awsec2.SecurityGroup_FromSecurityGroupId"),
		vpc.SecurityGroups("SecurityGroups", a.SecurityGroups),
		check.Required("WriterHost", a.WriterHost != "", "pass the endpoint of the instance"),
		check.Range("Port", a.Port, 1, 65535),
		check.Required("DatabaseName", a.DatabaseName != "", "pass the name of the schema"),
		check.NotNil("AppSecret", a.AppSecret,
			"pass the secret of the functions' user, for example with "+
				"awssecretsmanager.Secret_FromSecretCompleteArn"),
	)
}
