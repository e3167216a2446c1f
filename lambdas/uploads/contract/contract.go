// Package contract provides the contract between the uploads function and the stack that declares
// it. The function's routes are uploadsapi.Routes.
package contract

import (
	"time"

	"github.com/ashlar-cdk/ashlar/rest"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/uploads"

// Settings configures the uploads function; its stack fills it.
type Settings struct {
	API             rest.Settings
	OriginalsBucket string `env:"ORIGINALS_BUCKET"`
	MediaURL        string `env:"MEDIA_URL"` // of the CDN of pictures

	// UploadLifetime is how long after it was presigned an upload may begin.
	UploadLifetime time.Duration `env:"UPLOAD_LIFETIME"`

	// TransferAcceleration uploads to the accelerated endpoint, which must be enabled for the
	// bucket.
	TransferAcceleration bool `env:"TRANSFER_ACCELERATION"`
}
