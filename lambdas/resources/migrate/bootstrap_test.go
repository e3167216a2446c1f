package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// A deployment is the built function with an empty database and fakes of CloudFormation and Secrets
// Manager.
type deployment struct {
	database       *mysqltest.Database
	secrets        *awstest.SecretsManager
	cloudFormation *awstest.CloudFormation
	function       *lambdatest.Function
}

func newDeployment(t *testing.T, server *mysqltest.Server, bootstrap string) *deployment {
	t.Helper()
	return newFunction(t, server, server.NewDatabase(t), bootstrap)
}

// newFunction returns a deployment with another instance of the function for the database.
func newFunction(
	t *testing.T, server *mysqltest.Server, database *mysqltest.Database, bootstrap string,
) *deployment {
	t.Helper()
	const secretARN = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:app-"
	settings := contract.Settings{
		Database: database.Settings(),
		App:      mysqlconn.AppUser{SecretARN: secretARN + database.AppUser()},
	}
	environment, err := lambdaenv.Encode(settings)
	if err != nil {
		t.Fatal(err)
	}
	secrets := awstest.StartSecretsManager(t)
	secrets.PutSecret(settings.Database.SecretARN, database.Secret())
	appSecret := fmt.Sprintf(`{"username":%q,"password":%q}`, database.AppUser(), appPassword)
	secrets.PutSecret(settings.App.SecretARN, appSecret)
	environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = secrets.URL
	environment["SSL_CERT_FILE"] = server.CAFile
	return &deployment{
		database:       database,
		secrets:        secrets,
		cloudFormation: awstest.StartCloudFormation(t),
		function:       lambdatest.New(t, bootstrap, environment),
	}
}

// send invokes the function with the event in file and returns the response to CloudFormation.
func (d *deployment) send(
	t *testing.T, file string, timeout time.Duration,
) awstest.CustomResourceResponse {
	t.Helper()
	event := d.cloudFormation.Event(t, "testdata/"+file)
	if _, err := d.function.Invoke(t.Context(), event, timeout); err != nil {
		t.Errorf("%v\n%s", err, d.function.Logs())
	}
	for _, password := range []string{d.database.Password(), "app's"} {
		if strings.Contains(d.function.Logs(), password) {
			t.Error("the logs contain a password")
		}
	}
	return d.cloudFormation.Response(t)
}

// withFiles returns a copy of the built function that has files beside it.
func withFiles(t *testing.T, built string, files fs.FS) (bootstrap string) {
	t.Helper()
	bootstrap = filepath.Join(t.TempDir(), "bootstrap")
	if err := os.Link(built, bootstrap); err != nil {
		t.Fatal(err)
	}
	lambdatest.AddFiles(t, bootstrap, files)
	return bootstrap
}

