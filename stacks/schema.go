package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	migratefn "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
)

// NewSchema declares the stack that brings the database's schema up to date. The stacks that read and write tables are
// deployed after it, so no function meets a schema older than itself.
func NewSchema(stage awscdk.Stage, vpc awsec2.IVpc, database *mysql.Database) awscdk.Stack {
	stack := newStack(stage, "Schema", "Schema migrations, run by the deployment")
	fn := gofunction.New(stack, "Migrate", gofunction.Props{
		Package:     migratefn.Package,
		Settings:    migratefn.Settings{},
		Description: "Brings the database's schema up to date while the platform is deployed",
		VPC:         vpc,
		Timeout:     15 * time.Minute, // a change to a big table takes its time
	})
	database.AddMigration(stack, fn, schema.Checksum())
	return stack
}
