// Package schema migrates the platform's database to the schema of this build.
//
// The schema is defined by the files in migrations, which are applied in the order of their numbers
// and never changed once they have been deployed. MySQL commits implicitly around every statement
// that changes a schema, so a file has one statement: it is applied completely or not at all. Where
// MySQL allows it, the statement is idempotent (CREATE TABLE IF NOT EXISTS), for a process that
// ends between a statement and the record of it. There are no down migrations: the next file fixes
// a mistake. A file must not break the functions of the previous deployment, which run until they
// are replaced.
package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// A Result is the outcome of [Up].
type Result struct {
	// The number of the last file that was applied to the database.
	Version int64
	// The files that this call applied, in order; none when the database was up to date.
	Applied []string
}

// Up applies the migrations that db does not have yet. Concurrent calls are safe: the second waits,
// within ctx, and finds nothing left to do. Up leaves a database that is ahead of this build, as
// after a rollback of a deployment, unchanged. When a migration fails, the error names its file,
// and the files before it stay applied.
//
// Up needs two connections of db at a time.
func Up(ctx context.Context, db *sql.DB) (Result, error) {
	return up(ctx, db, migrations())
}

// Checksum identifies the migrations of this build: it changes when, and only when, one of the
// files does. A custom resource with the checksum as a property runs once for each change.
func Checksum() string {
	return checksum(migrations())
}

func migrations() fs.FS {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // only for a malformed path
	}
	return files
}

func up(ctx context.Context, db *sql.DB, files fs.FS) (Result, error) {
	provider, err := goose.NewProvider(goose.DialectMySQL, db, files,
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return Result{}, fmt.Errorf("schema: %w", err)
	}
	unlock, err := lock(ctx, db)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	applied, err := provider.Up(ctx)
	if err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			return Result{}, fmt.Errorf("schema: migration %s: %w",
				path.Base(partial.Failed.Source.Path), partial.Err)
		}
		return Result{}, fmt.Errorf("schema: %w", err)
	}
	var result Result
	for _, migration := range applied {
		result.Applied = append(result.Applied, path.Base(migration.Source.Path))
	}
	result.Version, err = provider.GetDBVersion(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("schema: read the version: %w", err)
	}
	return result, nil
}

func checksum(files fs.FS) string {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		panic(err) // only for a malformed pattern
	}
	hash := sha256.New()
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // cannot happen to an embedded file
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// lockName contains the database's name, since all databases of a server share one namespace for
// locks. The name is hashed, since a lock's name has at most 64 characters.
const lockName = "CONCAT('ashlar-schema-', MD5(DATABASE()))"

// lock waits until it holds the lock of this database. The lock belongs to a connection, so it is
// released when the process ends. goose's own locking does not suffice: it looks for pending
// migrations before it takes the lock, and two processes that create its table at that point see it
// without its first row.
func lock(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema: lock: %w", err)
	}
	unlock = func() {
		// ErrBadConn closes the connection, which releases the lock.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	for {
		// It waits one second at a time: a server that does not notice the end of ctx would
		// otherwise keep the connection in the queue.
		var got sql.NullBool
		wait := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lockName+", 1)")
		if err := wait.Scan(&got); err != nil {
			unlock()
			return nil, fmt.Errorf("schema: lock: %w", err)
		}
		if got.Bool {
			return unlock, nil
		}
	}
}
