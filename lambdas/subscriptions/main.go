// Command subscriptions is the function of the mailing list's routes. It stores subscriptions and
// sends no mails: the welcome function, which reads the table's stream, sends them.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
	"github.com/ashlar-cdk/ashlar/rest"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // also for package log, which the Lambda runtime uses
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	sealer := token.NewSealer(
		settings.TokenKeyARN, secretsmanager.NewFromConfig(awsConfig), time.Now)
	handlers := &subscriptionsapi.Handlers{
		MailingList: &dynamodbstore.MailingList{
			Table: settings.Table,
			API:   dynamodb.NewFromConfig(awsConfig),
		},
		Links:       &links.Links{Endpoint: settings.Endpoint, Tokens: sealer},
		SingleOptIn: settings.SingleOptIn,
	}
	lambda.Start(rest.NewHandler(subscriptionsapi.Routes, handlers, settings.API, logger).Handle)
}
