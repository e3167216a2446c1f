// Package api_test compares the exported API of the library's public packages with docs/api, and
// says which changes break code of users. docs/compatibility.md lists the packages.
package api_test

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

const (
	modulePath = "github.com/ashlar-cdk/ashlar"
	root       = "../.."
	snapshots  = "docs/api" // below root
)

var update = flag.Bool("update", false, "write compatible changes to docs/api")

// private are the folders whose packages other modules must not import, though Go lets them.
var private = regexp.MustCompile(`^(bench|cmd|docs|environments|examples|stacks|test|web)(/|$)|` +
	`^lambdas/\w+/handler$|(^|/)internal(/|$)`)

// public returns the folders of the public packages, below root: those that docs/compatibility.md
// lists. Each importable package is public or private.
func public(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(
		string(page), -1) {
		for _, pattern := range strings.Split(row[1], ", ") {
			patterns = append(patterns, strings.Trim(pattern, "`"))
		}
	}
	listed, err := packages.Load(&packages.Config{Mode: packages.NeedName, Dir: root}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	used := map[string]bool{}
	for _, pkg := range listed {
		folder := strings.TrimPrefix(pkg.PkgPath, modulePath+"/")
		if pkg.Name == "main" || pkg.Name == "" || private.MatchString(folder) {
			continue
		}
		i := slices.IndexFunc(patterns, func(pattern string) bool {
			matches, err := path.Match(pattern, folder)
			return err == nil && matches
		})
		if i < 0 {
			t.Errorf("docs/compatibility.md does not list %s; list it, or move it below internal",
				folder)
			continue
		}
		used[patterns[i]] = true
		folders = append(folders, folder)
	}
	for _, pattern := range patterns {
		if !used[pattern] {
			t.Errorf("docs/compatibility.md lists %s, which has no package", pattern)
		}
	}
	slices.Sort(folders)
	return folders
}

// A snapshot is the exported API of a package as it was committed.
type snapshot struct {
	file   string // below root
	text   []byte
	syntax *ast.File
	files  *token.FileSet
}

// readSnapshot returns the snapshot of the package in folder; nil if there is none.
func readSnapshot(t *testing.T, folder string) *snapshot {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, snapshotFile(folder)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, snapshotFile(folder), text)
}

func parse(t *testing.T, file string, text []byte) *snapshot {
	t.Helper()
	s := &snapshot{file: file, text: text, files: token.NewFileSet()}
	var err error
	s.syntax, err = parser.ParseFile(s.files, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// snapshotFile returns the file's name below root. It does not end with .go: it is no package.
func snapshotFile(folder string) string {
	return snapshots + "/" + folder + ".go.txt"
}

func (s *snapshot) imports() []string {
	var paths []string
	for _, spec := range s.syntax.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, importPath)
	}
	return paths
}

// check type-checks the snapshot as the package at importPath, which imports packages from loaded.
func (s *snapshot) check(
	importPath string, loaded map[string]*types.Package,
) (*types.Package, error) {
	config := types.Config{Importer: importer(loaded), IgnoreFuncBodies: true}
	return config.Check(importPath, s.files, []*ast.File{s.syntax}, nil)
}

type importer map[string]*types.Package

func (i importer) Import(importPath string) (*types.Package, error) {
	if pkg := i[importPath]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("there is no package %s", importPath)
}

// load returns the packages, and all that they import, by their paths.
func load(t *testing.T, patterns ...string) map[string]*types.Package {
	t.Helper()
	roots, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedTypes,
		Dir:  root,
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	loaded := map[string]*types.Package{}
	packages.Visit(roots, nil, func(pkg *packages.Package) {
		for _, problem := range pkg.Errors {
			t.Errorf("%s: %v", pkg.PkgPath, problem)
		}
		loaded[pkg.PkgPath] = pkg.Types
	})
	if t.Failed() {
		t.FailNow()
	}
	return loaded
}

// TestPublicAPI compares the exported API with the snapshots in docs/api.
func TestPublicAPI(t *testing.T) {
	folders := public(t)
	old := map[string]*snapshot{}
	patterns := []string{}
	for _, folder := range folders {
		patterns = append(patterns, modulePath+"/"+folder)
		if s := readSnapshot(t, folder); s != nil {
			old[folder] = s
			patterns = append(patterns, s.imports()...)
		}
	}
	loaded := load(t, patterns...)
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			pkg := loaded[modulePath+"/"+folder]
			checkInternalTypes(t, pkg)
			compare(t, folder, old[folder], pkg, loaded)
		})
	}
	checkRemoved(t, folders)
}

