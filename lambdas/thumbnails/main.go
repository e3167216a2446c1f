// Command thumbnails generates the thumbnails of uploaded pictures, and deletes those of deleted
// originals. S3 sends event notifications about changed originals to the function's queue.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/adapters/snstopic"
	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadletter"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// memoryLimitPercent is Go's soft memory limit, in percent of the function's memory. The garbage
// collector does not know Lambda's limit: by default it lets the heap double before it runs, and
// the largest pictures need more than half of the memory.
const memoryLimitPercent = 75

func main() {
	debug.SetMemoryLimit(int64(lambdacontext.MemoryLimitInMB) << 20 / 100 * memoryLimitPercent)
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	objects := s3.NewFromConfig(awsConfig)
	reconciler := &thumbnails.Reconciler{
		Originals:  &s3store.Originals{API: objects},
		Thumbnails: &s3store.Thumbnails{Bucket: settings.ThumbnailBucket, API: objects},
		Notifier: &notifier{
			topic: &snstopic.Topic[message]{
				ARN: settings.TopicARN, API: sns.NewFromConfig(awsConfig),
			},
			prefixes: []string{
				settings.TempPrefix, settings.PermanentPrefix,
				settings.ProtectedPrefix, settings.PrivatePrefix,
			},
		},
		Widths:          settings.Widths,
		Limits:          imaging.Limits{Bytes: settings.MaxBytes, Pixels: settings.MaxPixels},
		PermanentPrefix: settings.PermanentPrefix,
		PrivatePrefix:   settings.PrivatePrefix,
		Generate:        imaging.Thumbnails,
	}
	deadLetters := &deadletter.Queue{
		URL: settings.DeadLetterQueueURL, API: sqs.NewFromConfig(awsConfig),
	}
	h := &handler{
		reconciler:      reconciler,
		deadLetters:     deadLetters,
		thumbnailBucket: settings.ThumbnailBucket,
		logger:          logger,
	}
	lambda.Start(h.Handle)
}
