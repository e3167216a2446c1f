// Package enginetest runs the engines of tests that are servers written in Java: one for a process, whichever of its tests ask.
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

// startTimeout is generous: an engine takes some seconds by itself, and more where many tests start at a time.
const startTimeout = time.Minute

// An Engine is a server that talks HTTP.
type Engine struct {
	Name   string
	Folder string // the package's below internal, where make has put the engine's files

	// Arguments are those of java. Folder is the absolute path of Folder, address the host and port to listen on.
	Arguments func(folder, address string) []string

	// Environment is added to that of this process.
	Environment []string

	// Path is asked for until the answer is Ready.
	Path  string
	Ready func(*http.Response) bool

	// Remedy completes "it does not start; ".
	Remedy string
}

// Start starts the engine, which ends with this process, and returns its URL when it is ready.
func (e Engine) Start() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ashlar-cdk/ashlar").Output()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "internal", "testing", e.Folder)
	lib := filepath.Join(folder, "lib")
	if _, err := os.Stat(lib); err != nil {
		return "", fmt.Errorf("%w; run make internal/%s/lib, which needs Maven and Java 17; %s", err, e.Folder, e.Remedy)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w; install Java 17; %s", err, e.Remedy)
	}
	address, err := freeAddress()
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
	arguments := append([]string{"-c", script, "sh", java, "-XX:TieredStopAtLevel=1"}, e.Arguments(folder, address)...) // half the time to start
	command := exec.Command("sh", arguments...)                                                                         //nolint:gosec // tests' own
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), e.Environment...)
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
	url := "http://" + address
	for late := time.After(startTimeout); ; {
		select {
		case <-ended:
			return "", fmt.Errorf("%s does not start; %s:\n%s", e.Name, e.Remedy, said.String())
		case <-late:
			_ = stdin.Close()
			<-ended
			return "", fmt.Errorf("%s is not ready after %s:\n%s", e.Name, startTimeout, said.String())
		case <-time.After(10 * time.Millisecond):
			if e.ready(url) {
				return url, nil
			}
		}
	}
}

func (e Engine) ready(url string) bool {
	answer, err := http.Get(url + e.Path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return e.Ready(answer)
}

// freeAddress is one that nobody listens on, for engines that cannot choose one themselves.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
