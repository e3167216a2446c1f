// Package contract is what the post-confirmation function and the stack that declares it agree on.
package contract

import "github.com/ashlar-cdk/ashlar/mysqlconn"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/postconfirmation"

// Settings is what the post-confirmation function is told by its stack.
type Settings struct {
	Database mysqlconn.Settings
}
