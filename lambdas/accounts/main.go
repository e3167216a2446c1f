// Command accounts is the function of the signed-in user's account: the profile, sync, and the
// account's deletion.
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
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/accounts/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.Open(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	tokens := token.NewSealer(settings.TokenKeyARN, secrets, time.Now)
	handlers := &accountsapi.Handlers{
		Accounts: &accounts.Service{
			Profiles: mysqlstore.NewProfiles(databases),
			Changes:  mysqlstore.NewChanges(databases),
			Store:    mysqlstore.NewAccounts(databases),
			Pictures: &pictures.Store{
				Records: mysqlstore.NewPictures(databases),
				Bucket: &s3store.Pictures{
					Bucket: settings.OriginalsBucket, API: s3.NewFromConfig(awsConfig),
				},
				Logger: logger,
			},
			Users: &cognito.Users{
				PoolID: settings.UserPoolID,
				API:    cognitoidentityprovider.NewFromConfig(awsConfig),
			},
		},
		Media:   pictures.Delivery(settings.MediaURL),
		Cursors: &cursor.Cursors{Tokens: tokens},
		Links:   &links.Links{Tokens: tokens},
	}
	lambda.Start(rest.NewHandler(accountsapi.Routes, handlers, settings.API, logger).Handle)
}
