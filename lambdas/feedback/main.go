// Command feedback is the function that processes bounces and complaints of SES: it suppresses
// their addresses.
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
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // also for package log, which the Lambda runtime uses
	settings := lambdaenv.MustLoad[contract.Settings]()
	httpClient := awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(httpClient))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{
		mailingList: &dynamodbstore.MailingList{
			Table: settings.Table,
			API:   dynamodb.NewFromConfig(awsConfig),
		},
		deadLetterQueue: &deadletter.Queue{
			URL: settings.DeadLetterQueueURL,
			API: sqs.NewFromConfig(awsConfig),
		},
		logger: logger,
		now:    time.Now,
	}
	lambda.Start(h.Handle)
}
