// Package reports generates the daily reports of the telemetry records.
package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// ErrConflict means that a file was replaced after its version was read.
var ErrConflict = errors.New("the file was replaced by another run")

// ErrTimeout means that a query exceeded its timeout and was stopped.
var ErrTimeout = errors.New("the query exceeded its timeout and was stopped")

// A State is the state of a query.
type State int

// The states of a query.
const (
	Running State = iota
	Succeeded
	Failed            // for a temporary reason: the same query may succeed
	FailedPermanently // the same query would fail again
)

// An Execution is the run of a query.
type Execution struct {
	State     State
	Reason    string    // of the failure
	Submitted time.Time // its result contains at least the data of that time
}

// Queries runs SQL.
type Queries interface {
	// Start starts a query whose parameters are strings, and returns its id. With a token that was
	// used before, it returns the id of the query that was started first.
	Start(ctx context.Context, token, sql string, parameters ...string) (id string, err error)

	// Get returns the state of a query.
	Get(ctx context.Context, id string) (Execution, error)

	// Rows returns the result of a query that has succeeded: the names of its columns and its rows.
	// Null is nil.
	Rows(ctx context.Context, id string) (names []string, rows [][]*string, err error)

	// Stop stops a query. It returns no error if the query has ended.
	Stop(ctx context.Context, id string) error
}

// A Version identifies the content of a file. The zero Version means that the file does not exist.
type Version struct {
	ETag string
	AsOf time.Time // the file contains at least the data of that time
}

// A File is a report of one day in one format.
type File struct {
	Key         string
	ContentType string
	Content     []byte
	AsOf        time.Time
}

// Files stores reports.
type Files interface {
	Version(ctx context.Context, key string) (Version, error)

	// Replace writes a file in place of the version. It returns [ErrConflict] if the file no longer
	// has that version.
	Replace(ctx context.Context, replaced Version, file File) error
}

// A Generator generates reports: docs/adr/0023-reports.md.
type Generator struct {
	Reports []telemetryschema.Report
	Queries Queries
	Files   Files
	Timeout time.Duration // a query that takes longer is stopped

	// WriteParquet writes a Parquet file: Write of package parquetfile.
	WriteParquet func(w io.Writer, columns []telemetryschema.Column, rows [][]any) error
}

// A Request asks for the reports of a day.
type Request struct {
	Day string // 2026-11-21; UTC
	ID  string // the same for each attempt at the same request

	// Attempt is the number of attempts at this request, this one included. Queries that failed in
	// earlier attempts are not retried; new ones are started instead.
	Attempt int
}

// queriesPerAttempt is the number of queries that an attempt starts for a report until one
// succeeds.
const queriesPerAttempt = 3

