// Command gallery consumes the events of changed pictures. It logs them; a real gallery would store
// the thumbnails' keys.
package main

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	thumbnails "github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger())
	lambda.Start(handle)
}

// handle returns the messages to retry. After five failures, a message goes to the dead-letter
// queue.
func handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	var response events.SQSEventResponse
	for _, message := range event.Records {
		var picture thumbnails.ThumbnailEvent
		if err := json.Unmarshal([]byte(message.Body), &picture); err != nil {
			slog.ErrorContext(ctx, "not a thumbnail event", "error", err)
			response.BatchItemFailures = append(response.BatchItemFailures,
				events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
			continue
		}
		slog.InfoContext(ctx, "picture changed", "key", picture.Key,
			"thumbnails", len(picture.Thumbnails))
	}
	return response, nil
}
