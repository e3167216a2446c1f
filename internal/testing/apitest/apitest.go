// Package apitest provides a test environment for the built functions of the API. It emulates the
// services that they use on AWS: API Gateway's events, the Lambda service, a MySQL server with the
// platform's schema, DynamoDB with a mailing list, S3, SNS, Secrets Manager and Cognito.
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

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

const (
	// timeout is the timeout of a function as it is deployed.
	timeout = 10 * time.Second

	// shortTimeout is the timeout of a function where the test has to wait for it: one second, and
	// the margin for the response.
	shortTimeout = 2 * time.Second

	userPoolID  = "eu-central-1_EXAMPLE"
	topicARN    = "arn:aws:sns:eu-central-1:111111111111:CommentEvents"
	tokenKeyARN = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:token-key"
)

const (
	// Originals is the bucket of uploads and promoted pictures.
	Originals = "originals"

	// Media is the base URL of pictures. Nothing is served there.
	Media = pictures.Delivery("https://media.example.com")

	// Endpoint is the base URL of links in e-mails. Nothing is served there.
	Endpoint = "https://api.example.com/v1/"
)

// Settings are all settings that a stack can pass to a function of the API.
type Settings struct {
	API             rest.Settings
	TokenKeyARN     string
	UserPoolID      string
	OriginalsBucket string
	UploadLifetime  time.Duration
	MediaURL        string
	TopicARN        string
	Table           string // the mailing list's
	Database        mysqlconn.Settings
}

// An Account provides the resources that the functions of one environment share.
type Account struct {
	Server        *mysqltest.Server    // nil in an account without a database
	Database      *mysqltest.Database  // nil in an account without a database
	DynamoDB      *dynamodbtest.Server // nil before AddMailingList
	Table         string               // the mailing list's
	S3            *s3test.Server
	Secrets       *awstest.SecretsManager
	Cognito       *awstest.Cognito
	CommentEvents *awstest.SNS

	databases string   // ARN of the database's secret
	tokenKey  string   // the present key of tokens
	passwords []string // all past and present passwords; none may leak
}

// A Function is a built function in an account.
type Function struct {
	*Account

	function  *lambdatest.Function
	responses strings.Builder
}

// NewAccount returns an account with an empty bucket, and with an empty database with the
// platform's schema on server. They exist until t ends. If server is nil, there is no database.
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
	if _, err := schema.Up(t.Context(), a.Database.Open(t).Writer, migrations.Files); err != nil {
		t.Fatal(err)
	}
	a.databases = a.Database.Settings().SecretARN
	a.PutSecret()
	return a
}

// AddMailingList adds an empty mailing list, which exists until t ends.
func (a *Account) AddMailingList(t testing.TB) {
	t.Helper()
	a.DynamoDB = dynamodbtest.Start(t)
	a.Table = a.DynamoDB.NewMailingList(t)
}

