package gatewaytest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// A rendering is a template, and what its variables are.
type rendering struct {
	Template string            `json:"template"`
	Body     string            `json:"body"`    // $input: of the request or of the service's answer
	Headers  map[string]string `json:"headers"` // $input.params().header: of the request in both
	Context  map[string]any    `json:"context"` // $context
}

// A rendered is what became of it.
type rendered struct {
	Output   string
	Override struct {
		Status int
		Header map[string]string
	}
	Error string
}

// A renderer is a process of Render.java.
type renderer struct {
	mu       sync.Mutex
	requests io.Writer
	answers  *bufio.Reader
	said     *strings.Builder
}

// start returns the process's renderer, which ends with the process, since its input does.
var start = sync.OnceValues(func() (*renderer, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ashlar-cdk/ashlar").Output()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "internal", "gatewaytest")
	if _, err := os.Stat(filepath.Join(folder, "lib")); err != nil {
		return nil, fmt.Errorf("%w; run make internal/gatewaytest/lib, which needs Maven and Java 17", err)
	}
	// go test remembers a result until a file that the test itself has read changes. Java's it does not see.
	if _, err := os.ReadFile(filepath.Join(folder, "Render.java")); err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("%w; install Java 17, with its compiler", err)
	}
	command := exec.Command(java, "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(folder, "lib", "*"), filepath.Join(folder, "Render.java"))
	requests, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said := &strings.Builder{}
	command.Stderr = said
	return &renderer{requests: requests, answers: bufio.NewReader(answers), said: said}, command.Start()
})

func (r *renderer) render(of rendering) (rendered, error) {
	var answer rendered
	line, err := json.Marshal(of)
	if err != nil {
		return answer, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.WriteString(r.requests, base64.StdEncoding.EncodeToString(line)+"\n"); err != nil {
		return answer, fmt.Errorf("%w: %s", err, r.said)
	}
	said, err := r.answers.ReadString('\n')
	if err != nil {
		return answer, fmt.Errorf("%w: %s", err, r.said)
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(said))
	if err := errors.Join(err, json.Unmarshal(decoded, &answer)); err != nil {
		return answer, err
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}
