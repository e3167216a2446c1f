package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// secret is a fake of Secrets Manager with one secret.
type secret string

func (s secret) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: (*string)(&s)}, nil
}

const appPassword = "app's \\ password" // has characters that have to be quoted

// invoke sends an event like CloudFormation and returns the response to it.
func invoke(
	t *testing.T, ctx context.Context, h *handler, request cfn.RequestType,
) awstest.CustomResourceResponse {
	t.Helper()
	cloudFormation := awstest.StartCloudFormation(t)
	body := cloudFormation.Event(t, "testdata/"+strings.ToLower(string(request))+".json")
	var event cfn.Event
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	if _, err := cfn.LambdaWrap(h.Handle)(ctx, event); err != nil {
		t.Fatal(err)
	}
	return cloudFormation.Response(t)
}

func migrate(ctx context.Context, db *sql.DB) (schema.Result, error) {
	return schema.Up(ctx, db, migrations.Files)
}

func newHandler(t *testing.T, database *mysqltest.Database) *handler {
	t.Helper()
	appSecret := fmt.Sprintf(`{"username":%q,"password":%q}`, database.AppUser(), appPassword)
	return &handler{
		database: database.OpenForMigration(t).Writer,
		secrets:  secret(appSecret),
		migrate:  migrate,
	}
}

// latest returns a database with the latest schema, and the result of its migration.
func latest(t *testing.T, server *mysqltest.Server) (*mysqltest.Database, schema.Result) {
	t.Helper()
	database := server.NewDatabase(t)
	result, err := schema.Up(t.Context(), database.OpenForMigration(t).Writer, migrations.Files)
	if err != nil {
		t.Fatal(err)
	}
	return database, result
}

func TestHandler_Handle_migrates_on_create_and_update(t *testing.T) {
	server := mysqltest.Start(t)
	h := newHandler(t, server.NewDatabase(t))
	_, want := latest(t, server)
	version := float64(want.Version) // JSON's type
	for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		got := invoke(t, t.Context(), h, request)
		if got.Status != "SUCCESS" || got.PhysicalResourceID != "database-schema" ||
			got.Data["Version"] != version {
			t.Errorf("%s: response %+v, want SUCCESS at version %v", request, got, version)
		}
	}
	checkProfiles(t, h)
}

// checkProfiles checks that the table profiles exists.
func checkProfiles(t *testing.T, h *handler) {
	t.Helper()
	var count int
	row := h.database.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM profiles")
	if err := row.Scan(&count); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_gives_the_app_user_access_only_to_rows(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	h := newHandler(t, database)
	// The user exists already at the update.
	for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		if got := invoke(t, t.Context(), h, request); got.Status != "SUCCESS" {
			t.Fatalf("%s: response %+v, want SUCCESS", request, got)
		}
	}
	app := database.OpenAs(t, database.AppUser(), appPassword).Writer
	for _, statement := range []string{
		"INSERT INTO profiles VALUES ('s', 'd', '', '', NOW(), NOW(), TRUE)",
		"UPDATE profiles SET bio = 'b'",
		"SELECT COUNT(*) FROM profiles",
		"DELETE FROM profiles",
	} {
		if _, err := app.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		"DROP TABLE profiles",
		"CREATE TABLE t (id INT)",
		"ALTER TABLE profiles ADD COLUMN c INT",
		"CREATE USER x",
	} {
		if _, err := app.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: no error", statement)
		}
	}
}

func TestHandler_Handle_fails_on_an_invalid_app_secret(t *testing.T) {
	h := newHandler(t, mysqltest.Start(t).NewDatabase(t))
	h.secrets = secret("hunter2")
	checkSecretError(t, invoke(t, t.Context(), h, cfn.RequestCreate))
}

// checkSecretError checks for a failure that does not contain the secret hunter2.
func checkSecretError(t *testing.T, got awstest.CustomResourceResponse) {
	t.Helper()
	if got.Status != "FAILED" || !strings.Contains(got.Reason, "is not a JSON object") ||
		strings.Contains(got.Reason, "hunter2") {
		t.Errorf("response %+v, want FAILED without the secret", got)
	}
}

func TestHandler_Handle_retains_the_data_on_delete(t *testing.T) {
	h := newHandler(t, mysqltest.Start(t).NewDatabase(t))
	invoke(t, t.Context(), h, cfn.RequestCreate)
	got := invoke(t, t.Context(), h, cfn.RequestDelete)
	if got.Status != "SUCCESS" || got.PhysicalResourceID != "database-schema" {
		t.Errorf("response %+v, want SUCCESS", got)
	}
	checkProfiles(t, h)
}

func TestHandler_Handle_reports_a_failed_migration(t *testing.T) {
	h := newHandler(t, mysqltest.Start(t).NewDatabase(t))
	tries := 0
	h.migrate = func(context.Context, *sql.DB) (schema.Result, error) {
		tries++
		text := "schema: migration 0007_x.sql: " + strings.Repeat("é", 5000)
		return schema.Result{}, errors.New(text)
	}
	got := invoke(t, t.Context(), h, cfn.RequestUpdate)
	if got.Status != "FAILED" || got.PhysicalResourceID != physicalID ||
		!strings.HasPrefix(got.Reason, "schema: migration 0007_x.sql: é") {
		t.Errorf("response %+v, want FAILED with the reason", got)
	}
	if len(got.Reason) > 1024 || !utf8.ValidString(got.Reason) ||
		!strings.HasSuffix(got.Reason, "é…") {
		t.Errorf("the reason has %d bytes: %q", len(got.Reason), got.Reason)
	}
	if tries != 1 {
		t.Errorf("tried %d times, want once", tries)
	}
}

func TestHandler_Handle_waits_for_a_new_database(t *testing.T) {
	server := mysqltest.Start(t)
	h := newHandler(t, server.NewDatabase(t))
	server.Down()
	timer := time.AfterFunc(time.Second, func() { server.Up(t) }) // mysqlconn retries half as long
	defer timer.Stop()
	if got := invoke(t, t.Context(), h, cfn.RequestCreate); got.Status != "SUCCESS" {
		t.Errorf("response %+v, want SUCCESS", got)
	}
}

func TestHandler_Handle_responds_before_its_deadline(t *testing.T) {
	for name, fault := range map[string]func(*mysqltest.Server){
		"connection refused": (*mysqltest.Server).Down,
		"no response":        (*mysqltest.Server).StopResponding,
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t)
			h := newHandler(t, server.NewDatabase(t))
			fault(server)
			defer server.Up(t)
			ctx, cancel := context.WithTimeout(t.Context(), responseTime+time.Second)
			defer cancel()
			began := time.Now()
			got := invoke(t, ctx, h, cfn.RequestCreate)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("response after %s of 11s", took)
			}
			const reason = "connect: temporarily unavailable: database unavailable: "
			if got.Status != "FAILED" || !strings.HasPrefix(got.Reason, reason) {
				t.Errorf("response %+v, want FAILED with %s", got, reason)
			}
		})
	}
}

func TestHandler_Handle_does_not_retry_an_invalid_secret(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	databases, err := mysqlconn.Open(database.Settings(), secret("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = databases.Close() })
	h := &handler{database: databases.Writer, secrets: secret(""), migrate: migrate}
	checkSecretError(t, invoke(t, t.Context(), h, cfn.RequestCreate))
}
