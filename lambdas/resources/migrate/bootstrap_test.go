package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/migrate/contract"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// A deployment is what the built function runs in: CloudFormation, Secrets Manager, and an empty database.
type deployment struct {
	database       *mysqltest.Database
	secrets        *awstest.SecretsManager
	cloudFormation *awstest.CloudFormation
	function       *lambdatest.Function
}

func newDeployment(t *testing.T, server *mysqltest.Server, bootstrap string) *deployment {
	t.Helper()
	return (&deployment{database: server.NewDatabase(t)}).again(t, server, bootstrap)
}

// again is a second function on the same database.
func (d *deployment) again(t *testing.T, server *mysqltest.Server, bootstrap string) *deployment {
	t.Helper()
	settings := contract.Settings{
		Database: d.database.Settings(),
		App:      mysqlconn.AppUser{SecretARN: "arn:aws:secretsmanager:eu-central-1:111111111111:secret:app-" + d.database.AppUser()},
	}
	environment, err := lambdaenv.Encode(settings)
	if err != nil {
		t.Fatal(err)
	}
	secrets := awstest.StartSecretsManager(t)
	secrets.PutSecret(settings.Database.SecretARN, d.database.Secret())
	secrets.PutSecret(settings.App.SecretARN, fmt.Sprintf(`{"username":%q,"password":%q}`, d.database.AppUser(), appPassword))
	environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = secrets.URL
	environment["SSL_CERT_FILE"] = server.CAFile
	return &deployment{
		database:       d.database,
		secrets:        secrets,
		cloudFormation: awstest.StartCloudFormation(t),
		function:       lambdatest.New(t, bootstrap, environment),
	}
}

// send has the function handle the event in file and returns what CloudFormation was told.
func (d *deployment) send(t *testing.T, file string, timeout time.Duration) awstest.CustomResourceResponse {
	t.Helper()
	if _, err := d.function.Invoke(t.Context(), d.cloudFormation.Event(t, "testdata/"+file), timeout); err != nil {
		t.Errorf("%v\n%s", err, d.function.Logs())
	}
	for _, password := range []string{d.database.Password(), "app's"} {
		if strings.Contains(d.function.Logs(), password) {
			t.Error("a password is in the logs")
		}
	}
	return d.cloudFormation.Response(t)
}

// tables counts the database's tables, goose's own not among them.
func tables(t *testing.T, server *mysqltest.Server, database *mysqltest.Database) int {
	t.Helper()
	var count int
	err := server.Admin.QueryRowContext(t.Context(),
		"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name NOT LIKE 'goose%'", database.Name).Scan(&count)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// TestBootstrap drives the built function with CloudFormation's events, against a MySQL server.
func TestBootstrap(t *testing.T) {
	server := mysqltest.Start(t)
	bootstrap := lambdatest.Build(t, contract.Package)
	const timeout = 30 * time.Second
	upToDate, want := latest(t, server)
	all := tables(t, server, upToDate)
	version, applied := float64(want.Version), fmt.Sprintf(`"applied":["%s"]`, strings.Join(want.Applied, `","`))

	t.Run("migrates once, and finds nothing to do after that", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		for _, file := range []string{"create.json", "update.json"} {
			answer := d.send(t, file, timeout)
			if answer.Status != "SUCCESS" || answer.Data["Version"] != version || answer.PhysicalResourceID != "database-schema" {
				t.Errorf("%s: answer %+v, want success at version %v", file, answer, version)
			}
			if count := tables(t, server, d.database); count != all {
				t.Errorf("%s: the schema has %d tables, want %d", file, count, all)
			}
		}
		if first, second := strings.Count(d.function.Logs(), applied), strings.Count(d.function.Logs(), `"applied":null`); first != 1 || second != 1 {
			t.Errorf("want one run that applied the files and one that had none to apply:\n%s", d.function.Logs())
		}
		awstest.CheckActions(t, "calls.txt", d.secrets.Calls())
		if err := d.database.OpenAs(t, d.database.AppUser(), appPassword).Writer.PingContext(t.Context()); err != nil {
			t.Errorf("the functions' user cannot sign in: %v", err)
		}
	})

	t.Run("two at once migrate once", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		other := d.again(t, server, bootstrap)
		event, done := other.cloudFormation.Event(t, "testdata/create.json"), make(chan error)
		go func() {
			_, err := other.function.Invoke(t.Context(), event, timeout)
			done <- err
		}()
		first := d.send(t, "create.json", timeout)
		if err := <-done; err != nil {
			t.Fatalf("%v\n%s", err, other.function.Logs())
		}
		for _, answer := range []awstest.CustomResourceResponse{first, other.cloudFormation.Response(t)} {
			if answer.Status != "SUCCESS" || answer.Data["Version"] != version {
				t.Errorf("answer %+v, want success at version %v", answer, version)
			}
		}
		if times := strings.Count(d.function.Logs()+other.function.Logs(), applied); times != 1 {
			t.Errorf("the files were applied %d times, want once", times)
		}
	})

	t.Run("a migration that fails fails the deployment and says which", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		// What records the migrations is not what it should be.
		if _, err := server.Admin.ExecContext(t.Context(), "CREATE TABLE "+d.database.Name+".goose_db_version (nonsense INT)"); err != nil {
			t.Fatal(err)
		}
		answer := d.send(t, "create.json", timeout)
		if answer.Status != "FAILED" || !strings.Contains(answer.Reason, "schema: ") || answer.PhysicalResourceID != "database-schema" {
			t.Errorf("answer %+v, want a failure with its reason", answer)
		}
		if count := tables(t, server, d.database); count != 0 {
			t.Errorf("the schema has %d tables, want none", count)
		}
	})

	t.Run("a database that is away fails the deployment before the function's time is up", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		server.Down()
		answer := d.send(t, "create.json", responseTime+2*time.Second)
		server.Up(t)
		if answer.Status != "FAILED" || !strings.Contains(answer.Reason, "connect: temporarily unavailable: database unavailable") {
			t.Errorf("answer %+v, want a failure to connect", answer)
		}
		if again := d.send(t, "create.json", timeout); again.Status != "SUCCESS" {
			t.Errorf("answer %+v once the database is back, want success", again)
		}
	})

	t.Run("the schema outlives the resource", func(t *testing.T) {
		d := newDeployment(t, server, bootstrap)
		d.send(t, "create.json", timeout)
		if answer := d.send(t, "delete.json", timeout); answer.Status != "SUCCESS" {
			t.Errorf("answer %+v, want success", answer)
		}
		if count := tables(t, server, d.database); count != all {
			t.Errorf("the schema has %d tables, want the %d that it had", count, all)
		}
	})
}
