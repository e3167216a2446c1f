package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/ashlar-cdk/ashlar/internal/testing/enginetest"
)

// engine returns the URL of the process's Render.java.
var engine = sync.OnceValues(func() (string, error) {
	return enginetest.Engine{
		Name:   "Apache Velocity",
		Folder: "gatewaytest",
		Arguments: func(folder, address string) []string {
			_, port, _ := net.SplitHostPort(address) // it has one
			source := filepath.Join(folder, "Render.java")
			// go test remembers a result until a file that the test itself has read changes. Java's it does not see.
			_, _ = os.ReadFile(source) // Java says it if it is not there
			return []string{"-cp", filepath.Join(folder, "lib", "*"), source, port}
		},
		Path:   "/",
		Ready:  func(*http.Response) bool { return true },
		Remedy: "its Java needs a compiler, which a JDK has",
	}.Start()
})

// A renderRequest is a template, and what its variables are.
type renderRequest struct {
	Template string            `json:"template"`
	Body     string            `json:"body"`    // $input: of the request or of the service's answer
	Headers  map[string]string `json:"headers"` // $input.params().header: of the request in both
	Context  map[string]any    `json:"context"` // $context
}

// A renderResponse is what became of it.
type renderResponse struct {
	Output   string
	Override struct {
		Status int
		Header map[string]string
	}
	Error string
}

func (r renderRequest) render(ctx context.Context) (renderResponse, error) {
	var answer renderResponse
	url, err := engine()
	if err != nil {
		return answer, err
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return answer, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, err
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}
