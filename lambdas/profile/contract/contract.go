// Package contract is what the profile function and the stack that declares it agree on.
package contract

import "github.com/ashlar-cdk/ashlar/mysqlconn"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/profile"

// Settings is what the profile function is told by its stack.
type Settings struct {
	Database       mysqlconn.Settings
	AllowedOrigins []string `env:"ALLOWED_ORIGINS"` // the web origins that may read an answer (CORS): https://app.example.com
}
