// Package contract is what the function that makes an external schema and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema"

// Properties are those of the custom resource, whose physical id is the SchemaName.
type Properties struct {
	WorkgroupName string // of Redshift Serverless
	DatabaseName  string // in it
	SecretName    string // of the user whom the schema will belong to
	SchemaName    string
	Catalog       string // the database of the Glue Data Catalog whose tables the schema shows
	RoleARN       string // by which Redshift reads the catalog and the tables' data
}
