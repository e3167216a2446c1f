// Command migrate is a CloudFormation custom resource that applies schema migrations during a
// deployment, before the functions that need them are updated: the SQL files that the stack passes
// beside the executable (lambdaenv.Files). A failed migration fails the deployment, and
// CloudFormation rolls it back: it restores the function with the previous files and calls it
// again. The schema is then ahead of the files, which is a success: migrations only move forward.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger()) // for the log and cfn packages too
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.OpenForMigration(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	h := &handler{
		database:     databases.Writer,
		secrets:      secrets,
		appSecretARN: settings.App.SecretARN,
		migrate: func(ctx context.Context, db *sql.DB) (schema.Result, error) {
			return schema.Up(ctx, db, lambdaenv.Files())
		},
	}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
