package othermodule_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const modulePath = "github.com/ashlar-cdk/ashlar"

// publish packs the work tree, with its uncommitted changes, as a version of the module into a
// module proxy below dir. It returns the version, which contains a hash of the work tree, and the
// proxy's URL.
func publish(t testing.TB, root, dir string) (version, proxy string) {
	t.Helper()
	list := run(t, root, nil, "git", "ls-files", "--deduplicate", "--cached", "--others",
		"--exclude-standard", "-z")
	var files []zip.File
	hash := sha256.New()
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		path := filepath.Join(root, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue // deleted in the work tree, or a link, which the go command leaves out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		hash.Write([]byte(name + "\x00"))
		hash.Write(sum[:])
		files = append(files, source{path: name, disk: path})
	}
	// A pseudo-version: its hash is of the content, so the module cache never has an old one.
	version = "v0.0.0-20260101000000-" + hex.EncodeToString(hash.Sum(nil))[:12]

	versions := filepath.Join(dir, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	// Create leaves out nested modules and vendor folders, like the go command.
	if err := errors.Join(
		zip.Create(archive, module.Version{Path: modulePath, Version: version}, files),
		archive.Close(),
		os.WriteFile(filepath.Join(versions, version+".mod"), goMod, 0o644),
		os.WriteFile(filepath.Join(versions, version+".info"),
			[]byte(`{"Version":"`+version+`","Time":"2026-01-01T00:00:00Z"}`), 0o644),
		os.WriteFile(filepath.Join(versions, "list"), []byte(version+"\n"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	return version, "file://" + filepath.ToSlash(dir)
}

// source is a file of the work tree.
type source struct {
	path string // in the module
	disk string
}

func (s source) Path() string                 { return s.path }
func (s source) Lstat() (os.FileInfo, error)  { return os.Lstat(s.disk) }
func (s source) Open() (io.ReadCloser, error) { return os.Open(s.disk) }

// run runs a command in dir and returns its output. A failure is fatal, with the output.
func run(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	output, err := try(t, dir, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// try runs a command in dir and returns its standard output. The error contains all output.
func try(t testing.TB, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	// Other tests turn AWS's validation off.
	command.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "CDK_VALIDATION=")
	}), env...)
	var stdout, all strings.Builder
	command.Stdout = io.MultiWriter(&stdout, &all)
	command.Stderr = &all
	if err := command.Run(); err != nil {
		return stdout.String(), errors.Join(
			errors.New(name+" "+strings.Join(args, " ")), err, errors.New(all.String()))
	}
	return stdout.String(), nil
}
