// Package contract is what the uploads function and the stack that declares it agree on. The routes that it answers are
// uploadsapi.Routes.
package contract

import (
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/uploads"

// Settings is what the uploads function is told by its stack.
type Settings struct {
	API     rest.Settings
	Uploads s3store.UploadSettings
	Media   pictures.Delivery `env:"MEDIA_URL"` // where uploads are seen
}
