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
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const day = "2026-11-20"

var errFault = errors.New("on purpose")

// A query is one that the fakes know: it is as it is said to be when it has run for its time.
type query struct {
	token, sql string
	parameters []string
	begun      time.Time
	stopped    bool
}

// Fakes are queries and files that do what a test says.
type fakes struct {
	mu      sync.Mutex
	queries []*query
	outcome func(q query) reports.State // nil: they succeed
	takes   time.Duration               // of a query; default: a second
	fault   func(call string) error     // of a call, before it does anything; nil: none fails
	names   []string
	rows    [][]*string
	files   map[string]reports.File
	looked  func(key string) // before what a look has found is answered
	writes  int
}

func (f *fakes) fails(call string) error {
	if f.fault == nil {
		return nil
	}
	return f.fault(call)
}

func newFakes() *fakes {
	return &fakes{names: []string{"n"}, rows: [][]*string{{new("7")}}, files: map[string]reports.File{}}
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
		f.queries = append(f.queries, &query{token: token, sql: sql, parameters: parameters, begun: time.Now()})
	}
	return fmt.Sprint(at), nil
}

func (f *fakes) find(id string) *query {
	var at int
	_, _ = fmt.Sscan(id, &at) // it is one that Start has returned
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
	if f.looked != nil {
		f.looked(key)
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

// generator makes reports of one number, whose names are their queries.
func (f *fakes) generator(names ...string) *reports.Generator {
	g := &reports.Generator{
		Queries: f, Files: f, Timeout: time.Minute,
		WriteParquet: func(w io.Writer, _ []columns.Column, rows [][]any) error {
			_, err := fmt.Fprint(w, rows)
			return err
		},
	}
	for _, name := range names {
		g.Reports = append(g.Reports, reports.Report{Name: name, SQL: name, Columns: []columns.Column{{Name: "n", Type: "bigint"}}})
	}
	return g
}

func TestAReportIsItsQuerysResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.names = []string{"s", "n", "d", "b", "at"}
		f.rows = [][]*string{
			{new("a \"b\", c"), new("-7"), new("1.0E-5"), new("true"), new("2026-11-20 17:43:55.120")},
			{new("=HYPERLINK(\"x\")"), nil, nil, nil, nil},
			{nil, new("9223372036854775807"), new("-12.5"), new("false"), new("2026-11-20 00:00:00.000")},
		}
		g := f.generator("a")
		g.Reports[0].Columns = []columns.Column{
			{Name: "s", Type: "string"}, {Name: "n", Type: "bigint"}, {Name: "d", Type: "double"}, {Name: "b", Type: "boolean"}, {Name: "at", Type: "timestamp"},
		}
		var written [][]any
		g.WriteParquet = func(w io.Writer, got []columns.Column, rows [][]any) error {
			if diff := cmp.Diff(g.Reports[0].Columns, got); diff != "" {
				t.Error(diff)
			}
			written = rows
			_, err := io.WriteString(w, "Parquet")
			return err
		}
		begun := time.Now()
		if err := g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		want := [][]any{
			{"a \"b\", c", int64(-7), 1e-5, true, time.Date(2026, 11, 20, 17, 43, 55, 120_000_000, time.UTC)},
			{"=HYPERLINK(\"x\")", nil, nil, nil, nil},
			{nil, int64(9223372036854775807), -12.5, false, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)},
		}
		if diff := cmp.Diff(want, written); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		files := map[string]reports.File{
			"parquet/a/day=2026-11-20/a.parquet": {ContentType: "application/vnd.apache.parquet", Content: []byte("Parquet")},
			"csv/a/day=2026-11-20/a.csv": {ContentType: "text/csv; charset=utf-8", Content: []byte(`s,n,d,b,at
"a ""b"", c",-7,1e-05,true,2026-11-20T17:43:55.12Z
"'=HYPERLINK(""x"")",,,,
,9223372036854775807,-12.5,false,2026-11-20T00:00:00Z
`)},
		}
		for key, file := range files {
			file.Key, file.AsOf = key, begun
			files[key] = file
		}
		if diff := cmp.Diff(files, f.files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if got := f.queries[0]; got.sql != "a" || !slices.Equal(got.parameters, []string{day}) || len(got.token) != 64 {
			t.Errorf("query %+v", *got)
		}
	})
}

