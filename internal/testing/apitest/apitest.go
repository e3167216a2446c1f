// Package apitest runs a built function of the API in the surroundings that it has on AWS: API Gateway's events, the
// Lambda service, a MySQL server with the platform's schema, DynamoDB with a mailing list, S3, SNS, Secrets Manager and
// Cognito.
package apitest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

const (
	// timeout is the function's own, as it is deployed.
	timeout = 10 * time.Second

	// shortTimeout is the function's own where the test has to wait for it: a second, and the margin to answer in.
	shortTimeout = 2 * time.Second

	userPoolID  = "eu-central-1_EXAMPLE"
	topicARN    = "arn:aws:sns:eu-central-1:111111111111:CommentEvents"
	tokenKeyARN = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:token-key"
)

const (
	// Originals is the bucket that pictures are uploaded to and kept in.
	Originals = "originals"

	// Media is where pictures are seen, so to speak: nothing is there.
	Media = pictures.Delivery("https://media.example.com")

	// Endpoint is where links of mails lead to, so to speak.
	Endpoint = "https://api.example.com/v1/"
)

// Settings are what a stack can tell a function of the API.
type Settings struct {
	API      rest.Settings
	Tokens   token.Settings
	Users    cognito.Settings
	Pictures s3store.PictureSettings
	Uploads  s3store.UploadSettings
	Media    pictures.Delivery
	TopicARN string
	Table    string // the mailing list's
	Database mysqlconn.Settings
}

// An Account is what the functions of one environment share: what they call.
type Account struct {
	Server        *mysqltest.Server    // nil in an account without a database
	Database      *mysqltest.Database  // nil as well
	DynamoDB      *dynamodbtest.Server // nil before AddMailingList
	Table         string               // the mailing list's
	S3            *s3test.Server
	Secrets       *awstest.SecretsManager
	Cognito       *awstest.Cognito
	CommentEvents *awstest.SNS

	databases string   // ARN of the database's secret
	tokenKey  string   // the present one
	passwords []string // of all times, that must be nowhere
}

// A Function is a built function with its surroundings.
type Function struct {
	*Account

	function *lambdatest.Function
	answers  strings.Builder
}

// NewAccount returns an account with an empty database on server that has the platform's schema, and an empty bucket,
// until t ends. Where server is nil, there is no database.
func NewAccount(t testing.TB, server *mysqltest.Server) *Account {
	t.Helper()
	a := &Account{
		Server:        server,
		S3:            s3test.Start(t),
		Secrets:       awstest.StartSecretsManager(t),
		Cognito:       awstest.StartCognito(t, userPoolID),
		CommentEvents: awstest.StartSNS(t, topicARN),
		tokenKey:      "the key of tokens, of many characters",
	}
	a.S3.Bucket(t, Originals)
	a.Secrets.PutSecret(tokenKeyARN, a.tokenKey)
	if server == nil {
		return a
	}
	a.Database = server.NewDatabase(t)
	if _, err := schema.Up(t.Context(), a.Database.Open(t).Writer); err != nil {
		t.Fatal(err)
	}
	a.databases = a.Database.Settings().SecretARN
	a.PutSecret()
	return a
}

// AddMailingList gives the account an empty one, until t ends.
func (a *Account) AddMailingList(t testing.TB) {
	t.Helper()
	a.DynamoDB = dynamodbtest.Start(t)
	a.Table = a.DynamoDB.NewMailingList(t)
}

