package mysqlconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func value(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var value string
	if err := db.QueryRowContext(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func TestOpen_configures_the_session(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	plain, migration := database.Open(t).Writer, database.OpenForMigration(t).Writer
	const settings = "SELECT CONCAT_WS(' ', @@time_zone, @@character_set_client, " +
		"@@character_set_connection, @@character_set_results, DATABASE())"
	for _, db := range []*sql.DB{plain, migration} {
		got, want := value(t, db, settings), "+00:00 utf8mb4 utf8mb4 utf8mb4 "+database.Name
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const lockWaits = "SELECT CONCAT_WS(' ', @@innodb_lock_wait_timeout, @@lock_wait_timeout)"
	if got, want := value(t, migration, lockWaits), "20 20"; got != want {
		t.Errorf("a migration waits %s seconds for locks, want %s", got, want)
	}
	// A session that sets them is pinned by RDS Proxy.
	server := value(t, database.OpenForMigration(t).Writer,
		"SELECT CONCAT_WS(' ', @@global.innodb_lock_wait_timeout, @@global.lock_wait_timeout)")
	if got := value(t, plain, lockWaits); got != server {
		t.Errorf("a function waits %s seconds for locks, want the server's %s", got, server)
	}
	var at time.Time
	err := plain.QueryRowContext(t.Context(),
		"SELECT CAST('2026-07-01 12:00:00.123456' AS DATETIME(6))").Scan(&at)
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC)
	if !at.Equal(want) || at.Location() != time.UTC {
		t.Errorf("got %s, want %s", at, want)
	}
}

func TestOpen_reader_is_a_replica_when_there_is_one(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	settings := database.Settings()
	settings.WriterHost = "writer.invalid"
	settings.ReaderHosts = []string{server.Host, "localhost"}
	databases, err := mysqlconn.Open(settings, database)
	if err != nil {
		t.Fatal(err)
	}
	defer databases.Close()
	for range 4 {
		// The pool makes a new connection to either host.
		databases.Reader.SetMaxIdleConns(0)
		if err := databases.Reader.PingContext(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := databases.Writer.PingContext(t.Context()); err == nil {
		t.Error("the writer does not connect to the writer's host")
	}
	if alone := database.Open(t); alone.Reader != alone.Writer {
		t.Error("without replicas, the reader is not the writer")
	}
}

func TestDatabases_fetch_the_secret_again_after_a_rotation(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	databases := database.Open(t)
	if n := database.Fetches(); n != 0 {
		t.Errorf("%d fetches before the first connection", n)
	}
	connect := func() {
		t.Helper()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				conn, err := databases.Writer.Conn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.Close()
			})
		}
		both.Wait()
	}
	connect()
	server.ResetConnections()
	connect()
	if n := database.Fetches(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	database.RotatePassword(t)
	server.ResetConnections()
	connect()
	if n := database.Fetches(); n != 2 {
		t.Errorf("%d fetches after a rotation, want 2", n)
	}
}

// staleSecrets is a fake that never returns the rotated secret.
type staleSecrets string

func (s staleSecrets) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: (*string)(&s)}, nil
}

