// Package migrations holds the schema of the platform's database: one file for each change, with
// one statement each.
//
// The files are applied in the order of their numbers and never changed once they have been
// deployed: package schema refuses a file that was changed after it was applied. There are no down
// migrations: the next file fixes a mistake. A file must not break the functions of the previous
// deployment, which run until they are replaced.
package migrations

import "embed"

// Files are the migrations, at the root of the file system.
//
//go:embed *.sql
var Files embed.FS
