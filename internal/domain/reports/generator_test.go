package reports_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const day = "2026-11-20"

var request = reports.Request{Day: day, ID: "1", Attempt: 1}

var errFault = errors.New("on purpose")

// A query is a query of the fakes. It has its outcome after it has run for its time.
type query struct {
	token, sql string
	parameters []string
	begun      time.Time
	stopped    bool
}

// fakes implements Queries and Files as a test configures it.
type fakes struct {
	mu        sync.Mutex
	queries   []*query
	outcome   func(q query) reports.State // nil: all succeed
	takes     time.Duration               // duration of a query; default: a second
	fault     func(call string) error     // error of a call without effect; nil: none fails
	names     []string
	rows      [][]*string
	files     map[string]reports.File
	versioned func(key string) // called before Version returns
	writes    int
}

func (f *fakes) fails(call string) error {
	if f.fault == nil {
		return nil
	}
	return f.fault(call)
}

func newFakes() *fakes {
	return &fakes{
		names: []string{"n"}, rows: [][]*string{{new("7")}}, files: map[string]reports.File{},
	}
}

func (f *fakes) Start(_ context.Context, token, sql string, parameters ...string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails("Start"); err != nil {
		return "", err
	}
	at := slices.IndexFunc(f.queries, func(q *query) bool { return q.token == token })
	if at < 0 {
		at = len(f.queries)
		f.queries = append(f.queries,
			&query{token: token, sql: sql, parameters: parameters, begun: time.Now()})
	}
	return fmt.Sprint(at), nil
}

func (f *fakes) find(id string) *query {
	var at int
	_, _ = fmt.Sscan(id, &at) // Start has returned the id
	return f.queries[at]
}

func (f *fakes) Get(_ context.Context, id string) (reports.Execution, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails("Get"); err != nil {
		return reports.Execution{}, err
	}
	found := f.find(id)
	execution := reports.Execution{Submitted: found.begun}
	switch {
	case found.stopped:
		execution.State, execution.Reason = reports.Failed, "stopped"
	case time.Since(found.begun) < max(f.takes, time.Second):
	case f.outcome == nil:
		execution.State = reports.Succeeded
	default:
		execution.State, execution.Reason = f.outcome(*found), "on purpose"
	}
	return execution, nil
}

func (f *fakes) Rows(context.Context, string) ([]string, [][]*string, error) {
	return f.names, f.rows, f.fails("Rows")
}

func (f *fakes) Stop(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.find(id).stopped = true
	return nil
}

func (f *fakes) Version(_ context.Context, key string) (reports.Version, error) {
	if err := f.fails("Version"); err != nil {
		return reports.Version{}, err
	}
	f.mu.Lock()
	file, there := f.files[key]
	f.mu.Unlock()
	if f.versioned != nil {
		f.versioned(key)
	}
	if !there {
		return reports.Version{}, nil
	}
	return reports.Version{ETag: string(file.Content), AsOf: file.AsOf}, nil
}

func (f *fakes) Replace(_ context.Context, replaced reports.Version, file reports.File) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails("Replace"); err != nil {
		return err
	}
	if string(f.files[file.Key].Content) != replaced.ETag {
		return reports.ErrConflict
	}
	f.files[file.Key] = file
	f.writes++
	return nil
}

// generator returns a Generator of reports of one number, whose queries are their names.
func (f *fakes) generator(names ...string) *reports.Generator {
	g := &reports.Generator{
		Queries: f, Files: f, Timeout: time.Minute,
		WriteParquet: func(w io.Writer, _ []telemetryschema.Column, rows [][]any) error {
			_, err := fmt.Fprint(w, rows)
			return err
		},
	}
	for _, name := range names {
		g.Reports = append(g.Reports, telemetryschema.Report{
			Name: name, SQL: name, Columns: []telemetryschema.Column{{Name: "n", Type: "bigint"}},
		})
	}
	return g
}