func TestDatabases_stale_secret_is_unavailable_and_not_in_the_error(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	secrets, password := staleSecrets(database.Secret()), database.Password()
	database.RotatePassword(t)
	databases, err := mysqlconn.Open(database.Settings(), secrets)
	if err != nil {
		t.Fatal(err)
	}
	defer databases.Close()
	err = mysqlconn.Retry(t.Context(), func() error {
		return databases.Writer.PingContext(t.Context())
	})
	if !errors.Is(err, mysqlconn.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if n := server.Connections(); n != 2 {
		t.Errorf("%d attempts, want 2: MySQL may lock out clients after wrong passwords", n)
	}
	// In this test, the ARN, which the error contains, is made of the user's name.
	text := strings.ReplaceAll(err.Error(), database.Settings().SecretARN, "")
	if strings.Contains(text, password) || strings.Contains(text, database.User) {
		t.Errorf("the error contains the credentials: %v", err)
	}
}

func TestTransact_commits_or_rolls_back(t *testing.T) {
	db := mysqltest.Start(t).NewDatabase(t).Open(t).Writer
	exec(t, db, "CREATE TABLE stones (id INT PRIMARY KEY)")
	tries := 0
	insert := func(id int, then func() error) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			tries++
			_, err := tx.ExecContext(t.Context(), "INSERT INTO stones VALUES (?)", id)
			if err != nil {
				return err
			}
			return then()
		}
	}
	err := mysqlconn.Transact(t.Context(), db, insert(1, func() error { return nil }))
	if err != nil {
		t.Error(err)
	}
	mine := errors.New("mine")
	err = mysqlconn.Transact(t.Context(), db, insert(2, func() error { return mine }))
	if err != mine {
		t.Errorf("got %v, want the error unchanged", err)
	}
	err = mysqlconn.Transact(t.Context(), db, insert(1, func() error { return nil }))
	if !errors.Is(err, &mysql.MySQLError{Number: 1062}) {
		t.Errorf("got %v, want MySQL's 1062", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = mysqlconn.Transact(t.Context(), db, insert(3, func() error { panic("no") }))
	}()
	if tries != 4 {
		t.Errorf("%d tries, want one each", tries)
	}
	if got := value(t, db, "SELECT GROUP_CONCAT(id) FROM stones"); got != "1" {
		t.Errorf("stored %s, want 1", got)
	}
	if open := db.Stats().InUse; open != 0 {
		t.Errorf("%d connections still in use", open)
	}
}

// TestTransact_retries_after executes a first statement that must be applied once, and loses the
// transaction at the second.
func TestTransact_retries_after(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *mysqltest.Server, *mysqltest.Database){
		"deadlock": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.Deadlock(t, "stones", "id", "1")
		},
		"lock wait timeout": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.LockTimeout(t, "stones", "id", "1")
		},
		"killed connection": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.KillConnections(t)
		},
		"reset connection": func(_ *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.ResetConnections()
		},
		"failover": func(t *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.Failover(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t)
			database := server.NewDatabase(t)
			db := database.Open(t).Writer
			exec(t, db, "CREATE TABLE stones (id INT PRIMARY KEY, weight INT NOT NULL)")
			exec(t, db, "CREATE TABLE log (entry INT)")
			exec(t, db, "INSERT INTO stones VALUES (1, 1)")
			tries := 0
			strike := func() { fault(t, server, database) }
			if name == "failover" { // a real server becomes read-only only between transactions
				strike()
				strike = func() {}
			}
			err := mysqlconn.Transact(t.Context(), db, func(tx *sql.Tx) error {
				tries++
				if _, err := tx.ExecContext(t.Context(), "INSERT INTO log VALUES (1)"); err != nil {
					return err
				}
				if tries == 1 {
					strike()
				}
				_, err := tx.ExecContext(t.Context(),
					"UPDATE stones SET weight = weight + 1 WHERE id = 1")
				return err
			})
			if err != nil || tries != 2 {
				t.Errorf("got %v after %d tries, want 2", err, tries)
			}
			got := value(t, db,
				"SELECT CONCAT((SELECT COUNT(*) FROM log), ' ', weight) FROM stones")
			if got != "1 2" {
				t.Errorf("entries and weight are %s, want 1 2", got)
			}
		})
	}
}

func TestRetry_is_limited(t *testing.T) {
	tries := 0
	err := mysqlconn.Retry(t.Context(),
		func() error { tries++; return &mysql.MySQLError{Number: 1213} })
	if !errors.Is(err, mysqlconn.ErrUnavailable) ||
		!errors.Is(err, &mysql.MySQLError{Number: 1213}) || tries != 4 {
		t.Errorf("got %v after %d tries", err, tries)
	}

	tries = 0
	// The error is as from a connect that has used up its tries.
	given := fmt.Errorf("%w: %w", mysqlconn.ErrUnavailable, io.EOF)
	err = mysqlconn.Retry(t.Context(), func() error { tries++; return given })
	if err != given || tries != 1 {
		t.Errorf("ErrUnavailable from work: got %v after %d tries", err, tries)
	}

	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond) // shorter than any pause
	defer cancel()
	err = mysqlconn.Retry(short, func() error { return &mysql.MySQLError{Number: 1205} })
	if !errors.Is(err, mysqlconn.ErrUnavailable) {
		t.Errorf("at the deadline: got %v", err)
	}
}

