package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/postconfirmation/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const (
	// timeout is the function's timeout when deployed, and how long Cognito waits.
	timeout = 5 * time.Second

	// shortTimeout replaces it where the test has to wait for it.
	shortTimeout = 3 * time.Second
)

// TestBootstrap invokes the built function with Cognito's events, against a MySQL server with the
// platform's schema.
func TestBootstrap(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	databases := database.Open(t)
	if _, err := schema.Up(t.Context(), databases.Writer, migrations.Files); err != nil {
		t.Fatal(err)
	}
	settings := contract.Settings{Database: database.Settings()}
	environment, err := lambdaenv.Encode(settings)
	if err != nil {
		t.Fatal(err)
	}
	secrets := awstest.StartSecretsManager(t)
	secrets.PutSecret(settings.Database.SecretARN, database.Secret())
	environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = secrets.URL
	environment["SSL_CERT_FILE"] = server.CAFile
	bootstrap := lambdatest.Build(t, contract.Package)
	fn := lambdatest.New(t, bootstrap, environment)
	profiles := mysqlstore.NewProfiles(databases)

	// send checks that the function returns its event: Cognito would report any other response to
	// the user as a failed sign-up.
	send := func(t *testing.T, fn *lambdatest.Function, timeout time.Duration, event []byte) {
		t.Helper()
		response, err := fn.Invoke(t.Context(), event, timeout)
		if err != nil {
			t.Fatalf("%v\n%s", err, fn.Logs())
		}
		var sent, got map[string]any
		err = errors.Join(json.Unmarshal(event, &sent), json.Unmarshal(response, &got))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent["response"], got["response"]); diff != "" {
			t.Errorf("response (-sent +got):\n%s", diff)
		}
	}
	// named checks the display name in the profile of a subject; empty means no profile.
	named := func(t *testing.T, subject, want string) accounts.Profile {
		t.Helper()
		p, err := profiles.Get(t.Context(), subject)
		if want == "" && errors.Is(err, accounts.ErrProfileNotFound) {
			return p
		}
		if err != nil || p.DisplayName != want {
			t.Errorf("profile %+v, %v; want the display name %q", p, err, want)
		}
		return p
	}
	ofSubject := func(t *testing.T, subject string) []byte {
		t.Helper()
		return []byte(strings.ReplaceAll(string(read(t, "signup.json")),
			"00000000-0000-4000-8000-00000000aaaa", subject))
	}

	t.Run("a confirmed sign-up creates a profile without the address", func(t *testing.T) {
		send(t, fn, timeout, read(t, "signup.json"))
		named(t, "00000000-0000-4000-8000-00000000aaaa", defaultDisplayName)
	})
	t.Run("a first social sign-in creates a profile with the provider's name", func(t *testing.T) {
		send(t, fn, timeout, read(t, "google.json"))
		named(t, "00000000-0000-4000-8000-00000000bbbb", "Grace Hopper")
	})
	t.Run("a new password creates no profile", func(t *testing.T) {
		send(t, fn, timeout, read(t, "newpassword.json"))
		named(t, "00000000-0000-4000-8000-00000000cccc", "")
	})
	t.Run("a redelivered event changes nothing, even after the user's changes", func(t *testing.T) {
		event, subject := read(t, "google.json"), "00000000-0000-4000-8000-00000000bbbb"
		first := named(t, subject, "Grace Hopper")
		send(t, fn, timeout, event)
		if diff := cmp.Diff(first, named(t, subject, "Grace Hopper")); diff != "" {
			t.Errorf("profile (-before +after):\n%s", diff)
		}
		changed, err := profiles.Put(t.Context(),
			accounts.Profile{Subject: subject, DisplayName: "Amazing Grace"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(t, fn, timeout, event)
		if diff := cmp.Diff(changed, named(t, subject, "Amazing Grace")); diff != "" {
			t.Errorf("profile (-before +after):\n%s", diff)
		}
	})
	t.Run("concurrent events create one profile", func(t *testing.T) {
		event := ofSubject(t, "at-once")
		done := make(chan error)
		const copies = 3
		for range copies {
			other := lambdatest.New(t, bootstrap, environment)
			go func() {
				_, err := other.Invoke(t.Context(), event, timeout)
				done <- err
			}()
		}
		for range copies {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		named(t, "at-once", defaultDisplayName)
		var rows int
		err := databases.Writer.QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM changes WHERE subject = 'at-once'").Scan(&rows)
		if err != nil || rows != 1 {
			t.Errorf("%d changes, %v; want 1", rows, err)
		}
	})
	t.Run("a deleted user stays deleted", func(t *testing.T) {
		event := ofSubject(t, "gone")
		send(t, fn, timeout, event)
		if err := mysqlstore.NewAccounts(databases).Delete(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		send(t, fn, timeout, event)
		_, err := profiles.Get(t.Context(), "gone")
		if !errors.Is(err, accounts.ErrProfileNotFound) && !errors.Is(err, accounts.ErrDeleted) {
			t.Errorf("error %v, want no profile", err)
		}
	})
	t.Run("a sign-up succeeds while the database is down", func(t *testing.T) {
		server.Down()
		send(t, fn, shortTimeout, ofSubject(t, "down"))
		server.Up(t)
		named(t, "down", "")
		send(t, fn, timeout, ofSubject(t, "up-again"))
		server.StopResponding()
		send(t, fn, shortTimeout, ofSubject(t, "hangs"))
		server.Up(t)
		send(t, fn, timeout, ofSubject(t, "hangs"))
		named(t, "hangs", defaultDisplayName)
		named(t, "up-again", defaultDisplayName)
		if !strings.Contains(fn.Logs(), "profile creation failed") {
			t.Errorf("the failure is not logged:\n%s", fn.Logs())
		}
	})
	t.Run("a lost connection is replaced", func(t *testing.T) {
		database.KillConnections(t)
		send(t, fn, timeout, ofSubject(t, "killed"))
		named(t, "killed", defaultDisplayName)
	})
	for name, fault := range map[string]awstest.Fault{
		"fails":     {Status: http.StatusInternalServerError, Code: "InternalServiceError"},
		"throttles": {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"denies":    {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"is silent": {NoResponse: true},
	} {
		t.Run("a sign-up succeeds while Secrets Manager "+name, func(t *testing.T) {
			cold := lambdatest.New(t, bootstrap, environment)
			secrets.SetFault(fault)
			send(t, cold, shortTimeout, ofSubject(t, "secret"))
			secrets.SetFault(awstest.Fault{})
			named(t, "secret", "")
			send(t, cold, timeout, ofSubject(t, "later"))
			named(t, "later", defaultDisplayName)
			if processes := cold.Processes(); processes != 1 {
				t.Errorf("%d processes, want 1\n%s", processes, cold.Logs())
			}
		})
	}

	if processes := fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, fn.Logs())
	}
	for _, secret := range []string{
		"@example.com", "Grace", "Hopper", "0000aaaa", "0000bbbb", "INSERT", database.Password(),
	} {
		if strings.Contains(fn.Logs(), secret) {
			t.Errorf("the log has %q:\n%s", secret, fn.Logs())
		}
	}
	for line := range strings.Lines(fn.Logs()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
	awstest.CheckActions(t, "calls.txt", secrets.Calls())
}

func TestBootstrap_requires_settings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	if err == nil || !strings.Contains(err.Error(), "DATABASE_SECRET_ARN") {
		t.Errorf("error %v, want it to name DATABASE_SECRET_ARN", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
