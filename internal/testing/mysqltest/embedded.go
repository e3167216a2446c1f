package mysqltest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	enginesql "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/go-mysql-server/sql/types"
	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/dolthub/vitess/go/vt/sqlparser"
	"github.com/sirupsen/logrus"
)

const adminPassword = "admin"

// An embedded is a go-mysql-server that injects the faults that the test has armed.
type embedded struct {
	address string

	mu     sync.Mutex
	faults []*injected
}

// An injected is a fault: an error in place of running a statement.
type injected struct {
	meets    func(user, statement string) bool
	response *vitess.SQLError
	once     bool
	happened func()
}

func startEmbedded(t testing.TB) *embedded {
	t.Helper()
	logrus.SetOutput(io.Discard) // the engine logs every failed statement to the process's stderr
	allowLockWaitTimeout()

	// Foreign keys need indexes.
	provider := memory.NewDBProviderWithOpts(memory.NativeIndexProvider(true)).(*memory.DbProvider)
	engine := sqle.NewDefault(provider)
	accounts := engine.Analyzer.Catalog.MySQLDb
	accounts.SetEnabled(true)
	accounts.SetPersister(&mysql_db.NoopPersister{})
	editor := accounts.Editor()
	accounts.AddSuperUser(editor, "root", "%", adminPassword)
	editor.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &embedded{address: listener.Addr().String()}
	var chain server.InterceptorChain
	chain.WithInterceptor(e)
	s, err := server.NewServer(server.Config{
		Protocol: "tcp",
		Listener: listener,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{testAuthority().certificate},
			MinVersion:   tls.VersionTLS12,
		},
		RequireSecureTransport: true,
		Options:                []server.Option{chain.Option()},
	}, engine, enginesql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = s.Start() // returns after Close
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-stopped
		_ = engine.Close()
	})
	return e
}

// allowLockWaitTimeout declares a variable with its real range: the engine, which has no lock
// waits, accepts only 1.
var allowLockWaitTimeout = sync.OnceFunc(func() {
	timeout := &enginesql.MysqlSystemVariable{
		Name:    "innodb_lock_wait_timeout",
		Scope:   enginesql.GetMysqlScope(enginesql.SystemVariableScope_Both),
		Dynamic: true,
		Type:    types.NewSystemIntType("innodb_lock_wait_timeout", 1, 1<<30, false),
		Default: int64(50),
	}
	enginesql.SystemVariables.AddSystemVariables([]enginesql.SystemVariable{timeout})
})

func (e *embedded) arm(fault *injected) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, fault)
}

func (e *embedded) disarm(fault *injected) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = slices.DeleteFunc(e.faults, func(armed *injected) bool { return armed == fault })
}

func (e *embedded) meet(c *vitess.Conn, statement string) error {
	e.mu.Lock()
	var met *injected
	for _, fault := range e.faults {
		if fault.meets(c.User, statement) {
			met = fault
			break
		}
	}
	e.mu.Unlock()
	if met == nil {
		return nil
	}
	if met.once {
		e.disarm(met)
	}
	met.happened()
	return met.response
}

// writes reports whether a statement locks rows of the table, or of any table when it is "".
func writes(statement, table string) bool {
	fields := strings.Fields(strings.ToUpper(statement))
	if len(fields) == 0 || !strings.Contains(statement, table) {
		return false
	}
	switch fields[0] {
	case "INSERT", "UPDATE", "DELETE", "REPLACE":
		return true
	case "SELECT":
		return strings.HasSuffix(strings.Join(fields, " "), "FOR UPDATE")
	default:
		return false
	}
}

// Priority and the methods below implement [server.Interceptor].
func (e *embedded) Priority() int { return 0 }

func (e *embedded) Query(
	ctx context.Context, chain server.Chain, c *vitess.Conn, query string,
	callback func(*sqltypes.Result, bool) error,
) error {
	if err := e.meet(c, query); err != nil {
		return err
	}
	return chain.ComQuery(ctx, c, query, callback)
}

func (e *embedded) ParsedQuery(
	chain server.Chain, c *vitess.Conn, query string, _ sqlparser.Statement,
	callback func(*sqltypes.Result, bool) error,
) error {
	return e.Query(context.Background(), chain, c, query, callback)
}

func (e *embedded) MultiQuery(
	ctx context.Context, chain server.Chain, c *vitess.Conn, query string,
	callback func(*sqltypes.Result, bool) error,
) (string, error) {
	if err := e.meet(c, query); err != nil {
		return "", err
	}
	return chain.ComMultiQuery(ctx, c, query, callback)
}

func (e *embedded) Prepare(
	ctx context.Context, chain server.Chain, c *vitess.Conn, query string,
	prepare *vitess.PrepareData,
) ([]*querypb.Field, error) {
	return chain.ComPrepare(ctx, c, query, prepare)
}

func (e *embedded) StmtExecute(
	ctx context.Context, chain server.Chain, c *vitess.Conn, prepare *vitess.PrepareData,
	callback func(*sqltypes.Result) error,
) error {
	if err := e.meet(c, prepare.PrepareStmt); err != nil {
		return err
	}
	return chain.ComStmtExecute(ctx, c, prepare, callback)
}

type authority struct {
	pem         []byte
	certificate tls.Certificate // for localhost and 127.0.0.1
}

// testAuthority is shared by the process, since a process reads SSL_CERT_FILE once.
var testAuthority = sync.OnceValue(func() authority {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Ashlar test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	must(err)
	return authority{
		pem:         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		certificate: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key},
	}
})
