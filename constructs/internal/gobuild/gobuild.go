// Package gobuild compiles Lambda functions written in Go, so that the same source gives the same bytes everywhere.
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

	"golang.org/x/mod/modfile"
)

// An Error is a function's package that could not be found or compiled.
type Error struct {
	Package string
	Output  string // what the go command said
}

func (e *Error) Error() string {
	return fmt.Sprintf("cannot build %s:\n%s", e.Package, strings.TrimSpace(e.Output))
}

// built holds what this process has built, by directory: environments share their functions.
var built = map[string]bool{}

// Build compiles importPath for Linux on arch (a GOARCH) and returns a directory below root that holds nothing but
// the executable, named bootstrap as provided.al2023 wants it. The error is an [*Error].
//
// The package is built inside the module that holds it, with that module's own go.mod, go.sum and toolchain: a
// function from the module cache is the very one that its authors tested, whichever versions the importing module
// has settled on, and every team gets the same bytes. A module without a toolchain line is built with whichever Go is
// there, and its bytes change with that.
func Build(root, importPath, arch string) (dir string, err error) {
	root, err = filepath.Abs(root) // the go command runs elsewhere
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
	toolchain, err := toolchainOf(module)
	if err != nil {
		return "", &Error{Package: importPath, Output: err.Error()}
	}
	// What a developer's machine adds to a build is taken away: paths, version-control stamps, build flags. ADR 2 has
	// the reasons. Values that change nothing stand where an empty one would let go env -w's through.
	_, err = goCommand(module, importPath,
		[]string{"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=nofieldtrack", "GOFIPS140=off", "GOARM64=v8.0", "GOAMD64=v1", "GOTOOLCHAIN=" + toolchain},
		"build", "-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w -buildid=",
		"-o", filepath.Join(dir, "bootstrap"), importPath)
	if err != nil {
		return "", err
	}
	built[dir] = true
	return dir, nil
}

// moduleOf finds the root of the module that provides importPath to the app that is being synthesised.
func moduleOf(importPath string) (string, error) {
	output, err := goCommand("", importPath, nil, "list", "-find", "-json=Name,Module", importPath)
	if err != nil {
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
		return "", &Error{Package: importPath, Output: "it is package " + listed.Name + "; a function is package main"}
	}
	if listed.Module == nil || listed.Module.Dir == "" {
		return "", &Error{Package: importPath, Output: "its module's source is not on construct machine; run go mod download, and do not vendor it"}
	}
	return listed.Module.Dir, nil
}

// toolchainOf is the toolchain that the module in dir was tested with: another one would give other bytes.
func toolchainOf(dir string) (string, error) {
	name := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(name) //nolint:gosec // the go command said where the module is
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return "", err
	}
	if file.Toolchain == nil {
		return "auto", nil
	}
	return file.Toolchain.Name, nil
}

func goCommand(dir, importPath string, env []string, args ...string) ([]byte, error) {
	command := exec.Command("go", args...) //nolint:gosec,noctx // what to build is written in the app; a build takes what it takes
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
