// Package contract is what the migrate function and the stack that declares it agree on.
package contract

import "github.com/ashlar-cdk/ashlar/mysqlconn"

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate"

// Settings is what the migrate function is told by its stack.
type Settings struct {
	Database mysqlconn.Settings // as the administrator
	App      mysqlconn.AppUser
}
