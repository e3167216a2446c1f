package openapi

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.json")

const file = "../../../docs/openapi.json"

func TestDocument_is_up_to_date(t *testing.T) {
	document := Document()
	if *update {
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(committed, document) {
		t.Errorf("%s differs from the routes (%v); make golden rewrites it and the client's types",
			file, err)
	}
}
