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
	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
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
	topic := &snstopic.Topic[notifications.Message]{
		ARN: settings.TopicARN,
		API: sns.NewFromConfig(awsConfig),
	}
	tokens := token.NewSealer(settings.TokenKeyARN, secrets, time.Now)
	media := pictures.Delivery(settings.MediaURL)
	handlers := &postsapi.Handlers{
		Posts: &posts.Service{
			Store:     mysqlstore.NewPosts(databases),
			Sanitizer: richtext.Sanitizer{Media: media},
			Pictures: &pictures.Store{
				Records: mysqlstore.NewPictures(databases),
				Bucket: &s3store.Pictures{
					Bucket: settings.OriginalsBucket, API: s3.NewFromConfig(awsConfig),
				},
				Logger: logger,
			},
			Events: commentEvents{topic},
			Logger: logger,
		},
		Media:   media,
		Cursors: &cursor.Cursors{Tokens: tokens},
	}
	lambda.Start(rest.NewHandler(postsapi.Routes, handlers, settings.API, logger).Handle)
}

// commentEvents publishes to the topic that the notifications function subscribes to.
type commentEvents struct {
	topic *snstopic.Topic[notifications.Message]
}

func (e commentEvents) CommentCreated(ctx context.Context, recipient string) error {
	return e.topic.Notify(ctx, notifications.Message{Recipient: recipient})
}
