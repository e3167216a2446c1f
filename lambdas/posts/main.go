// Command posts is the function of posts and comments.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/adapters/snstopic"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
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
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.Open(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	service := &postsapi.Handlers{
		Store: mysqlstore.NewPosts(databases),
		Pictures: &pictures.Keeper{
			Store:  mysqlstore.NewPictures(databases),
			Bucket: &s3store.Pictures{Settings: settings.Pictures, API: s3.NewFromConfig(awsConfig)},
			Logger: logger,
		},
		Media:    settings.Media,
		Activity: &snstopic.Topic[notifications.Message]{ARN: settings.TopicARN, API: sns.NewFromConfig(awsConfig)},
		Cursors:  token.NewSealer(settings.Tokens, secrets, time.Now),
		Logger:   logger,
	}
	lambda.Start(rest.NewHandler(postsapi.Routes, service, settings.API, logger).Handle)
}