func TestTransact_deadline_is_unavailable(t *testing.T) {
	db := mysqltest.Start(t).NewDatabase(t).Open(t).Writer
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := mysqlconn.Transact(ctx, db, func(tx *sql.Tx) error {
		<-ctx.Done()
		// Until database/sql has noticed too: before that, the commit may still succeed.
		for range 1_000_000 {
			if _, err := tx.ExecContext(t.Context(), "SET @a = 1"); errors.Is(err, sql.ErrTxDone) {
				return nil
			}
		}
		return errors.New("database/sql does not notice the transaction's deadline")
	})
	if !errors.Is(err, mysqlconn.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestOpen_times_out_on_a_silent_server(t *testing.T) {
	server := mysqltest.Start(t)
	db := server.NewDatabase(t).Open(t).Writer
	value(t, db, "SELECT 1")
	server.StopResponding()
	defer server.Up(t)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, "DO 1"); !errors.Is(err, mysql.ErrInvalidConn) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took < 4*time.Second || took > 7*time.Second {
		t.Errorf("failed after %s, want 5s", took)
	}
}

// TestOpen_sends_no_password_to_an_untrusted_server connects to servers without a trusted
// certificate.
func TestOpen_sends_no_password_to_an_untrusted_server(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	for name, test := range map[string]struct {
		offersTLS bool
		want      func(error) bool
	}{
		"no TLS": {false, func(err error) bool { return errors.Is(err, mysql.ErrNoTLS) }},
		"unknown authority": {true, func(err error) bool {
			var unknown x509.UnknownAuthorityError
			return errors.As(err, &unknown)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			impostor, received := startImpostor(t, test.offersTLS)
			settings := database.Settings()
			settings.WriterHost, settings.Port = "127.0.0.1", impostor
			databases, err := mysqlconn.Open(settings, database)
			if err != nil {
				t.Fatal(err)
			}
			defer databases.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err = mysqlconn.Retry(ctx, func() error { return databases.Writer.PingContext(ctx) })
			if !test.want(err) || errors.Is(err, mysqlconn.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			if text := <-received; strings.Contains(text, database.User) {
				t.Errorf("the server received %q", text)
			}
		})
	}
}

// startImpostor accepts one connection like a MySQL server with an untrusted certificate, and sends
// what it received to the channel.
func startImpostor(t *testing.T, offersTLS bool) (port int, received <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	channel := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		capabilities := byte(0x82) // protocol 4.1, authentication by plug-in
		low := byte(0x00)
		if offersTLS {
			low = 0x08 // SSL, in the second byte
		}
		greeting := []byte("\x0a8.4.0\x00\x01\x00\x00\x00abcdefgh\x00")
		greeting = append(greeting, 0x00, capabilities|low, 0x2d, 0x02, 0x00, 0x08, 0x00, 21)
		greeting = append(greeting, make([]byte, 10)...)
		greeting = append(greeting, "abcdefghijkl\x00mysql_native_password\x00"...)
		_, _ = conn.Write(append([]byte{byte(len(greeting)), 0, 0, 0}, greeting...))
		if offersTLS {
			request := make([]byte, 36)
			_, _ = io.ReadFull(conn, request)
			certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
			secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
			text, _ := io.ReadAll(secure)
			channel <- string(request) + string(text)
			return
		}
		text, _ := io.ReadAll(conn)
		channel <- string(text)
	}()
	return listener.Addr().(*net.TCPAddr).Port, channel
}

// TestErrUnavailable_is_a_temporary_failure_of_an_API: package rest responds with 503.
func TestErrUnavailable_is_a_temporary_failure_of_an_API(t *testing.T) {
	if !errors.Is(mysqlconn.ErrUnavailable, rest.ErrUnavailable) {
		t.Error("ErrUnavailable does not wrap rest.ErrUnavailable")
	}
}
