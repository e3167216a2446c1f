// Package contract is what the thumbnails function and the construct that declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/thumbnails"

// Settings is what the thumbnails function is told by its construct. The bucket of the originals is in each event.
type Settings struct {
	ThumbnailBucket    string `env:"THUMBNAIL_BUCKET"`      // not one whose events the function takes
	TopicARN           string `env:"TOPIC_ARN"`             // hears of every picture that is finished
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"` // gets what no thumbnails can be made of
	Widths             []int  `env:"WIDTHS"`                // of the thumbnails, in pixels
	MaxBytes           int64  `env:"MAX_BYTES"`             // of an original
	MaxPixels          int    `env:"MAX_PIXELS"`            // of an original
}
