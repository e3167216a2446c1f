// Package mysqltest provides a MySQL server for tests, one of two kinds behind the same API: an
// embedded engine in the test's process by default, or the MySQL or MariaDB server that
// TEST_MYSQL_DSN names. Both inject the same faults; the embedded engine only fakes a real server's
// errors, so tests prove locking on a real one.
//
//	TEST_MYSQL_DSN  go-sql-driver's DSN for an administrator: root:secret@tcp(127.0.0.1:3307)/
//	TEST_MYSQL_CA   PEM file with the authority of the server's certificate
package mysqltest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// waitTimeout is how long to wait for a condition that normally holds at once, for a busy machine.
const waitTimeout = 10 * time.Second

// A Server is a MySQL server behind a relay, which can take it down and bring it back.
type Server struct {
	Host   string // of the relay
	Port   int
	CAFile string  // PEM; a child process trusts the server with SSL_CERT_FILE set to it
	Admin  *sql.DB // a user with all privileges, not through the relay

	relay    *relay
	embedded *embedded // nil when the server is a real one
}

// Start returns a server that runs until t ends, and makes this process trust it through
// SSL_CERT_FILE. Go reads that variable once per process, so no TLS connection may be opened before
// the first Start. Because faults affect the complete server, and because of that variable, t must
// not be parallel and may start only one server. Tests of other packages that go test runs at the
// same time wait for exclusive use of a real server.
func Start(t testing.TB) *Server {
	t.Helper()
	server := &Server{CAFile: filepath.Join(t.TempDir(), "ca.pem")}
	config := mysql.NewConfig()
	var authority []byte
	if dsn := os.Getenv("TEST_MYSQL_DSN"); dsn != "" {
		var err error
		config, err = mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatalf("TEST_MYSQL_DSN: %v", err)
		}
		authority, err = os.ReadFile(os.Getenv("TEST_MYSQL_CA"))
		if err != nil {
			t.Fatalf("TEST_MYSQL_CA: %v", err)
		}
	} else {
		server.embedded = startEmbedded(t)
		config.Addr, config.User, config.Passwd = server.embedded.address, "root", adminPassword
		authority = testAuthority().pem
	}
	if err := os.WriteFile(server.CAFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", server.CAFile)
	t.Setenv("SSL_CERT_DIR", t.TempDir())

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	config.TLS = &tls.Config{RootCAs: roots}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	server.Admin = sql.OpenDB(connector)
	t.Cleanup(func() { _ = server.Admin.Close() })
	if server.Embedded() {
		server.exec(t, "SELECT 1")
	} else {
		server.lockServer(t)
	}

	server.relay = startRelay(t, config.Addr)
	host, port, err := net.SplitHostPort(server.relay.address)
	if err != nil {
		t.Fatal(err)
	}
	server.Host = host
	server.Port, _ = strconv.Atoi(port) // net.Listen has assigned it
	return server
}

// lockServer blocks tests in other processes from using the server until t ends.
func (s *Server) lockServer(t testing.TB) {
	t.Helper()
	conn, err := s.Admin.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// Runs before Admin is closed, and releases the lock.
	t.Cleanup(func() { _ = conn.Close() })
	const seconds = 300 // enough for a few slow packages
	var got sql.NullBool
	wait := conn.QueryRowContext(context.Background(), "SELECT GET_LOCK('mysqltest', ?)", seconds)
	if err := wait.Scan(&got); err != nil || !got.Bool {
		t.Fatalf("the server is in use by another test: %v", err)
	}
}

// Embedded reports whether the server is the embedded engine.
func (s *Server) Embedded() bool { return s.embedded != nil }

// Connections returns the number of connections that have been made to the server, without Admin's.
func (s *Server) Connections() int { return s.relay.connections() }

func (s *Server) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := s.Admin.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A Database is an empty schema with a user who has all privileges in it and may create users, as
// RDS's administrator may.
type Database struct {
	Name string
	User string

	server   *Server
	mu       sync.Mutex
	password string
	fetches  int
}

// NewDatabase creates a database that is dropped when t ends.
func (s *Server) NewDatabase(t testing.TB) *Database {
	t.Helper()
	id := rand.Text()
	database := &Database{
		Name: "test_" + id, User: "user_" + id[:20], server: s, password: rand.Text(),
	}
	s.exec(t, "CREATE DATABASE "+database.Name+" CHARACTER SET utf8mb4")
	s.exec(t, "CREATE USER '"+database.User+"'@'%' IDENTIFIED BY '"+database.password+"'")
	s.exec(t, "GRANT ALL ON "+database.Name+".* TO '"+database.User+"'@'%' WITH GRANT OPTION")
	s.exec(t, "GRANT CREATE USER ON *.* TO '"+database.User+"'@'%'")
	t.Cleanup(func() {
		database.kill(t) // a statement that is still running would keep the schema locked
		s.exec(t, "DROP USER IF EXISTS '"+database.AppUser()+"'@'%'")
		s.exec(t, "DROP USER '"+database.User+"'@'%'")
		s.exec(t, "DROP DATABASE "+database.Name)
	})
	return database
}

// AppUser returns the name of a user that a test may create. The user is dropped with the database.
func (d *Database) AppUser() string { return "app_" + strings.TrimPrefix(d.User, "user_") }

// OpenAs opens the database until t ends, as a function with these credentials does.
func (d *Database) OpenAs(t testing.TB, username, password string) *mysqlconn.Databases {
	t.Helper()
	other := &Database{Name: d.Name, User: username, server: d.server, password: password}
	return other.open(t, mysqlconn.Open)
}

// Settings returns the connection settings of a function that is connected to the database.
func (d *Database) Settings() mysqlconn.Settings {
	const secret = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:database-"
	return mysqlconn.Settings{
		SecretARN: secret + d.User, WriterHost: d.server.Host, Port: d.server.Port, Name: d.Name,
	}
}

// Open opens the database until t ends, as a function does.
func (d *Database) Open(t testing.TB) *mysqlconn.Databases {
	t.Helper()
	return d.open(t, mysqlconn.Open)
}

// OpenForMigration opens the database until t ends, as the migrate function does.
func (d *Database) OpenForMigration(t testing.TB) *mysqlconn.Databases {
	t.Helper()
	return d.open(t, mysqlconn.OpenForMigration)
}

func (d *Database) open(
	t testing.TB, open func(mysqlconn.Settings, mysqlconn.Secrets) (*mysqlconn.Databases, error),
) *mysqlconn.Databases {
	t.Helper()
	databases, err := open(d.Settings(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = databases.Close() })
	return databases
}

// Password returns the user's password, which RotatePassword changes.
func (d *Database) Password() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.password
}

// Secret returns the text that Secrets Manager would store for the database.
func (d *Database) Secret() string {
	text, err := json.Marshal(map[string]any{
		"engine": "mysql", "host": d.server.Host, "port": d.server.Port,
		"username": d.User, "password": d.Password(),
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// GetSecretValue implements [mysqlconn.Secrets].
func (d *Database) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	secret := d.Secret()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetches++
	return &secretsmanager.GetSecretValueOutput{SecretString: &secret}, nil
}

// Fetches returns the number of calls of GetSecretValue.
func (d *Database) Fetches() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetches
}

// pollInterval is how often eventually checks its condition.
const pollInterval = 10 * time.Millisecond

// eventually waits for a condition that another process or goroutine fulfills, and reports whether
// it holds.
func eventually(condition func() bool) bool {
	deadline := time.Now().Add(waitTimeout)
	for ; time.Now().Before(deadline); time.Sleep(pollInterval) {
		if condition() {
			return true
		}
	}
	return false
}
