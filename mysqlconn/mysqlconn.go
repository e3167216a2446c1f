// Package mysqlconn opens the platform's MySQL database from inside a function: credentials from Secrets Manager,
// TLS always, a writer and a reader, and transactions that survive what a managed database does to them.
//
//	databases, err := mysqlconn.Open(settings.Database, secretsmanager.NewFromConfig(config))
//	...
//	err = mysqlconn.Transact(ctx, databases.Writer, func(tx *sql.Tx) error {
//		_, err := tx.ExecContext(ctx, "UPDATE …")
//		return err
//	})
//	if errors.Is(err, mysqlconn.ErrUnavailable) { // answer 503
//
// No error and no log line of this package has a password in it. MySQL's own errors may name the user.
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
	// connectTimeout bounds one TCP connect. Inside a VPC it takes a millisecond or never succeeds.
	connectTimeout = 2 * time.Second

	// ioTimeout is how long the server may stay silent within a statement. It finds a host that vanished without a
	// word in a failover well before API Gateway gives up after 29 seconds, and leaves time to try again.
	ioTimeout = 5 * time.Second

	// ddlLockWait is for changes of the schema. It is longer than a function's transactions last, and short because a
	// statement that waits for a table's metadata lock makes every other statement on that table wait behind it.
	ddlLockWait = 20 * time.Second

	// maxConnections is what one process may open to the writer, and again to the reader. A function handles one
	// request at a time: one connection, and one more for a statement beside an open transaction.
	maxConnections = 2

	// maxConnectionAge is when a connection is replaced though it works, so that processes which Lambda keeps for
	// hours find a new writer, a new replica and a rotated secret.
	maxConnectionAge = 5 * time.Minute
)

// bundle holds the certificate authorities of Amazon RDS: every commercial region's root that was in
// https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem, sorted by name, without those that have expired
// and those of RDS's beta and preview environments. See "Using SSL/TLS to encrypt a connection to a DB instance or
// cluster" in the Amazon RDS user guide. To renew it, which a new region or new roots ask for, download that file,
// sort its certificates the same way and run the tests of this package, which refuse roots about to expire.
//
//go:embed rds-global-bundle.pem
var bundle []byte

// Databases are the two ends of one MySQL database. They are safe for concurrent use and connect on first use.
type Databases struct {
	Writer *sql.DB // reads what was just written
	Reader *sql.DB // the replicas, which may be some seconds behind; the same as Writer when there are none
}

// Close closes all connections. A function that lives as long as its process need not call it.
func (d *Databases) Close() error {
	return errors.Join(d.Writer.Close(), d.Reader.Close())
}

// Open returns the database that the settings describe, without connecting to it. It fails when this machine's
// certificate authorities cannot be read.
//
// Every connection is made to the writer, or to a replica picked at random, over TLS 1.2 or later with the host's
// name verified against the machine's certificate authorities, which an RDS Proxy is certified by, and those of
// Amazon RDS. The time zone is UTC, DATETIME columns scan into [time.Time], the character set is utf8mb4. A statement
// must answer within 5 seconds; how long it waits for a lock is the server's to say, since a session that says it is
// pinned to its connection by RDS Proxy. A connection that turns out to be read-only, as those to the old writer are
// after a failover, is replaced.
func Open(settings Settings, secrets Secrets) (*Databases, error) {
	return open(settings, secrets, func(*mysql.Config) {})
}

// OpenForMigration is [Open] for a change of the schema: a statement may take as long as its context allows, and waits
// for a lock for 20 seconds.
func OpenForMigration(settings Settings, secrets Secrets) (*Databases, error) {
	return open(settings, secrets, func(config *mysql.Config) {
		config.ReadTimeout = 0
		seconds := strconv.Itoa(int(ddlLockWait.Seconds()))
		config.Params["innodb_lock_wait_timeout"] = seconds // rows
		config.Params["lock_wait_timeout"] = seconds        // metadata: a table that is in use
	})
}

func open(settings Settings, secrets Secrets, configure func(*mysql.Config)) (*Databases, error) {
	authorities, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("mysqlconn: read the certificate authorities: %w", err)
	}
	authorities.AppendCertsFromPEM(bundle)

	config := mysql.NewConfig() // its character set is utf8mb4
	config.DBName = settings.Name
	config.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	config.ParseTime = true
	config.RejectReadOnly = true
	config.InterpolateParams = true // one round trip less; prepared statements would pin RDS Proxy's connections
	config.Timeout = connectTimeout
	config.ReadTimeout = ioTimeout
	config.WriteTimeout = ioTimeout
	config.Params = map[string]string{"time_zone": "'+00:00'"}
	config.Logger = &mysql.NopLogger{} // what it would say is in the errors too
	configure(config)

	credentials := newCredentialStore(secrets, settings.SecretARN)
	pool := func(hosts ...string) *sql.DB {
		db := sql.OpenDB(&connector{config: config, hosts: hosts, port: settings.Port, credentials: credentials})
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

// A connector makes connections with the credentials that are valid at the time.
type connector struct {
	config      *mysql.Config
	hosts       []string
	port        int
	credentials *credentialStore
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	held, err := c.credentials.get(ctx, nil)
	if err != nil {
		return nil, err
	}
	conn, err := c.connectAs(ctx, held)
	if !isNumber(err, accessDenied) {
		return conn, err
	}
	fresh, err := c.credentials.get(ctx, held)
	if err != nil {
		return nil, err
	}
	conn, err = c.connectAs(ctx, fresh)
	if isNumber(err, accessDenied) {
		// MySQL's own message is left out for the user name in it. Unavailable, since Secrets Manager's rotation sets
		// the password some seconds before it publishes the secret.
		return nil, fmt.Errorf("%w: MySQL denied access (1045) with the credentials of %s, fetched anew", ErrUnavailable, c.credentials.arn)
	}
	return conn, err
}

func (c *connector) connectAs(ctx context.Context, as *Credentials) (driver.Conn, error) {
	config := c.config.Clone()
	host := c.hosts[rand.IntN(len(c.hosts))] //nolint:gosec // spreads load; nobody gains by guessing the host
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
