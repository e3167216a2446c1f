// Package web is the web client, which is TypeScript. Its Go is a test that runs its own.
package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestTheClientsTypesAreThoseOfTheDocument(t *testing.T) {
	npm(t, "run", "generate", "--", "--check") // make golden makes them
}

func TestTheClientCompiles(t *testing.T) {
	npm(t, "run", "check")
}

func TestTheClientCallsTheAPI(t *testing.T) {
	npm(t, "test")
}

func npm(t *testing.T, arguments ...string) {
	t.Helper()
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatalf("%v; make web/node_modules installs what the web client needs", err)
	}
	// go test remembers a result until a file that the test itself has read changes. npm's it does not see.
	for _, pattern := range []string{"*.json", "src/*/*.ts", "../docs/openapi.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(files), err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	if said, err := exec.Command("npm", arguments...).CombinedOutput(); err != nil {
		t.Errorf("npm %q: %v\n%s", arguments, err, said)
	}
}