// tables returns the number of the database's tables, without those of goose.
func tables(t *testing.T, server *mysqltest.Server, database *mysqltest.Database) int {
	t.Helper()
	const query = "SELECT COUNT(*) FROM information_schema.tables " +
		"WHERE table_schema = ? AND table_name NOT LIKE 'goose%'"
	var count int
	err := server.Admin.QueryRowContext(t.Context(), query, database.Name).Scan(&count)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// TestBootstrap sends CloudFormation's events to the built function, with a MySQL server.
func TestBootstrap(t *testing.T) {
	server := mysqltest.Start(t)
	built := lambdatest.Build(t, contract.Package)
	bootstrap := withFiles(t, built, migrations.Files)
	const timeout = 30 * time.Second
	upToDate, want := latest(t, server)
	all := tables(t, server, upToDate)
	version := float64(want.Version)
	applied := fmt.Sprintf(`"applied":["%s"]`, strings.Join(want.Applied, `","`))

	t.Run("migrates once", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		for _, file := range []string{"create.json", "update.json"} {
			got := d.send(t, file, timeout)
			if got.Status != "SUCCESS" || got.Data["Version"] != version ||
				got.PhysicalResourceID != "database-schema" {
				t.Errorf("%s: response %+v, want SUCCESS at version %v", file, got, version)
			}
			if count := tables(t, server, d.database); count != all {
				t.Errorf("%s: the schema has %d tables, want %d", file, count, all)
			}
		}
		logs := d.function.Logs()
		if strings.Count(logs, applied) != 1 || strings.Count(logs, `"applied":null`) != 1 {
			t.Errorf("want one run that applied all files and one that applied none:\n%s", logs)
		}
		awstest.CheckActions(t, "calls.txt", d.secrets.Calls())
		app := d.database.OpenAs(t, d.database.AppUser(), appPassword).Writer
		if err := app.PingContext(t.Context()); err != nil {
			t.Errorf("the functions' user cannot sign in: %v", err)
		}
	})

	t.Run("two concurrent functions migrate once", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		other := newFunction(t, server, d.database, bootstrap)
		event, done := other.cloudFormation.Event(t, "testdata/create.json"), make(chan error)
		go func() {
			_, err := other.function.Invoke(t.Context(), event, timeout)
			done <- err
		}()
		first := d.send(t, "create.json", timeout)
		if err := <-done; err != nil {
			t.Fatalf("%v\n%s", err, other.function.Logs())
		}
		second := other.cloudFormation.Response(t)
		for _, got := range []awstest.CustomResourceResponse{first, second} {
			if got.Status != "SUCCESS" || got.Data["Version"] != version {
				t.Errorf("response %+v, want SUCCESS at version %v", got, version)
			}
		}
		logs := d.function.Logs() + other.function.Logs()
		if times := strings.Count(logs, applied); times != 1 {
			t.Errorf("the files were applied %d times, want once", times)
		}
	})

	t.Run("a failed migration fails the deployment and is reported", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		// The table that records the migrations has invalid columns.
		create := "CREATE TABLE " + d.database.Name + ".goose_db_version (invalid INT)"
		if _, err := server.Admin.ExecContext(t.Context(), create); err != nil {
			t.Fatal(err)
		}
		got := d.send(t, "create.json", timeout)
		if got.Status != "FAILED" || !strings.Contains(got.Reason, "schema: ") ||
			got.PhysicalResourceID != "database-schema" {
			t.Errorf("response %+v, want FAILED with the reason", got)
		}
		if count := tables(t, server, d.database); count != 0 {
			t.Errorf("the schema has %d tables, want none", count)
		}
	})

	t.Run("an unavailable database fails the deployment before the timeout", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		server.Down()
		got := d.send(t, "create.json", responseTime+2*time.Second)
		server.Up(t)
		const reason = "connect: temporarily unavailable: database unavailable"
		if got.Status != "FAILED" || !strings.Contains(got.Reason, reason) {
			t.Errorf("response %+v, want FAILED with %s", got, reason)
		}
		if again := d.send(t, "create.json", timeout); again.Status != "SUCCESS" {
			t.Errorf("response %+v after the database is available again, want SUCCESS", again)
		}
	})

	t.Run("a deletion retains the schema", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		d.send(t, "create.json", timeout)
		if got := d.send(t, "delete.json", timeout); got.Status != "SUCCESS" {
			t.Errorf("response %+v, want SUCCESS", got)
		}
		if count := tables(t, server, d.database); count != all {
			t.Errorf("the schema has %d tables, want all %d", count, all)
		}
	})

	// The files of another team, before and after they have added one.
	one := fstest.MapFS{"1_orders.sql": {Data: []byte("-- +goose Up\n" +
		"CREATE TABLE orders (id INT PRIMARY KEY);\n")}}
	two := maps.Clone(one)
	two["2_items.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" +
		"CREATE TABLE items (id INT PRIMARY KEY);\n")}

	t.Run("a rollback restores the files and keeps the schema", func(t *testing.T) {
		previous := newDeployment(t, server, withFiles(t, built, one))
		next := newFunction(t, server, previous.database, withFiles(t, built, two))
		for i, run := range []struct {
			function *deployment
			event    string
			version  float64
		}{
			{previous, "create.json", 1},
			{next, "update.json", 2},
			{previous, "update.json", 2},
			{next, "update.json", 2},
		} {
			got := run.function.send(t, run.event, timeout)
			if got.Status != "SUCCESS" || got.Data["Version"] != run.version {
				t.Errorf("run %d: response %+v, want SUCCESS at version %v", i, got, run.version)
			}
		}
		if count := tables(t, server, previous.database); count != 2 {
			t.Errorf("the schema has %d tables, want both", count)
		}
	})

	changed := fstest.MapFS{"1_orders.sql": {Data: []byte("-- +goose Up\n" +
		"CREATE TABLE orders (id BIGINT PRIMARY KEY);\n")}}
	broken := maps.Clone(one)
	broken["2_items.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABEL items;\n")}
	for name, refused := range map[string]struct {
		files  fs.FS
		reason string
	}{
		"no files": {fstest.MapFS{}, "schema: there are no migrations"},
		"invalid SQL": {
			broken, "schema: migration 2_items.sql: ",
		},
		"a file that was changed after it was applied": {
			changed, "schema: 1_orders.sql was changed after it was applied",
		},
	} {
		t.Run(name+" fails the deployment", func(t *testing.T) {
			previous := newDeployment(t, server, withFiles(t, built, one))
			previous.send(t, "create.json", timeout)
			next := newFunction(t, server, previous.database, withFiles(t, built, refused.files))
			got := next.send(t, "update.json", timeout)
			if got.Status != "FAILED" || !strings.HasPrefix(got.Reason, refused.reason) {
				t.Errorf("response %+v, want FAILED with %s", got, refused.reason)
			}
			rollback := previous.send(t, "update.json", timeout)
			if rollback.Status != "SUCCESS" || rollback.Data["Version"] != 1.0 {
				t.Errorf("rollback: response %+v, want SUCCESS at version 1", rollback)
			}
		})
	}
}
