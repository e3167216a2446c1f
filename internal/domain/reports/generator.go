package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// ErrChanged says that a file is another one than it was when it was looked at.
var ErrChanged = errors.New("the file has changed meanwhile")

// ErrOverran says that a query took too long, and was stopped.
var ErrOverran = errors.New("the query took too long, and was stopped")

// A State is how far a query is.
type State int

// The states of a query.
const (
	Running State = iota
	Succeeded
	Failed // not by the query: another one may succeed
	Wrong  // another one would fail as well
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

	// Replace writes a file in the place of the version. It fails with [ErrChanged] when that is not there any more.
	Replace(ctx context.Context, replaced Version, file File) error
}

// A Maker makes reports: docs/adr/0023-reports.md.
type Maker struct {
	Reports []Report
	Queries Queries
	Files   Files
	Timeout time.Duration // a query that takes longer is stopped

	// WriteParquet is that of package parquetfile.
	WriteParquet func(w io.Writer, columns []columns.Column, rows [][]any) error
}

// A Window is why reports of a day are made: what has come since they were made last.
type Window struct {
	Day string // 2026-11-21; UTC
	ID  string // the same whenever the same is asked for

	// Asked counts how often it was asked for, this time included. What failed the times before is not tried again, but others
	// in its place.
	Asked int
}

// tries is how many queries are started for a report until one succeeds, before its window has to be asked for again.
const tries = 3