func TestGenerator_Generate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.names = []string{"s", "n", "d", "b", "at"}
		f.rows = [][]*string{
			{
				new("a \"b\", c"), new("-7"), new("1.0E-5"), new("true"),
				new("2026-11-20 17:43:55.120"),
			},
			{new("=HYPERLINK(\"x\")"), nil, nil, nil, nil},
			{
				nil, new("9223372036854775807"), new("-12.5"), new("false"),
				new("2026-11-20 00:00:00.000"),
			},
		}
		g := f.generator("a")
		g.Reports[0].Columns = []telemetryschema.Column{
			{Name: "s", Type: "string"}, {Name: "n", Type: "bigint"}, {Name: "d", Type: "double"},
			{Name: "b", Type: "boolean"}, {Name: "at", Type: "timestamp"},
		}
		var written [][]any
		g.WriteParquet = func(w io.Writer, got []telemetryschema.Column, rows [][]any) error {
			if diff := cmp.Diff(g.Reports[0].Columns, got); diff != "" {
				t.Error(diff)
			}
			written = rows
			_, err := io.WriteString(w, "Parquet")
			return err
		}
		begun := time.Now()
		if err := g.Generate(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		want := [][]any{
			{
				"a \"b\", c", int64(-7), 1e-5, true,
				time.Date(2026, 11, 20, 17, 43, 55, 120_000_000, time.UTC),
			},
			{"=HYPERLINK(\"x\")", nil, nil, nil, nil},
			{
				nil, int64(9223372036854775807), -12.5, false,
				time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
			},
		}
		if diff := cmp.Diff(want, written); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		files := map[string]reports.File{
			"parquet/a/day=2026-11-20/a.parquet": {
				ContentType: "application/vnd.apache.parquet", Content: []byte("Parquet"),
			},
			"csv/a/day=2026-11-20/a.csv": {
				ContentType: "text/csv; charset=utf-8",
				Content: []byte(`s,n,d,b,at
"a ""b"", c",-7,1e-05,true,2026-11-20T17:43:55.12Z
"'=HYPERLINK(""x"")",,,,
,9223372036854775807,-12.5,false,2026-11-20T00:00:00Z
`),
			},
		}
		for key, file := range files {
			file.Key, file.AsOf = key, begun
			files[key] = file
		}
		if diff := cmp.Diff(files, f.files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if got := f.queries[0]; got.sql != "a" || !slices.Equal(got.parameters, []string{day}) ||
			len(got.token) != 64 {
			t.Errorf("query %+v", *got)
		}
	})
}

// Separated by commas, by semicolons as in most of Europe, or by tabs: no cell begins as a formula
// does.
func TestGenerator_Generate_escapes_formulas(t *testing.T) {
	texts := []string{
		"=1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "\n\t=1", "＝1", "＋1", "－1", "＠A1",
		"a;=cmd|' /C calc'!A0;b", ";;+1", "a\t-1", "a\n@A1",
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.rows = nil
		for _, text := range append(texts, "a=1", "'", "2026-11-20", "a; b") {
			f.rows = append(f.rows, []*string{&text})
		}
		g := f.generator("a")
		g.Reports[0].Columns[0].Type = "string"
		if err := g.Generate(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		content := f.files["csv/a/day=2026-11-20/a.csv"].Content
		lines, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			separator := func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }
			for cell := range strings.FieldsFuncSeq(lines[i+1][0], separator) {
				if strings.ContainsAny(cell[:1], "=+-@") ||
					strings.ContainsAny(cell, "＝＋－＠") && !strings.HasPrefix(cell, "'") {
					t.Errorf("%q has the cell %q", text, cell)
				}
			}
		}
		harmless := fmt.Sprintf("%q", lines[len(texts)+1:])
		if harmless != `[["a=1"] ["'"] ["2026-11-20"] ["a; b"]]` {
			t.Errorf("harmless texts are %s", harmless)
		}
	})
}

func TestGenerator_Generate_rejects_rows_of_another_length(t *testing.T) {
	for _, row := range [][]*string{{}, {new("7"), new("8")}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakes()
			f.rows = append(f.rows, row)
			err := f.generator("a").Generate(t.Context(), request)
			if err == nil || !strings.Contains(err.Error(), "row 2 has") || len(f.files) > 0 {
				t.Errorf("error %v, files %v", err, f.files)
			}
		})
	}
}

func TestGenerator_Generate_writes_files_without_rows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.rows = nil
		err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if csv := string(f.files["csv/a/day=2026-11-20/a.csv"].Content); csv != "n\n" ||
			len(f.files) != 2 {
			t.Errorf("files %v", f.files)
		}
	})
}

func TestGenerator_Generate_runs_reports_concurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFakes(), time.Now()
		if err := f.generator("a", "b", "c", "d").Generate(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 2*time.Second || len(f.files) != 8 {
			t.Errorf("%d files in %s", len(f.files), took)
		}
	})
}

func TestGenerator_Generate_polls_within_seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFakes(), time.Now()
		f.takes = 55 * time.Second
		err := f.generator("a").Generate(t.Context(), request)
		if err != nil || time.Since(begun) > f.takes+2*time.Second {
			t.Errorf("error %v after %s", err, time.Since(begun))
		}
	})
}

