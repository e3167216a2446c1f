package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// assetHash matches an asset's name in a template. Its content is tested elsewhere, and would
// change the golden files with every line of Go.
var assetHash = regexp.MustCompile(`[0-9a-f]{64}\.zip`)

// TestGoldenTemplates shows every change of a template in review. It proves nothing else: the tests
// in the other files do.
func TestGoldenTemplates(t *testing.T) {
	const dir = "golden"
	var golden []string
	for _, stack := range testedStacks() {
		file := filepath.Join(dir, stack.Environment, stack.Name+".json")
		golden = append(golden, file)
		t.Run(stack.Environment+"/"+stack.Name, func(t *testing.T) {
			var got bytes.Buffer
			template := assetHash.ReplaceAll(stack.Text, []byte("asset.zip"))
			if err := json.Indent(&got, template, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			compareGolden(t, file, got.String())
		})
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !slices.Contains(golden, name) {
			t.Errorf("%s belongs to no stack; delete it", name)
		}
	}
}

// compareGolden compares got with the file name, or rewrites the file with -update.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; make golden writes it", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is out of date (-file +synthesized); "+
			"if the change is intended, run make golden:\n%s", name, diff)
	}
}
