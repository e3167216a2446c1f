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

// Every fault below is armed by its call, met by the code under test, and over by itself. One that was never met
// fails the test.

// RotatePassword gives the user a new password. Connections that there are stay.
func (d *Database) RotatePassword(t testing.TB) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.password = rand.Text()
	d.server.exec(t, "ALTER USER '"+d.User+"'@'%' IDENTIFIED BY '"+d.password+"'")
}

// KillConnections kills the user's connections, of which there must be at least one, and returns when they are gone.
func (d *Database) KillConnections(t testing.TB) {
	t.Helper()
	if d.kill(t) == 0 {
		t.Error("KillConnections: there is none")
	}
}

func (d *Database) kill(t testing.TB) int {
	t.Helper()
	killed := map[int64]bool{}
	gone := eventually(func() bool {
		rows, err := d.server.Admin.Query("SELECT id FROM information_schema.processlist WHERE user = ?", d.User)
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
			_, _ = d.server.Admin.Exec(fmt.Sprintf("KILL %d", id)) // fails on one that has just ended
		}
		return len(ids) == 0
	})
	if !gone {
		t.Error("the connections do not die")
	}
	return len(killed)
}

// Failover makes the server refuse writes (1290) until the next connection is made to it: what a function sees whose
// connections still lead to the old writer.
func (s *Server) Failover(t testing.TB) {
	t.Helper()
	var end func()
	if s.Embedded() {
		refused := false
		fault := &injected{
			meets:    func(user, statement string) bool { return user != "root" && writes(statement, "") },
			answer:   mysql.NewSQLError(1290, "HY000", "The MySQL server is running with the --read-only option so it cannot execute this statement"),
			happened: func() { refused = true },
		}
		s.embedded.arm(fault)
		end = func() { s.embedded.disarm(fault) }
		t.Cleanup(func() {
			if !refused {
				t.Error("Failover: nothing was written to the old writer")
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
			t.Error("Failover: nobody connected anew")
		}
	})
}

// Deadlock makes the next transaction that writes the row, which must exist, lose a deadlock (1213).
func (d *Database) Deadlock(t testing.TB, table, column, value string) {
	t.Helper()
	if d.server.Embedded() {
		d.inject(t, table, mysql.NewSQLError(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"))
		return
	}
	// The other transaction shares the row. When the victim waits for it, the other wants it alone, and waits behind
	// the victim: a deadlock, which InnoDB ends at the cost of the lighter of the two.
	d.server.exec(t, "CREATE TABLE IF NOT EXISTS "+d.Name+".mysqltest_weight (id INT)")
	other := d.begin(t)
	d.run(t, other, "INSERT INTO "+d.Name+".mysqltest_weight VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)")
	d.lock(t, other, table, column, value, "LOCK IN SHARE MODE")
	before := d.server.metric(t, "lock_deadlocks")
	d.after(t, func() {
		if !eventually(func() bool { return d.server.metric(t, "lock_row_lock_current_waits") > 0 }) {
			t.Error("Deadlock: nobody writes the row")
		} else {
			d.run(t, other, "UPDATE "+d.Name+"."+table+" SET "+column+" = "+column+" WHERE "+column+" = ?", value)
		}
		_ = other.Rollback() // also ends with its connection
		if d.server.metric(t, "lock_deadlocks") == before {
			t.Error("Deadlock: there was none")
		}
	})
}

// LockTimeout makes the next transaction that writes the row, which must exist, wait for it in vain (1205).
func (d *Database) LockTimeout(t testing.TB, table, column, value string) {
	t.Helper()
	if d.server.Embedded() {
		d.inject(t, table, mysql.NewSQLError(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"))
		return
	}
	before := d.server.metric(t, "lock_timeouts")
	other := d.begin(t)
	d.lock(t, other, table, column, value, "FOR UPDATE")
	d.after(t, func() {
		if !eventually(func() bool { return d.server.metric(t, "lock_timeouts") > before }) {
			t.Error("LockTimeout: nobody waits for the row and gives up")
		}
		_ = other.Rollback()
	})
}

// WaitForLockWait returns when somebody waits for a row of the server, which must be a real one.
func (d *Database) WaitForLockWait(t testing.TB) {
	t.Helper()
	if !eventually(func() bool { return d.server.metric(t, "lock_row_lock_current_waits") > 0 }) {
		t.Fatal("WaitForLockWait: nobody waits")
	}
}

// LoseCommitResponse makes the next commit that adds rows to the table, or takes some away, one that nobody hears of: it is
// carried out, and the connection breaks in place of the answer. It does not read the answers, which are encrypted:
// each is held back until Admin, who sees what is committed, has counted the rows.
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
			t.Errorf("LoseCommitResponse: nobody commits another number of rows in %s", table)
		}
	})
}

// inject answers the next write of the user to the table with an error.
func (d *Database) inject(t testing.TB, table string, answer *mysql.SQLError) {
	t.Helper()
	happened := false
	fault := &injected{
		meets:    func(user, statement string) bool { return user == d.User && writes(statement, table) },
		answer:   answer,
		once:     true,
		happened: func() { happened = true },
	}
	d.server.embedded.arm(fault)
	t.Cleanup(func() {
		if !happened {
			t.Errorf("nobody writes %s, to be answered %d", table, answer.Num)
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

// run may be called on another goroutine than the test's.
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

// after runs the rest of a fault beside the test, which waits for it before it ends.
func (d *Database) after(t testing.TB, rest func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		rest()
	}()
	t.Cleanup(func() { <-done })
}

// metric is one of InnoDB's counters. They are the server's, which a test has to itself, and up to date, unlike
// information_schema.innodb_trx. It may be called on another goroutine than the test's.
func (s *Server) metric(t testing.TB, name string) int64 {
	var count int64
	if err := s.Admin.QueryRow("SELECT count FROM information_schema.innodb_metrics WHERE name = ?", name).Scan(&count); err != nil {
		t.Errorf("InnoDB's metric %s: %v", name, err)
	}
	return count
}
