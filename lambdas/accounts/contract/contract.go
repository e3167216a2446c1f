// Package contract provides the contract between the accounts function and the stack that declares
// it. The function's routes are accountsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/accounts"

// Settings configures the accounts function; its stack fills it.
type Settings struct {
	API      rest.Settings
	Tokens   token.Settings
	Users    cognito.Settings
	Pictures s3store.PictureSettings
	Media    pictures.Delivery `env:"MEDIA_URL"` // the CDN of pictures
	Database mysqlconn.Settings
}
