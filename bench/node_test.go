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

// A node is a process of Node.js that answers one request after the other, each a line of JSON.
type node struct {
	requests io.Writer
	answers  *bufio.Reader
}

// startNode runs folder/folder.js, which ends with its input. It needs what its package.json has, if there is one.
func startNode(tb testing.TB, folder string, environment ...string) *node {
	tb.Helper()
	script, modules := filepath.Join(folder, folder+".js"), filepath.Join(folder, "node_modules")
	if _, err := os.Stat(script); err != nil { // go test remembers a result until what the test has looked at itself changes
		tb.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "package.json")); err == nil {
		if _, err := os.Stat(modules); errors.Is(err, fs.ErrNotExist) {
			tb.Fatalf("%s is not installed: run make bench/%s", folder, modules)
		}
	}
	command := exec.Command("node", script)
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	requests, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	answers, err := command.StdoutPipe()
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
	return &node{requests, bufio.NewReader(answers)}
}

// ask sends a request and reads its answer.
func (n *node) ask(tb testing.TB, request, answer any) {
	tb.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := n.requests.Write(append(line, '\n')); err != nil {
		tb.Fatal(err)
	}
	line, err = n.answers.ReadBytes('\n')
	if err != nil {
		tb.Fatal(err)
	}
	var failure struct{ Error string }
	if err := errors.Join(json.Unmarshal(line, &failure), json.Unmarshal(line, answer)); err != nil {
		tb.Fatal(err)
	}
	if failure.Error != "" {
		tb.Fatal(failure.Error)
	}
}
