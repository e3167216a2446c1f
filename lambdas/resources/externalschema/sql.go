package main

import (
	"strings"

	"github.com/ashlar-cdk/ashlar/lambdas/resources/externalschema/contract"
)

// statements returns the statements that change the schema from the previous properties to the new
// ones. from is nil if the previous properties are not known.
//
// Each statement is a separate transaction and idempotent.
func statements(from *contract.Properties, to contract.Properties) []string {
	schema := identifier(to.SchemaName)
	var sql []string
	if from != nil && from.Catalog != to.Catalog && from.SchemaName == to.SchemaName {
		// No statement changes the catalog of a schema. Permissions on the schema are lost and have
		// to be granted again. CASCADE is omitted: objects in the schema that are not tables of the
		// catalog must not be deleted here; they fail the deployment.
		sql = append(sql, "DROP SCHEMA IF EXISTS "+schema)
	}
	return append(sql,
		"CREATE EXTERNAL SCHEMA IF NOT EXISTS "+schema+
			" FROM DATA CATALOG DATABASE "+literal(to.Catalog)+" IAM_ROLE "+literal(to.RoleARN),
		// A schema that already existed has its previous role.
		"ALTER EXTERNAL SCHEMA "+schema+" IAM_ROLE "+literal(to.RoleARN),
	)
}

// identifier quotes any name: "Names and identifiers" in the Amazon Redshift Database Developer
// Guide.
func identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal quotes any text. In Redshift, unlike in standard SQL, a backslash begins an escape
// sequence.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}
