// Package othermodule_test uses the library as another team does: from another module, out of the
// module cache, with the cdk.json that cdk init writes. The module cache gets the work tree, with
// its uncommitted changes, from a module proxy on disk.
package othermodule_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/ashlar-cdk/ashlar/test/assembly"
)

const root = "../.."

var update = flag.Bool("update", false, "add new logical ids to test/logicalids")

// maxLines limits the lines of an example between the stack and the synth: a construct is ready to
// deploy after at most that many.
func maxLines(construct string) int {
	if construct == "mysql" {
		return 12 // with migrations
	}
	return 10
}

// TestExamples synthesizes the constructs' examples, with AWS's validation, and builds their
// functions. It compares their logical ids, and tests a function.
func TestExamples(t *testing.T) {
	examples := readExamples(t, filepath.Join(root, "constructs"))
	m := newModule(t)
	var calls strings.Builder
	imports := "\t\"github.com/aws/aws-cdk-go/awscdk/v2\"\n\t\"github.com/aws/jsii-runtime-go\"\n\n"
	for _, e := range examples {
		for name, content := range e.files {
			m.write(t, name, string(content))
		}
		imports += fmt.Sprintf("\t%s \"example.com/app/%[1]s\"\n", e.construct)
		fmt.Fprintf(&calls, "\t%s.Example(awscdk.NewStage(app, jsii.String(%[1]q), nil))\n",
			e.construct)
	}
	more, err := os.ReadFile("testdata/more.go")
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "more/more.go", string(more))
	imports += "\t\"example.com/app/more\"\n"
	calls.WriteString("\tmore.Declare(awscdk.NewStage(app, jsii.String(\"more\"), nil))\n")
	m.write(t, "main.go", "package main\n\nimport (\n"+imports+")\n\nfunc main() {\n"+
		"\tdefer jsii.Close()\n\tapp := awscdk.NewApp(nil)\n"+calls.String()+
		"\tapp.Synth(nil)\n}\n")
	functions, err := os.ReadFile("testdata/functions_test.go")
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "functions/functions_test.go", string(functions))
	m.run(t, "go", "mod", "init", "example.com/app")
	m.tidy(t)
	m.run(t, "go", "vet", "./...")
	m.copyContext(t)
	out := m.synth(t, "--app", "go run .")
	stacks, err := assembly.Read(out)
	if err != nil {
		t.Fatal(err)
	}

	table := new(strings.Builder)
	columns := tabwriter.NewWriter(table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "construct\tlines\tat most\tresources\t")
	for _, e := range examples {
		ids := map[string]string{}
		for _, stack := range stacks {
			if stack.Environment == e.construct {
				maps.Copy(ids, logicalIDs(stack))
			}
		}
		fmt.Fprintf(columns, "%s\t%d\t%d\t%d\t\n", e.construct, e.lines, maxLines(e.construct),
			len(ids))
		if e.lines > maxLines(e.construct) {
			t.Errorf("constructs/%s: the example has %d lines between the stack and the synth, "+
				"want at most %d", e.construct, e.lines, maxLines(e.construct))
		}
		if e.construct != "defaults" { // which declares no resources
			t.Run(e.construct, func(t *testing.T) { compareLogicalIDs(t, e.construct, ids) })
		}
	}
	if err := columns.Flush(); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(libraryFunctions(out, stacks))
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "functions/functions.json", string(encoded))
	t.Run("functions", func(t *testing.T) { t.Log(m.run(t, "go", "test", "-v", "./functions")) })
	t.Logf("lines of Go to a construct that is ready to deploy:\n%s", table)
}

// A libraryFunction is a function of the library, as the templates deploy it.
type libraryFunction struct {
	Package   string
	Variables map[string]string
	Code      string // folder of the asset
}

// libraryFunctions returns each function of the library in the stacks, by its package once.
func libraryFunctions(out string, stacks []assembly.Stack) []libraryFunction {
	found := map[string]libraryFunction{}
	for _, stack := range stacks {
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			path, _ := function.Metadata["ashlar:package"].(string)
			asset, _ := function.Metadata["aws:asset:path"].(string)
			if !strings.HasPrefix(path, modulePath+"/") {
				continue
			}
			variables := map[string]string{}
			declared, _ := function.At("Environment", "Variables").(map[string]any)
			for name, value := range declared {
				var known bool
				if variables[name], known = value.(string); !known {
					variables[name] = "known-after-deployment"
				}
			}
			found[path] = libraryFunction{
				Package: path, Variables: variables,
				Code: filepath.Join(out, "assembly-"+stack.Environment, asset),
			}
		}
	}
	functions := slices.Collect(maps.Values(found))
	slices.SortFunc(functions, func(a, b libraryFunction) int {
		return strings.Compare(a.Package, b.Package)
	})
	return functions
}

