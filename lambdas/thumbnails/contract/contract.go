// Package contract defines the settings of the thumbnails function, and the events that it
// publishes.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/thumbnails"

// Settings configures the thumbnails function; its construct fills it. The bucket of the originals
// is in each event.
type Settings struct {
	ThumbnailBucket    string `env:"THUMBNAIL_BUCKET"`      // not a source of the function's events
	TopicARN           string `env:"TOPIC_ARN"`             // receives a ThumbnailEvent per change
	DeadLetterQueueURL string `env:"DEAD_LETTER_QUEUE_URL"` // receives rejected pictures
	Widths             []int  `env:"WIDTHS"`                // of the thumbnails, in pixels
	MaxBytes           int64  `env:"MAX_BYTES"`             // of an original
	MaxPixels          int    `env:"MAX_PIXELS"`            // of an original

	// Key prefixes, with a slash at the end. They decide how long browsers and CloudFront cache a
	// thumbnail, and are an attribute of its event.
	TempPrefix      string `env:"TEMP_PREFIX"`      // cached for 5 minutes, as are all other keys
	PermanentPrefix string `env:"PERMANENT_PREFIX"` // never overwritten; cached for a day
	ProtectedPrefix string `env:"PROTECTED_PREFIX"` // cached for 5 minutes
	PrivatePrefix   string `env:"PRIVATE_PREFIX"`   // cached for 5 minutes, by browsers only
}
