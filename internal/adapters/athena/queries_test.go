package athena_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

const day = "2026-11-20"

// generate returns a day's records in random order, many of them more than once: the row that was
// ingested last differs from those before.
func generate(random *rand.Rand, day string) []row {
	midnight, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	var kinds []telemetryschema.Type
	for _, kind := range records.Schema().Types {
		if !kind.Discard {
			kinds = append(kinds, kind)
		}
	}
	maybe := func(value float64) float64 {
		if random.IntN(4) == 0 {
			return 0 // null
		}
		return value
	}
	var rows []row
	for i := range 2000 {
		kind := kinds[random.IntN(len(kinds))]
		for version := range 1 + random.IntN(3) {
			ofDay := time.Duration(random.Int64N(int64(24 * time.Hour)))
			at := midnight.Add(ofDay).Truncate(time.Hour) // some are equal
			r := row{Type: kind.Name, Day: day, Record: records.Record{
				ID: fmt.Sprint("id-", i), At: at, ReceivedAt: at.Add(time.Second),
				IngestedAt: at.Add(time.Duration(version) * 25 * time.Hour),
			}}
			if i%5 == 0 { // delivered together
				r.At = at.Add(time.Duration(version) * time.Second)
				r.IngestedAt = midnight.Add(25 * time.Hour)
			}
			if kind.Source == telemetryschema.Device {
				r.Device = fmt.Sprint("device-", i%30)
				r.Firmware = []string{"", "1.0", "1.1", "2.0"}[random.IntN(4)]
				// Quarters, so that sums are exact.
				r.Battery = maybe(float64(1+random.IntN(400)) / 4)
				r.Temperature = maybe(float64(random.IntN(400)-100) / 4)
				if i%30 == 7 {
					r.Battery, r.Temperature, r.Firmware = 0, 0, ""
				}
			} else {
				r.Client = fmt.Sprint("client-", random.IntN(400))
				r.Session = fmt.Sprint("session-", i)
				r.Post = fmt.Sprint("post-", min(random.IntN(300), random.IntN(300)))
			}
			rows = append(rows, r)
		}
	}
	for _, r := range rows[:20] {
		if r.Device != "" {
			r.Device = "another" // sends the same ids as the first device
			rows = append(rows, r)
		}
	}
	random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// newest returns the rows that count, ordered by time.
func newest(rows []row) []row {
	type key struct{ kind, device, id string }
	latest := map[key]row{}
	for _, r := range rows {
		k := key{r.Type, r.Device, r.ID}
		old, ok := latest[k]
		if !ok || cmp.Or(r.IngestedAt.Compare(old.IngestedAt), r.At.Compare(old.At)) > 0 {
			latest[k] = r
		}
	}
	return slices.SortedFunc(maps.Values(latest), func(a, b row) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
}

// grouped returns the rows by key, without rows that have none.
func grouped(rows []row, key func(row) string) map[string][]row {
	groups := map[string][]row{}
	for _, r := range rows {
		if k := key(r); k != "" {
			groups[k] = append(groups[k], r)
		}
	}
	return groups
}

func count(rows []row, kind string) (n int64) {
	for _, r := range rows {
		if r.Type == kind {
			n++
		}
	}
	return n
}

// computed computes the reports' rows in plain Go: nil, a string, an int64, a float64 or a time.
var computed = map[string]func(rows []row) [][]any{
	"daily_actives": func(rows []row) [][]any {
		clients := len(grouped(rows, func(r row) string { return r.Client }))
		devices := len(grouped(rows, func(r row) string { return r.Device }))
		return [][]any{{day, "client", int64(clients)}, {day, "device", int64(devices)}}
	},
	"top_posts": func(rows []row) [][]any {
		var table [][]any
		for post, about := range grouped(rows, func(r row) string { return r.Post }) {
			viewers := map[string]bool{}
			for _, r := range about {
				if r.Type == "post_view" {
					viewers[r.Client] = true
				}
			}
			about = slices.DeleteFunc(about, func(r row) bool {
				return r.Type != "post_view" && r.Type != "comment"
			})
			if views := count(about, "post_view"); views > 0 {
				table = append(table,
					[]any{day, nil, post, views, int64(len(viewers)), count(about, "comment")})
			}
		}
		slices.SortFunc(table, func(a, b []any) int {
			return cmp.Or(cmp.Compare(b[3].(int64), a[3].(int64)),
				cmp.Compare(a[2].(string), b[2].(string)))
		})
		table = table[:min(100, len(table))]
		for i := range table {
			table[i][1] = int64(i + 1)
		}
		return table
	},
	"device_health": func(rows []row) [][]any {
		var table [][]any
		groups := grouped(rows, func(r row) string { return r.Device })
		for _, device := range slices.Sorted(maps.Keys(groups)) {
			about := groups[device]
			var battery, sum, hottest, firmware any
			measured := 0
			for _, r := range about {
				if r.Battery != 0 && (battery == nil || r.Battery < battery.(float64)) {
					battery = r.Battery
				}
				if r.Temperature != 0 {
					measured++
					if sum == nil {
						sum, hottest = 0.0, r.Temperature
					}
					sum = sum.(float64) + r.Temperature
					hottest = max(hottest.(float64), r.Temperature)
				}
				if r.Firmware != "" {
					firmware = r.Firmware
				}
			}
			if measured > 0 {
				sum = sum.(float64) / float64(measured)
			}
			table = append(table, []any{
				day, device, count(about, "measurement"), count(about, "boot"), battery, sum,
				hottest, firmware, about[len(about)-1].At,
			})
		}
		return table
	},
	"funnel": func(rows []row) [][]any {
		steps := []string{"app_open", "post_view", "sign_up", "comment"}
		reached := make([]int64, len(steps))
		for _, about := range grouped(rows, func(r row) string { return r.Client }) {
			slices.SortStableFunc(about, func(a, b row) int {
				return cmp.Or(a.At.Compare(b.At),
					cmp.Compare(slices.Index(steps, a.Type), slices.Index(steps, b.Type)))
			})
			next := 0
			for _, r := range about {
				if next < len(steps) && r.Type == steps[next] {
					reached[next]++
					next++
				}
			}
		}
		var table [][]any
		for i, kind := range steps {
			table = append(table, []any{day, int64(i + 1), kind, reached[i]})
		}
		return table
	},
}

// values returns the values of a result, in the types of the report's columns.
func values(t *testing.T, report telemetryschema.Report, names []string, rows [][]*string) [][]any {
	t.Helper()
	for i, column := range report.Columns {
		if len(names) != len(report.Columns) || names[i] != column.Name {
			t.Fatalf("%s: columns %q, want %v", report.Name, names, report.Columns)
		}
	}
	var table [][]any
	for _, texts := range rows {
		line := make([]any, len(texts))
		for i, text := range texts {
			if text == nil {
				continue
			}
			var err error
			switch line[i] = *text; report.Columns[i].Type {
			case "bigint":
				line[i], err = strconv.ParseInt(*text, 10, 64)
			case "double":
				line[i], err = strconv.ParseFloat(*text, 64)
			case "timestamp":
				line[i], err = time.Parse("2006-01-02 15:04:05.000", *text)
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", report.Name, names[i], err)
			}
		}
		table = append(table, line)
	}
	return table
}

func TestQueries_reports(t *testing.T) {
	w := startWorld(t)

	t.Run("a day without records has no rows", func(t *testing.T) {
		for _, report := range queries.Reports() {
			names, rows := w.result(t, report, day)
			if got := values(t, report, names, rows); len(got) > 0 {
				t.Errorf("%s: %v", report.Name, got)
			}
		}
	})

	random := rand.New(rand.NewPCG(1, 2))
	rows := generate(random, day)
	for part := range slices.Chunk(rows, 700) {
		w.put(t, part...)
	}
	// A query that reads these fails.
	w.putObject(t, "telemetry/type=post_view/day=2026-11-19/a.parquet", []byte("not Parquet"))
	w.putObject(t, "telemetry/type=measurement/day=2026-11-21/a.parquet", []byte("not Parquet"))

	t.Run("rows equal a plain computation, and only the day is read", func(t *testing.T) {
		for _, report := range queries.Reports() {
			begun := time.Now()
			names, found := w.result(t, report, day)
			took := time.Since(begun)
			got, want := values(t, report, names, found), computed[report.Name](newest(rows))
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", report.Name, diff)
			}
			if len(want) == 0 {
				t.Errorf("%s: nothing was compared", report.Name)
			}
			t.Logf("%s: %d rows of %d records, %s", report.Name, len(got), len(rows),
				took.Round(time.Millisecond))
		}
	})
	t.Run("only the types of the report are read", func(t *testing.T) {
		for broken, about := range map[string][]string{
			"measurement": {"daily_actives", "device_health"},
			"app_open":    {"daily_actives", "funnel"},
			"comment":     {"daily_actives", "funnel", "top_posts"},
		} {
			const elsewhere = "2026-11-18"
			w.putObject(t, "telemetry/type="+broken+"/day="+elsewhere+"/a.parquet",
				[]byte("not Parquet"))
			var failed []string
			for _, report := range queries.Reports() {
				id, err := w.queries.Start(t.Context(),
					"token of "+report.Name+" without "+broken+"……", report.SQL, elsewhere)
				if err != nil {
					t.Fatal(err)
				}
				if found := w.await(t, id); found.State != reports.Succeeded {
					failed = append(failed, report.Name)
				}
			}
			w.remove(t, "telemetry/type="+broken+"/day="+elsewhere+"/a.parquet")
			slices.Sort(failed)
			if diff := gocmp.Diff(about, failed); diff != "" {
				t.Errorf("reports that read %s (-want +got):\n%s", broken, diff)
			}
		}
	})
}
