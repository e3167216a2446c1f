package mysqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// ErrUnavailable is a temporary failure: the database could not be reached, retries were used up,
// or it did not respond before the context's deadline. The same work may succeed later. A handler
// of package rest that returns it responds with 503.
var ErrUnavailable error = unavailableError{}

// unavailableError is the database's temporary failure among all others.
type unavailableError struct{}

func (unavailableError) Error() string { return "database unavailable" }
func (unavailableError) Unwrap() error { return retry.ErrUnavailable }

const (
	// maxTries is enough for a deadlock or a lost connection. A failover takes longer than a
	// request may.
	maxTries = 4

	// Between two tries: random by half, so that the transactions of a deadlock do not collide
	// again.
	firstInterval = 50 * time.Millisecond
	maxInterval   = time.Second
)

// Error numbers of MySQL and MariaDB for temporary failures. Those of a read-only server (1290,
// 1792, 1836) are not among them, since the driver turns them into [driver.ErrBadConn].
const (
	tooManyConnections     = 1040
	accessDenied           = 1045
	serverShutdown         = 1053 // also MySQL's error on a killed connection
	tooManyUserConnections = 1203
	lockWaitTimeout        = 1205
	deadlock               = 1213
	connectionKilled       = 1927 // MariaDB only
)

// Transact runs work in a transaction on db and commits it when work returns nil.
//
// It retries the transaction from the start when it failed with a deadlock (1213), a lock wait
// timeout (1205), a broken or killed connection or a server that became read-only: up to four
// tries, with short random intervals, within ctx. When the connection breaks during a commit, it is
// unknown whether the commit was applied, so work must be idempotent: run twice, it leaves the
// database as if run once. Any other error is returned unchanged, at once.
//
// work must use only its transaction, and return the errors that it gets, wrapped or not. When it
// panics, the transaction is rolled back.
func Transact(ctx context.Context, db *sql.DB, work func(*sql.Tx) error) error {
	return Retry(ctx, func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		// Error 1205 rolls back its statement only: without this, the rest would keep its locks and
		// be applied twice. Rollback fails after a commit and on a lost connection, when there is
		// nothing to roll back.
		defer func() { _ = tx.Rollback() }()
		if err := work(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// Retry is [Transact] for work that is one statement, such as a query, and needs no transaction.
func Retry(ctx context.Context, work func() error) error {
	var last error
	err := retry.Do(ctx, func() error {
		last = work()
		return last
	}, retry.If(isRetryable), retry.MaxTries(maxTries), retry.Intervals(firstInterval, maxInterval))
	switch {
	case err == nil, errors.Is(last, ErrUnavailable):
		return last
	case isTransient(last), errors.Is(last, context.DeadlineExceeded),
		// Commit of database/sql returns ErrTxDone after the deadline.
		errors.Is(last, sql.ErrTxDone) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnavailable, last)
	default:
		return last
	}
}

// isRetryable reports whether Retry runs the same work again. Work that has already retried is not
// retried again.
func isRetryable(err error) bool { return isTransient(err) && !errors.Is(err, ErrUnavailable) }

// isTransient reports whether the same work may succeed shortly.
func isTransient(err error) bool {
	if isNumber(err, tooManyConnections, serverShutdown, tooManyUserConnections, lockWaitTimeout,
		deadlock, connectionKilled) {
		return true
	}
	for _, broken := range []error{
		driver.ErrBadConn, mysql.ErrInvalidConn, syscall.ECONNRESET, syscall.EPIPE, io.EOF,
		io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	var network *net.OpError // refused, unreachable, timed out
	var name *net.DNSError
	return errors.As(err, &network) || errors.As(err, &name)
}

func isNumber(err error, numbers ...uint16) bool {
	var failure *mysql.MySQLError
	return errors.As(err, &failure) && slices.Contains(numbers, failure.Number)
}
