// Package schema applies schema migrations to a MySQL database: SQL files in goose's format, in the
// order of the numbers that their names begin with.
//
// MySQL commits implicitly around every statement that changes a schema, so a file should have one
// statement: it is then applied completely or not at all. Where MySQL allows it, the statement is
// idempotent (CREATE TABLE IF NOT EXISTS), for a process that ends between a statement and the
// record of it. Migrations only move forward: the next file fixes a mistake.
package schema

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
)

// A Result is the outcome of [Up].
type Result struct {
	// The number of the last file that was applied to the database.
	Version int64
	// The files that this call applied, in order; none when the database was up to date.
	Applied []string
}

// Up applies the migrations that db does not have yet: the SQL files at the root of files.
// Concurrent calls are safe: the second waits, within ctx, and finds nothing left to do. Up leaves
// a database that is ahead of files, as after a rollback of a deployment, unchanged. When a
// migration fails, the error names its file, and the files before it stay applied. A file that was
// changed after it was applied is an error, before anything is applied.
//
// Up needs two connections of db at a time.
func Up(ctx context.Context, db *sql.DB, files fs.FS) (Result, error) {
	provider, err := goose.NewProvider(goose.DialectMySQL, db, files,
		goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return Result{}, errors.New(
			"schema: there are no migrations, want files with names such as 0001_users.sql")
	}
	if err != nil {
		return Result{}, fmt.Errorf("schema: %w", err)
	}
	unlock, err := lock(ctx, db)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if err := recordChecksums(ctx, db, provider, files); err != nil {
		return Result{}, err
	}
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

// recordChecksums records the checksums of the files that are about to be applied, and fails if a
// file that is applied has another checksum than the recorded one. goose records only the number of
// a file, and would ignore the change. A file that failed may change.
func recordChecksums(
	ctx context.Context, db *sql.DB, provider *goose.Provider, files fs.FS,
) error {
	_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS goose_db_checksum "+
		"(version_id BIGINT NOT NULL PRIMARY KEY, sha256 CHAR(64) NOT NULL)")
	if err != nil {
		return fmt.Errorf("schema: create the table goose_db_checksum: %w", err)
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	var changed []error
	for _, migration := range status {
		version, name := migration.Source.Version, path.Base(migration.Source.Path)
		content, err := fs.ReadFile(files, migration.Source.Path)
		if err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		// A checkout on Windows may have other line ends.
		sum := sha256.Sum256(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
		checksum, recorded := hex.EncodeToString(sum[:]), ""
		err = db.QueryRowContext(ctx,
			"SELECT sha256 FROM goose_db_checksum WHERE version_id = ?", version).Scan(&recorded)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("schema: read the checksum of %s: %w", name, err)
		}
		if recorded == checksum {
			continue
		}
		if recorded != "" && migration.State == goose.StateApplied {
			changed = append(changed, fmt.Errorf("schema: %s was changed after it was applied; "+
				"restore it and make the change in a new file", name))
			continue
		}
		_, err = db.ExecContext(ctx,
			"REPLACE INTO goose_db_checksum (version_id, sha256) VALUES (?, ?)", version, checksum)
		if err != nil {
			return fmt.Errorf("schema: record the checksum of %s: %w", name, err)
		}
	}
	return errors.Join(changed...)
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
