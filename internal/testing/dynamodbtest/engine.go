package dynamodbtest

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/ashlar-cdk/ashlar/internal/testing/enginetest"
)

// engine returns the endpoint of the process's server, which runs until the process ends.
var engine = sync.OnceValues(func() (string, error) {
	if endpoint := os.Getenv("TEST_DYNAMODB_ENDPOINT"); endpoint != "" {
		return endpoint, nil
	}
	return enginetest.Engine{
		Name:   "DynamoDB Local",
		Folder: "dynamodbtest",
		Arguments: func(folder, address string) []string {
			lib := filepath.Join(folder, "lib")
			_, port, _ := net.SplitHostPort(address)
			return []string{
				"-Djava.library.path=" + lib, "-cp", filepath.Join(lib, "*"),
				"com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
				"-inMemory", "-disableTelemetry", "-port", port,
			}
		},
		Ready: func(*http.Response) bool { return true },
		Remedy: "where its native libraries do not run, set TEST_DYNAMODB_ENDPOINT to a running " +
			"DynamoDB Local",
	}.Start()
})