func TestGenerator_Generate_isolates_failures(t *testing.T) {
	for name, spoil := range map[string]func(*fakes, *reports.Generator){
		"a wrong query": func(f *fakes, _ *reports.Generator) {
			f.outcome = func(q query) reports.State {
				if q.sql == "b" {
					return reports.FailedPermanently
				}
				return reports.Succeeded
			}
		},
		"a panic": func(_ *fakes, g *reports.Generator) {
			write := g.WriteParquet
			var n atomic.Int32
			g.WriteParquet = func(
				w io.Writer, columns []telemetryschema.Column, rows [][]any,
			) error {
				if n.Add(1) == 1 {
					panic("on purpose")
				}
				return write(w, columns, rows)
			}
		},
		"other columns": func(_ *fakes, g *reports.Generator) {
			g.Reports[1].Columns[0].Name = "m"
		},
		"one column less": func(_ *fakes, g *reports.Generator) { g.Reports[1].Columns = nil },
		"another type": func(_ *fakes, g *reports.Generator) {
			g.Reports[1].Columns[0].Type = "timestamp"
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakes()
				g := f.generator("a", "b", "c")
				spoil(f, g)
				err := g.Generate(t.Context(), request)
				if err == nil || errors.Is(err, retry.ErrUnavailable) || len(f.files) != 4 ||
					len(f.queries) != 3 {
					t.Errorf("error %v, %d files, %d queries, want an error, four files of two "+
						"reports, three queries", err, len(f.files), len(f.queries))
				}
			})
		})
	}
}

func TestGenerator_Generate_starts_three_queries_per_attempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.outcome = func(query) reports.State { return reports.Failed }
		g := f.generator("a")
		for asked, want := range map[int]int{1: 3, 2: 6, 3: 9} {
			_ = g.Generate(t.Context(),
				reports.Request{Day: day, ID: fmt.Sprint(asked), Attempt: asked})
			if started := len(f.queries); started != want {
				t.Errorf("asked %d times: %d queries, want %d", asked, started, want)
			}
			f.queries = nil
		}
	})
}

func TestGenerator_Generate_replaces_failed_queries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.outcome = func(query) reports.State {
			if len(f.queries) < 5 {
				return reports.Failed
			}
			return reports.Succeeded
		}
		g := f.generator("a")
		err := g.Generate(t.Context(), request)
		if !errors.Is(err, retry.ErrUnavailable) || len(f.files) > 0 {
			t.Errorf("error %v, files %v", err, f.files)
		}
		err = g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 2})
		if err != nil || len(f.queries) != 5 || len(f.files) != 2 {
			t.Errorf("error %v, %d queries, %d files", err, len(f.queries), len(f.files))
		}
	})
}

func TestGenerator_Generate_reuses_queries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		g := f.generator("a")
		for _, test := range []struct {
			request reports.Request
			sql     string
			want    int
		}{
			{request, "a", 1},
			{request, "a", 1},
			{reports.Request{Day: day, ID: "1", Attempt: 4}, "a", 1},
			{reports.Request{Day: day, ID: "2", Attempt: 1}, "a", 2},
			{reports.Request{Day: "2026-11-21", ID: "1", Attempt: 1}, "a", 3},
			{request, "a fixed", 4},
		} {
			g.Reports[0].SQL = test.sql
			if err := g.Generate(t.Context(), test.request); err != nil ||
				len(f.queries) != test.want {
				t.Errorf("%+v: error %v, %d queries, want %d", test, err, len(f.queries), test.want)
			}
		}
	})
}

func TestGenerator_Generate_stops_queries_at_the_timeout(t *testing.T) {
	for name, test := range map[string]struct {
		left time.Duration // until the function's deadline
		want time.Duration // until the query is stopped
	}{
		"query timeout":    {15 * time.Minute, time.Minute},
		"function timeout": {30 * time.Second, 27 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begun := newFakes(), time.Now()
				f.outcome = func(query) reports.State { return reports.Running }
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				err := f.generator("a").Generate(ctx, request)
				if !errors.Is(err, reports.ErrTimeout) || !errors.Is(err, retry.ErrUnavailable) ||
					!f.queries[0].stopped || len(f.queries) != 1 {
					t.Errorf("error %v, queries %d, stopped %t", err, len(f.queries),
						f.queries[0].stopped)
				}
				if took := time.Since(begun); took != test.want {
					t.Errorf("stopped after %s, want %s", took, test.want)
				}
			})
		})
	}
}

