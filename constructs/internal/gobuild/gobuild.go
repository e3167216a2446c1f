// Package gobuild compiles Lambda functions written in Go reproducibly: the same source gives the
// same bytes everywhere.
package gobuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Error reports that a function's package could not be found or compiled.
type Error struct {
	Package string
	Output  string // of the go command
}

func (e *Error) Error() string {
	return fmt.Sprintf("cannot build %s:\n%s", e.Package, strings.TrimSpace(e.Output))
}

// built holds the directories of packages that this process has built: environments share
// functions.
var built = map[string]bool{}

// Build compiles importPath for Linux on arch (a GOARCH). It returns a directory below root that
// holds nothing but the executable, named bootstrap as provided.al2023 requires. The error is an
// [*Error].
//
// The package is built in its own module, with that module's go.mod, go.sum and toolchain. So a
// function from the module cache has the dependency versions that its authors tested, whichever
// versions the importing module requires, and every team gets the same bytes. A module without a
// toolchain line is built with the installed Go, so its bytes change with the Go version.
func Build(root, importPath, arch string) (dir string, err error) {
	root, err = filepath.Abs(root) // the go command runs in another directory
	if err != nil {
		return "", &Error{Package: importPath, Output: err.Error()}
	}
	key := sha256.Sum256([]byte(importPath + " " + arch))
	dir = filepath.Join(root, hex.EncodeToString(key[:8]))
	if built[dir] {
		return dir, nil
	}
	module, err := moduleOf(importPath)
	if err != nil {
		return "", err
	}
	toolchain, err := toolchainOf(module, importPath)
	if err != nil {
		return "", err
	}
	// The settings of a developer's machine that affect a build are overridden: paths,
	// version-control stamps, build flags. ADR 2 gives the reasons. A variable without effect has
	// its default, because an empty one would not override go env -w.
	_, err = goCommand(module, importPath,
		[]string{
			"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off",
			"GOEXPERIMENT=nofieldtrack", "GOFIPS140=off", "GOARM64=v8.0", "GOAMD64=v1",
			"GOTOOLCHAIN=" + toolchain,
		},
		"build", "-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w -buildid=",
		"-o", filepath.Join(dir, "bootstrap"), importPath)
	if err != nil {
		return "", err
	}
	built[dir] = true
	return dir, nil
}

// moduleOf returns the root directory of the module that provides importPath to the app.
//
// The app's vendor folder is ignored: no package imports a function, so go mod vendor copies none.
func moduleOf(importPath string) (string, error) {
	output, err := goCommand("", importPath, nil,
		"list", "-mod=readonly", "-find", "-json=Name,Module", importPath)
	if err != nil {
		if failure := (*Error)(nil); errors.As(err, &failure) && vendored() {
			failure.Output = strings.TrimSpace(failure.Output) + "\n" + remedy +
				"; it is not in the vendor folder, because no package imports it"
		}
		return "", err
	}
	var listed struct {
		Name   string
		Module *struct{ Dir string }
	}
	if err := json.Unmarshal(output, &listed); err != nil {
		return "", &Error{Package: importPath, Output: err.Error()}
	}
	if listed.Name != "main" {
		return "", &Error{
			Package: importPath,
			Output:  "it is package " + listed.Name + "; a function is package main",
		}
	}
	if listed.Module == nil || listed.Module.Dir == "" {
		return "", &Error{Package: importPath, Output: remedy}
	}
	return listed.Module.Dir, nil
}

// vendored reports whether the app's module has a vendor folder.
func vendored() bool {
	goMod, err := goCommand("", "", nil, "env", "GOMOD")
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(strings.TrimSpace(string(goMod))), "vendor"))
	return err == nil
}

const remedy = "its module's source is not on this machine; run go mod download"

// toolchainOf returns the toolchain that the module in dir names: another toolchain would give
// other bytes.
func toolchainOf(dir, importPath string) (string, error) {
	output, err := goCommand("", importPath, nil,
		"mod", "edit", "-json", filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	var module struct{ Toolchain string }
	if err := json.Unmarshal(output, &module); err != nil {
		return "", &Error{Package: importPath, Output: err.Error()}
	}
	if module.Toolchain == "" {
		return "auto", nil
	}
	return module.Toolchain, nil
}

func goCommand(dir, importPath string, env []string, args ...string) ([]byte, error) {
	//nolint:gosec,noctx // the arguments are from the app; a build has no deadline
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err == nil {
		return output, nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return nil, &Error{Package: importPath, Output: "cannot run the go command: " + err.Error()}
	}
	return nil, &Error{Package: importPath, Output: stderr.String()}
}