// compare compares a package with its snapshot.
func compare(
	t *testing.T, folder string, old *snapshot, pkg *types.Package,
	loaded map[string]*types.Package,
) {
	t.Helper()
	text, err := render(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(t, snapshotFile(folder), text).check(pkg.Path(), loaded); err != nil {
		t.Fatalf("the new snapshot is not valid Go: %v:\n%s", err, text)
	}
	if old == nil {
		if *update {
			write(t, snapshotFile(folder), text)
		} else {
			t.Errorf("%s is missing; run make golden", snapshotFile(folder))
		}
		return
	}
	if string(old.text) == string(text) {
		return
	}
	before, err := old.check(pkg.Path(), loaded)
	if err != nil {
		t.Fatalf("%s: %v; delete it and run make golden", old.file, err)
	}
	compatible, incompatible := changes(before, pkg)
	switch {
	case len(incompatible) > 0:
		t.Errorf("code of users breaks:\n\t%s\nKeep the old API. If that is impossible, see "+
			"docs/compatibility.md", strings.Join(incompatible, "\n\t"))
	case *update:
		write(t, old.file, text)
	default:
		t.Errorf("%s is out of date; run make golden:\n\t%s", old.file,
			strings.Join(compatible, "\n\t"))
	}
}

// changes returns the changes between two versions of a package. Besides those of apidiff, names in
// struct tags are part of the API: of a function's environment variables, and of JSON fields.
func changes(before, after *types.Package) (compatible, incompatible []string) {
	for _, change := range apidiff.Changes(before, after).Changes {
		if change.Compatible {
			compatible = append(compatible, change.Message)
		} else {
			incompatible = append(incompatible, change.Message)
		}
	}
	for _, name := range before.Scope().Names() {
		was, now := structOf(before.Scope().Lookup(name)), structOf(after.Scope().Lookup(name))
		if was == nil || now == nil {
			continue
		}
		tags := map[string]string{}
		for i := range now.NumFields() {
			tags[now.Field(i).Name()] = now.Tag(i)
		}
		for i := range was.NumFields() {
			field := was.Field(i)
			tag, ok := tags[field.Name()]
			if !ok || !field.Exported() {
				continue // apidiff reports it
			}
			for _, key := range []string{"env", "envPrefix", "json", "path", "query", "header"} {
				before := wireName(was.Tag(i), key)
				if after := wireName(tag, key); before != after {
					incompatible = append(incompatible,
						fmt.Sprintf("%s.%s: tag changed from %s:%q to %q",
							name, field.Name(), key, before, after))
				}
			}
		}
	}
	return compatible, incompatible
}

// wireName returns the name that a struct tag has for key, without options such as omitempty.
func wireName(tag, key string) string {
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get(key), ",")
	return name
}

// structOf returns the struct that object declares; nil if it declares none.
func structOf(object types.Object) *types.Struct {
	name, ok := object.(*types.TypeName)
	if !ok {
		return nil
	}
	s, _ := name.Type().Underlying().(*types.Struct)
	return s
}

func TestChanges(t *testing.T) {
	const before = `package p

type Settings struct {
	Sender string ` + "`env:\"SENDER\"`" + `
}

func New(s Settings) int
`
	for name, test := range map[string]struct{ old, new, compatible, incompatible string }{
		"none": {"", "", "", ""},
		"a new field": {
			"type Settings struct {", "type Settings struct {\nReply string",
			"Settings.Reply: added", "",
		},
		"a field has gone": {
			"Sender string", "_ string", "", "Settings.Sender: removed",
		},
		"a result's type": {
			"(s Settings) int", "(s Settings) int64", "",
			"New: changed from func(Settings) int to func(Settings) int64",
		},
		"a variable's name": {
			`"SENDER"`, `"FROM"`, "",
			`Settings.Sender: tag changed from env:"SENDER" to "FROM"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			was, err := parse(t, "before.go", []byte(before)).check("p", nil)
			if err != nil {
				t.Fatal(err)
			}
			source := strings.Replace(before, test.old, test.new, 1)
			now, err := parse(t, "after.go", []byte(source)).check("p", nil)
			if err != nil {
				t.Fatal(err)
			}
			compatible, incompatible := changes(was, now)
			if got := strings.Join(compatible, "\n"); got != test.compatible {
				t.Errorf("compatible: %q, want %q", got, test.compatible)
			}
			if got := strings.Join(incompatible, "\n"); got != test.incompatible {
				t.Errorf("incompatible: %q, want %q", got, test.incompatible)
			}
		})
	}
}

// checkInternalTypes checks that other modules can name all types in a package's exported API: none
// is of an internal package.
func checkInternalTypes(t *testing.T, pkg *types.Package) {
	t.Helper()
	report := func(object types.Object, from types.Type) {
		for _, name := range typeNames(from) {
			if name.Pkg() != nil &&
				slices.Contains(strings.Split(name.Pkg().Path(), "/"), "internal") {
				t.Errorf("%s refers to %s.%s, which other modules cannot import; declare it here "+
					"or in a public package", object.Name(), name.Pkg().Path(), name.Name())
			}
		}
	}
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		report(object, object.Type())
		if named, ok := object.Type().(*types.Named); ok {
			report(object, named.Underlying())
			for method := range named.Methods() {
				if method.Exported() {
					report(method, method.Type())
				}
			}
		}
	}
}

// checkRemoved reports the snapshots of packages that do not exist.
func checkRemoved(t *testing.T, folders []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, snapshots),
		func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			below, err := filepath.Rel(filepath.Join(root, snapshots), name)
			folder := strings.TrimSuffix(filepath.ToSlash(below), ".go.txt")
			if err == nil && !slices.Contains(folders, folder) {
				t.Errorf("the public package %s has gone: code of users breaks. Keep it. If that "+
					"is impossible, see docs/compatibility.md", folder)
			}
			return err
		})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755),
		os.WriteFile(file, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}
