package openapi

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.json")

const file = "../../../docs/openapi.json"

func TestTheDocumentIsThatOfTheRoutes(t *testing.T) {
	document := Document()
	if *update {
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(kept, document) {
		t.Errorf("%s is not that of the routes (%v); make golden rewrites it, and the client's types with it", file, err)
	}
}
