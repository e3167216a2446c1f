package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A node is a Node.js process that responds to one request after the other, each a line of JSON.
type node struct {
	requests  io.Writer
	responses *bufio.Reader
}

// startNode runs folder/folder.js, which exits at the end of its input. If the folder has a
// package.json, its packages must be installed.
func startNode(tb testing.TB, folder string, environment ...string) *node {
	tb.Helper()
	script, modules := filepath.Join(folder, folder+".js"), filepath.Join(folder, "node_modules")
	// go test caches a result until a file that the test itself has looked at changes.
	if _, err := os.Stat(script); err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "package.json")); err == nil {
		if _, err := os.Stat(modules); errors.Is(err, fs.ErrNotExist) {
			tb.Fatalf("the packages of %s are not installed: run make bench/%s", folder, modules)
		}
	}
	command := exec.Command("node", script)
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	requests, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	responses, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(requests.Close(), command.Wait()); err != nil {
			tb.Errorf("%s: %v", folder, err)
		}
	})
	return &node{requests, bufio.NewReader(responses)}
}

// ask sends a request and decodes the response.
func (n *node) ask(tb testing.TB, request, response any) {
	tb.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := n.requests.Write(append(line, '\n')); err != nil {
		tb.Fatal(err)
	}
	line, err = n.responses.ReadBytes('\n')
	if err != nil {
		tb.Fatal(err)
	}
	var failure struct{ Error string }
	err = errors.Join(json.Unmarshal(line, &failure), json.Unmarshal(line, response))
	if err != nil {
		tb.Fatal(err)
	}
	if failure.Error != "" {
		tb.Fatal(failure.Error)
	}
}
