// Package mysqlstore implements the domain's stores in MySQL. Its errors are the domain's errors;
// they wrap MySQL's for the log.
//
// Transactions take locks in one order: the post's row, then the rows of accounts by ascending
// subject, then everything else. [lockAccounts] explains the consequences.
package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// read queries a replica, so the result may be some seconds old. It queries the writer for a row
// that the replica does not have yet, and instead of the replica while that is unavailable, for
// example while RDS patches it. The replica has half of ctx's time to respond.
func read[T any](
	ctx context.Context, databases *mysqlconn.Databases,
	query func(context.Context, *sql.DB) (T, error),
) (T, error) {
	if databases.Reader != databases.Writer {
		found, err := readReplica(ctx, databases.Reader, query)
		if !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, mysqlconn.ErrUnavailable) {
			return found, err
		}
	}
	return retryQuery(ctx, databases.Writer, query)
}

func readReplica[T any](
	ctx context.Context, replica *sql.DB, query func(context.Context, *sql.DB) (T, error),
) (T, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return retryQuery(ctx, replica, query)
}

func retryQuery[T any](
	ctx context.Context, db *sql.DB, query func(context.Context, *sql.DB) (T, error),
) (found T, err error) {
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

// A row is a [sql.Row] or the current row of [sql.Rows].
type row interface {
	Scan(columns ...any) error
}

// list runs the query and returns the result of scan for each row.
func list[T any](
	ctx context.Context, from queryer, scan func(row) (T, error), query string, args ...any,
) (found []T, err error) {
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

// orNotFound returns notFound for a missing row, and any other error unchanged.
func orNotFound(err, notFound error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return err
}

// failed wraps an error with the action that failed.
func failed(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}
