package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// secret is a Secrets Manager that holds nothing else.
type secret string

func (s secret) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: (*string)(&s)}, nil
}

const appPassword = "app's \\ password" // is quoted

// invoke sends an event as CloudFormation does and returns the answer that it gets.
func invoke(t *testing.T, ctx context.Context, h *handler, request cfn.RequestType) awstest.CustomResourceResponse {
	t.Helper()
	cloudFormation := awstest.StartCloudFormation(t)
	var event cfn.Event
	if err := json.Unmarshal(cloudFormation.Event(t, "testdata/"+strings.ToLower(string(request))+".json"), &event); err != nil {
		t.Fatal(err)
	}
	if _, err := cfn.LambdaWrap(h.Handle)(ctx, event); err != nil {
		t.Fatal(err)
	}
	return cloudFormation.Response(t)
}

func migrating(t *testing.T, database *mysqltest.Database) *handler {
	t.Helper()
	return &handler{
		database: database.OpenForMigration(t).Writer,
		secrets:  secret(`{"username":"` + database.AppUser() + `","password":` + strconv.Quote(appPassword) + `}`),
		migrate:  schema.Up,
	}
}

// latest is a database that is up to date, and what it took.
func latest(t *testing.T, server *mysqltest.Server) (*mysqltest.Database, schema.Result) {
	t.Helper()
	database := server.NewDatabase(t)
	result, err := schema.Up(t.Context(), database.OpenForMigration(t).Writer)
	if err != nil {
		t.Fatal(err)
	}
	return database, result
}

func TestCreateAndUpdateMigrate(t *testing.T) {
	server := mysqltest.Start(t)
	h := migrating(t, server.NewDatabase(t))
	_, want := latest(t, server)
	version := float64(want.Version) // as JSON has it
	for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		got := invoke(t, t.Context(), h, request)
		if got.Status != "SUCCESS" || got.PhysicalResourceID != "database-schema" || got.Data["Version"] != version {
			t.Errorf("%s: got %+v, want success at version %v", request, got, version)
		}
	}
	var profiles int
	if err := h.database.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM profiles").Scan(&profiles); err != nil {
		t.Error(err)
	}
}

func TestFunctionsSignInAsAUserWhoReadsAndWritesRowsOnly(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	h := migrating(t, database)
	for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} { // the second finds the user there
		if got := invoke(t, t.Context(), h, request); got.Status != "SUCCESS" {
			t.Fatalf("%s: got %+v", request, got)
		}
	}
	app := database.OpenAs(t, database.AppUser(), appPassword).Writer
	for _, statement := range []string{
		"INSERT INTO profiles VALUES ('s', 'd', '', '', NOW(), NOW(), TRUE)", "UPDATE profiles SET bio = 'b'",
		"SELECT COUNT(*) FROM profiles", "DELETE FROM profiles",
	} {
		if _, err := app.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{"DROP TABLE profiles", "CREATE TABLE t (id INT)", "ALTER TABLE profiles ADD COLUMN c INT", "CREATE USER x"} {
		if _, err := app.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: allowed", statement)
		}
	}
}

func TestAnAppSecretThatCannotBeReadFailsTheDeployment(t *testing.T) {
	h := migrating(t, mysqltest.Start(t).NewDatabase(t))
	h.secrets = secret("hunter2")
	if got := invoke(t, t.Context(), h, cfn.RequestCreate); got.Status != "FAILED" || !strings.Contains(got.Reason, "is not a JSON object") || strings.Contains(got.Reason, "hunter2") {
		t.Errorf("got %+v", got)
	}
}

func TestDeleteKeepsTheData(t *testing.T) {
	h := migrating(t, mysqltest.Start(t).NewDatabase(t))
	invoke(t, t.Context(), h, cfn.RequestCreate)
	if got := invoke(t, t.Context(), h, cfn.RequestDelete); got.Status != "SUCCESS" || got.PhysicalResourceID != "database-schema" {
		t.Errorf("got %+v", got)
	}
	var profiles int
	if err := h.database.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM profiles").Scan(&profiles); err != nil {
		t.Error(err)
	}
}

func TestAFailedMigrationFailsTheDeploymentWithItsReason(t *testing.T) {
	h := migrating(t, mysqltest.Start(t).NewDatabase(t))
	tries := 0
	h.migrate = func(context.Context, *sql.DB) (schema.Result, error) {
		tries++
		return schema.Result{}, errors.New("schema: migration 0007_x.sql: " + strings.Repeat("é", 5000))
	}
	got := invoke(t, t.Context(), h, cfn.RequestUpdate)
	if got.Status != "FAILED" || !strings.HasPrefix(got.Reason, "schema: migration 0007_x.sql: é") || got.PhysicalResourceID != physicalID {
		t.Errorf("got %+v", got)
	}
	if len(got.Reason) > 1024 || !utf8.ValidString(got.Reason) || !strings.HasSuffix(got.Reason, "é…") {
		t.Errorf("the reason has %d bytes: %q", len(got.Reason), got.Reason)
	}
	if tries != 1 {
		t.Errorf("tried %d times, want once", tries)
	}
}

func TestWaitsForADatabaseThatIsBeingCreated(t *testing.T) {
	server := mysqltest.Start(t)
	h := migrating(t, server.NewDatabase(t))
	server.Down()
	timer := time.AfterFunc(time.Second, func() { server.Up(t) }) // mysqlconn alone gives up after half of that
	defer timer.Stop()
	if got := invoke(t, t.Context(), h, cfn.RequestCreate); got.Status != "SUCCESS" {
		t.Errorf("got %+v", got)
	}
}

func TestAnswersBeforeItsOwnDeadline(t *testing.T) {
	for name, fault := range map[string]func(*mysqltest.Server){
		"refuses": (*mysqltest.Server).Down,
		"hangs":   (*mysqltest.Server).StopResponding,
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t)
			h := migrating(t, server.NewDatabase(t))
			fault(server)
			defer server.Up(t)
			ctx, cancel := context.WithTimeout(t.Context(), responseTime+time.Second)
			defer cancel()
			began := time.Now()
			got := invoke(t, ctx, h, cfn.RequestCreate)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("answered after %s of 11s", took)
			}
			if got.Status != "FAILED" || !strings.HasPrefix(got.Reason, "connect: temporarily unavailable: database unavailable: ") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestASecretThatCannotBeUsedFailsAtOnce(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	databases, err := mysqlconn.Open(database.Settings(), secret("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = databases.Close() })
	got := invoke(t, t.Context(), &handler{database: databases.Writer, secrets: secret(""), migrate: schema.Up}, cfn.RequestCreate)
	if got.Status != "FAILED" || !strings.Contains(got.Reason, "is not a JSON object") || strings.Contains(got.Reason, "hunter2") {
		t.Errorf("got %+v", got)
	}
}
