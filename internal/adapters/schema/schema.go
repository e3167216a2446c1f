// Package schema brings the platform's database to the schema that this build works with.
//
// The schema is the files in migrations, applied in the order of their numbers and never changed once they have been
// deployed. MySQL commits around every statement that changes a schema, so a file is one statement: it happens whole
// or not at all. Where MySQL allows it, the statement may run twice (CREATE TABLE IF NOT EXISTS), for a process that
// dies between a statement and the record of it. There is no way down: a mistake is mended by the next file, and a
// file must leave the functions of the previous deployment working, which run on until they are replaced.
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

// A Result says what [Up] did.
type Result struct {
	Version int64    // the number of the last file that the database has seen
	Applied []string // the files applied now, in order; none when the database was up to date
}

// Up applies the migrations that db has not seen yet. It may be called by two at once: the second waits, within ctx,
// and finds nothing left to do. A database that is ahead of this build, as after a deployment was rolled back, is
// left as it is. When a migration fails, the error names its file, and those before it stay applied.
//
// Up needs two connections of db at a time.
func Up(ctx context.Context, db *sql.DB) (Result, error) {
	return up(ctx, db, migrations())
}

// Checksum identifies the migrations of this build: it changes when, and only when, one of the files does. A custom
// resource with the checksum as a property runs once for each change.
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
	provider, err := goose.NewProvider(goose.DialectMySQL, db, files, goose.WithDisableGlobalRegistry(true))
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
			return Result{}, fmt.Errorf("schema: migration %s: %w", path.Base(partial.Failed.Source.Path), partial.Err)
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

// lockName is in the server's one name space, hence the database; a name has at most 64 characters, hence the hash.
const lockName = "CONCAT('ashlar-schema-', MD5(DATABASE()))"

// lock waits until it is the only one in this database to hold the lock. The lock is a connection's, so that it ends
// with a process that dies. goose's own locking will not do: it looks for pending migrations before it takes the
// lock, and two who create its table at that point see it without its first row.
func lock(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema: lock: %w", err)
	}
	unlock = func() {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // ends the connection, and so the lock
	}
	for {
		// One second at a time, lest a server that never hears of the end of ctx keeps waiting in line.
		var got sql.NullBool
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lockName+", 1)").Scan(&got); err != nil {
			unlock()
			return nil, fmt.Errorf("schema: lock: %w", err)
		}
		if got.Bool {
			return unlock, nil
		}
	}
}