// TestApps synthesizes the apps in examples/ and runs their tests, after the commands that their
// READMEs say.
func TestApps(t *testing.T) {
	maxLines := map[string]int{"restapi": 60, "thumbnails": 60} // of main.go
	apps, err := os.ReadDir(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range apps {
		t.Run(app.Name(), func(t *testing.T) {
			m := newModule(t)
			source := filepath.Join(root, "examples", app.Name())
			if err := os.CopyFS(m.dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			m.tidy(t)
			m.synth(t)
			m.run(t, "go", "test", "./...")
			main, err := os.ReadFile(filepath.Join(source, "main.go"))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(string(main), "\n")
			t.Logf("%d lines of Go to deploy the app", lines)
			if lines > maxLines[app.Name()] {
				t.Errorf("main.go has %d lines, want at most %d", lines, maxLines[app.Name()])
			}
		})
	}
}

// otherModule is a module outside the repository.
type otherModule struct {
	dir         string
	version     string // of the library
	cache       string // the module cache, which other modules use too: it contains the CDK
	environment []string
}

// newModule makes an empty module, with the cdk.json of cdk init.
func newModule(t *testing.T) *otherModule {
	t.Helper()
	m := &otherModule{dir: t.TempDir()}
	bin, err := filepath.Abs(filepath.Join(root, "node_modules", ".bin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH")) // for the CDK CLI
	proxy := t.TempDir()
	var url string
	m.version, url = publish(t, root, proxy)
	goproxy := strings.TrimSpace(run(t, root, nil, "go", "env", "GOPROXY"))
	m.cache = strings.TrimSpace(run(t, root, nil, "go", "env", "GOMODCACHE"))
	m.environment = []string{
		"GOPROXY=" + url + "," + goproxy, "GONOSUMDB=" + modulePath, "GOWORK=off", "GOFLAGS=",
		"CGO_ENABLED=0", // as functions are built, to share the build cache
		"CDK_DISABLE_CLI_TELEMETRY=true",
	}
	t.Cleanup(func() { m.cleanModuleCache(t) })
	return m
}

// cleanModuleCache removes the published version from the module cache.
func (m *otherModule) cleanModuleCache(t *testing.T) {
	downloads, err := filepath.Glob(
		filepath.Join(m.cache, "cache", "download", modulePath, "@v", m.version+".*"))
	if err != nil {
		t.Error(err)
	}
	source := filepath.Join(m.cache, modulePath+"@"+m.version)
	// The go command makes folders of the module cache read-only.
	err = filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(name, 0o755)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, name := range append(downloads, source) {
		if err := os.RemoveAll(name); err != nil {
			t.Error(err)
		}
	}
}

func (m *otherModule) write(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *otherModule) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return run(t, m.dir, m.environment, name, args...)
}

// tidy adds the library to the go.mod, as a team does that starts to use it.
func (m *otherModule) tidy(t *testing.T) {
	t.Helper()
	m.run(t, "go", "get", modulePath+"@"+m.version)
	m.run(t, "go", "mod", "tidy")
}

// copyContext makes the cdk.json of cdk init.
func (m *otherModule) copyContext(t *testing.T) {
	t.Helper()
	initialised := t.TempDir()
	run(t, initialised, m.environment, "cdk", "init", "app", "--language", "go", "--generate-only",
		"--no-notices")
	data, err := os.ReadFile(filepath.Join(initialised, "cdk.json"))
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "cdk.json", string(data))
}

// synth synthesizes the module's app and returns the folder of the assembly. Warnings of the CDK
// and findings of AWS's validation are errors.
func (m *otherModule) synth(t *testing.T, args ...string) string {
	t.Helper()
	m.run(t, "cdk", append([]string{"synth", "--quiet", "--strict", "--no-notices",
		"--context", "@aws-cdk/core:validateAgainstDefaultRules=true"}, args...)...)
	out := filepath.Join(m.dir, "cdk.out")
	findings, err := assembly.Findings(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Errorf("%s %s: %s\n\t%s", finding.Severity, finding.Rule, finding.Description,
			strings.Join(finding.Constructs, "\n\t"))
	}
	return out
}

// logicalIDs returns the types of a stack's resources by their logical ids.
func logicalIDs(stack assembly.Stack) map[string]string {
	ids := map[string]string{}
	for id, resource := range stack.Template.Resources {
		switch resource.Type {
		case "AWS::CDK::Metadata": // of the CDK, not of the construct
		case "AWS::ApiGateway::Deployment", "AWS::Lambda::Version":
			// The id contains a hash: each change is a new one, and the old one is kept or unused.
		default:
			ids[id] = resource.Type
		}
	}
	return ids
}

// compareLogicalIDs compares the logical ids of a construct's example with the file that pins
// them, to which -update adds new ones.
func compareLogicalIDs(t *testing.T, construct string, ids map[string]string) {
	t.Helper()
	name := filepath.Join(root, "test", "logicalids", construct+".txt")
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && *update {
		writeLogicalIDs(t, name, ids)
		return
	}
	if err != nil {
		t.Fatalf("%v; run make golden", err)
	}
	pinned := map[string]string{}
	for line := range strings.Lines(string(content)) {
		id, resourceType, _ := strings.Cut(strings.TrimSpace(line), " ")
		pinned[id] = resourceType
		switch ids[id] {
		case resourceType:
		case "":
			t.Errorf("%s: %s (%s) has gone. In deployed stacks, CloudFormation deletes the "+
				"resource, with its data, and creates a new, empty one if the construct declares "+
				"it "+
				"by another id. Keep the id. If that is impossible, see docs/compatibility.md",
				name, id, resourceType)
		default:
			t.Errorf("%s: %s was %s and is %s. CloudFormation cannot update a stack that has it. "+
				"Keep the id for the type. If that is impossible, see docs/compatibility.md",
				name, id, resourceType, ids[id])
		}
	}
	switch {
	case t.Failed() || maps.Equal(pinned, ids):
	case *update:
		writeLogicalIDs(t, name, ids)
	default:
		t.Errorf("%s lacks new resources; run make golden", name)
	}
}

func writeLogicalIDs(t *testing.T, name string, ids map[string]string) {
	t.Helper()
	var content strings.Builder
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		fmt.Fprintf(&content, "%s %s\n", id, ids[id])
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755),
		os.WriteFile(name, []byte(content.String()), 0o644)); err != nil {
		t.Fatal(err)
	}
}
