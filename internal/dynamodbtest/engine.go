package dynamodbtest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// startTimeout is generous: it takes a second by itself, and more where many tests start at a time.
const startTimeout = time.Minute

// engine returns the endpoint of the process's server, which ends with the process.
var engine = sync.OnceValues(func() (string, error) {
	if endpoint := os.Getenv("TEST_DYNAMODB_ENDPOINT"); endpoint != "" {
		return endpoint, nil
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ashlar-cdk/ashlar").Output()
	if err != nil {
		return "", err
	}
	lib := filepath.Join(strings.TrimSpace(string(root)), "internal", "dynamodbtest", "lib")
	if _, err := os.Stat(lib); err != nil {
		return "", fmt.Errorf("%w; run make internal/dynamodbtest/lib, which needs Maven and Java 17, or let TEST_DYNAMODB_ENDPOINT name a DynamoDB Local that runs", err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w; install Java 17, or let TEST_DYNAMODB_ENDPOINT name a DynamoDB Local that runs", err)
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	// The server does not end by itself when its parent does. The shell waits for the end of its own input, which comes
	// with the end of this process, however that ends.
	const script = `
		exec 3<&0
		"$@" 3<&- & server=$!
		(read -r _ <&3; kill $server) & parent=$!
		wait $server
		kill $parent`
	command := exec.Command("sh", "-c", script, "sh", java,
		"-XX:TieredStopAtLevel=1", // half the time to start
		"-Djava.library.path="+lib, "-cp", filepath.Join(lib, "*"), "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
		"-inMemory", "-disableTelemetry", "-port", port)
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	stdin, err := command.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // what it has said tells more
	}()
	endpoint := "http://" + address
	for late := time.After(startTimeout); ; {
		select {
		case <-ended:
			return "", fmt.Errorf("DynamoDB Local does not start; where its native libraries do not run, let TEST_DYNAMODB_ENDPOINT name one that runs:\n%s", said.String())
		case <-late:
			_ = stdin.Close()
			<-ended
			return "", fmt.Errorf("DynamoDB Local does not answer after %s:\n%s", startTimeout, said.String())
		case <-time.After(10 * time.Millisecond):
			answer, err := http.Get(endpoint)
			if err == nil {
				return endpoint, answer.Body.Close()
			}
		}
	}
})

// freeAddress is one that nobody listens on. DynamoDB Local cannot choose one itself.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
