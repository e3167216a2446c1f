// Package mysqlstore keeps the domain in MySQL. Its errors are the domain's, with MySQL's wrapped for the log.
//
// Locks are taken in one order: the post's row, then the rows of accounts by ascending subject, then all else. What
// follows from it is said at [lockAccounts].
package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// read asks a replica, so the answer may be some seconds old. The writer is asked for what the replica does not have
// yet, and in its place while the replica is away, as it is when RDS patches it: the replica has half of ctx's time to
// answer.
func read[T any](ctx context.Context, databases *mysqlconn.Databases, query func(context.Context, *sql.DB) (T, error)) (T, error) {
	if databases.Reader != databases.Writer {
		found, err := readReplica(ctx, databases.Reader, query)
		if !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, mysqlconn.ErrUnavailable) {
			return found, err
		}
	}
	return retryQuery(ctx, databases.Writer, query)
}

func readReplica[T any](ctx context.Context, replica *sql.DB, query func(context.Context, *sql.DB) (T, error)) (T, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return retryQuery(ctx, replica, query)
}

func retryQuery[T any](ctx context.Context, db *sql.DB, query func(context.Context, *sql.DB) (T, error)) (found T, err error) {
	err = mysqlconn.Retry(ctx, func() error {
		found, err = query(ctx, db)
		return err
	})
	return found, err
}

// A queryer is a database or a transaction on it.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A row is one of a query's, or its only one.
type row interface {
	Scan(columns ...any) error
}

// list returns what scan makes of each row.
func list[T any](ctx context.Context, from queryer, scan func(row) (T, error), query string, args ...any) (found []T, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// orNotFound gives a missing row the domain's name for it.
func orNotFound(err, notFound error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return err
}

// failed says what could not be done, and in the domain's words that it may be tried again.
func failed(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mysqlconn.ErrUnavailable):
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}