// Start gives a built function the account's surroundings, until t ends. settings chooses what the function is told.
func (a *Account) Start(t testing.TB, bootstrap string, settings func(Settings) any) *Function {
	t.Helper()
	told := Settings{
		API:      rest.Settings{AllowedOrigins: []string{resttest.Origin}, ClientIDs: []string{resttest.ClientID}},
		Tokens:   token.Settings{KeyARN: tokenKeyARN},
		Users:    cognito.Settings{UserPoolID: userPoolID},
		Pictures: s3store.PictureSettings{Bucket: Originals},
		Uploads:  s3store.UploadSettings{Bucket: Originals, Lifetime: 5 * time.Minute},
		Media:    Media,
		TopicARN: topicARN,
		Table:    a.Table,
	}
	if a.Database != nil {
		told.Database = a.Database.Settings()
	}
	environment, err := lambdaenv.Encode(settings(told))
	if err != nil {
		t.Fatal(err)
	}
	environment["AWS_ENDPOINT_URL_S3"] = a.S3.URL
	environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = a.Secrets.URL
	environment["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"] = a.Cognito.URL
	environment["AWS_ENDPOINT_URL_SNS"] = a.CommentEvents.URL
	if a.Server != nil {
		environment["SSL_CERT_FILE"] = a.Server.CAFile
	}
	if a.DynamoDB != nil {
		environment["AWS_ENDPOINT_URL_DYNAMODB"] = a.DynamoDB.URL
	}
	return &Function{Account: a, function: lambdatest.New(t, bootstrap, environment)}
}

// PutSecret puts the database's present credentials into Secrets Manager.
func (a *Account) PutSecret() {
	a.Secrets.PutSecret(a.databases, a.Database.Secret())
	a.passwords = append(a.passwords, a.Database.Password())
}

// CorruptSecret puts something into Secrets Manager that is no database's credentials.
func (a *Account) CorruptSecret() {
	a.Secrets.PutSecret(a.databases, `{"password":"`+a.Database.Password()+`"}`)
}

// AgePictures has all pictures be noted an hour ago.
func (a *Account) AgePictures(t testing.TB) {
	t.Helper()
	if _, err := a.Server.Admin.ExecContext(t.Context(), "UPDATE "+a.Database.Name+".pictures SET created_at = created_at - INTERVAL 1 HOUR"); err != nil {
		t.Fatal(err)
	}
}

// Cursor is one that the function gave out, some time ago.
func (a *Account) Cursor(t testing.TB, list string, position []byte, age time.Duration) string {
	t.Helper()
	sealed, err := a.sealer(age).Seal(t.Context(), list, position)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// Links makes links that were in a mail some time ago.
func (a *Account) Links(age time.Duration) *links.Links {
	return &links.Links{Endpoint: Endpoint, Tokens: a.sealer(age)}
}

// FollowLink is a request to where a link leads, with what API Gateway takes for its token.
func FollowLink(t testing.TB, method, link string) resttest.Request {
	t.Helper()
	below, ok := strings.CutPrefix(link, Endpoint)
	path, token, found := strings.Cut(below, "/")
	if !ok || !found || strings.ContainsAny(token, "/?#%") {
		t.Fatalf("the link is %q, want one below %s, with one token", link, Endpoint)
	}
	return resttest.Request{Route: method + " /" + path + "/{token}", Path: map[string]string{"token": token}}
}

func (a *Account) sealer(age time.Duration) *token.Sealer {
	return token.NewSealer(token.Settings{KeyARN: tokenKeyARN}, key(a.tokenKey), func() time.Time { return time.Now().Add(-age) })
}

// Do sends a request through the Lambda service and returns the answer. It fails the test when the function does not
// answer before its deadline.
func (f *Function) Do(t testing.TB, request resttest.Request) events.APIGatewayProxyResponse {
	t.Helper()
	return f.do(t, request.Event(t), timeout)
}

func (f *Function) do(t testing.TB, request events.APIGatewayProxyRequest, timeout time.Duration) events.APIGatewayProxyResponse {
	t.Helper()
	response, err := f.invoke(t.Context(), request, timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, f.function.Logs())
	}
	if response.StatusCode == 500 {
		lines := strings.SplitAfter(strings.TrimSpace(f.function.Logs()), "\n")
		t.Logf("the log ends with %s", lines[len(lines)-1])
	}
	return response
}

func (f *Function) invoke(ctx context.Context, request events.APIGatewayProxyRequest, timeout time.Duration) (response events.APIGatewayProxyResponse, err error) {
	event, err := json.Marshal(request)
	if err != nil {
		return response, err
	}
	payload, err := f.function.Invoke(ctx, event, timeout)
	if err != nil {
		return response, err
	}
	f.answers.Write(payload)
	return response, json.Unmarshal(payload, &response)
}

