// Command notifications is the function that sends authors mails about new comments on their posts.
// The messages of its queue name the recipients.
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
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// responseTimeout applies to each service that is called before a mail is sent. SES has no response
// timeout: a retry after one may send a mail twice.
const responseTimeout = time.Second

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // also for package log, which the Lambda runtime uses
	settings := lambdaenv.MustLoad[contract.Settings]()
	if settings.LeaseDuration < email.MinLease {
		panic(fmt.Errorf("LEASE_DURATION is %s; set it to at least %s, the time to send a mail",
			settings.LeaseDuration, email.MinLease))
	}
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	from, err := sesmail.ParseFrom(settings.From)
	if err != nil {
		panic(fmt.Errorf("MAIL_FROM: %w", err))
	}
	messages, err := notifications.Templates()
	if err != nil {
		panic(err)
	}
	mailer := &sesmail.Mailer{
		From:             from,
		ConfigurationSet: settings.ConfigurationSet,
		API:              sesmail.NewClient(awsConfig),
	}
	awsConfig.HTTPClient = awsclient.WithResponseTimeout(responseTimeout)
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.Open(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	suppressions := &dynamodbstore.MailingList{
		Table: settings.Table,
		API:   dynamodb.NewFromConfig(awsConfig),
	}
	userPool := cognitoidentityprovider.NewFromConfig(awsConfig)
	sealer := token.NewSealer(settings.TokenKeyARN, secrets, time.Now)
	h := &handler{
		sender: &notifications.Sender{
			Store:         mysqlstore.NewNotifications(databases),
			Users:         &cognito.Users{PoolID: settings.UserPoolID, API: userPool},
			Suppressions:  suppressions,
			Links:         &links.Links{Endpoint: settings.Endpoint, Tokens: sealer},
			Messages:      messages,
			Mailer:        mailer,
			Website:       settings.Website,
			Logger:        logger,
			LeaseDuration: settings.LeaseDuration,
			Window:        settings.Window,
		},
		logger: logger,
	}
	lambda.Start(h.Handle)
}