// Start returns a built function that uses the account until t ends. settings selects the
// function's settings.
func (a *Account) Start(t testing.TB, bootstrap string, settings func(Settings) any) *Function {
	t.Helper()
	all := Settings{
		API: rest.Settings{
			AllowedOrigins: []string{resttest.Origin}, ClientIDs: []string{resttest.ClientID},
		},
		TokenKeyARN:     tokenKeyARN,
		UserPoolID:      userPoolID,
		OriginalsBucket: Originals,
		UploadLifetime:  5 * time.Minute,
		MediaURL:        string(Media),
		TopicARN:        topicARN,
		Table:           a.Table,
	}
	if a.Database != nil {
		all.Database = a.Database.Settings()
	}
	environment, err := lambdaenv.Encode(settings(all))
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

// CorruptSecret puts incomplete credentials into Secrets Manager.
func (a *Account) CorruptSecret() {
	a.Secrets.PutSecret(a.databases, `{"password":"`+a.Database.Password()+`"}`)
}

// AgePictures moves the creation of all records of pictures one hour into the past.
func (a *Account) AgePictures(t testing.TB) {
	t.Helper()
	update := "UPDATE " + a.Database.Name +
		".pictures SET created_at = created_at - INTERVAL 1 HOUR"
	if _, err := a.Server.Admin.ExecContext(t.Context(), update); err != nil {
		t.Fatal(err)
	}
}

// Cursor returns a cursor that is as old as age.
func (a *Account) Cursor(t testing.TB, list string, position []byte, age time.Duration) string {
	t.Helper()
	sealed, err := a.sealer(age).Seal(t.Context(), list, position)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// Links makes links that are as old as age.
func (a *Account) Links(age time.Duration) *links.Links {
	return &links.Links{Endpoint: Endpoint, Tokens: a.sealer(age)}
}

// FollowLink returns the request to a link, with the path parameter token as API Gateway parses it.
func FollowLink(t testing.TB, method, link string) resttest.Request {
	t.Helper()
	below, ok := strings.CutPrefix(link, Endpoint)
	path, token, found := strings.Cut(below, "/")
	if !ok || !found || strings.ContainsAny(token, "/?#%") {
		t.Fatalf("the link is %q, want one below %s, with one token", link, Endpoint)
	}
	return resttest.Request{
		Route: method + " /" + path + "/{token}", Path: map[string]string{"token": token},
	}
}

func (a *Account) sealer(age time.Duration) *token.Sealer {
	past := func() time.Time { return time.Now().Add(-age) }
	return token.NewSealer(tokenKeyARN, fakeSecrets(a.tokenKey), past)
}

// Do sends a request through the Lambda service and returns the response. It fails the test if the
// function does not respond before its deadline.
func (f *Function) Do(t testing.TB, request resttest.Request) events.APIGatewayProxyResponse {
	t.Helper()
	return f.do(t, request.Event(t), timeout)
}

func (f *Function) do(
	t testing.TB, request events.APIGatewayProxyRequest, timeout time.Duration,
) events.APIGatewayProxyResponse {
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

func (f *Function) invoke(
	ctx context.Context, request events.APIGatewayProxyRequest, timeout time.Duration,
) (response events.APIGatewayProxyResponse, err error) {
	event, err := json.Marshal(request)
	if err != nil {
		return response, err
	}
	payload, err := f.function.Invoke(ctx, event, timeout)
	if err != nil {
		return response, err
	}
	f.responses.Write(payload)
	return response, json.Unmarshal(payload, &response)
}

// Check sends a request and returns the response. It fails the test unless the response has this
// status.
func (f *Function) Check(
	t testing.TB, request resttest.Request, status int,
) events.APIGatewayProxyResponse {
	t.Helper()
	response := f.Do(t, request)
	if response.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s", request.Route, response.StatusCode, status,
			response.Body)
	}
	return response
}

// DoWithShortTimeout is like Do, with a shorter timeout, for tests in which a dependency does not
// respond.
func (f *Function) DoWithShortTimeout(
	t testing.TB, request resttest.Request,
) events.APIGatewayProxyResponse {
	t.Helper()
	return f.do(t, request.Event(t), shortTimeout)
}

// CheckUnavailable fails the test unless the response is 503 with Retry-After, before the
// function's deadline.
func (f *Function) CheckUnavailable(t testing.TB, request resttest.Request) {
	t.Helper()
	response := f.DoWithShortTimeout(t, request)
	resttest.ErrorOf(t, response, 503, "unavailable")
	if response.Headers["Retry-After"] == "" {
		t.Errorf("headers %v, want Retry-After", response.Headers)
	}
}

// CheckKilled sends a request and fails the test unless the function's process is killed during it.
// arm gets kill, and arranges that a dependency of the function calls it.
func (f *Function) CheckKilled(t testing.TB, request resttest.Request, arm func(kill func())) {
	t.Helper()
	arm(f.function.Kill)
	response, err := f.invoke(t.Context(), request.Event(t), timeout)
	if _, killed := errors.AsType[*lambdatest.ExitError](err); !killed {
		t.Fatalf("the function was not killed: %v, %d %s", err, response.StatusCode, response.Body)
	}
}

// CheckOneProcess fails the test if the function crashed or was killed.
func (f *Function) CheckOneProcess(t testing.TB) {
	t.Helper()
	if processes := f.function.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, f.function.Logs())
	}
}

// CheckLogged fails the test unless the log contains text.
func (f *Function) CheckLogged(t testing.TB, text string) {
	t.Helper()
	if logs := f.function.Logs(); !strings.Contains(logs, text) {
		t.Errorf("the log does not contain %q:\n%s", text, logs)
	}
}

// CheckNoLeaks fails the test if a log or a response contains secrets or internal details. A log
// may contain the host that could not be reached, which an operator needs; a response may not.
// Neither may contain the users' own texts in written, which are personal data.
func (f *Function) CheckNoLeaks(t testing.TB, written ...string) {
	t.Helper()
	logs := f.function.Logs()
	// S3, which browsers upload to, has the host of the database here.
	responses := strings.ReplaceAll(f.responses.String(), f.S3.URL, "")
	notInLogs := append([]string{
		"INSERT", "SELECT", "example-secret-access-key", resttest.Email, resttest.Subject,
		f.tokenKey,
	}, f.passwords...)
	for _, secret := range append(notInLogs, written...) {
		if strings.Contains(logs, secret) {
			t.Errorf("the log contains %q:\n%s", secret, logs)
		}
	}
	internal := append([]string{
		"INSERT INTO", "SELECT ", "mysql", "dynamodb", resttest.Subject, f.tokenKey,
	}, f.passwords...)
	if f.Database != nil {
		settings := f.Database.Settings()
		internal = append(internal,
			settings.WriterHost, settings.SecretARN, settings.Name, f.Database.User)
	}
	if f.Table != "" {
		internal = append(internal, f.Table)
	}
	for _, secret := range internal {
		if strings.Contains(responses, secret) {
			t.Errorf("a response contains %q", secret)
		}
	}
	for line := range strings.Lines(logs) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}

// Calls returns all calls of AWS.
func (a *Account) Calls() []awstest.Call {
	calls := slices.Concat(a.S3.Calls(), a.Secrets.Calls(), a.Cognito.Calls(),
		a.CommentEvents.Calls())
	if a.DynamoDB != nil {
		calls = append(calls, a.DynamoDB.Calls()...)
	}
	return calls
}
