package mysqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/dolthub/vitess/go/mysql"
)

// Every fault below is armed by its call, hits the code under test, and ends by itself. A fault
// that does not hit fails the test.

// RotatePassword changes the user's password. Existing connections stay open.
func (d *Database) RotatePassword(t testing.TB) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.password = rand.Text()
	d.server.exec(t, "ALTER USER '"+d.User+"'@'%' IDENTIFIED BY '"+d.password+"'")
}

// KillConnections kills the user's connections, of which there must be at least one, and returns
// when they are closed.
func (d *Database) KillConnections(t testing.TB) {
	t.Helper()
	if d.kill(t) == 0 {
		t.Error("KillConnections: no connection to kill")
	}
}

func (d *Database) kill(t testing.TB) int {
	t.Helper()
	killed := map[int64]bool{}
	gone := eventually(func() bool {
		rows, err := d.server.Admin.Query(
			"SELECT id FROM information_schema.processlist WHERE user = ?", d.User)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			killed[id] = true
			// KILL fails for a connection that has just ended.
			_, _ = d.server.Admin.Exec(fmt.Sprintf("KILL %d", id))
		}
		return len(ids) == 0
	})
	if !gone {
		t.Error("connections are still open after KILL")
	}
	return len(killed)
}

// Failover makes the server reject writes (1290) until the next connection is made to it, as for a
// function whose connections still lead to the old writer.
func (s *Server) Failover(t testing.TB) {
	t.Helper()
	var end func()
	if s.Embedded() {
		refused := false
		fault := &injected{
			meets: func(user, statement string) bool {
				return user != "root" && writes(statement, "")
			},
			response: mysql.NewSQLError(1290, "HY000",
				"The MySQL server is running with the --read-only option so it cannot execute "+
					"this statement"),
			happened: func() { refused = true },
		}
		s.embedded.arm(fault)
		end = func() { s.embedded.disarm(fault) }
		t.Cleanup(func() {
			if !refused {
				t.Error("Failover: no write reached the old writer")
			}
		})
	} else {
		s.exec(t, "SET GLOBAL read_only = ON")
		end = func() { // on the relay's goroutine
			if _, err := s.Admin.Exec("SET GLOBAL read_only = OFF"); err != nil {
				t.Errorf("Failover: %v", err)
			}
		}
	}
	over := false
	s.relay.mu.Lock()
	s.relay.arrived = func() { over = true; end() }
	s.relay.mu.Unlock()
	t.Cleanup(func() {
		if !over {
			end()
			t.Error("Failover: no new connection was made")
		}
	})
}

// Deadlock makes the next transaction that writes the row, which must exist, fail with a deadlock
// (1213).
func (d *Database) Deadlock(t testing.TB, table, column, value string) {
	t.Helper()
	if d.server.Embedded() {
		d.inject(t, table, mysql.NewSQLError(1213, "40001",
			"Deadlock found when trying to get lock; try restarting transaction"))
		return
	}
	// The other transaction has a shared lock on the row. When the victim waits for it, the other
	// requests an exclusive lock and waits behind the victim: a deadlock, which InnoDB resolves by
	// rolling back the lighter of the two.
	d.server.exec(t, "CREATE TABLE IF NOT EXISTS "+d.Name+".mysqltest_weight (id INT)")
	other := d.begin(t)
	const tenRows = "(1), (2), (3), (4), (5), (6), (7), (8), (9), (10)"
	d.run(t, other, "INSERT INTO "+d.Name+".mysqltest_weight VALUES "+tenRows)
	d.lock(t, other, table, column, value, "LOCK IN SHARE MODE")
	before := d.server.metric(t, "lock_deadlocks")
	d.after(t, func() {
		waits := func() bool { return d.server.metric(t, "lock_row_lock_current_waits") > 0 }
		if !eventually(waits) {
			t.Error("Deadlock: no transaction writes the row")
		} else {
			update := "UPDATE " + d.Name + "." + table + " SET " + column + " = " + column
			d.run(t, other, update+" WHERE "+column+" = ?", value)
		}
		_ = other.Rollback() // the end of its connection would also roll it back
		if d.server.metric(t, "lock_deadlocks") == before {
			t.Error("Deadlock: no deadlock was detected")
		}
	})
}

