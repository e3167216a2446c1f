// Command welcome is the function that sends the mails of the mailing list, each once: a welcome to
// each new subscription, and a link to confirm each pending one.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/sesmail"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
	"github.com/ashlar-cdk/ashlar/lambdas/welcome/handler"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // also for package log, which the Lambda runtime uses
	settings := lambdaenv.MustLoad[contract.Settings]()
	if settings.LeaseDuration < email.MinLease {
		panic(fmt.Errorf("LEASE_DURATION is %s; set it to at least %s, the time to send a mail",
			settings.LeaseDuration, email.MinLease))
	}
	from, err := sesmail.ParseFrom(settings.From)
	if err != nil {
		panic(fmt.Errorf("MAIL_FROM: %w", err))
	}
	templates, err := mailinglist.ParseTemplates(lambdaenv.Files(), settings.DefaultLanguage)
	if err != nil {
		panic(fmt.Errorf("the function's files: %w", err))
	}
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	// SES has no response timeout: a retry after one may send a mail twice.
	mailer := &sesmail.Mailer{
		From:             from,
		ConfigurationSet: settings.ConfigurationSet,
		API:              sesmail.NewClient(awsConfig),
	}
	awsConfig.HTTPClient = awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)
	subscriptions := &dynamodbstore.MailingList{
		Table: settings.Table,
		API:   dynamodb.NewFromConfig(awsConfig),
	}
	dlq := &deadletter.Queue{URL: settings.DeadLetterQueueURL, API: sqs.NewFromConfig(awsConfig)}
	lambda.Start(&handler.Handler{
		Sender: &mailinglist.Sender{
			Subscriptions: subscriptions,
			Messages:      templates,
			Mailer:        mailer,
			LeaseDuration: settings.LeaseDuration,
		},
		DeadLetterQueue: dlq,
		Logger:          logger,
	})
}