// By commas, by semicolons as spreadsheets do in most of Europe, or by tabs: no cell begins as a formula does.
func TestNoSpreadsheetTakesATextForAFormula(t *testing.T) {
	texts := []string{"=1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "\n\t=1", "＝1", "＋1", "－1", "＠A1", "a;=cmd|' /C calc'!A0;b", ";;+1", "a\t-1", "a\n@A1"}
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.rows = nil
		for _, text := range append(texts, "a=1", "'", "2026-11-20", "a; b") {
			f.rows = append(f.rows, []*string{&text})
		}
		g := f.generator("a")
		g.Reports[0].Columns[0].Type = "string"
		if err := g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(bytes.NewReader(f.files["csv/a/day=2026-11-20/a.csv"].Content)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			for cell := range strings.FieldsFuncSeq(lines[i+1][0], func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
				if strings.ContainsAny(cell[:1], "=+-@") || strings.ContainsAny(cell, "＝＋－＠") && !strings.HasPrefix(cell, "'") {
					t.Errorf("%q has the cell %q", text, cell)
				}
			}
		}
		if got := fmt.Sprintf("%q", lines[len(texts)+1:]); got != `[["a=1"] ["'"] ["2026-11-20"] ["a; b"]]` {
			t.Errorf("harmless texts are %s", got)
		}
	})
}

func TestARowOfAnotherLengthIsRefused(t *testing.T) {
	for _, row := range [][]*string{{}, {new("7"), new("8")}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakes()
			f.rows = append(f.rows, row)
			if err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err == nil || !strings.Contains(err.Error(), "row 2 has") || len(f.files) > 0 {
				t.Errorf("error %v, files %v", err, f.files)
			}
		})
	}
}

func TestADayWithoutRowsHasFilesWithoutRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.rows = nil
		if err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if csv := string(f.files["csv/a/day=2026-11-20/a.csv"].Content); csv != "n\n" || len(f.files) != 2 {
			t.Errorf("files %v", f.files)
		}
	})
}

func TestTheReportsOfADayAreMadeAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFakes(), time.Now()
		if err := f.generator("a", "b", "c", "d").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 2*time.Second || len(f.files) != 8 {
			t.Errorf("%d files in %s", len(f.files), took)
		}
	})
}

func TestTheEndOfALongQueryIsNoticedInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFakes(), time.Now()
		f.takes = 55 * time.Second
		if err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil || time.Since(begun) > f.takes+2*time.Second {
			t.Errorf("error %v after %s", err, time.Since(begun))
		}
	})
}

func TestOneReportThatFailsKeepsNoOtherFromBeingMade(t *testing.T) {
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
			g.WriteParquet = func(w io.Writer, columns []columns.Column, rows [][]any) error {
				if n.Add(1) == 1 {
					panic("out of stones")
				}
				return write(w, columns, rows)
			}
		},
		"other columns":    func(_ *fakes, g *reports.Generator) { g.Reports[1].Columns[0].Name = "m" },
		"one column less":  func(_ *fakes, g *reports.Generator) { g.Reports[1].Columns = nil },
		"another's values": func(_ *fakes, g *reports.Generator) { g.Reports[1].Columns[0].Type = "timestamp" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakes()
				g := f.generator("a", "b", "c")
				spoil(f, g)
				err := g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1})
				if err == nil || errors.Is(err, retry.ErrUnavailable) || len(f.files) != 4 || len(f.queries) != 3 {
					t.Errorf("error %v, %d files, %d queries, want an error, those of two reports, and no query again", err, len(f.files), len(f.queries))
				}
			})
		})
	}
}

func TestAQueryThatFailsIsTriedThreeTimesInAGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.outcome = func(query) reports.State { return reports.Failed }
		g := f.generator("a")
		for asked, want := range map[int]int{1: 3, 2: 6, 3: 9} {
			_ = g.Generate(t.Context(), reports.Request{Day: day, ID: fmt.Sprint(asked), Attempt: asked})
			if started := len(f.queries); started != want {
				t.Errorf("asked %d times: %d queries, want %d", asked, started, want)
			}
			f.queries = nil
		}
	})
}

func TestWhatHasFailedIsNotTriedAgainButOthersInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.outcome = func(query) reports.State {
			if len(f.queries) < 5 {
				return reports.Failed
			}
			return reports.Succeeded
		}
		g := f.generator("a")
		if err := g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); !errors.Is(err, retry.ErrUnavailable) || len(f.files) > 0 {
			t.Errorf("error %v, files %v", err, f.files)
		}
		if err := g.Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 2}); err != nil || len(f.queries) != 5 || len(f.files) != 2 {
			t.Errorf("error %v, %d queries, %d files", err, len(f.queries), len(f.files))
		}
	})
}

func TestTheSameRequestHasTheSameQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		g, request := f.generator("a"), reports.Request{Day: day, ID: "1", Attempt: 1}
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
			{request, "a mended", 4},
		} {
			g.Reports[0].SQL = test.sql
			if err := g.Generate(t.Context(), test.request); err != nil || len(f.queries) != test.want {
				t.Errorf("%+v: error %v, %d queries, want %d", test, err, len(f.queries), test.want)
			}
		}
	})
}

