// Package s3test gives a test an S3-compatible server over HTTP. It verifies signatures and the policies of presigned
// POSTs, keeps versions where a bucket has them, and is VersityGW behind a relay: the relay records which IAM actions a
// request needs, and fails requests on purpose.
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
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
)

// A Server is an S3-compatible server: AWS_ENDPOINT_URL_S3. Its only user has the credentials of a function that
// lambdatest runs, and may do everything.
type Server struct {
	awstest.Recorder
	URL    string
	Client *s3.Client // signs as the function does, but goes past the relay: it is not recorded, and never fails

	// DirectURL goes past the relay as well, for those of a test's servers that read and write objects themselves.
	DirectURL string
}

// Start gives t a server without buckets until it ends.
func Start(t testing.TB) *Server {
	t.Helper()
	folder := t.TempDir()
	socket := startGateway(t, folder)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	s := new(Server)
	relay, direct := httptest.NewServer(s.relay(transport)), httptest.NewServer(newGatewayProxy(transport))
	t.Cleanup(func() {
		for _, server := range []*httptest.Server{relay, direct} {
			server.CloseClientConnections() // Close would wait for silent answers
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
		Credentials:  credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID, lambdatest.SecretAccessKey, lambdatest.SessionToken),
	})
	return s
}

// environment is this process's own, before a test has it trust another authority: go may have to download the gateway.
var environment = os.Environ()

// startGateway returns the socket of a server that keeps its objects in folder.
func startGateway(t testing.TB, folder string) (socket string) {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ashlar-cdk/ashlar").Output()
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	sockets, err := os.MkdirTemp("", "s3") //nolint:usetesting // a socket's path has 107 characters at most, which a test's own folder may exceed
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	socket = filepath.Join(sockets, "s")
	command := exec.Command("go", "run", "-buildvcs=false", ".", socket, folder) // go keeps the executable in its cache
	command.Dir = filepath.Join(strings.TrimSpace(string(root)), "internal", "testing", "s3test", "gateway")
	command.Env = append(slices.Clone(environment), "CGO_ENABLED=0",
		"AWS_REGION="+lambdatest.Region, "AWS_ACCESS_KEY_ID="+lambdatest.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+lambdatest.SecretAccessKey, "AWS_SESSION_TOKEN="+lambdatest.SessionToken)
	var said strings.Builder
	command.Stderr = &said
	stdin, err := command.StdinPipe() // closed with this process, however it ends
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
	_ = command.Wait() // what it said is whole then
	t.Fatalf("s3test: the gateway ended before it was ready:\n%s", said.String())
	return ""
}

// Bucket makes an empty bucket of that name.
func (s *Server) Bucket(t testing.TB, name string) {
	t.Helper()
	_, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    &name,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: lambdatest.Region},
	})
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
}

// Keys returns the keys of a bucket's objects in their order.
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

// newGatewayProxy passes requests on as they are, so that their signatures hold.
func newGatewayProxy(transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients that are gone
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "gateway", r.In.Host
		},
	}
}

func (s *Server) relay(transport http.RoundTripper) http.Handler {
	proxy := newGatewayProxy(transport)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode == http.StatusNotFound && dependsOnListBucket(r.Request) {
			// Without it, S3 answers 403: it does not tell who may not list what is missing.
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
			if fault.Silent {
				_, _ = io.Copy(io.Discard, r.Body) // while there is any left, the server does not notice a caller who gives up
				<-r.Context().Done()
				return
			}
			if fault.Status != 0 {
				writeError(w, fault)
				return
			}
			cut = cut || fault.Cut
		}
		if !cut {
			proxy.ServeHTTP(w, r)
			return
		}
		cutter := &cutting{ResponseWriter: w}
		proxy.ServeHTTP(cutter, r)
		if !cutter.begun { // it has no body, as the answer to a PUT: the connection ends before the header is out
			panic(http.ErrAbortHandler)
		}
	})
}

// A cutting writer lets half of the first part of a body pass.
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
		err = errors.New("cut on purpose") // the proxy ends the connection
	}
	return n, err
}
