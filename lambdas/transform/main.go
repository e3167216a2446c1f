// Command transform converts the records of the telemetry stream to rows of the table telemetry,
// for Firehose.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/handler"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	lambda.Start(&handler.Handler{
		Stream: &kinesisstream.Stream{
			Name: settings.Stream,
			API:  kinesisstream.NewClient(awsConfig),
		},
		Logger: logger,
	})
}