// Generate generates all reports of a day concurrently. If it succeeds, each file contains at least
// the data of the time at which Generate was called. A report that fails does not prevent the
// others.
func (g *Generator) Generate(ctx context.Context, request Request) error {
	failures := make([]error, len(g.Reports))
	var group sync.WaitGroup
	for i, report := range g.Reports {
		group.Go(func() {
			// A panic in a goroutine would end the process and all concurrent reports.
			defer func() {
				if cause := recover(); cause != nil {
					failures[i] = fmt.Errorf("%s: panic: %v\n%s", report.Name, cause, debug.Stack())
				}
			}()
			if err := g.generateReport(ctx, report, request); err != nil {
				failures[i] = fmt.Errorf("%s: %w", report.Name, err)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

func (g *Generator) generateReport(
	ctx context.Context, report telemetryschema.Report, request Request,
) error {
	id, asOf, err := g.runQuery(ctx, report, request)
	if err != nil {
		return err
	}
	rows, err := g.rows(ctx, report, id)
	if err != nil {
		return err
	}
	var parquet, csv bytes.Buffer
	if err := g.WriteParquet(&parquet, report.Columns, rows); err != nil {
		return err
	}
	if err := writeCSV(&csv, report.Columns, rows); err != nil {
		return err
	}
	for _, file := range []File{
		{
			Key:         Key("parquet", report.Name, request.Day),
			ContentType: "application/vnd.apache.parquet",
			Content:     parquet.Bytes(),
			AsOf:        asOf,
		},
		{
			Key:         Key("csv", report.Name, request.Day),
			ContentType: "text/csv; charset=utf-8",
			Content:     csv.Bytes(),
			AsOf:        asOf,
		},
	} {
		if err := g.replaceFile(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// Key returns the key of a report's file in a format, parquet or csv.
func Key(format, report, day string) string {
	return fmt.Sprintf("%s/%s/day=%s/%s.%s", format, report, day, report, format)
}

// runQuery returns the id of a query that has succeeded, and the time up to which its result is
// complete.
func (g *Generator) runQuery(
	ctx context.Context, report telemetryschema.Report, request Request,
) (id string, asOf time.Time, err error) {
	var failure error
	// Each try is a query of its own, identified by its token. The tries of earlier attempts have
	// already failed and are not charged again.
	for try := range queriesPerAttempt * max(request.Attempt, 1) {
		id, err := g.start(ctx, report, request, try)
		if err != nil {
			return "", time.Time{}, err
		}
		execution, err := g.await(ctx, id)
		if err != nil {
			return "", time.Time{}, err
		}
		switch execution.State {
		case Succeeded:
			return id, execution.Submitted, nil
		case FailedPermanently:
			return "", time.Time{}, fmt.Errorf("query %s: %s", id, execution.Reason)
		}
		failure = fmt.Errorf("query %s: %w: %s", id, retry.ErrUnavailable, execution.Reason)
	}
	return "", time.Time{}, failure
}

// start starts a query, and retries temporary failures.
func (g *Generator) start(
	ctx context.Context, report telemetryschema.Report, request Request, try int,
) (id string, err error) {
	err = retry.Do(ctx, func() error {
		id, err = g.Queries.Start(ctx, token(report, request, try), report.SQL, request.Day)
		return err
	}, retry.If(retry.Unavailable))
	return id, err
}

// token identifies a query by everything that it depends on. A repeated request, intended or not,
// gets the query that was started first and is already paid for.
func token(report telemetryschema.Report, request Request, try int) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d",
		report.SQL, request.Day, request.ID, try))
	return hex.EncodeToString(hash[:])
}

// stopTimeout is the time reserved for stopping a query before the function's deadline.
const stopTimeout = 3 * time.Second

// await waits until a query has ended. It stops a query that exceeds g.Timeout or the time of ctx,
// because no later call may read its result.
func (g *Generator) await(ctx context.Context, id string) (Execution, error) {
	limited, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	if end, ok := ctx.Deadline(); ok {
		limited, cancel = context.WithDeadline(limited, end.Add(-stopTimeout))
		defer cancel()
	}
	execution, err := g.poll(limited, id)
	if err != nil && limited.Err() != nil {
		err = errors.Join(ErrTimeout, g.Queries.Stop(ctx, id))
		return Execution{}, fmt.Errorf("query %s: %w: %w", id, retry.ErrUnavailable, err)
	}
	return execution, err
}

// The intervals between two polls of a query. Each is twice the one before.
const firstPollInterval, maxPollInterval = 100 * time.Millisecond, 2 * time.Second

// poll polls a query's execution until it has ended.
func (g *Generator) poll(ctx context.Context, id string) (execution Execution, err error) {
	for interval := firstPollInterval; ; interval = min(2*interval, maxPollInterval) {
		err = retry.Do(ctx, func() error {
			execution, err = g.Queries.Get(ctx, id)
			return err
		}, retry.If(retry.Unavailable))
		if err != nil || execution.State != Running {
			return execution, err
		}
		if err := retry.Wait(ctx, interval); err != nil {
			return Execution{}, err
		}
	}
}

// rows returns a query's result, converted to the types of the report's columns.
func (g *Generator) rows(
	ctx context.Context, report telemetryschema.Report, id string,
) ([][]any, error) {
	var (
		names []string
		texts [][]*string
	)
	err := retry.Do(ctx, func() (err error) {
		names, texts, err = g.Queries.Rows(ctx, id)
		return err
	}, retry.If(retry.Unavailable))
	if err != nil {
		return nil, err
	}
	named := func(name string, column telemetryschema.Column) bool { return name == column.Name }
	if !slices.EqualFunc(names, report.Columns, named) {
		return nil, fmt.Errorf("the query returned the columns %q, want %v",
			names, report.Columns)
	}
	rows := make([][]any, len(texts))
	for n, row := range texts {
		if len(row) != len(report.Columns) {
			return nil, fmt.Errorf("row %d has %d values, want %d",
				n+1, len(row), len(report.Columns))
		}
		rows[n] = make([]any, len(row))
		for i, text := range row {
			if rows[n][i], err = parse(report.Columns[i], text); err != nil {
				return nil, fmt.Errorf("row %d: %s: %w", n+1, report.Columns[i].Name, err)
			}
		}
	}
	return rows, nil
}

// timestamp is the layout of Athena's timestamps.
const timestamp = "2006-01-02 15:04:05.999999999"

// parse returns a value in the Go type that [Generator.WriteParquet] expects.
func parse(column telemetryschema.Column, text *string) (any, error) {
	if text == nil {
		return nil, nil
	}
	switch column.Type {
	case telemetryschema.Bigint:
		return strconv.ParseInt(*text, 10, 64)
	case telemetryschema.Double:
		return strconv.ParseFloat(*text, 64)
	case telemetryschema.Boolean:
		return strconv.ParseBool(*text)
	case telemetryschema.Timestamp:
		return time.Parse(timestamp, *text)
	}
	return *text, nil
}

// replaceFile replaces the file unless the existing one contains at least the same data: a query
// that an earlier run of the function started may be older than the file, though this run reads its
// result only now.
func (g *Generator) replaceFile(ctx context.Context, file File) error {
	retryable := func(err error) bool {
		return errors.Is(err, ErrConflict) || retry.Unavailable(err)
	}
	return retry.Do(ctx, func() error {
		existing, err := g.Files.Version(ctx, file.Key)
		if err != nil || !existing.AsOf.Before(file.AsOf) {
			return err
		}
		return g.Files.Replace(ctx, existing, file)
	}, retry.If(retryable))
}
