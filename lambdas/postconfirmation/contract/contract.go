// Package contract defines the settings of the post-confirmation function; its stack fills them.
package contract

import "github.com/ashlar-cdk/ashlar/mysqlconn"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/postconfirmation"

// Settings configures the post-confirmation function; its stack fills it.
type Settings struct {
	Database mysqlconn.Settings
}
