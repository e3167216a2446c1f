// Package contract provides the contract between the accounts function and the stack that declares
// it. The function's routes are accountsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/accounts"

// Settings configures the accounts function; its stack fills it.
type Settings struct {
	API             rest.Settings
	TokenKeyARN     string `env:"TOKEN_KEY_ARN"`    // the secret that seals cursors and links
	UserPoolID      string `env:"USER_POOL_ID"`     // of the users whose accounts are deleted
	OriginalsBucket string `env:"ORIGINALS_BUCKET"` // of uploads and promoted pictures
	MediaURL        string `env:"MEDIA_URL"`        // of the CDN of pictures
	Database        mysqlconn.Settings
}
