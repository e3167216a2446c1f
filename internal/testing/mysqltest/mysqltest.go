// Package mysqltest gives a test a MySQL server of one of two kinds, behind the same API: an engine inside the test's
// process by default, or the MySQL or MariaDB server that TEST_MYSQL_DSN names. The code under test meets the same
// faults on both; the embedded engine only claims what a real server does, so locks are proved on a real one.
//
//	TEST_MYSQL_DSN  of a user who may do everything, in go-sql-driver's notation: root:secret@tcp(127.0.0.1:3307)/
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

// waitTimeout is how long a condition may take that should come about at once, on a busy machine.
const waitTimeout = 10 * time.Second

// A Server is a MySQL server behind a relay, by which it can go down and come back.
type Server struct {
	Host   string // the relay's
	Port   int
	CAFile string  // PEM; a child process trusts the server with SSL_CERT_FILE set to it
	Admin  *sql.DB // as a user who may do everything, not through the relay

	relay    *relay
	embedded *embedded // nil when the server is a real one
}

// Start gives t a server until it ends, and makes this process trust it through SSL_CERT_FILE. Go reads that variable
// once a process, so nothing may have opened a TLS connection before the first Start. Since faults are the whole
// server's, and for that variable, t must not be parallel and starts one server; tests of other packages that go test
// runs at the same time wait for their turn at a real server.
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
	server.Port, _ = strconv.Atoi(port) // the system's own number
	return server
}

// lockServer keeps tests in other processes off the server until t ends.
func (s *Server) lockServer(t testing.TB) {
	t.Helper()
	conn, err := s.Admin.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // before Admin is closed, and the lock with it
	const seconds = 300                    // as long as a few slow packages
	var got sql.NullBool
	if err := conn.QueryRowContext(context.Background(), "SELECT GET_LOCK('mysqltest', ?)", seconds).Scan(&got); err != nil || !got.Bool {
		t.Fatalf("the server is in use by another test: %v", err)
	}
}

// Embedded tells whether the server is the engine in this process.
func (s *Server) Embedded() bool { return s.embedded != nil }

// Connections counts the connections that have been made to the server, but for Admin's.
func (s *Server) Connections() int { return s.relay.connections() }

func (s *Server) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := s.Admin.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A Database is an empty schema and a user who may do everything in it, and make users, as RDS's administrator may.
type Database struct {
	Name string
	User string

	server   *Server
	mu       sync.Mutex
	password string
	fetches  int
}

// NewDatabase makes a database that is removed when t ends.
func (s *Server) NewDatabase(t testing.TB) *Database {
	t.Helper()
	id := rand.Text()
	database := &Database{Name: "test_" + id, User: "user_" + id[:20], server: s, password: rand.Text()}
	s.exec(t, "CREATE DATABASE "+database.Name+" CHARACTER SET utf8mb4")
	s.exec(t, "CREATE USER '"+database.User+"'@'%' IDENTIFIED BY '"+database.password+"'")
	s.exec(t, "GRANT ALL ON "+database.Name+".* TO '"+database.User+"'@'%' WITH GRANT OPTION")
	s.exec(t, "GRANT CREATE USER ON *.* TO '"+database.User+"'@'%'")
	t.Cleanup(func() {
		database.kill(t) // a statement that a test left behind would keep the schema locked
		s.exec(t, "DROP USER IF EXISTS '"+database.AppUser()+"'@'%'")
		s.exec(t, "DROP USER '"+database.User+"'@'%'")
		s.exec(t, "DROP DATABASE "+database.Name)
	})
	return database
}

// AppUser is the name of a user that a test may make: it is removed with the database.
func (d *Database) AppUser() string { return "app_" + strings.TrimPrefix(d.User, "user_") }

// OpenAs returns the database as a function opens it that signs in with these credentials, until t ends.
func (d *Database) OpenAs(t testing.TB, username, password string) *mysqlconn.Databases {
	t.Helper()
	other := &Database{Name: d.Name, User: username, server: d.server, password: password}
	return other.open(t, mysqlconn.Open)
}

// Settings are those of a function that is connected to the database.
func (d *Database) Settings() mysqlconn.Settings {
	return mysqlconn.Settings{SecretARN: "arn:aws:secretsmanager:eu-central-1:111111111111:secret:database-" + d.User,
		WriterHost: d.server.Host, Port: d.server.Port, Name: d.Name}
}

// Open returns the database as a function opens it, until t ends.
func (d *Database) Open(t testing.TB) *mysqlconn.Databases {
	t.Helper()
	return d.open(t, mysqlconn.Open)
}

// OpenForMigration returns the database as the migrate function opens it, until t ends.
func (d *Database) OpenForMigration(t testing.TB) *mysqlconn.Databases {
	t.Helper()
	return d.open(t, mysqlconn.OpenForMigration)
}

func (d *Database) open(t testing.TB, open func(mysqlconn.Settings, mysqlconn.Secrets) (*mysqlconn.Databases, error)) *mysqlconn.Databases {
	t.Helper()
	databases, err := open(d.Settings(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = databases.Close() })
	return databases
}

// Password is the user's, which RotatePassword changes.
func (d *Database) Password() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.password
}

// Secret is the text that Secrets Manager would hold for the database.
func (d *Database) Secret() string {
	text, err := json.Marshal(map[string]any{"engine": "mysql", "host": d.server.Host, "port": d.server.Port,
		"username": d.User, "password": d.Password()})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// GetSecretValue makes a Database the [mysqlconn.Secrets] that it is opened with.
func (d *Database) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	secret := d.Secret()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetches++
	return &secretsmanager.GetSecretValueOutput{SecretString: &secret}, nil
}

// Fetches counts the calls of GetSecretValue.
func (d *Database) Fetches() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetches
}

// pollInterval is how often a condition is asked for.
const pollInterval = 10 * time.Millisecond

// eventually waits for a condition that another process or goroutine brings about.
func eventually(condition func() bool) bool {
	for deadline := time.Now().Add(waitTimeout); time.Now().Before(deadline); time.Sleep(pollInterval) {
		if condition() {
			return true
		}
	}
	return false
}
