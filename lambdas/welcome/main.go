// Command welcome sends each new subscriber a mail, once, and each who has to confirm a subscription.
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
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	if settings.LeaseDuration < email.MinLease {
		panic(fmt.Errorf("LEASE_DURATION is %s; no mail can be sent in less than %s", settings.LeaseDuration, email.MinLease))
	}
	from, err := sesmail.ParseFrom(settings.From)
	if err != nil {
		panic(fmt.Errorf("MAIL_FROM: %w", err))
	}
	templates, err := mailinglist.Templates()
	if err != nil {
		panic(err)
	}
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	quick := awsConfig.Copy() // not for SES: to give up on it may send a mail twice
	quick.HTTPClient = awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)
	sender := &mailinglist.Sender{
		Subscriptions: &dynamodbstore.MailingList{Table: settings.Table, API: dynamodb.NewFromConfig(quick)},
		Messages:      templates,
		Mailer:        &sesmail.Mailer{From: from, ConfigurationSet: settings.ConfigurationSet, API: sesmail.NewClient(awsConfig)},
		LeaseDuration: settings.LeaseDuration,
	}
	lambda.Start(&handler.Handler{
		Sender:          sender,
		DeadLetterQueue: &deadletter.Queue{URL: settings.DeadLetterQueueURL, API: sqs.NewFromConfig(quick)},
		Logger:          logger,
	})
}