// Make makes all reports of a day, at the same time. Each file has what there was when Make was called, or more, if it does
// not fail. One report that fails keeps no other from being made.
func (m *Maker) Make(ctx context.Context, window Window) error {
	failures := make([]error, len(m.Reports))
	var group sync.WaitGroup
	for i, report := range m.Reports {
		group.Go(func() {
			defer func() { // here, it would end the process, and with it all that is made at the same time
				if cause := recover(); cause != nil {
					failures[i] = fmt.Errorf("%s: panic: %v\n%s", report.Name, cause, debug.Stack())
				}
			}()
			if err := m.makeReport(ctx, report, window); err != nil {
				failures[i] = fmt.Errorf("%s: %w", report.Name, err)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

func (m *Maker) makeReport(ctx context.Context, report Report, window Window) error {
	id, asOf, err := m.query(ctx, report, window)
	if err != nil {
		return err
	}
	rows, err := m.rows(ctx, report, id)
	if err != nil {
		return err
	}
	var parquet, csv bytes.Buffer
	if err := m.WriteParquet(&parquet, report.Columns, rows); err != nil {
		return err
	}
	if err := writeCSV(&csv, report.Columns, rows); err != nil {
		return err
	}
	for _, file := range []File{
		{Key: Key("parquet", report.Name, window.Day), ContentType: "application/vnd.apache.parquet", Content: parquet.Bytes(), AsOf: asOf},
		{Key: Key("csv", report.Name, window.Day), ContentType: "text/csv; charset=utf-8", Content: csv.Bytes(), AsOf: asOf},
	} {
		if err := m.write(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// Key is that of a report's file in a format, parquet or csv.
func Key(format, report, day string) string {
	return fmt.Sprintf("%s/%s/day=%s/%s.%s", format, report, day, report, format)
}

// query returns a query that has succeeded, and since when what there was is in its result.
func (m *Maker) query(ctx context.Context, report Report, window Window) (id string, asOf time.Time, err error) {
	for try := range tries * max(window.Asked, 1) {
		id, err = insist(ctx, func() (string, error) {
			return m.Queries.Start(ctx, token(report, window, try), report.SQL, window.Day)
		})
		if err != nil {
			return "", time.Time{}, err
		}
		var done Execution
		if done, err = m.await(ctx, id); err != nil {
			return "", time.Time{}, err
		}
		switch done.State {
		case Succeeded:
			return id, done.Submitted, nil
		case Wrong:
			return "", time.Time{}, fmt.Errorf("query %s: %s", id, done.Reason)
		}
		err = fmt.Errorf("query %s: %w: %s", id, retry.ErrUnavailable, done.Reason)
	}
	return "", time.Time{}, err
}

// token names a query by all that it depends on, so that who does the same again, knowing or not that it was done before, gets
// the query that was started then, which has been paid for.
func token(report Report, window Window, try int) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d", report.SQL, window.Day, window.ID, try))
	return hex.EncodeToString(hash[:])
}

// The pauses between two looks at a query, and before what was refused for the moment is tried again: each is twice as long as
// the one before.
const firstPause, longestPause = 100 * time.Millisecond, 2 * time.Second

// stopping is how long stopping a query may take, for which time is left. Until then the function is not ended.
const stopping = 3 * time.Second

// await waits until a query has ended. One that takes too long is stopped, as is one that there is no time for: nobody might
// come back for its result.
func (m *Maker) await(ctx context.Context, id string) (Execution, error) {
	waiting, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	if end, ok := ctx.Deadline(); ok {
		waiting, cancel = context.WithDeadline(waiting, end.Add(-stopping))
		defer cancel()
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		found, err := insist(waiting, func() (Execution, error) { return m.Queries.Get(waiting, id) })
		if err == nil && found.State != Running {
			return found, nil
		}
		if err == nil {
			err = retry.Wait(waiting, pause)
		}
		if err == nil {
			continue
		}
		if waiting.Err() == nil {
			return Execution{}, err
		}
		return Execution{}, fmt.Errorf("query %s: %w: %w", id, retry.ErrUnavailable, errors.Join(ErrOverran, m.Queries.Stop(ctx, id)))
	}
}

// insist calls do again while that may help, and there is time.
func insist[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		value, err := do()
		if err == nil || !errors.Is(err, retry.ErrUnavailable) || retry.Wait(ctx, pause) != nil {
			return value, err
		}
	}
}

// rows returns a query's result as the report's columns have it.
func (m *Maker) rows(ctx context.Context, report Report, id string) ([][]any, error) {
	type result struct {
		names []string
		rows  [][]*string
	}
	found, err := insist(ctx, func() (result, error) {
		names, rows, err := m.Queries.Rows(ctx, id)
		return result{names, rows}, err
	})
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(found.names, report.Columns, func(name string, column columns.Column) bool { return name == column.Name }) {
		return nil, fmt.Errorf("the query has the columns %q, and the report's are %v", found.names, report.Columns)
	}
	rows := make([][]any, len(found.rows))
	for n, texts := range found.rows {
		if len(texts) != len(report.Columns) {
			return nil, fmt.Errorf("row %d has %d values, and there are %d columns", n+1, len(texts), len(report.Columns))
		}
		rows[n] = make([]any, len(texts))
		for i, text := range texts {
			if rows[n][i], err = parse(report.Columns[i], text); err != nil {
				return nil, fmt.Errorf("row %d: %s: %w", n+1, report.Columns[i].Name, err)
			}
		}
	}
	return rows, nil
}

// timestamp is how Athena writes one.
const timestamp = "2006-01-02 15:04:05.999999999"

// parse returns a value as [Maker.WriteParquet] takes it.
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

// writeCSV writes a line of names, and one for each row. Null is empty.
func writeCSV(w io.Writer, columns []columns.Column, rows [][]any) error {
	file := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, column := range columns {
		line[i] = column.Name
	}
	if err := file.Write(line); err != nil {
		return err
	}
	for _, row := range rows {
		for i, value := range row {
			switch value := value.(type) {
			case nil:
				line[i] = ""
			case time.Time:
				line[i] = value.Format(time.RFC3339Nano)
			case string:
				line[i] = harmless(value)
			default:
				line[i] = fmt.Sprint(value)
			}
		}
		if err := file.Write(line); err != nil {
			return err
		}
	}
	file.Flush()
	return file.Error()
}

// formula is where a cell may begin that a spreadsheet takes for a formula: "CSV Injection" by OWASP. A cell begins after a
// semicolon or a tab as well, where the reader's settings part columns by these and not by commas, and what is blank before a
// formula may be cut off.
var formula = regexp.MustCompile(`(^|[;\t\r\n])([=+\-@＝＋－＠])`)

// harmless returns a string that no spreadsheet takes for a formula: anybody may post readings, and people open files. The
// Parquet file has the string as it is.
func harmless(s string) string { return formula.ReplaceAllString(s, "$1'$2") }

// write puts the file in its place, unless there is one that has as much as it or more. A query that another function started
// may be older than the file, though it is only found now.
func (m *Maker) write(ctx context.Context, file File) error {
	for {
		there, err := insist(ctx, func() (Version, error) { return m.Files.Version(ctx, file.Key) })
		if err != nil || !there.AsOf.Before(file.AsOf) {
			return err
		}
		_, err = insist(ctx, func() (struct{}, error) { return struct{}{}, m.Files.Replace(ctx, there, file) })
		if !errors.Is(err, ErrChanged) {
			return err
		}
		if err := retry.Wait(ctx, firstPause); err != nil {
			return err
		}
	}
}
