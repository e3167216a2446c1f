package main

import (
	"strings"

	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// statements lists what makes the schema be what to says. from is what it was, or nil if nobody knows.
//
// Each is a transaction of its own, and does no harm when it is run again.
func statements(from *contract.Properties, to contract.Properties) []string {
	schema := identifier(to.SchemaName)
	var sql []string
	if from != nil && from.Catalog != to.Catalog && from.SchemaName == to.SchemaName {
		// No statement changes the catalog of a schema. Who may use the schema has to be granted it again. Not CASCADE: what
		// stands in the schema and is no table of the catalog is nobody's to delete here, and fails the deployment.
		sql = append(sql, "DROP SCHEMA IF EXISTS "+schema)
	}
	return append(sql,
		"CREATE EXTERNAL SCHEMA IF NOT EXISTS "+schema+" FROM DATA CATALOG DATABASE "+literal(to.Catalog)+" IAM_ROLE "+literal(to.RoleARN),
		// One that was there already has its former role.
		"ALTER EXTERNAL SCHEMA "+schema+" IAM_ROLE "+literal(to.RoleARN),
	)
}

// identifier quotes a name, whatever is in it: "Names and identifiers" in the Amazon Redshift Database Developer Guide.
func identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal quotes a text, whatever is in it. Redshift takes a backslash for the beginning of an escape sequence, unlike
// standard SQL.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}
