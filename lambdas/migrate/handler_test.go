package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/schema"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

type answer struct {
	Status             string
	Reason             string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	Data               map[string]any
}

// invoke sends an event as CloudFormation does and returns the answer that it gets.
func invoke(t *testing.T, ctx context.Context, h handler, request cfn.RequestType) answer {
	t.Helper()
	answers := make(chan answer, 1)
	cloudFormation := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got answer
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		answers <- got
	}))
	defer cloudFormation.Close()
	event := cfn.Event{RequestType: request, RequestID: "request", PhysicalResourceID: physicalID, ResponseURL: cloudFormation.URL}
	if _, err := cfn.LambdaWrap(h.handle)(ctx, event); err != nil {
		t.Fatal(err)
	}
	return <-answers
}

func migrating(t *testing.T, database *mysqltest.Database) handler {
	t.Helper()
	return handler{database: database.Open(t, mysqlconn.LongStatements()).Writer, migrate: schema.Up}
}

func TestCreateAndUpdateMigrate(t *testing.T) {
	h := migrating(t, mysqltest.Start(t).NewDatabase(t))
	for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		want := answer{Status: "SUCCESS", PhysicalResourceID: "database-schema", Data: map[string]any{"Version": 1.0}}
		if diff := cmp.Diff(want, invoke(t, t.Context(), h, request)); diff != "" {
			t.Errorf("%s: %s", request, diff)
		}
	}
	var profiles int
	if err := h.database.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM profiles").Scan(&profiles); err != nil {
		t.Error(err)
	}
}

func TestDeleteKeepsTheData(t *testing.T) {
	h := migrating(t, mysqltest.Start(t).NewDatabase(t))
	invoke(t, t.Context(), h, cfn.RequestCreate)
	want := answer{Status: "SUCCESS", PhysicalResourceID: "database-schema"}
	if diff := cmp.Diff(want, invoke(t, t.Context(), h, cfn.RequestDelete)); diff != "" {
		t.Error(diff)
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
		"hangs":   (*mysqltest.Server).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t)
			h := migrating(t, server.NewDatabase(t))
			fault(server)
			defer server.Up(t)
			ctx, cancel := context.WithTimeout(t.Context(), answerTime+time.Second)
			defer cancel()
			began := time.Now()
			got := invoke(t, ctx, h, cfn.RequestCreate)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("answered after %s of 11s", took)
			}
			if got.Status != "FAILED" || !strings.HasPrefix(got.Reason, "connect: database unavailable: ") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

type malformed string

func (m malformed) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: (*string)(&m)}, nil
}

func TestASecretThatCannotBeUsedFailsAtOnce(t *testing.T) {
	database := mysqltest.Start(t).NewDatabase(t)
	databases, err := mysqlconn.Open(database.Settings(), malformed("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = databases.Close() })
	got := invoke(t, t.Context(), handler{database: databases.Writer, migrate: schema.Up}, cfn.RequestCreate)
	if got.Status != "FAILED" || !strings.Contains(got.Reason, "is not a JSON object") || strings.Contains(got.Reason, "hunter2") {
		t.Errorf("got %+v", got)
	}
}
