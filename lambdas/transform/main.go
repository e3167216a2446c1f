// Command transform converts the records of the telemetry stream to rows of the table telemetry,
// for Firehose.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
	"github.com/ashlar-cdk/ashlar/lambdas/transform/handler"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	layout, err := loadLayout()
	if err != nil {
		panic(err)
	}
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	lambda.Start(&handler.Handler{
		Layout: layout,
		Stream: &kinesisstream.Stream{
			Name: settings.Stream,
			API:  kinesisstream.NewClient(awsConfig),
		},
		Logger: logger,
	})
}

// loadLayout reads the schema beside the executable.
func loadLayout() (*telemetry.Layout, error) {
	encoded, err := fs.ReadFile(lambdaenv.Files(), contract.SchemaFile)
	if err != nil {
		return nil, fmt.Errorf("load the schema: %w", err)
	}
	schema, err := telemetryschema.ParseSchema(encoded)
	if err != nil {
		return nil, fmt.Errorf("load the schema: %w", err)
	}
	return telemetry.NewLayout(schema)
}
