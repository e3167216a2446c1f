package gobuild_test

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/ashlar-cdk/ashlar/constructs/internal/gobuild"
)

const (
	goMod   = "module example.com/app\n\ngo 1.26.0\n"
	program = "package main\n\nfunc main() { println(\"hello\") }\n"
)

// writeFiles writes files, given as alternating names and contents, below dir.
func writeFiles(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755),
			os.WriteFile(name, []byte(files[i+1]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(context.Background(), name, args...) // runs in cleanups too
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
}

// build builds importPath as an app in dir would, and returns the path of the executable.
func build(t *testing.T, dir, importPath, arch string) (string, error) {
	t.Helper()
	t.Chdir(dir)
	// Relative to the app, as the CDK passes it.
	built, err := gobuild.Build("cdk.out", importPath, arch)
	if err == nil && filepath.Dir(built) != filepath.Join(dir, "cdk.out") {
		t.Errorf("built into %s, want a folder in the app's cdk.out", built)
	}
	return filepath.Join(built, "bootstrap"), err
}

func hash(t *testing.T, name string) [sha256.Size]byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

func TestBuild_static_executable_for_each_architecture(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "go.mod", goMod, "main.go", program)
	for arch, machine := range map[string]elf.Machine{
		"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64,
	} {
		name, err := build(t, dir, "example.com/app", arch)
		if err != nil {
			t.Fatal(err)
		}
		file, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if file.Machine != machine {
			t.Errorf("%s: machine %s, want %s", arch, file.Machine, machine)
		}
		if libraries, _ := file.ImportedLibraries(); len(libraries) > 0 {
			t.Errorf("%s: needs the libraries %q, which the runtime may not have", arch, libraries)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBuild_is_reproducible(t *testing.T) {
	here, there := t.TempDir(), filepath.Join(t.TempDir(), "another", "place")
	writeFiles(t, here, "go.mod", goMod, "main.go", program)
	writeFiles(t, there, "go.mod", goMod, "main.go", program)
	first, err := build(t, here, "example.com/app", "arm64")
	if err != nil {
		t.Fatal(err)
	}

	// Another developer: another folder, a git commit that Go would stamp, different flags and
	// architecture level.
	run(t, there, "git", "init", "--quiet")
	run(t, there, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet",
		"--allow-empty", "--message", "a")
	// As go env -w writes it.
	writeFiles(t, there, "goenv",
		"GOFLAGS=-gcflags=all=-N\nGOEXPERIMENT=nodwarf5\nGOFIPS140=latest\n")
	t.Setenv("GOENV", filepath.Join(there, "goenv"))
	t.Setenv("GOARM64", "v9.0")
	t.Setenv("CGO_ENABLED", "1")
	second, err := build(t, there, "example.com/app", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if hash(t, first) != hash(t, second) {
		t.Error("the same source gave different bytes")
	}

	other := t.TempDir()
	writeFiles(t, other, "go.mod", goMod, "main.go",
		strings.Replace(program, "hello", "goodbye", 1))
	third, err := build(t, other, "example.com/app", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if hash(t, first) == hash(t, third) {
		t.Error("different source gave the same bytes: this test cannot tell")
	}
}

func TestBuild_function_of_another_module(t *testing.T) {
	l := publishLibrary(t)
	// The app requires a newer version of the dependency, with no go.sum entry for the function's
	// version.
	app := l.app(t, "require example.com/dependency v1.1.0\n",
		"import _ \"example.com/dependency\"\n")
	name, err := build(t, app, l.function, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	l.checkVersion(t, name)
}

func TestBuild_vendor_folder(t *testing.T) {
	l := publishLibrary(t)
	app := l.app(t, "", "")
	run(t, app, "go", "mod", "vendor")

	t.Run("is ignored", func(t *testing.T) {
		t.Setenv("GOFLAGS", "-mod=vendor")
		name, err := build(t, app, l.function, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		l.checkVersion(t, name)
	})

	t.Run("the error has the remedy if the module is not on this machine", func(t *testing.T) {
		// As on a machine that got the app with its vendor folder.
		t.Setenv("GOMODCACHE", t.TempDir())
		t.Setenv("GOPROXY", "off")
		_, err := build(t, app, l.function, "arm64")
		if err == nil || !strings.Contains(err.Error(), "run go mod download") ||
			!strings.Contains(err.Error(), "vendor folder") {
			t.Errorf("error %v, want one that says what to do about the vendor folder", err)
		}
	})
}

// A library is a module in a module proxy on disk. Its function prints the version of its
// dependency, v1.0.0.
type library struct {
	work     string
	function string // its import path
}

func publishLibrary(t *testing.T) *library {
	t.Helper()
	proxy := t.TempDir()
	publish(t, proxy, "example.com/dependency", "v1.0.0", "go.mod",
		"module example.com/dependency\n\ngo 1.26.0\n",
		"dependency.go", "package dependency\n\nconst Version = \"one\"\n")
	publish(t, proxy, "example.com/dependency", "v1.1.0", "go.mod",
		"module example.com/dependency\n\ngo 1.26.0\n",
		"dependency.go", "package dependency\n\nconst Version = \"two\"\n")
	goMod := "module example.com/library\n\ngo 1.26.0\n\nrequire example.com/dependency v1.0.0\n"
	work := t.TempDir()
	cache := t.TempDir()
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "example.com")
	t.Setenv("GOMODCACHE", cache)
	// The module cache is read-only, so t.TempDir could not delete it.
	t.Cleanup(func() { run(t, work, "go", "clean", "-modcache") })

	source := "package main\n\nimport \"example.com/dependency\"\n\n" +
		"func main() { println(\"built with dependency\", dependency.Version) }\n"
	writeFiles(t, work, "library/go.mod", goMod, "library/functions/hello/main.go", source)
	run(t, filepath.Join(work, "library"), "go", "mod", "tidy")
	sum, err := os.ReadFile(filepath.Join(work, "library", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, proxy, "example.com/library", "v1.0.0", "go.mod", goMod, "go.sum", string(sum),
		"library.go", "package library\n", "functions/hello/main.go", source)
	return &library{work: work, function: "example.com/library/functions/hello"}
}

// app makes an app that imports the library's package, as it would a construct, and returns its
// folder.
func (l *library) app(t *testing.T, requires, imports string) string {
	t.Helper()
	app := filepath.Join(l.work, "app")
	writeFiles(t, app, "go.mod",
		"module example.com/app\n\ngo 1.26.0\n\nrequire example.com/library v1.0.0\n"+requires,
		"main.go", "package main\n\nimport _ \"example.com/library\"\n"+imports+
			"\nfunc main() {}\n")
	run(t, app, "go", "mod", "tidy")
	return app
}

// checkVersion checks that the executable has the library's version of its dependency.
func (l *library) checkVersion(t *testing.T, executable string) {
	t.Helper()
	data, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "example.com/dependency\tv1.0.0\t") {
		t.Error("the function was not built with the dependency version of its own module")
	}
}

// publish adds a version of a module, with files as in writeFiles, to a module proxy on disk.
func publish(t *testing.T, proxy, path, version string, files ...string) {
	t.Helper()
	source := t.TempDir()
	writeFiles(t, source, files...)
	dir := filepath.Join(proxy, path, "@v")
	writeFiles(t, dir, version+".mod", files[1], version+".info", `{"Version":"`+version+`"}`)
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		zip.CreateFromDir(archive, module.Version{Path: path, Version: version}, source),
		archive.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestBuild_errors(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "go.mod", goMod,
		"broken/main.go", "package main\n\nfunc main() { undefinedFunction() }\n",
		"library/library.go", "package library\n")
	for importPath, want := range map[string]string{
		"example.com/app/broken":  "broken/main.go:3:15: undefined: undefinedFunction",
		"example.com/app/library": "it is package library; a function is package main",
		"example.com/app/missing": "example.com/app/missing",
	} {
		_, err := build(t, dir, importPath, "arm64")
		var buildError *gobuild.Error
		if !errors.As(err, &buildError) {
			t.Errorf("%s: error %v, want a *gobuild.Error", importPath, err)
			continue
		}
		if buildError.Package != importPath || !strings.Contains(buildError.Output, want) {
			t.Errorf("%s: error %q, want one with %q", importPath, buildError, want)
		}
	}
}

func TestBuild_uses_the_modules_toolchain(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "go.mod", goMod+"\ntoolchain go1.26.0-that-does-not-exist\n", "main.go",
		program)
	t.Setenv("GOTOOLCHAIN", "local") // for go list; the build must override it
	if _, err := build(t, dir, "example.com/app", "arm64"); err == nil ||
		!strings.Contains(err.Error(), "go1.26.0-that-does-not-exist") {
		t.Errorf("error %v, want one about the toolchain that the module names", err)
	}
}
