// Package contract defines the properties of the custom resource that creates an external schema.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema"

// Properties are the properties of the custom resource. Its physical id is the SchemaName.
type Properties struct {
	WorkgroupName string // of Redshift Serverless
	DatabaseName  string // in the work group's namespace
	SecretName    string // of the database user that will own the schema
	SchemaName    string // of the external schema
	Catalog       string // the Glue Data Catalog database whose tables the schema contains
	RoleARN       string // of the role with which Redshift reads the catalog and the tables' data
}
