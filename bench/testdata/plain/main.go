// Command plain is the posts function without its routes: what it would be if it answered by itself.
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
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

type settings struct {
	Tokens   token.Settings
	Pictures s3store.Settings
	Media    pictures.Delivery `env:"MEDIA_URL"`
	Database mysqlconn.Settings
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
	keeper := &pictures.Keeper{
		Store:  mysqlstore.NewPictures(databases),
		Bucket: &s3store.Keeping{Settings: settings.Pictures, API: s3.NewFromConfig(awsConfig)},
		Logger: slog.Default(),
	}
	store, cursors := mysqlstore.NewPosts(databases), token.NewSealer(settings.Tokens, secrets, time.Now)
	lambda.Start(func(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		draft, err := posts.CleanPost(posts.Draft{Title: request.Path, Body: request.Body}, settings.Media)
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		var created posts.Post
		err = keeper.Save(ctx, "", draft.Body, func(body string, shown []uuid.UUID) (err error) {
			created, err = store.Create(ctx, "", "", posts.Draft{Title: draft.Title, Body: body}, shown...)
			return err
		})
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		sealed, err := cursors.Seal(ctx, "", created.ID[:])
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: sealed}, err
	})
}
