// Package bench measures the performance that the platform promises. Ratios are of times measured
// in turn, in one run, so that they also hold on other machines.
package bench

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
)

const (
	users = 1_000
	posts = 500_000
	depth = 400_000
	page  = 50

	// most is the longest time of the deep page, in first pages.
	most = 3
)

// BenchmarkList reads the first page of posts, and one at a depth of 400 000 or more of 500 000, in
// turn through the store. It fails if the median of the deep pages is more than three times that of
// the first pages. It needs a real server, where the set-up takes a quarter of a minute:
//
//	eval "$(.ci/mariadb start)"
//	go test ./bench -run '^$' -bench List -benchtime 200x
func BenchmarkList(b *testing.B) {
	server := mysqltest.Start(b)
	if server.Embedded() {
		b.Fatal("the embedded engine's times mean nothing: set TEST_MYSQL_DSN, see BenchmarkList")
	}
	databases := server.NewDatabase(b).Open(b)
	if _, err := schema.Up(b.Context(), databases.Writer, migrations.Files); err != nil {
		b.Fatal(err)
	}
	fill(b, databases.Writer)
	store := mysqlstore.NewPosts(databases)
	read := func(before uuid.UUID, newest int) time.Duration {
		began := time.Now()
		found, err := store.List(b.Context(), before, page)
		took := time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		if len(found) != page || found[0].ID != numbered(newest) {
			b.Fatalf("%d posts from %s on, want %d from number %d on",
				len(found), found[0].ID, page, newest)
		}
		return took
	}
	read(uuid.Nil, posts) // connects

	var first, deep []time.Duration
	// Another page each time, as for other readers.
	for newest := posts - depth; b.Loop(); newest -= page {
		if newest < page {
			newest = posts - depth
		}
		first = append(first, read(uuid.Nil, posts))
		deep = append(deep, read(numbered(newest+1), newest))
	}
	ratio := float64(median(deep)) / float64(median(first))
	b.ReportMetric(float64(median(first).Microseconds()), "µs/first-page")
	b.ReportMetric(float64(median(deep).Microseconds()), "µs/deep-page")
	b.ReportMetric(ratio, "deep/first")
	if ratio > most {
		b.Errorf("a deep page takes %.1f first pages, want at most %d", ratio, most)
	}
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}

// numbered returns the id of a post that is newer than the posts with smaller numbers.
func numbered(n int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// fill inserts the users and their posts, many per statement.
func fill(b *testing.B, db *sql.DB) {
	b.Helper()
	exec := func(statement string, args ...any) {
		b.Helper()
		if _, err := db.ExecContext(b.Context(), statement, args...); err != nil {
			b.Fatal(err)
		}
	}
	author := func(i int) string { return fmt.Sprint("user-", i%users) }
	for i := range users {
		exec("INSERT INTO profiles VALUES (?, ?, '', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), TRUE)",
			author(i), author(i))
	}
	body := "<p>" + strings.Repeat("Stone by stone. ", 30) + "</p>"
	const atOnce = 2_000
	for from := 1; from <= posts; from += atOnce {
		var rows []string
		var values []any
		for i := from; i < from+atOnce && i <= posts; i++ {
			id := numbered(i)
			rows = append(rows, "(?, ?, NULL, ?, ?, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))")
			// a prime: neighbours have different authors
			values = append(values, id[:], author(i*7919), "Title", body)
		}
		exec("INSERT INTO posts (id, author, idempotency_key, title, body, comment_count, "+
			"created_at, updated_at) VALUES "+
			strings.Join(rows, ", "), values...)
	}
	exec("ANALYZE TABLE posts, profiles")
}
