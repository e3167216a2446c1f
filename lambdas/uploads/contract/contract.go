// Package contract provides the contract between the uploads function and the stack that declares
// it. The function's routes are uploadsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/uploads"

// Settings configures the uploads function; its stack fills it.
type Settings struct {
	API     rest.Settings
	Uploads s3store.UploadSettings
	Media   pictures.Delivery `env:"MEDIA_URL"` // the CDN of pictures
}
