// Package awstest stands in for AWS services in tests of built functions: real HTTP in the services' wire formats,
// which an AWS SDK is pointed at by its AWS_ENDPOINT_URL_… variables. The stand-ins refuse unsigned requests, know no
// more operations than the functions call, and record every call.
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

// A Call is one request that a stand-in took, whatever it answered, in the words of an IAM policy.
type Call struct {
	Action   string // secretsmanager:GetSecretValue
	Resource string // the ARN, or what the request had for it
}

// A Fault is what a stand-in does instead of its work. The zero Fault is none.
type Fault struct {
	Status int    // of the answer; 4xx is the caller's fault and 5xx the service's
	Code   string // of the error in the service's own format, such as InternalServiceError
	Reason string // the error's message; SES and Kinesis know it
	Silent bool   // never answer: the caller gives up
	Cut    bool   // do the work, and end the connection before the answer is whole; s3test, dynamodbtest, SES and Kinesis know it
	Reset  bool   // do nothing, and end the connection; dynamodbtest, SES and Kinesis know it
	Action string // only calls of this IAM action; empty for all
	Times  int    // how many calls fail; 0 for all until another fault is set
}

// A service is what all stand-ins share.
type service struct {
	mu    sync.Mutex
	calls []Call
	fault Fault
}

// start serves requests until the test ends and returns the endpoint's URL.
func start(t testing.TB, serve http.HandlerFunc) string {
	server := httptest.NewServer(serve)
	t.Cleanup(func() {
		server.CloseClientConnections() // Close would wait for silent answers
		server.Close()
	})
	return server.URL
}

// SetFault makes later requests fail as described; the zero Fault ends it.
func (s *service) SetFault(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls returns the calls so far, the oldest first.
func (s *service) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// record records a call and returns the fault to answer it with. After a silent fault nobody is there to answer.
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
	if fault.Silent {
		<-r.Context().Done()
	}
	return fault
}

// signed tells whether r has a Signature Version 4 for the service. The signature itself is not verified.
func signed(r *http.Request, signingName string) bool {
	authorization := r.Header.Get("Authorization")
	return strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=") &&
		strings.Contains(authorization, "/"+signingName+"/aws4_request")
}

// requestID is that of every answer, and whatever else an answer names and nobody looks at.
const requestID = "00000000-0000-4000-8000-000000000000"

func jsonError(w http.ResponseWriter, status int, code, message string) {
	answer := map[string]string{"__type": code}
	if message != "" {
		answer["Message"] = message
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a caller that is gone is its own test's matter
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	encoded, err := xml.Marshal(answer)
	if err != nil {
		panic(err) // strings have an encoding
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), encoded...)) // a caller that is gone is its own test's matter
}

// CheckActions holds the calls that a function made in its tests against the reviewed list of its IAM actions in
// file, one a line: an action that is missing there and one that was never called are both errors.
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
			t.Errorf("the function called %s, which %s does not list", action, file)
		}
	}
	for _, action := range reviewed {
		if !slices.Contains(called, action) {
			t.Errorf("%s lists %s, which the function did not call", file, action)
		}
	}
}
