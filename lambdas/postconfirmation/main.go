// Command postconfirmation is the user pool's post-confirmation trigger: it creates a profile for
// each new user.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/postconfirmation/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	databases, err := mysqlconn.Open(settings.Database, secretsmanager.NewFromConfig(awsConfig))
	if err != nil {
		panic(err)
	}
	h := &handler{profiles: mysqlstore.NewProfiles(databases), logger: logger}
	lambda.Start(h.Handle)
}
