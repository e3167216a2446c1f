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

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// ErrConflict says that a file is another one than it was when it was looked at.
var ErrConflict = errors.New("the file has changed meanwhile")

// ErrTimeout says that a query took too long, and was stopped.
var ErrTimeout = errors.New("the query took too long, and was stopped")

// A State is how far a query is.
type State int

// The states of a query.
const (
	Running State = iota
	Succeeded
	Failed            // not by the query: another one may succeed
	FailedPermanently // another one would fail as well
)

// An Execution is a query that was started.
type Execution struct {
	State     State
	Reason    string    // why it has failed
	Submitted time.Time // its result has at least what there was then
}

// Queries run SQL.
type Queries interface {
	// Start starts a query whose parameters are strings, and returns its id. Who starts it again with the same token gets the
	// id of the query that was started first.
	Start(ctx context.Context, token, sql string, parameters ...string) (id string, err error)

	// Get tells how far a query is.
	Get(ctx context.Context, id string) (Execution, error)

	// Rows returns the result of a query that has succeeded: the names of its columns, and its rows, in which null is nil.
	Rows(ctx context.Context, id string) (names []string, rows [][]*string, err error)

	// Stop stops a query. It is no error when it has ended.
	Stop(ctx context.Context, id string) error
}

// A Version is what is known of a file. The zero Version is that of a file that is not there.
type Version struct {
	ETag string
	AsOf time.Time // the file has at least what there was then
}

// A File is one of a day of a report.
type File struct {
	Key         string
	ContentType string
	Content     []byte
	AsOf        time.Time
}

// Files are where reports are kept.
type Files interface {
	Version(ctx context.Context, key string) (Version, error)

	// Replace writes a file in the place of the version. It fails with [ErrConflict] when that is not there any more.
	Replace(ctx context.Context, replaced Version, file File) error
}

// A Generator makes reports: docs/adr/0023-reports.md.
type Generator struct {
	Reports []Report
	Queries Queries
	Files   Files
	Timeout time.Duration // a query that takes longer is stopped

	// WriteParquet is that of package parquetfile.
	WriteParquet func(w io.Writer, columns []columns.Column, rows [][]any) error
}

// A Request asks for the reports of a day.
type Request struct {
	Day string // 2026-11-21; UTC
	ID  string // the same whenever the same is asked for

	// Attempt counts how often the same was asked for, this time included. Queries that failed in
	// earlier attempts are not run again, but others in their place.
	Attempt int
}

// queriesPerAttempt is how many queries an attempt starts for a report until one succeeds.
const queriesPerAttempt = 3

// Generate makes all reports of a day, at the same time. Each file has what there was when Generate
// was called, or more, if it does not fail. One report that fails keeps no other from being made.
func (g *Generator) Generate(ctx context.Context, request Request) error {
	failures := make([]error, len(g.Reports))
	var group sync.WaitGroup
	for i, report := range g.Reports {
		group.Go(func() {
			defer func() { // here, it would end the process, and with it all that is made at the same time
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

func (g *Generator) generateReport(ctx context.Context, report Report, request Request) error {
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
		{Key: Key("parquet", report.Name, request.Day), ContentType: "application/vnd.apache.parquet", Content: parquet.Bytes(), AsOf: asOf},
		{Key: Key("csv", report.Name, request.Day), ContentType: "text/csv; charset=utf-8", Content: csv.Bytes(), AsOf: asOf},
	} {
		if err := g.replaceFile(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// Key is that of a report's file in a format, parquet or csv.
func Key(format, report, day string) string {
	return fmt.Sprintf("%s/%s/day=%s/%s.%s", format, report, day, report, format)
}

// runQuery returns the id of a query that has succeeded, and the time up to which its result is
// complete.
func (g *Generator) runQuery(
	ctx context.Context, report Report, request Request,
) (id string, asOf time.Time, err error) {
	var failure error
	// Each try is a query of its own, by its token. Those of earlier attempts have failed already,
	// and cost nothing again.
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

// start starts a query, and retries while that is throttled.
func (g *Generator) start(
	ctx context.Context, report Report, request Request, try int,
) (id string, err error) {
	err = retry.Do(ctx, func() error {
		id, err = g.Queries.Start(ctx, token(report, request, try), report.SQL, request.Day)
		return err
	}, retry.If(retry.Unavailable))
	return id, err
}

// token names a query by all that it depends on, so that who does the same again, knowing or not
// that it was done before, gets the query that was started then, which has been paid for.
func token(report Report, request Request, try int) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d",
		report.SQL, request.Day, request.ID, try))
	return hex.EncodeToString(hash[:])
}

// stopTimeout is how long stopping a query may take, for which time is left. Until then the function
// is not ended.
const stopTimeout = 3 * time.Second

// await waits until a query has ended. It stops a query that exceeds g.Timeout or the time of ctx:
// nobody might come back for its result.
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

// The intervals between two polls of a query: each is twice as long as the one before.
const firstPollInterval, maxPollInterval = 100 * time.Millisecond, 2 * time.Second

// poll gets a query's execution until it has ended.
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

// rows returns a query's result as the report's columns have it.
func (g *Generator) rows(ctx context.Context, report Report, id string) ([][]any, error) {
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
	named := func(name string, column columns.Column) bool { return name == column.Name }
	if !slices.EqualFunc(names, report.Columns, named) {
		return nil, fmt.Errorf("the query has the columns %q, and the report's are %v",
			names, report.Columns)
	}
	rows := make([][]any, len(texts))
	for n, row := range texts {
		if len(row) != len(report.Columns) {
			return nil, fmt.Errorf("row %d has %d values, and there are %d columns",
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

// timestamp is how Athena writes one.
const timestamp = "2006-01-02 15:04:05.999999999"

// parse returns a value as [Generator.WriteParquet] takes it.
func parse(column columns.Column, text *string) (any, error) {
	if text == nil {
		return nil, nil
	}
	switch column.Type {
	case "bigint":
		return strconv.ParseInt(*text, 10, 64)
	case "double":
		return strconv.ParseFloat(*text, 64)
	case "boolean":
		return strconv.ParseBool(*text)
	case "timestamp":
		return time.Parse(timestamp, *text)
	}
	return *text, nil
}

// replaceFile puts the file in its place, unless there is one that has as much as it or more. A query that another function started
// may be older than the file, though it is only found now.
func (g *Generator) replaceFile(ctx context.Context, file File) error {
	retryable := func(err error) bool { return errors.Is(err, ErrConflict) || retry.Unavailable(err) }
	return retry.Do(ctx, func() error {
		existing, err := g.Files.Version(ctx, file.Key)
		if err != nil || !existing.AsOf.Before(file.AsOf) {
			return err
		}
		return g.Files.Replace(ctx, existing, file)
	}, retry.If(retryable))
}
