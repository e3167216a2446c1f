package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/environments"
)

// NewData declares the stack of the database, which is stateful.
func NewData(stage awscdk.Stage, env environments.Environment, vpc awsec2.IVpc) *mysql.Database {
	stack := newStack(stage, "Data", "MySQL database with its replicas and secrets")
	database := mysql.New(stack, "Database", mysql.Props{
		VPC:                    vpc,
		InstanceClass:          env.DatabaseClass,
		StorageGiB:             env.DatabaseStorageGiB,
		MaxAllocatedStorageGiB: env.DatabaseMaxAllocatedStorageGiB,
		MultiAZ:                env.DatabaseMultiAZ,
		Replicas:               env.DatabaseReplicas,
		Proxy:                  env.DatabaseProxy,
		DatabaseInsights:       env.DatabaseInsights,
		BackupRetention:        env.BackupRetention,
	})
	// With a proxy or replicas, other stacks may stop using these values, but this stack is
	// deployed before them: without the explicit exports, CloudFormation would reject the change
	// that adds the first proxy. See ADR 5.
	stack.ExportValue(database.Instance.DbInstanceEndpointAddress(), nil)
	stack.ExportValue(database.SecurityGroups[0].SecurityGroupId(), nil)
	return database
}
