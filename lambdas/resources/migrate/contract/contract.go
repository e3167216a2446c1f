// Package contract defines the settings of the migrate function.
package contract

import "github.com/ashlar-cdk/ashlar/mysqlconn"

// Package is the function's import path, for gofunction.Props. Its Files are the migrations: SQL
// files in goose's format, at the root of the file system.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/migrate"

// Settings configures the migrate function; its stack fills it.
type Settings struct {
	Database mysqlconn.Settings // as the administrator
	App      mysqlconn.AppUser
}
