// Package dynamodbtest provides DynamoDB over HTTP for tests, with streams: Amazon's DynamoDB Local
// behind a relay. The relay records the IAM actions that each request needs, and injects faults.
//
// DynamoDB Local checks no signatures and no quotas, has one partition, and processes requests one
// by one. So it throttles only by an injected fault, and has no conflicts of transactions.
package dynamodbtest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// A Server is a DynamoDB endpoint: AWS_ENDPOINT_URL_DYNAMODB. A table is visible only to clients
// with the region and the access key of a function that lambdatest runs.
type Server struct {
	awstest.Recorder
	URL    string
	Client *dynamodb.Client // bypasses the relay: its requests are not recorded and never fail

	streams *dynamodbstreams.Client
}

// Start returns a relay that runs until t ends. The server behind it is shared by the process, or
// is the one that TEST_DYNAMODB_ENDPOINT names. Tables belong to the test.
func Start(t testing.TB) *Server {
	t.Helper()
	endpoint, err := engine()
	if err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatalf("dynamodbtest: %v", err)
	}
	s := new(Server)
	relay := httptest.NewServer(s.relay(target))
	t.Cleanup(func() {
		relay.CloseClientConnections() // Close would wait for responses of silent faults
		relay.Close()
	})
	s.URL = relay.URL
	credential := credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
		lambdatest.SecretAccessKey, lambdatest.SessionToken)
	s.Client = dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: lambdatest.Region, Credentials: credential,
	})
	s.streams = dynamodbstreams.New(dynamodbstreams.Options{
		BaseEndpoint: &endpoint, Region: lambdatest.Region, Credentials: credential,
	})
	return s
}

func (s *Server) relay(target *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // clients that have disconnected
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			addChecksum(r.Header, body)
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		needed := actions(r)
		s.Record(needed...)
		for _, call := range needed {
			switch fault := s.FaultOf(call); {
			case fault.NoResponse:
				<-r.Context().Done()
				return
			case fault.Reset:
				panic(http.ErrAbortHandler)
			case fault.TruncateResponse:
				proxy.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			case fault.Status != 0:
				writeError(w, fault)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})
}
