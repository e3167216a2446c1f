package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
)

// NewSchema declares the stack that migrates the database's schema. The stacks that read and write
// tables are deployed after it, so no function runs with a schema older than its code.
func NewSchema(stage awscdk.Stage, database *mysql.Database) awscdk.Stack {
	stack := newStack(stage, "Schema", "Schema migrations, run by the deployment")
	database.AddMigrations(stack, "Migrations", migrations.Files)
	return stack
}