func TestAQueryThatOverrunsIsStopped(t *testing.T) {
	for name, test := range map[string]struct {
		left time.Duration // of the function's time
		want time.Duration // until the query is stopped
	}{
		"its own time":        {15 * time.Minute, time.Minute},
		"the function's time": {30 * time.Second, 27 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begun := newFakes(), time.Now()
				f.outcome = func(query) reports.State { return reports.Running }
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				err := f.generator("a").Generate(ctx, reports.Request{Day: day, ID: "1", Attempt: 1})
				if !errors.Is(err, reports.ErrTimeout) || !errors.Is(err, retry.ErrUnavailable) || !f.queries[0].stopped || len(f.queries) != 1 {
					t.Errorf("error %v, queries %d, stopped %t", err, len(f.queries), f.queries[0].stopped)
				}
				if took := time.Since(begun); took != test.want {
					t.Errorf("stopped after %s, want %s", took, test.want)
				}
			})
		})
	}
}

func TestAQueryThatMayNotBeLookedAtIsNotStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.fault = func(call string) error {
			if call == "Get" {
				return errFault
			}
			return nil
		}
		err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1})
		if !errors.Is(err, errFault) || errors.Is(err, reports.ErrTimeout) || f.queries[0].stopped {
			t.Errorf("error %v, stopped %t; want the fault alone", err, f.queries[0].stopped)
		}
	})
}

func TestWhatIsThrottledIsAskedForUntilThereIsNoTime(t *testing.T) {
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
		if err := f.generator("a").Generate(ctx, reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil || len(f.files) != 2 || time.Since(begun) > 44*time.Second {
			t.Errorf("error %v, files %v after %s; want two, and pauses of two seconds at most", err, f.files, time.Since(begun))
		}
		begun = time.Now().Add(time.Hour)
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := f.generator("a").Generate(ctx, reports.Request{Day: day, ID: "2", Attempt: 1}); !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("error %v, want that it may be tried later", err)
		}
		f.fault = func(string) error { return errFault }
		begun = time.Now()
		if err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "3", Attempt: 1}); !errors.Is(err, errFault) || time.Since(begun) > 0 {
			t.Errorf("error %v after %s, want the fault at once", err, time.Since(begun))
		}
	})
}

func TestEveryCallIsRetriedWhileItIsUnavailable(t *testing.T) {
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
				err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1})
				if err != nil || calls < 4 || len(f.queries) != 1 || len(f.files) != 2 {
					t.Errorf("error %v after %d calls, %d queries, %d files", err, calls, len(f.queries), len(f.files))
				}
			})
		})
	}
}

// A query may be older than the file, when its batch comes again after another has been worked on.
func TestAnOlderQueryDoesNotReplaceANewerFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		g := f.generator("a")
		make := func(id, result string) {
			t.Helper()
			f.rows = [][]*string{{&result}}
			if err := g.Generate(t.Context(), reports.Request{Day: day, ID: id, Attempt: 1}); err != nil {
				t.Fatal(err)
			}
		}
		make("first", "1")
		make("second", "2")
		make("first", "1")
		make("second", "2") // the same as is there
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

func TestAFileThatChangesAllTheTimeIsLookedAtUntilThereIsNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, looks := newFakes(), 0
		f.looked = func(key string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			looks++
			f.files[key] = reports.File{Key: key, Content: fmt.Append(nil, looks)}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := f.generator("a").Generate(ctx, reports.Request{Day: day, ID: "1", Attempt: 1}); !errors.Is(err, retry.ErrUnavailable) || looks < 2 || looks > 100 {
			t.Errorf("error %v after %d looks", err, looks)
		}
	})
}

func TestAFileThatChangesBetweenLookingAndWritingIsLookedAtAgain(t *testing.T) {
	for name, test := range map[string]struct {
		asOf time.Duration // of what another writes, after this query was started
		want string
	}{
		"to an older one": {-time.Second, "n\n7\n"},
		"to a newer one":  {time.Second, "another's"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begun := newFakes(), time.Now()
				once := map[string]bool{}
				f.looked = func(key string) {
					if f.mu.Lock(); !once[key] {
						once[key] = true
						f.files[key] = reports.File{Key: key, Content: []byte("another's"), AsOf: begun.Add(test.asOf)}
					}
					f.mu.Unlock()
				}
				if err := f.generator("a").Generate(t.Context(), reports.Request{Day: day, ID: "1", Attempt: 1}); err != nil {
					t.Fatal(err)
				}
				if got := string(f.files["csv/a/day=2026-11-20/a.csv"].Content); got != test.want {
					t.Errorf("the file is %q, want %q", got, test.want)
				}
			})
		})
	}
}
