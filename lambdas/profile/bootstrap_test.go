package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/awstest"
	"github.com/ashlar-cdk/ashlar/internal/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/schema"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/profile/contract"
)

const (
	// timeout is the function's own, as it is deployed.
	timeout = 10 * time.Second

	// shortTimeout is the function's own where the test has to wait for it.
	shortTimeout = 3 * time.Second
)

// A platform is what the built function runs in: its database, Secrets Manager, and the Lambda service.
type platform struct {
	server   *mysqltest.Server
	database *mysqltest.Database
	secrets  *awstest.SecretsManager
	function *lambdatest.Function

	secretARN string
	passwords []string // that must be nowhere
	answers   strings.Builder
}

// TestBootstrap drives the built function with API Gateway's events, against a MySQL server that has the platform's
// schema. The subtests share the function's process as requests do; each leaves the database up.
func TestBootstrap(t *testing.T) {
	p := start(t, mysqltest.Start(t), lambdatest.Build(t, contract.Package))

	t.Run("a profile is not found before it is put, and is then", func(t *testing.T) {
		get, put := getRequest(t), putRequest(t)
		p.checkError(t, get, 404, "profile_not_found")
		stored := p.check(t, put, 200)
		read := p.check(t, get, 200)
		if read.Body != stored.Body {
			t.Errorf("GET answers %s after PUT answered %s", read.Body, stored.Body)
		}
		var got representation
		if err := json.Unmarshal([]byte(read.Body), &got); err != nil {
			t.Fatal(err)
		}
		if got.DisplayName != "Ada" || got.Bio != "Cuts stones true." || got.Language != "en-GB" || got.CreatedAt.IsZero() || !got.CreatedAt.Equal(got.UpdatedAt) {
			t.Errorf("profile %+v, want the event's", got)
		}
		if origin := read.Headers["Access-Control-Allow-Origin"]; origin != "https://app.example.com" {
			t.Errorf("Access-Control-Allow-Origin %q, want the event's origin", origin)
		}
	})

	t.Run("a profile is replaced, whatever it is written in", func(t *testing.T) {
		put := putRequest(t)
		put.Body = `{"displayName":"Ада 🪨 '; DROP TABLE profiles; --","bio":"é\n\t\"quoted\" \\ %s ?"}`
		p.check(t, put, 200)
		var sent, got representation
		if err := json.Unmarshal([]byte(put.Body), &sent); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(p.check(t, getRequest(t), 200).Body), &got); err != nil {
			t.Fatal(err)
		}
		if got.DisplayName != sent.DisplayName || got.Bio != sent.Bio || got.Language != "" {
			t.Errorf("profile %+v, want %+v", got, sent)
		}
	})

	t.Run("users see their own profiles", func(t *testing.T) {
		other := getRequest(t)
		other.RequestContext.Authorizer = map[string]any{"claims": map[string]any{"sub": "00000000-0000-4000-8000-00000000bbbb"}}
		p.checkError(t, other, 404, "profile_not_found")
	})

	t.Run("bad input is refused", func(t *testing.T) {
		tests := map[string]struct {
			change func(*events.APIGatewayProxyRequest)
			status int
			code   string
		}{
			"malformed JSON": {func(r *events.APIGatewayProxyRequest) { r.Body = `{"displayName":` }, 400, "invalid_json"},
			"empty body":     {func(r *events.APIGatewayProxyRequest) { r.Body = "" }, 400, "invalid_json"},
			"binary body": {func(r *events.APIGatewayProxyRequest) {
				r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte{0xff, 0}), true
			}, 400, "invalid_json"},
			"unknown field":   {func(r *events.APIGatewayProxyRequest) { r.Body = `{"displayName":"Ada","admin":true}` }, 400, "invalid_profile"},
			"wrong type":      {func(r *events.APIGatewayProxyRequest) { r.Body = `{"displayName":["Ada"]}` }, 400, "invalid_profile"},
			"no display name": {func(r *events.APIGatewayProxyRequest) { r.Body = `{"bio":"Stones."}` }, 400, "invalid_profile"},
			"a megabyte": {func(r *events.APIGatewayProxyRequest) {
				r.Body = `{"displayName":"` + strings.Repeat("a", 1<<20) + `"}`
			}, 413, "body_too_large"},
			"no authoriser": {func(r *events.APIGatewayProxyRequest) { r.RequestContext.Authorizer = nil }, 401, "unauthenticated"},
			"no sub": {func(r *events.APIGatewayProxyRequest) {
				delete(r.RequestContext.Authorizer["claims"].(map[string]any), "sub")
			}, 401, "unauthenticated"},
			"forged by header": {func(r *events.APIGatewayProxyRequest) {
				r.RequestContext.Authorizer, r.Headers["sub"] = map[string]any{}, "root"
			}, 401, "unauthenticated"},
			"forged by shape": {func(r *events.APIGatewayProxyRequest) {
				r.RequestContext.Authorizer = map[string]any{"claims": `{"sub":"root"}`, "sub": "root"}
			}, 401, "unauthenticated"},
			"another method":   {func(r *events.APIGatewayProxyRequest) { r.HTTPMethod = "DELETE" }, 405, "method_not_allowed"},
			"another resource": {func(r *events.APIGatewayProxyRequest) { r.Resource = "/" }, 404, "not_found"},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				request := putRequest(t)
				test.change(&request)
				p.checkError(t, request, test.status, test.code)
			})
		}
	})

	t.Run("a secret rotated mid-run is fetched once more", func(t *testing.T) {
		p.check(t, getRequest(t), 200)
		p.database.RotatePassword(t)
		p.publishSecret()
		p.server.ResetConnections() // those that there are go on working with the old password
		fetches := len(p.secrets.Calls())
		p.check(t, getRequest(t), 200)
		p.check(t, putRequest(t), 200)
		if now := len(p.secrets.Calls()); now != fetches+1 {
			t.Errorf("the secret was fetched %d times, want once", now-fetches)
		}
	})

	t.Run("a lock wait timeout (1205) is tried again", func(t *testing.T) {
		p.check(t, putRequest(t), 200)
		p.database.LockTimeout(t, "profiles", "subject", subject)
		p.check(t, putRequest(t), 200)
	})

	t.Run("a killed connection is replaced", func(t *testing.T) {
		p.check(t, putRequest(t), 200)
		p.database.KillConnections(t)
		p.check(t, putRequest(t), 200)
		p.database.KillConnections(t)
		p.check(t, getRequest(t), 200)
	})

	t.Run("a failover (1290) is followed", func(t *testing.T) {
		p.check(t, putRequest(t), 200)
		p.server.Failover(t)
		p.check(t, putRequest(t), 200)
	})

	t.Run("a deadlock (1213) is tried again", func(t *testing.T) {
		p.check(t, putRequest(t), 200)
		p.database.Deadlock(t, "profiles", "subject", subject)
		p.check(t, putRequest(t), 200)
	})

	t.Run("a database that is down is answered 503, until it is back", func(t *testing.T) {
		p.server.Down()
		p.checkUnavailable(t, getRequest(t))
		p.checkUnavailable(t, putRequest(t))
		p.server.Up(t)
		p.check(t, getRequest(t), 200)
		p.check(t, putRequest(t), 200)
	})

	t.Run("a database that does not answer is answered 503 before the deadline, until it is back", func(t *testing.T) {
		p.check(t, getRequest(t), 200) // so that there is a connection to fall silent
		p.server.Hang()
		p.checkUnavailable(t, getRequest(t))
		p.checkUnavailable(t, putRequest(t))
		p.server.Up(t)
		p.check(t, getRequest(t), 200)
		p.check(t, putRequest(t), 200)
	})

	t.Run("no process was lost on the way", func(t *testing.T) {
		p.checkOneProcess(t)
	})
	p.checkSecrecy(t)
	awstest.CheckActions(t, "calls.txt", p.secrets.Calls())
}

