package gofunction

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// TestAddFiles_has_the_current_executable adds the same files to two builds of a package, into one
// folder: an app is synthesized again and again into cdk.out.
func TestAddFiles_has_the_current_executable(t *testing.T) {
	root := t.TempDir()
	built := filepath.Join(root, "built")
	if err := os.Mkdir(built, 0o700); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"texts/en.txt": {Data: []byte("hello")}}
	for _, executable := range []string{"one", "two", "one"} {
		err := os.WriteFile(filepath.Join(built, "bootstrap"), []byte(executable), 0o700)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := addFiles(root, built, files)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"bootstrap": executable, "files/texts/en.txt": "hello",
		} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
				t.Errorf("%s is %q, %v, want %q", name, got, err, want)
			}
		}
	}
}
