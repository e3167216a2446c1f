// Package resttest provides requests in the form in which API Gateway passes them to a function,
// and checks of responses.
package resttest

import (
	_ "embed"
	"encoding/json"
	"html"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/internal/api/pages"
)

// The data of every request of a signed-in user.
const (
	Subject   = "00000000-0000-4000-8000-0000000000aa"
	Email     = "ada@example.com"
	ClientID  = "exampleclientid0123456789a"
	Origin    = "https://app.example.com"
	RequestID = "00000000-0000-4000-8000-0000000000ff"
)

// event is a request of a REST API with a Cognito authorizer as the service sends it, except that
// its IDs are made up.
//
//go:embed event.json
var event []byte

// A Request is the variable part of a request.
type Request struct {
	Route   string            // in the form of the table of routes: PUT /posts/{postId}
	Path    map[string]string // the path's parameters, by name
	Query   map[string]string
	Headers map[string]string
	Body    string
	Subject string // the signed-in user; empty if nobody is signed in
}

// Event returns the event that a function gets for the request.
func (r Request) Event(t testing.TB) events.APIGatewayProxyRequest {
	t.Helper()
	var request events.APIGatewayProxyRequest
	if err := json.Unmarshal(event, &request); err != nil {
		t.Fatal(err)
	}
	method, resource, ok := strings.Cut(r.Route, " ")
	if !ok {
		t.Fatalf("the route is %q, want a method and a path", r.Route)
	}
	request.HTTPMethod, request.Resource, request.Path = method, resource, resource
	for name, value := range r.Path {
		request.Path = strings.ReplaceAll(request.Path, "{"+name+"}", value)
	}
	request.RequestContext.HTTPMethod, request.RequestContext.ResourcePath = method, resource
	request.RequestContext.Path = "/v1" + request.Path
	request.PathParameters, request.QueryStringParameters, request.Body = r.Path, r.Query, r.Body
	request.MultiValueQueryStringParameters = map[string][]string{}
	for name, value := range r.Query {
		request.MultiValueQueryStringParameters[name] = []string{value}
	}
	maps.Copy(request.Headers, r.Headers)
	for name, value := range r.Headers {
		request.MultiValueHeaders[name] = []string{value}
	}
	if r.Subject == "" {
		request.RequestContext.Authorizer = nil
		delete(request.Headers, "Authorization")
		delete(request.MultiValueHeaders, "Authorization")
		return request
	}
	claims, ok := request.RequestContext.Authorizer["claims"].(map[string]any)
	if !ok {
		t.Fatal("the event has no claims")
	}
	claims["sub"], claims["cognito:username"] = r.Subject, Username(r.Subject)
	return request
}

// Username returns the user name of the user with this subject. It differs from the subject, as for
// all users of an identity provider.
func Username(subject string) string { return "google_" + subject }

// An Error is an error as a client parses it.
type Error struct {
	Code      string
	Message   string
	RequestID string
	Fields    []struct{ Field, Problem string }
}

// ErrorOf returns the error of a response. It fails the test unless the response has this status
// and code and the schema of all errors.
func ErrorOf(t testing.TB, response events.APIGatewayProxyResponse, status int, code string) Error {
	t.Helper()
	var body struct{ Error Error }
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
		t.Fatalf("status %d, want %d %s: %v: %s", response.StatusCode, status, code, err,
			response.Body)
	}
	if response.StatusCode != status || body.Error.Code != code {
		t.Errorf("status %d, want %d %s: %s", response.StatusCode, status, code, response.Body)
	}
	if body.Error.Message == "" || body.Error.RequestID != RequestID ||
		response.Headers["Content-Type"] != "application/json" {
		t.Errorf("error %+v of type %q, want a message for request %s", body.Error,
			response.Headers["Content-Type"], RequestID)
	}
	return body.Error
}

// Body returns the body of a response. It fails the test unless the response has this status.
func Body[T any](t testing.TB, response events.APIGatewayProxyResponse, status int) T {
	t.Helper()
	if response.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", response.StatusCode, status, response.Body)
	}
	var body T
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
		t.Fatalf("%v: %s", err, response.Body)
	}
	return body
}

// Page fails the test unless a response is a page with this status and title, and with the headers
// of every page.
func Page(t testing.TB, response events.APIGatewayProxyResponse, status int, title string) {
	t.Helper()
	if response.StatusCode != status ||
		!strings.Contains(response.Body, "<h1>"+html.EscapeString(title)+"</h1>") {
		t.Errorf("status %d, want %d %s: %s", response.StatusCode, status, title, response.Body)
	}
	want := pages.Headers()
	want["Cache-Control"] = "no-store"
	for name, value := range want {
		if got := response.Headers[name]; got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}
