// Command plain is the posts function without its routes, which handles the events itself.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

type settings struct {
	TokenKeyARN     string `env:"TOKEN_KEY_ARN"`
	OriginalsBucket string `env:"ORIGINALS_BUCKET"`
	MediaURL        string `env:"MEDIA_URL"`
	Database        mysqlconn.Settings
}

func main() {
	settings := lambdaenv.MustLoad[settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	secrets := secretsmanager.NewFromConfig(awsConfig)
	databases, err := mysqlconn.Open(settings.Database, secrets)
	if err != nil {
		panic(err)
	}
	service := &posts.Service{
		Store:     mysqlstore.NewPosts(databases),
		Sanitizer: richtext.Sanitizer{Media: pictures.Delivery(settings.MediaURL)},
		Pictures: &pictures.Store{
			Records: mysqlstore.NewPictures(databases),
			Bucket: &s3store.Pictures{
				Bucket: settings.OriginalsBucket,
				API:    s3.NewFromConfig(awsConfig),
			},
			Logger: slog.Default(),
		},
	}
	cursors := token.NewSealer(settings.TokenKeyARN, secrets, time.Now)
	create := func(
		ctx context.Context, request events.APIGatewayProxyRequest,
	) (events.APIGatewayProxyResponse, error) {
		draft := posts.Draft{Title: request.Path, Body: request.Body}
		created, err := service.Create(ctx, "", "", draft)
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		sealed, err := cursors.Seal(ctx, "", created.ID[:])
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: sealed}, err
	}
	lambda.Start(create)
}
