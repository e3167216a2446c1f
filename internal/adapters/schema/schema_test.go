package schema

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
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
	result, err := Up(t.Context(), db, files)
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
	first, err := Up(t.Context(), db, migrations.Files)
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
	second, err := Up(t.Context(), db, migrations.Files)
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
			_, err := Up(t.Context(), other, steps)
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
	if _, err := Up(
		short, database.Open(t).Writer, migrations.Files); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("got %v, want Up to wait for the lock until the deadline", err)
	}
	unlock()
	if _, err := Up(t.Context(), db, migrations.Files); err != nil {
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
	_, err := Up(t.Context(), db, files(one, one, three))
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
	all := migrations.Files
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

func TestUp_refuses_a_file_that_was_changed_after_it_was_applied(t *testing.T) {
	_, db := start(t)
	const one, two, three = "CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)",
		"CREATE TABLE three (id INT)"
	mustUp(t, db, files(one, two))
	_, err := Up(t.Context(), db, files(one, "CREATE TABLE two (id BIGINT)", three))
	const want = "schema: 0002_step.sql was changed after it was applied; restore it and make " +
		"the change in a new file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	// Nothing was applied. Line ends of Windows are no change.
	windows := files(one, two, three)
	windows["0001_step.sql"].Data = bytes.ReplaceAll(windows["0001_step.sql"].Data,
		[]byte("\n"), []byte("\r\n"))
	restored := mustUp(t, db, windows)
	if diff := cmp.Diff(Result{Version: 3, Applied: []string{"0003_step.sql"}},
		restored); diff != "" {
		t.Error(diff)
	}
}

// TestUp_accepts_a_database_without_checksums has a database that goose alone has migrated.
func TestUp_accepts_a_database_without_checksums(t *testing.T) {
	_, db := start(t)
	const one = "CREATE TABLE one (id INT)"
	mustUp(t, db, files(one))
	if _, err := db.ExecContext(t.Context(), "DROP TABLE goose_db_checksum"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Version: 1}, mustUp(t, db, files(one))); diff != "" {
		t.Error(diff)
	}
	if _, err := Up(t.Context(), db, files("CREATE TABLE one (id BIGINT)")); err == nil {
		t.Error("a change after that was accepted")
	}
}

func TestUp_refuses_unusable_files(t *testing.T) {
	_, db := start(t)
	for want, files := range map[string]fs.FS{
		"there are no migrations": fstest.MapFS{"sql/0001_a.sql": {Data: []byte("-- +goose Up\n")}},
		"duplicate migration version 1": fstest.MapFS{
			"0001_a.sql": {Data: []byte("-- +goose Up\n")},
			"1_b.sql":    {Data: []byte("-- +goose Up\n")},
		},
		"failed to parse 0001_a.sql": fstest.MapFS{
			"0001_a.sql": {Data: []byte("CREATE TABLE a (b INT);\n")},
		},
	} {
		if _, err := Up(t.Context(), db, files); err == nil ||
			!strings.HasPrefix(err.Error(), "schema: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %s", err, want)
		}
	}
}
