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
			_, port, _ := net.SplitHostPort(address) // the address always has a port
			source := filepath.Join(folder, "Render.java")
			// go test caches a result until a file changes that the test itself has read. It does
			// not see the files that Java reads.
			_, _ = os.ReadFile(source) // if the file is missing, Java reports it
			return []string{"-cp", filepath.Join(folder, "lib", "*"), source, port}
		},
		Path:   "/",
		Ready:  func(*http.Response) bool { return true },
		Remedy: "it needs the Java compiler; install a JDK",
	}.Start()
})

// A renderRequest is a template with the values of its variables.
type renderRequest struct {
	Template string            `json:"template"`
	Body     string            `json:"body"`    // $input: the request's or the response's body
	Headers  map[string]string `json:"headers"` // $input.params().header: always the request's
	Context  map[string]any    `json:"context"` // $context
}

// A renderResponse is a rendered template.
type renderResponse struct {
	Output   string
	Override struct {
		Status int
		Header map[string]string
	}
	Error string
}

func (r renderRequest) render(ctx context.Context) (renderResponse, error) {
	var rendered renderResponse
	url, err := engine()
	if err != nil {
		return rendered, err
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return rendered, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return rendered, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return rendered, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&rendered); err != nil {
		return rendered, err
	}
	if rendered.Error != "" {
		return rendered, errors.New(rendered.Error)
	}
	return rendered, nil
}