func TestGenerator_Generate_does_not_stop_queries_after_other_errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.fault = func(call string) error {
			if call == "Get" {
				return errFault
			}
			return nil
		}
		err := f.generator("a").Generate(t.Context(), request)
		if !errors.Is(err, errFault) || errors.Is(err, reports.ErrTimeout) || f.queries[0].stopped {
			t.Errorf("error %v, stopped %t; want the fault alone", err, f.queries[0].stopped)
		}
	})
}

func TestGenerator_Generate_retries_throttled_calls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFakes(), time.Now()
		f.fault = func(call string) error {
			if call == "Start" && time.Since(begun) < 40*time.Second {
				return fmt.Errorf("%w: too many", retry.ErrUnavailable)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := f.generator("a").Generate(ctx, request)
		if err != nil || len(f.files) != 2 || time.Since(begun) > 44*time.Second {
			t.Errorf("error %v, files %v after %s; want two, and intervals of at most two seconds",
				err, f.files, time.Since(begun))
		}
		begun = time.Now().Add(time.Hour)
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = f.generator("a").Generate(ctx, reports.Request{Day: day, ID: "2", Attempt: 1})
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("error %v, want a temporary failure", err)
		}
		f.fault = func(string) error { return errFault }
		begun = time.Now()
		err = f.generator("a").Generate(t.Context(),
			reports.Request{Day: day, ID: "3", Attempt: 1})
		if !errors.Is(err, errFault) || time.Since(begun) > 0 {
			t.Errorf("error %v after %s, want the fault at once", err, time.Since(begun))
		}
	})
}

func TestGenerator_Generate_retries_every_call(t *testing.T) {
	for _, failing := range []string{"Start", "Get", "Rows", "Version", "Replace"} {
		t.Run(failing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, calls := newFakes(), 0
				f.fault = func(call string) error {
					if call != failing {
						return nil
					}
					if calls++; calls <= 3 {
						return fmt.Errorf("%w: on purpose", retry.ErrUnavailable)
					}
					return nil
				}
				err := f.generator("a").Generate(t.Context(), request)
				if err != nil || calls < 4 || len(f.queries) != 1 || len(f.files) != 2 {
					t.Errorf("error %v after %d calls, %d queries, %d files", err, calls,
						len(f.queries), len(f.files))
				}
			})
		})
	}
}

// A query may be older than the file, when its batch is redelivered after another one was
// processed.
func TestGenerator_Generate_keeps_newer_files(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		g := f.generator("a")
		make := func(id, result string) {
			t.Helper()
			f.rows = [][]*string{{&result}}
			err := g.Generate(t.Context(), reports.Request{Day: day, ID: id, Attempt: 1})
			if err != nil {
				t.Fatal(err)
			}
		}
		make("first", "1")
		make("second", "2")
		make("first", "1")
		make("second", "2") // the same as the existing files
		for key, file := range f.files {
			if !strings.Contains(string(file.Content), "2") {
				t.Errorf("%s is %q", key, file.Content)
			}
		}
		if f.writes != 4 || len(f.queries) != 2 {
			t.Errorf("%d writes of %d queries", f.writes, len(f.queries))
		}
	})
}

func TestGenerator_Generate_retries_conflicts_until_the_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, reads := newFakes(), 0
		f.versioned = func(key string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			reads++
			f.files[key] = reports.File{Key: key, Content: fmt.Append(nil, reads)}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := f.generator("a").Generate(ctx, request)
		if !errors.Is(err, retry.ErrUnavailable) || reads < 2 || reads > 100 {
			t.Errorf("error %v after %d reads", err, reads)
		}
	})
}

func TestGenerator_Generate_reads_the_version_again_after_a_conflict(t *testing.T) {
	for name, test := range map[string]struct {
		asOf time.Duration // of another run's file, relative to the start of this query
		want string
	}{
		"older file": {-time.Second, "n\n7\n"},
		"newer file": {time.Second, "another's"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begun := newFakes(), time.Now()
				once := map[string]bool{}
				f.versioned = func(key string) {
					if f.mu.Lock(); !once[key] {
						once[key] = true
						f.files[key] = reports.File{
							Key: key, Content: []byte("another's"), AsOf: begun.Add(test.asOf),
						}
					}
					f.mu.Unlock()
				}
				if err := f.generator("a").Generate(t.Context(), request); err != nil {
					t.Fatal(err)
				}
				if got := string(f.files["csv/a/day=2026-11-20/a.csv"].Content); got != test.want {
					t.Errorf("the file is %q, want %q", got, test.want)
				}
			})
		})
	}
}
