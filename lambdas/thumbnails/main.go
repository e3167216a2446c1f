// Command thumbnails makes the thumbnails of what is uploaded, and takes those away whose original has gone. S3 says by a
// queue which originals have changed.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ashlar-cdk/ashlar/internal/deadletter"
	"github.com/ashlar-cdk/ashlar/internal/imaging"
	"github.com/ashlar-cdk/ashlar/internal/pictures"
	"github.com/ashlar-cdk/ashlar/internal/s3store"
	"github.com/ashlar-cdk/ashlar/internal/snstopic"
	"github.com/ashlar-cdk/ashlar/internal/thumbnails"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// answerTimeout is how long a service may take until it begins to answer. Then the SDK tries again, on another
// connection; without it, one silent server has all the time that the function has.
const answerTimeout = 3 * time.Second

// usable is the part of its memory, in hundredths, that the function may fill before it collects what is not used any more.
// Go does not know Lambda's limit: by itself, it lets the memory double first, and the largest pictures need more than half.
const usable = 75

func main() {
	debug.SetMemoryLimit(int64(lambdacontext.MemoryLimitInMB) << 20 / 100 * usable)
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	client := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.ResponseHeaderTimeout = answerTimeout
	})
	awsConfig, err := config.LoadDefaultConfig(context.Background(), config.WithHTTPClient(client))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	objects := s3.NewFromConfig(awsConfig)
	follower := &thumbnails.Follower{
		Originals:  &s3store.Originals{API: objects},
		Thumbnails: &s3store.Thumbnails{Bucket: settings.ThumbnailBucket, API: objects},
		Notifier:   &snstopic.Topic[pictures.Finished]{ARN: settings.TopicARN, API: sns.NewFromConfig(awsConfig)},
		Widths:     settings.Widths,
		Limits:     imaging.Limits{Bytes: settings.MaxBytes, Pixels: settings.MaxPixels},
		Make:       imaging.Thumbnails,
	}
	h := &handler{
		follower:        follower,
		deadLetters:     &deadletter.Queue{URL: settings.DeadLetterQueueURL, API: sqs.NewFromConfig(awsConfig)},
		thumbnailBucket: settings.ThumbnailBucket,
		logger:          logger,
	}
	lambda.Start(h.Handle)
}
