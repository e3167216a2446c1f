package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	migratefn "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
)

// Schema is the stack that brings the database's schema up to date. The stacks that read and write tables are
// deployed after it, so no function meets a schema older than itself.
type Schema struct {
	Stack awscdk.Stack
}

// NewSchema declares the migrations.
func NewSchema(stage awscdk.Stage, env environments.Environment, network *Network, data *Data) *Schema {
	stack := newStack(stage, "Schema", "Schema migrations, run by the deployment", env)
	fn := gofunction.New(stack, "Migrate", gofunction.Props{
		Package:     migratefn.Package,
		Settings:    migratefn.Settings{},
		Description: "Brings the database's schema up to date while the platform is deployed",
		VPC:         network.VPC,
		Timeout:     15 * time.Minute, // a change to a big table takes its time
	})
	data.Database.MigrateWith(stack, fn, schema.Checksum())
	return &Schema{Stack: stack}
}
