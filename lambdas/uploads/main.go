// Command uploads is the function that presigns the forms by which browsers upload pictures. It is
// separate from the posts function, since a form has the permissions of the role that signed it:
// this role can only put and delete uploads.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
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
	handlers := &uploadsapi.Handlers{
		Uploads: s3store.NewUploads(s3store.UploadSettings{
			Bucket:     settings.OriginalsBucket,
			Lifetime:   settings.UploadLifetime,
			Accelerate: settings.TransferAcceleration,
		}, s3.NewFromConfig(awsConfig)),
		Media: pictures.Delivery(settings.MediaURL),
	}
	lambda.Start(rest.NewHandler(uploadsapi.Routes, handlers, settings.API, logger).Handle)
}
