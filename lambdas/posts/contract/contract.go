// Package contract provides the contract between the posts function and the stack that declares it.
// The function's routes are postsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/posts"

// Settings configures the posts function; its stack fills it.
type Settings struct {
	API             rest.Settings
	TokenKeyARN     string `env:"TOKEN_KEY_ARN"`    // the secret that seals cursors
	OriginalsBucket string `env:"ORIGINALS_BUCKET"` // of uploads and promoted pictures
	MediaURL        string `env:"MEDIA_URL"`        // of the CDN of pictures
	TopicARN        string `env:"TOPIC_ARN"`        // gets a notifications.Message for new comments
	Database        mysqlconn.Settings
}