// TestBootstrapWithoutItsSecret is about a function that starts when Secrets Manager does not answer as it should.
func TestBootstrapWithoutItsSecret(t *testing.T) {
	server, bootstrap := mysqltest.Start(t), lambdatest.Build(t, contract.Package)
	tests := map[string]awstest.Fault{
		"fails":       {Status: http.StatusInternalServerError, Code: "InternalServiceError"},
		"throttles":   {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"denies":      {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"is silent":   {Silent: true},
		"knows of no": {Status: http.StatusBadRequest, Code: "ResourceNotFoundException"},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, server, bootstrap)
			p.secrets.SetFault(fault)
			p.checkUnavailable(t, getRequest(t))
			p.secrets.SetFault(awstest.Fault{})
			p.checkError(t, getRequest(t), 404, "profile_not_found")
			p.checkOneProcess(t)
			p.checkSecrecy(t)
		})
	}
	t.Run("holds what is no secret of a database", func(t *testing.T) {
		p := start(t, server, bootstrap)
		p.secrets.PutSecret(p.secretARN, fmt.Sprintf(`{"password":%q}`, p.database.Password()))
		p.checkError(t, getRequest(t), 500, "internal")
		p.publishSecret()
		p.checkError(t, getRequest(t), 404, "profile_not_found")
		p.checkOneProcess(t)
		p.checkSecrecy(t)
	})
}

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, variable := range []string{"DATABASE_SECRET_ARN", "DATABASE_WRITER_HOST", "DATABASE_PORT", "DATABASE_NAME", "ALLOWED_ORIGINS"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("error %v, want it to name %s", err, variable)
		}
	}
}

