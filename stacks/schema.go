package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	migratefn "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
)

// NewSchema declares the stack that migrates the database's schema. The stacks that read and write
// tables are deployed after it, so no function runs with a schema older than its code.
func NewSchema(stage awscdk.Stage, vpc awsec2.IVpc, database *mysql.Database) awscdk.Stack {
	stack := newStack(stage, "Schema", "Schema migrations, run by the deployment")
	fn := gofunction.New(stack, "Migrate", gofunction.Props{
		Package:     migratefn.Package,
		Settings:    migratefn.Settings{},
		Description: "Migrates the database's schema during a deployment",
		VPC:         vpc,
		Timeout:     15 * time.Minute, // a change of a large table takes long
	})
	database.AddMigration(stack, fn, "todo")
	return stack
}