// Check fails the test unless the answer has this status, and returns it.
func (f *Function) Check(t testing.TB, request resttest.Request, status int) events.APIGatewayProxyResponse {
	t.Helper()
	response := f.Do(t, request)
	if response.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s", request.Route, response.StatusCode, status, response.Body)
	}
	return response
}

// DoWithShortTimeout does as Do, within so short a time as the test wants to wait where nobody answers.
func (f *Function) DoWithShortTimeout(t testing.TB, request resttest.Request) events.APIGatewayProxyResponse {
	t.Helper()
	return f.do(t, request.Event(t), shortTimeout)
}

// CheckUnavailable fails the test unless the client is told, before the function's deadline, to try again.
func (f *Function) CheckUnavailable(t testing.TB, request resttest.Request) {
	t.Helper()
	response := f.DoWithShortTimeout(t, request)
	resttest.ErrorOf(t, response, 503, "unavailable")
	if response.Headers["Retry-After"] == "" {
		t.Errorf("headers %v, want Retry-After", response.Headers)
	}
}

// CheckKilled has the function's process killed while it answers a request: by kill, which somebody whom it calls has to
// call.
func (f *Function) CheckKilled(t testing.TB, request resttest.Request, arm func(kill func())) {
	t.Helper()
	arm(f.function.Kill)
	response, err := f.invoke(t.Context(), request.Event(t), timeout)
	if _, killed := errors.AsType[*lambdatest.ExitError](err); !killed {
		t.Fatalf("the function was not killed: %v, %d %s", err, response.StatusCode, response.Body)
	}
}

// CheckOneProcess holds that the function never crashed or was killed.
func (f *Function) CheckOneProcess(t testing.TB) {
	t.Helper()
	if processes := f.function.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, f.function.Logs())
	}
}

// CheckLogged wants the log to say these words.
func (f *Function) CheckLogged(t testing.TB, words string) {
	t.Helper()
	if logs := f.function.Logs(); !strings.Contains(logs, words) {
		t.Errorf("the log does not say %q:\n%s", words, logs)
	}
}

// CheckNoLeaks looks for what must be in no log and in no answer. A log may name the host that could not be reached,
// which whoever is woken by it needs; an answer may not. Neither may have what users write, which is personal.
func (f *Function) CheckNoLeaks(t testing.TB, written ...string) {
	t.Helper()
	logs := f.function.Logs()
	answers := strings.ReplaceAll(f.answers.String(), f.S3.URL, "") // where browsers upload to, on the host of the database
	everywhere := append([]string{"INSERT", "SELECT", "example-secret-access-key", resttest.Email, resttest.Subject, f.tokenKey}, f.passwords...)
	for _, secret := range append(everywhere, written...) {
		if strings.Contains(logs, secret) {
			t.Errorf("the log has %q:\n%s", secret, logs)
		}
	}
	inside := append([]string{"INSERT INTO", "SELECT ", "mysql", "dynamodb", resttest.Subject, f.tokenKey}, f.passwords...)
	if f.Database != nil {
		settings := f.Database.Settings()
		inside = append(inside, settings.WriterHost, settings.SecretARN, settings.Name, f.Database.User)
	}
	if f.Table != "" {
		inside = append(inside, f.Table)
	}
	for _, secret := range inside {
		if strings.Contains(answers, secret) {
			t.Errorf("an answer has %q", secret)
		}
	}
	for line := range strings.Lines(logs) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}

// Calls are all that have been made of AWS.
func (a *Account) Calls() []awstest.Call {
	calls := slices.Concat(a.S3.Calls(), a.Secrets.Calls(), a.Cognito.Calls(), a.CommentEvents.Calls())
	if a.DynamoDB != nil {
		calls = append(calls, a.DynamoDB.Calls()...)
	}
	return calls
}