func start(t *testing.T, server *mysqltest.Server, bootstrap string) *platform {
	t.Helper()
	database := server.NewDatabase(t)
	if _, err := schema.Up(t.Context(), database.Open(t).Writer); err != nil {
		t.Fatal(err)
	}
	settings := contract.Settings{Database: database.Settings(), AllowedOrigins: []string{"https://app.example.com"}}
	environment, err := lambdaenv.Encode(settings)
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{server: server, database: database, secrets: awstest.StartSecretsManager(t), secretARN: settings.Database.SecretARN}
	p.publishSecret()
	environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = p.secrets.URL
	environment["SSL_CERT_FILE"] = server.CAFile
	p.function = lambdatest.New(t, bootstrap, environment)
	return p
}

// publishSecret puts the database's present credentials into Secrets Manager.
func (p *platform) publishSecret() {
	p.secrets.PutSecret(p.secretARN, p.database.Secret())
	p.passwords = append(p.passwords, p.database.Password())
}

// check sends request through the Lambda service, fails the test when the function does not answer before its
// deadline or answers with another status, and returns the answer.
func (p *platform) check(t *testing.T, request events.APIGatewayProxyRequest, status int) events.APIGatewayProxyResponse {
	t.Helper()
	return p.checkWithin(t, timeout, request, status)
}

func (p *platform) checkWithin(t *testing.T, timeout time.Duration, request events.APIGatewayProxyRequest, status int) events.APIGatewayProxyResponse {
	t.Helper()
	event, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := p.function.Invoke(t.Context(), event, timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.function.Logs())
	}
	p.answers.Write(payload)
	var response events.APIGatewayProxyResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	if response.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s\n%s", request.HTTPMethod, response.StatusCode, status, response.Body, p.function.Logs())
	}
	return response
}

func (p *platform) checkError(t *testing.T, request events.APIGatewayProxyRequest, status int, code string) {
	t.Helper()
	checkErrorBody(t, p.check(t, request, status), code)
}

func (p *platform) checkUnavailable(t *testing.T, request events.APIGatewayProxyRequest) {
	t.Helper()
	response := p.checkWithin(t, shortTimeout, request, 503)
	checkErrorBody(t, response, "unavailable")
	if response.Headers["Retry-After"] == "" {
		t.Errorf("headers %v, want Retry-After", response.Headers)
	}
}

func checkErrorBody(t *testing.T, response events.APIGatewayProxyResponse, code string) {
	t.Helper()
	var body errorBody
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
		t.Fatalf("%v: %s", err, response.Body)
	}
	if body.Error.Code != code || body.Error.RequestID != requestID {
		t.Errorf("error %+v, want %s for request %s", body.Error, code, requestID)
	}
}

// checkOneProcess holds that the function never crashed or was killed: requests are numbered by process.
func (p *platform) checkOneProcess(t *testing.T) {
	t.Helper()
	if processes := p.function.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.function.Logs())
	}
}

// checkSecrecy looks for what must be in no log and in no answer. A log may name the host that could not be reached,
// which whoever is woken by it needs; an answer may not.
func (p *platform) checkSecrecy(t *testing.T) {
	t.Helper()
	logs, answers := p.function.Logs(), p.answers.String()
	settings := p.database.Settings()
	everywhere := append([]string{"INSERT", "SELECT", "example-secret-access-key", "ada@example.com", "Cuts stones", subject}, p.passwords...)
	for _, secret := range everywhere {
		if strings.Contains(logs, secret) {
			t.Errorf("the log has %q:\n%s", secret, logs)
		}
	}
	inside := append([]string{"INSERT", "SELECT", "mysql", settings.WriterHost, settings.SecretARN, settings.Name, p.database.User}, p.passwords...)
	for _, secret := range inside {
		if strings.Contains(answers, secret) {
			t.Errorf("an answer has %q:\n%s", secret, answers)
		}
	}
	for line := range strings.Lines(logs) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}
