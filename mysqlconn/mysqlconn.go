// Package mysqlconn opens a MySQL database on Amazon RDS from inside a function: credentials from
// Secrets Manager, TLS always, a writer and a reader, and transactions that are retried after
// failovers, deadlocks and lost connections.
//
// A function has [Settings] among its own, and its stack fills them with GrantConnect of the
// construct mysql. A second database has a prefix, with which its stack passes the function:
// archive.GrantConnect(fn.WithPrefix("ARCHIVE_")).
//
//	type Settings struct {
//		Database mysqlconn.Settings
//		Archive  mysqlconn.Settings `envPrefix:"ARCHIVE_"`
//	}
//
//	settings := lambdaenv.MustLoad[Settings]()
//	databases, err := mysqlconn.Open(settings.Database, secretsmanager.NewFromConfig(config))
//	...
//	err = mysqlconn.Transact(ctx, databases.Writer, func(tx *sql.Tx) error {
//		_, err := tx.ExecContext(ctx, "UPDATE …")
//		return err
//	})
//	if errors.Is(err, mysqlconn.ErrUnavailable) { // respond with 503
//
// No error and no log line of this package contains a password. MySQL's own errors may contain the
// user name.
package mysqlconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// connectTimeout limits one TCP connect. Inside a VPC it takes a millisecond or never succeeds.
	connectTimeout = 2 * time.Second

	// ioTimeout limits how long the server may be silent within a statement. It detects a host that
	// vanished in a failover without closing its connections well before API Gateway's timeout of
	// 29 seconds, and leaves time for a retry.
	ioTimeout = 5 * time.Second

	// ddlLockWait is for schema changes. It is longer than a function's transactions last, and
	// short because a statement that waits for a table's metadata lock blocks every later statement
	// on that table.
	ddlLockWait = 20 * time.Second

	// maxConnections is how many connections one process may open to the writer, and again to the
	// reader. A function handles one request at a time: one connection, and one more for a
	// statement beside an open transaction.
	maxConnections = 2

	// maxConnectionAge is when a working connection is replaced, so that processes that Lambda
	// keeps for hours find a new writer, a new replica and a rotated secret.
	maxConnectionAge = 5 * time.Minute
)

// bundle holds the certificate authorities of Amazon RDS: the root certificates of all commercial
// regions from https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem, sorted by name,
// without expired ones and those of RDS's beta and preview environments. See "Using SSL/TLS to
// encrypt a connection to a DB instance or cluster" in the Amazon RDS user guide. Renew it for a
// new region or new roots: download that file, sort its certificates the same way and run the tests
// of this package, which fail on roots that expire soon.
//
//go:embed rds-global-bundle.pem
var bundle []byte

// Databases are the writer and the reader of one MySQL database. They are safe for concurrent use
// and connect on first use.
type Databases struct {
	// The writer, whose reads return what was just written.
	Writer *sql.DB
	// The replicas, which may be some seconds old; the same as Writer when there are none.
	Reader *sql.DB
}

// Close closes all connections. A function that uses them until its process ends need not call it.
func (d *Databases) Close() error {
	return errors.Join(d.Writer.Close(), d.Reader.Close())
}

// Open returns the database of settings, without connecting to it. It fails when the system's
// certificate authorities cannot be read.
//
// Every connection is made to the writer, or to a replica picked at random, with TLS 1.2 or later.
// The host's name is verified against the system's certificate authorities, which sign the
// certificates of RDS Proxy, and those of Amazon RDS. The time zone is UTC, DATETIME columns scan
// into [time.Time], the character set is utf8mb4. The server must respond to a statement within 5
// seconds. The server's configuration sets how long a statement waits for a lock, since RDS Proxy
// pins a session that sets it to its connection. A connection that turns out to be read-only, such
// as one to the old writer after a failover, is replaced.
func Open(settings Settings, secrets Secrets) (*Databases, error) {
	return open(settings, secrets, func(*mysql.Config) {})
}

// OpenForMigration is [Open] for schema changes: a statement may take as long as its context
// allows, and waits for a lock for 20 seconds.
func OpenForMigration(settings Settings, secrets Secrets) (*Databases, error) {
	return open(settings, secrets, func(config *mysql.Config) {
		config.ReadTimeout = 0
		seconds := strconv.Itoa(int(ddlLockWait.Seconds()))
		config.Params["innodb_lock_wait_timeout"] = seconds // row locks
		config.Params["lock_wait_timeout"] = seconds        // metadata locks of tables in use
	})
}

func open(settings Settings, secrets Secrets, configure func(*mysql.Config)) (*Databases, error) {
	authorities, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("mysqlconn: read the system's certificate authorities: %w", err)
	}
	authorities.AppendCertsFromPEM(bundle)

	config := mysql.NewConfig() // the default character set is utf8mb4
	config.DBName = settings.Name
	config.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	config.ParseTime = true
	config.RejectReadOnly = true
	// One round trip less. Prepared statements would pin RDS Proxy's connections.
	config.InterpolateParams = true
	config.Timeout = connectTimeout
	config.ReadTimeout = ioTimeout
	config.WriteTimeout = ioTimeout
	config.Params = map[string]string{"time_zone": "'+00:00'"}
	config.Logger = &mysql.NopLogger{} // the errors contain what it would log
	configure(config)

	credentials := newCredentialStore(secrets, settings.SecretARN)
	pool := func(hosts ...string) *sql.DB {
		db := sql.OpenDB(&connector{
			config: config, hosts: hosts, port: settings.Port, credentials: credentials,
		})
		db.SetMaxOpenConns(maxConnections)
		db.SetMaxIdleConns(maxConnections)
		db.SetConnMaxLifetime(maxConnectionAge)
		return db
	}
	databases := &Databases{Writer: pool(settings.WriterHost)}
	databases.Reader = databases.Writer
	if len(settings.ReaderHosts) > 0 {
		databases.Reader = pool(settings.ReaderHosts...)
	}
	return databases, nil
}

// A connector makes connections with the credentials that are valid at that time.
type connector struct {
	config      *mysql.Config
	hosts       []string
	port        int
	credentials *credentialStore
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	cached, err := c.credentials.get(ctx, nil)
	if err != nil {
		return nil, err
	}
	conn, err := c.connectAs(ctx, cached)
	if !isNumber(err, accessDenied) {
		return conn, err
	}
	fresh, err := c.credentials.get(ctx, cached)
	if err != nil {
		return nil, err
	}
	conn, err = c.connectAs(ctx, fresh)
	if isNumber(err, accessDenied) {
		// MySQL's own message is left out because it contains the user name. ErrUnavailable, since
		// Secrets Manager's rotation sets the password some seconds before it publishes the secret.
		return nil, fmt.Errorf(
			"%w: MySQL denied access (1045) with the credentials of %s, fetched again",
			ErrUnavailable, c.credentials.arn)
	}
	return conn, err
}

func (c *connector) connectAs(ctx context.Context, as *Credentials) (driver.Conn, error) {
	config := c.config.Clone()
	//nolint:gosec // spreads load; guessing the host has no value
	host := c.hosts[rand.IntN(len(c.hosts))]
	config.Addr = net.JoinHostPort(host, strconv.Itoa(c.port))
	config.User, config.Passwd = as.Username, as.Password
	dialer, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return dialer.Connect(ctx)
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return mysql.MySQLDriver{} }
