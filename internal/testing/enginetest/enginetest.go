// Package enginetest runs the test engines that are servers written in Java. The tests of a process
// share one engine.
package enginetest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startTimeout is generous: an engine takes some seconds to start, and longer when many tests start
// at the same time.
const startTimeout = time.Minute

// An Engine is an HTTP server.
type Engine struct {
	Name string

	// Folder is the package's folder below internal/testing. make installs the engine's files
	// there.
	Folder string

	// Arguments returns the arguments of java. folder is the absolute path of Folder, address the
	// host and port to listen on.
	Arguments func(folder, address string) []string

	// Environment is added to the environment of this process.
	Environment []string

	// Path is requested until Ready reports true for the response.
	Path  string
	Ready func(*http.Response) bool

	// Remedy completes the error message: how to make the engine start.
	Remedy string
}

// Start starts the engine and returns its URL when the engine is ready. The engine ends with this
// process.
func (e Engine) Start() (string, error) {
	const module = "github.com/ashlar-cdk/ashlar"
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "internal", "testing", e.Folder)
	lib := filepath.Join(folder, "lib")
	if _, err := os.Stat(lib); err != nil {
		return "", fmt.Errorf(
			"%w; run make internal/testing/%s/lib, which needs Maven and Java 17; %s",
			err, e.Folder, e.Remedy)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w; install Java 17; %s", err, e.Remedy)
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	// The server does not end by itself when its parent ends. The shell waits for the end of its
	// own standard input, which closes when this process ends, even if it is killed.
	const script = `
		exec 3<&0
		"$@" 3<&- & server=$!
		(read -r _ <&3; kill $server) & parent=$!
		wait $server
		kill $parent`
	// TieredStopAtLevel=1 halves the start-up time.
	arguments := append([]string{"-c", script, "sh", java, "-XX:TieredStopAtLevel=1"},
		e.Arguments(folder, address)...)
	command := exec.Command("sh", arguments...) //nolint:gosec // the tests' own arguments
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), e.Environment...)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
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
		_ = command.Wait() // its output says more than the error
	}()
	url := "http://" + address
	for timeout := time.After(startTimeout); ; {
		select {
		case <-ended:
			return "", fmt.Errorf("%s did not start; %s:\n%s", e.Name, e.Remedy, output.String())
		case <-timeout:
			_ = stdin.Close()
			<-ended
			return "", fmt.Errorf("%s is not ready after %s:\n%s",
				e.Name, startTimeout, output.String())
		case <-time.After(10 * time.Millisecond):
			if e.ready(url) {
				return url, nil
			}
		}
	}
}

func (e Engine) ready(url string) bool {
	response, err := http.Get(url + e.Path)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return e.Ready(response)
}

// freeAddress returns an address without a listener, for engines that cannot choose a port
// themselves.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
