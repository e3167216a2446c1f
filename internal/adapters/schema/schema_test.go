package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
)

func start(t *testing.T) (*mysqltest.Database, *sql.DB) {
	t.Helper()
	database := mysqltest.Start(t).NewDatabase(t)
	return database, database.OpenForMigration(t).Writer
}

// files returns migrations with these statements, numbered from 1.
func files(statements ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i, statement := range statements {
		name := "000" + string(rune('1'+i)) + "_step.sql"
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
	}
	return files
}

func mustUp(t *testing.T, db *sql.DB, files fs.FS) Result {
	t.Helper()
	result, err := up(t.Context(), db, files)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func count(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUp_applies_the_schema_once(t *testing.T) {
	_, db := start(t)
	first, err := Up(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if first.Version < 1 || len(first.Applied) != int(first.Version) ||
		first.Applied[0] != "0001_profiles.sql" {
		t.Errorf("first: %+v", first)
	}
	if n := count(t, db, "profiles"); n != 0 {
		t.Errorf("a new schema has %d profiles", n)
	}
	second, err := Up(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Version: first.Version}, second); diff != "" {
		t.Error(diff)
	}
}

func TestUp_applies_each_migration_once_for_concurrent_callers(t *testing.T) {
	database, db := start(t)
	steps := files("CREATE TABLE steps (step INT)", "INSERT INTO steps VALUES (2)",
		"INSERT INTO steps VALUES (3)")
	errs := make(chan error)
	const callers = 4
	for range callers {
		other := database.OpenForMigration(t).Writer
		go func() {
			_, err := up(t.Context(), other, steps)
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := count(t, db, "steps"); n != 2 {
		t.Errorf("the inserts ran %d times, want 2", n)
	}
	if n := count(t, db, "goose_db_version"); n != 4 { // version 0 is goose's own
		t.Errorf("%d versions recorded, want 4", n)
	}
}

// TestUp_waits_for_the_lock holds the lock that Up takes: Up first times out waiting for it, and
// succeeds after its release.
func TestUp_waits_for_the_lock(t *testing.T) {
	database, db := start(t)
	unlock, err := lock(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	// The deadline is after the first GET_LOCK.
	short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if _, err := Up(short, database.Open(t).Writer); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want Up to wait for the lock until the deadline", err)
	}
	unlock()
	if _, err := Up(t.Context(), db); err != nil {
		t.Error(err)
	}
}

func TestUp_of_an_older_build_keeps_a_newer_schema(t *testing.T) {
	_, db := start(t)
	newer := files("CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)",
		"CREATE TABLE three (id INT)")
	mustUp(t, db, newer)
	older := files("CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)")
	if diff := cmp.Diff(Result{Version: 3}, mustUp(t, db, older)); diff != "" {
		t.Error(diff)
	}
	if n := count(t, db, "three"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestUp_names_a_failing_migration_and_retries_it(t *testing.T) {
	_, db := start(t)
	const one, two, three = "CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)",
		"CREATE TABLE three (id INT)"
	_, err := up(t.Context(), db, files(one, one, three))
	if err == nil || !strings.Contains(err.Error(), "0002_step.sql") ||
		!strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v, want 0002_step.sql and MySQL's message", err)
	}
	fixed := mustUp(t, db, files(one, two, three))
	diff := cmp.Diff(Result{Version: 3, Applied: []string{"0002_step.sql", "0003_step.sql"}}, fixed)
	if diff != "" {
		t.Error(diff)
	}
}

// TestUp_syncs_existing_profiles has a profile that was written when the schema had only profiles.
func TestUp_syncs_existing_profiles(t *testing.T) {
	_, db := start(t)
	all := migrations()
	first, err := fs.ReadFile(all, "0001_profiles.sql")
	if err != nil {
		t.Fatal(err)
	}
	mustUp(t, db, fstest.MapFS{"0001_profiles.sql": &fstest.MapFile{Data: first}})
	_, err = db.ExecContext(t.Context(),
		"INSERT INTO profiles VALUES ('ada', 'Ada', '', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))")
	if err != nil {
		t.Fatal(err)
	}
	mustUp(t, db, all)
	for _, rows := range []string{
		"accounts WHERE subject = 'ada' AND version = 1 AND deleted_at IS NULL",
		"changes WHERE subject = 'ada' AND version = 1 AND kind = 'profile' " +
			"AND HEX(id) = REPEAT('0', 32)",
	} {
		if n := count(t, db, rows); n != 1 {
			t.Errorf("%d rows in %s, want 1", n, rows)
		}
	}
}

func TestChecksum_changes_only_with_the_files(t *testing.T) {
	original := files("CREATE TABLE one (id INT)")
	if checksum(original) != checksum(files("CREATE TABLE one (id INT)")) {
		t.Error("the same files have two checksums")
	}
	renamed := fstest.MapFS{"0002_step.sql": original["0001_step.sql"]}
	seen := map[string]string{checksum(original): "original"}
	for name, other := range map[string]fs.FS{
		"changed": files("CREATE TABLE one (id BIGINT)"),
		"added":   files("CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)"),
		"renamed": renamed,
	} {
		if same := seen[checksum(other)]; same != "" {
			t.Errorf("%s has the checksum of %s", name, same)
		}
		seen[checksum(other)] = name
	}
	if Checksum() != checksum(migrations()) || len(Checksum()) != 64 {
		t.Errorf("Checksum is %q", Checksum())
	}
}

var (
	name   = regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.sql$`)
	quoted = regexp.MustCompile(`'[^']*'`)
)

// TestMigrations_have_one_statement checks the rule of the package comment.
func TestMigrations_have_one_statement(t *testing.T) {
	paths, err := fs.Glob(migrations(), "*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d migrations, %v", len(paths), err)
	}
	for i, path := range paths {
		if !name.MatchString(path) || path[:4] != fmt.Sprintf("%04d", i+1) {
			t.Errorf("%s: want a name such as 0001_profiles.sql, numbered without a gap", path)
		}
		content, err := fs.ReadFile(migrations(), path)
		if err != nil {
			t.Fatal(err)
		}
		if problem := notOneStatementUp(string(content)); problem != "" {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

func TestNotOneStatementUp(t *testing.T) {
	const up, a, b = "-- +goose Up\n", "CREATE TABLE a (b INT);\n", "CREATE TABLE b (b INT);\n"
	for content, want := range map[string]string{
		up + "-- Why; and how.\nCREATE TABLE a (b CHAR(1) DEFAULT ';');\n": "",

		a:          "does not begin with -- +goose Up",
		up + a + b: "has 2 statements, want 1",
		up:         "has 0 statements, want 1",
		up + a + "-- +goose Down\nDROP TABLE a;\n": "has another goose annotation than Up",
	} {
		if got := notOneStatementUp(content); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

func notOneStatementUp(content string) string {
	body, ok := strings.CutPrefix(content, "-- +goose Up\n")
	if !ok {
		return "does not begin with -- +goose Up"
	}
	if strings.Contains(body, "+goose") {
		return "has another goose annotation than Up"
	}
	var code strings.Builder
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "--") {
			code.WriteString(line)
		}
	}
	if n := strings.Count(quoted.ReplaceAllString(code.String(), ""), ";"); n != 1 {
		return fmt.Sprintf("has %d statements, want 1", n)
	}
	return ""
}
