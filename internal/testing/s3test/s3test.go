// Package s3test provides an S3-compatible HTTP server for tests: VersityGW behind a relay.
// VersityGW verifies signatures and the policies of presigned POSTs and supports versioning. The
// relay records the IAM actions that each request needs, and injects faults.
package s3test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// A Server is an S3-compatible server: AWS_ENDPOINT_URL_S3. Its only user has the credentials of a
// function that lambdatest runs, and all permissions.
type Server struct {
	awstest.Recorder
	URL string

	// Client signs as the function does but bypasses the relay: its requests are not recorded and
	// never fail.
	Client *s3.Client

	// DirectURL bypasses the relay too, for those of a test's servers that read and write objects
	// themselves.
	DirectURL string
}

// Start returns a server without buckets that runs until t ends.
func Start(t testing.TB) *Server {
	t.Helper()
	folder := t.TempDir()
	socket := startGateway(t, folder)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial}
	s := new(Server)
	relay := httptest.NewServer(s.relay(transport))
	direct := httptest.NewServer(newGatewayProxy(transport))
	t.Cleanup(func() {
		for _, server := range []*httptest.Server{relay, direct} {
			server.CloseClientConnections() // Close would wait for responses of silent faults
			server.Close()
		}
		transport.CloseIdleConnections()
	})
	s.URL, s.DirectURL = relay.URL, direct.URL
	s.Client = s3.New(s3.Options{
		BaseEndpoint: aws.String(relay.URL), // the host is signed
		HTTPClient:   &http.Client{Transport: transport},
		Region:       lambdatest.Region,
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
			lambdatest.SecretAccessKey, lambdatest.SessionToken),
	})
	return s
}

// environment is this process's environment before a test makes it trust another authority: go may
// have to download the gateway.
var environment = os.Environ()

// startGateway starts a server that stores its objects in folder, and returns its socket.
func startGateway(t testing.TB, folder string) (socket string) {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/ashlar-cdk/ashlar").Output()
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	// A socket's path has 107 characters at most, which a test's own folder may exceed.
	sockets, err := os.MkdirTemp("", "s3") //nolint:usetesting // see above
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	socket = filepath.Join(sockets, "s")
	// The go command caches the executable.
	command := exec.Command("go", "run", "-buildvcs=false", ".", socket, folder)
	command.Dir = filepath.Join(strings.TrimSpace(string(root)), "internal/testing/s3test/gateway")
	command.Env = append(slices.Clone(environment), "CGO_ENABLED=0",
		"AWS_REGION="+lambdatest.Region, "AWS_ACCESS_KEY_ID="+lambdatest.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+lambdatest.SecretAccessKey,
		"AWS_SESSION_TOKEN="+lambdatest.SessionToken)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdin, err := command.StdinPipe() // closed when this process ends, in any way
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("s3test: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
		_ = os.RemoveAll(sockets)
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if lines.Text() == "ready" {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return socket
		}
	}
	_ = command.Wait() // stderr is complete then
	t.Fatalf("s3test: the gateway ended before it was ready:\n%s", stderr.String())
	return ""
}

// Bucket creates an empty bucket with this name.
func (s *Server) Bucket(t testing.TB, name string) {
	t.Helper()
	_, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{
			LocationConstraint: lambdatest.Region,
		},
	})
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
}

// Keys returns the sorted keys of a bucket's objects.
func (s *Server) Keys(t testing.TB, bucket string) []string {
	t.Helper()
	keys := []string{}
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("s3test: %v", err)
		}
		for _, object := range page.Contents {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

// newGatewayProxy returns a proxy that forwards requests unchanged, so that their signatures stay
// valid.
func newGatewayProxy(transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients that have disconnected
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "gateway", r.In.Host
		},
	}
}

func (s *Server) relay(transport http.RoundTripper) http.Handler {
	proxy := newGatewayProxy(transport)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode == http.StatusNotFound && dependsOnListBucket(r.Request) {
			// Without this permission, S3 returns 403 for a missing object.
			s.Record(awstest.Call{Action: "s3:ListBucket", Resource: arnOf(bucketOf(r.Request))})
		}
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		needed := actions(r)
		s.Record(needed...)
		cut := false
		for _, call := range needed {
			fault := s.FaultOf(call)
			if fault.NoResponse {
				// While the body is not read, the server does not notice that the client
				// disconnects.
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return
			}
			if fault.Status != 0 {
				writeError(w, fault)
				return
			}
			cut = cut || fault.TruncateResponse
		}
		if !cut {
			proxy.ServeHTTP(w, r)
			return
		}
		cutter := &cutting{ResponseWriter: w}
		proxy.ServeHTTP(cutter, r)
		// A response without a body, such as one to a PUT: the connection ends before the header is
		// sent.
		if !cutter.begun {
			panic(http.ErrAbortHandler)
		}
	})
}

// A cutting writer forwards half of the first part of a body.
type cutting struct {
	http.ResponseWriter
	begun bool
}

func (c *cutting) Write(part []byte) (int, error) {
	c.begun = true
	n, err := c.ResponseWriter.Write(part[:len(part)/2])
	if err == nil {
		err = http.NewResponseController(c.ResponseWriter).Flush()
	}
	if err == nil {
		err = errors.New("cut on purpose") // the proxy closes the connection
	}
	return n, err
}
