// Package contract defines the settings of the thumbnails function.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/thumbnails"

// Settings configures the thumbnails function; its construct fills it. The bucket of the originals
// is in each event.
type Settings struct {
	ThumbnailBucket    string `env:"THUMBNAIL_BUCKET"`      // not a source of the function's events
	TopicARN           string `env:"TOPIC_ARN"`             // receives the thumbnail events
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"` // receives rejected pictures
	Widths             []int  `env:"WIDTHS"`                // of the thumbnails, in pixels
	MaxBytes           int64  `env:"MAX_BYTES"`             // of an original
	MaxPixels          int    `env:"MAX_PIXELS"`            // of an original
}
