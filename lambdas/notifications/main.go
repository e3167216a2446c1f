// Command notify tells authors of the comments on their posts, by mail. A queue says whom to look at.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/sesmail"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// patience is with each of the services that are asked before a mail is sent. SES has all the time that there is: a mail whose
// answer nobody waited for would be sent again.
const patience = time.Second

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	from, err := sesmail.ParseFrom(settings.From)
	if err != nil {
		panic(err)
	}
	messages, err := notifications.Templates()
	if err != nil {
		panic(err)
	}
	mails := sesmail.NewClient(awsConfig)
	awsConfig.HTTPClient = awsclient.WithResponseTimeout(patience)
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.Open(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	h := &handler{
		sender: &notifications.Sender{
			Store:         mysqlstore.NewNotifications(databases),
			Users:         cognito.NewUsers(settings.Users, cognitoidentityprovider.NewFromConfig(awsConfig)),
			Suppressions:  &dynamodbstore.MailingList{Table: settings.Table, API: dynamodb.NewFromConfig(awsConfig)},
			Links:         &links.Links{Endpoint: settings.Endpoint, Tokens: token.NewSealer(settings.Tokens, secrets, time.Now)},
			Messages:      messages,
			Mailer:        &sesmail.Mailer{From: from, ConfigurationSet: settings.ConfigurationSet, API: mails},
			Website:       settings.Website,
			Logger:        logger,
			LeaseDuration: settings.LeaseDuration,
			Window:        settings.Window,
		},
		logger: logger,
	}
	lambda.Start(h.Handle)
}
