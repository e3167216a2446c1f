// Package contract provides the contract between the posts function and the stack that declares it.
// The function's routes are postsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/posts"

// Settings configures the posts function; its stack fills it.
type Settings struct {
	API      rest.Settings
	Tokens   token.Settings
	Pictures s3store.PictureSettings
	Media    pictures.Delivery `env:"MEDIA_URL"` // the CDN of pictures
	TopicARN string            `env:"TOPIC_ARN"` // gets a notifications.Message for new comments
	Database mysqlconn.Settings
}
