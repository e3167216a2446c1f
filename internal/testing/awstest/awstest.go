// Package awstest emulates AWS services over HTTP, in the services' wire formats, for tests of
// built functions. AWS_ENDPOINT_URL_… variables direct an AWS SDK to the fakes. The fakes reject
// unsigned requests, implement only the operations that the functions call, and record every call.
package awstest

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Call is a request that a fake received, regardless of its response, in terms of an IAM policy.
type Call struct {
	Action   string // secretsmanager:GetSecretValue
	Resource string // the ARN, or the request's own identifier
}

// A Fault is an injected failure. The zero Fault is none.
type Fault struct {
	// Status is the status of the response: 4xx for an error of the client, 5xx for one of the
	// service.
	Status int
	// Code is the error code in the service's own format, such as InternalServiceError.
	Code string
	// Reason is the error message. SES and Kinesis support it.
	Reason string
	// NoResponse sends no response, so that the client times out.
	NoResponse bool
	// TruncateResponse executes the operation and closes the connection before the response is
	// complete. s3test, dynamodbtest, SES and Kinesis support it.
	TruncateResponse bool
	// Reset closes the connection without executing the operation. dynamodbtest, SES and Kinesis
	// support it.
	Reset bool
	// Action limits the fault to calls of this IAM action. Default: all calls.
	Action string
	// Times is the number of calls that fail. Default: all calls until another fault is set.
	Times int
}

// A service records calls and injects faults for the fakes.
type service struct {
	mu    sync.Mutex
	calls []Call
	fault Fault
}

// start serves requests until the test ends, and returns the endpoint's URL.
func start(t testing.TB, serve http.HandlerFunc) string {
	server := httptest.NewServer(serve)
	t.Cleanup(func() {
		server.CloseClientConnections() // Close would wait for requests without a response
		server.Close()
	})
	return server.URL
}

// SetFault injects a fault into later requests. The zero Fault resets it.
func (s *service) SetFault(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls returns the recorded calls, the oldest first.
func (s *service) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// record records a call and returns its fault. When it returns a silent fault, the client has
// disconnected.
func (s *service) record(r *http.Request, call Call) Fault {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fault := s.fault
	if fault.Action != "" && fault.Action != call.Action {
		s.mu.Unlock()
		return Fault{}
	}
	if s.fault.Times--; s.fault.Times == 0 {
		s.fault = Fault{}
	}
	s.mu.Unlock()
	if fault.NoResponse {
		<-r.Context().Done()
	}
	return fault
}

// signed reports whether r has a Signature Version 4 for the service. The signature itself is not
// verified.
func signed(r *http.Request, signingName string) bool {
	authorization := r.Header.Get("Authorization")
	return strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=") &&
		strings.Contains(authorization, "/"+signingName+"/aws4_request")
}

// requestID is the id of every response, and of everything in responses whose id no test reads.
const requestID = "00000000-0000-4000-8000-000000000000"

func jsonError(w http.ResponseWriter, status int, code, message string) {
	body := map[string]string{"__type": code}
	if message != "" {
		body["Message"] = message
	}
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	// The test of a client that has disconnected checks the client.
	_ = json.NewEncoder(w).Encode(body)
}

func writeXML(w http.ResponseWriter, status int, body any) {
	encoded, err := xml.Marshal(body)
	if err != nil {
		panic(err) // strings always have an encoding
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	// The test of a client that has disconnected checks the client.
	_, _ = w.Write(append([]byte(xml.Header), encoded...))
}

// CheckActions compares the calls that a function made in its tests with the reviewed list of its
// IAM actions in file, one per line. An action that the list lacks and one that was never called
// are both errors.
func CheckActions(t testing.TB, file string, calls []Call) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("awstest: %v", err)
		return
	}
	reviewed := strings.Fields(string(content))
	var called []string
	for _, call := range calls {
		called = append(called, call.Action)
	}
	slices.Sort(called)
	called = slices.Compact(called)
	for _, action := range called {
		if !slices.Contains(reviewed, action) {
			t.Errorf("the function called %s, which %s does not list; add it if it is needed",
				action, file)
		}
	}
	for _, action := range reviewed {
		if !slices.Contains(called, action) {
			t.Errorf("%s lists %s, which the function did not call; remove it or test it",
				file, action)
		}
	}
}