// LockTimeout makes the next transaction that writes the row, which must exist, fail with a lock
// wait timeout (1205).
func (d *Database) LockTimeout(t testing.TB, table, column, value string) {
	t.Helper()
	if d.server.Embedded() {
		d.inject(t, table, mysql.NewSQLError(1205, "HY000",
			"Lock wait timeout exceeded; try restarting transaction"))
		return
	}
	before := d.server.metric(t, "lock_timeouts")
	other := d.begin(t)
	d.lock(t, other, table, column, value, "FOR UPDATE")
	d.after(t, func() {
		if !eventually(func() bool { return d.server.metric(t, "lock_timeouts") > before }) {
			t.Error("LockTimeout: no lock wait timed out")
		}
		_ = other.Rollback()
	})
}

// WaitForLockWait returns when a transaction waits for a row lock. The server must be a real one.
func (d *Database) WaitForLockWait(t testing.TB) {
	t.Helper()
	if !eventually(func() bool { return d.server.metric(t, "lock_row_lock_current_waits") > 0 }) {
		t.Fatal("WaitForLockWait: no transaction waits")
	}
}

// LoseCommitResponse loses the response to the next commit that changes the number of rows in the
// table: the commit is applied, and the connection breaks instead of the response. It does not read
// the responses, which are encrypted: it delays each until Admin, who sees what is committed, has
// counted the rows.
func (d *Database) LoseCommitResponse(t testing.TB, table string) {
	t.Helper()
	rows := func() (n int, err error) {
		err = d.server.Admin.QueryRow("SELECT COUNT(*) FROM " + d.Name + "." + table).Scan(&n)
		return n, err
	}
	before, err := rows()
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	relay := d.server.relay
	relay.mu.Lock()
	defer relay.mu.Unlock()
	relay.lose = func() bool { // on the relay's goroutine
		now, err := rows()
		if err != nil {
			t.Errorf("LoseCommitResponse: %v", err)
		}
		lost = err == nil && now != before
		return lost
	}
	t.Cleanup(func() {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		relay.lose = nil
		if !lost {
			t.Errorf("LoseCommitResponse: no commit changed the number of rows in %s", table)
		}
	})
}

// inject makes the user's next write to the table fail with an error.
func (d *Database) inject(t testing.TB, table string, response *mysql.SQLError) {
	t.Helper()
	happened := false
	fault := &injected{
		meets: func(user, statement string) bool {
			return user == d.User && writes(statement, table)
		},
		response: response,
		once:     true,
		happened: func() { happened = true },
	}
	d.server.embedded.arm(fault)
	t.Cleanup(func() {
		if !happened {
			t.Errorf("no write to %s, which would have failed with %d", table, response.Num)
		}
	})
}

func (d *Database) begin(t testing.TB) *sql.Tx {
	t.Helper()
	tx, err := d.server.Admin.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// run executes a statement. It may be called on another goroutine than the test's.
func (d *Database) run(t testing.TB, tx *sql.Tx, statement string, args ...any) {
	t.Helper()
	if _, err := tx.Exec(statement, args...); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

func (d *Database) lock(t testing.TB, tx *sql.Tx, table, column, value, mode string) {
	t.Helper()
	var one int
	statement := "SELECT 1 FROM " + d.Name + "." + table + " WHERE " + column + " = ? " + mode
	if err := tx.QueryRow(statement, value).Scan(&one); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// after runs the rest of a fault concurrently. The test waits for it before it ends.
func (d *Database) after(t testing.TB, rest func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		rest()
	}()
	t.Cleanup(func() { <-done })
}

// metric returns one of InnoDB's counters. They are for the complete server, which a test has to
// itself, and up to date, unlike information_schema.innodb_trx. It may be called on another
// goroutine than the test's.
func (s *Server) metric(t testing.TB, name string) int64 {
	var count int64
	const query = "SELECT count FROM information_schema.innodb_metrics WHERE name = ?"
	if err := s.Admin.QueryRow(query, name).Scan(&count); err != nil {
		t.Errorf("InnoDB's metric %s: %v", name, err)
	}
	return count
}
