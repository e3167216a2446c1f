// Package test tests the templates that the CDK synthesizes. All tests that start the jsii kernel
// are here: each test binary that starts it runs a Node.js of its own, and all platforms are
// synthesized once for all tests.
package test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/stacks"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// platforms contains all stacks by environment and name: platforms["Prod"]["API"].
var platforms = map[string]map[string]assembly.Stack{}

// allEnvironments returns the environments that are deployed, and Complete, which enables the
// features that they leave off.
func allEnvironments() []environments.Environment {
	return append(environments.All(), environments.Complete())
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The validator takes longer than the rest of a synth; make synth runs it. Setting the variable
	// here would be too late: Node.js gets the environment from when the CDK's packages were
	// initialised.
	if os.Getenv("CDK_VALIDATION") != "false" {
		self, err := os.Executable()
		if err != nil {
			panic(err)
		}
		// Not by append(os.Environ(), …): of a variable that is set twice, the first counts.
		if err := os.Setenv("CDK_VALIDATION", "false"); err != nil {
			panic(err)
		}
		panic(syscall.Exec(self, os.Args, os.Environ())) //nolint:gosec // the same program
	}
	var err error
	if outdirs, err = os.MkdirTemp("", "ashlar-test-"); err != nil {
		panic(err)
	}
	app := newApp()
	for _, environment := range allEnvironments() {
		stacks.NewPlatform(app, environment)
	}
	for _, stack := range synth(app) {
		if platforms[stack.Environment] == nil {
			platforms[stack.Environment] = map[string]assembly.Stack{}
		}
		platforms[stack.Environment][stack.Name] = stack
	}
	code := m.Run()
	jsii.Close()
	if err := os.RemoveAll(outdirs); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// outdirs is the folder of all cloud assemblies.
var outdirs string

// synth synthesizes app and returns the stacks of its stages.
func synth(app awscdk.App) []assembly.Stack {
	found, err := assembly.Read(*app.Synth(nil).Directory())
	if err != nil {
		panic(err)
	}
	return found
}

// newApp returns an app with the context of cdk.json, so that tests see the templates that the CDK
// CLI deploys. Bundling is off, so functions are not built.
func newApp() awscdk.App {
	data, err := os.ReadFile(filepath.Join("..", "cdk.json"))
	if err != nil {
		panic(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(data, &config); err != nil {
		panic(err)
	}
	config.Context["aws:cdk:bundling-stacks"] = []string{}
	outdir, err := os.MkdirTemp(outdirs, "")
	if err != nil {
		panic(err)
	}
	return awscdk.NewApp(&awscdk.AppProps{
		Context:            &config.Context,
		Outdir:             jsii.String(outdir),
		AnalyticsReporting: jsii.Bool(false),
	})
}

// only returns the stack's single resource of a type whose logical id starts with prefix.
func only(t *testing.T, stack assembly.Stack, resourceType, prefix string) assembly.Resource {
	t.Helper()
	found := slices.DeleteFunc(stack.Template.OfType(resourceType), func(r assembly.Resource) bool {
		return !strings.HasPrefix(r.ID, prefix)
	})
	if len(found) != 1 {
		t.Fatalf("there are %d resources %s… of type %s, want 1", len(found), prefix, resourceType)
	}
	return found[0]
}

// testedStacks returns the stacks of every environment; of Complete, only those that Prod does not
// have.
func testedStacks() []assembly.Stack {
	var stacks []assembly.Stack
	for _, environment := range allEnvironments() {
		for _, name := range slices.Sorted(maps.Keys(platforms[environment.Name])) {
			if _, deployed := platforms["Prod"][name]; !deployed ||
				environment.Name != environments.Complete().Name {
				stacks = append(stacks, platforms[environment.Name][name])
			}
		}
	}
	return stacks
}

// forEachStack runs check for every tested stack.
func forEachStack(t *testing.T, check func(t *testing.T, stack assembly.Stack)) {
	t.Helper()
	for _, stack := range testedStacks() {
		t.Run(stack.Environment+"/"+stack.Name, func(t *testing.T) { check(t, stack) })
	}
}

// forEachEnvironment runs check for the stack with that name in every deployed environment.
func forEachEnvironment(
	t *testing.T, name string,
	check func(t *testing.T, environment environments.Environment, stack assembly.Stack),
) {
	t.Helper()
	for _, environment := range environments.All() {
		stack, ok := platforms[environment.Name][name]
		if !ok {
			t.Fatalf("%s has no stack %s", environment.Name, name)
		}
		t.Run(environment.Name, func(t *testing.T) { check(t, environment, stack) })
	}
}

// want reports a property whose value differs from want.
func want(t *testing.T, resource assembly.Resource, want any, path ...any) {
	t.Helper()
	if got := resource.At(path...); text(got) != text(want) {
		t.Errorf("%s: %s is %s, want %s", resource.ID, text(path), text(got), text(want))
	}
}

// exports reports whether other stacks may import the value from stack.
func exports(stack assembly.Stack, value any) bool {
	for _, output := range stack.Template.Outputs {
		if output["Export"] != nil && text(output["Value"]) == text(value) {
			return true
		}
	}
	return false
}

// ownOrigins returns the origins of the environment's own pages, each as its parts: the website's
// if it has only CloudFront's domain name, and those in the environment's settings.
func ownOrigins(t *testing.T, environment environments.Environment) [][]any {
	t.Helper()
	var origins [][]any
	if environment.WebsiteCertificateARN == "" {
		website := platforms[environment.Name]["Website"]
		domain := map[string]any{
			"Fn::GetAtt": []string{
				only(t, website, "AWS::CloudFront::Distribution", "").ID, "DomainName",
			},
		}
		for _, output := range website.Template.Outputs {
			if output["Export"] != nil && text(output["Value"]) == text(domain) {
				origins = append(origins, []any{
					"https://",
					map[string]any{"Fn::ImportValue": assembly.At(output["Export"], "Name")},
				})
			}
		}
		if len(origins) != 1 {
			t.Fatalf("%s/Website exports %s %d times, want 1", environment.Name, text(domain),
				len(origins))
		}
	}
	for _, origin := range environment.WebOrigins {
		origins = append(origins, []any{origin})
	}
	return origins
}

// fnJoin returns parts as a template concatenates them.
func fnJoin(parts ...any) any {
	var merged []any
	for _, part := range parts {
		last := len(merged) - 1
		if text, ok := part.(string); ok && last >= 0 {
			if before, ok := merged[last].(string); ok {
				merged[last] = before + text
				continue
			}
		}
		merged = append(merged, part)
	}
	if len(merged) == 1 {
		return merged[0]
	}
	return map[string]any{"Fn::Join": []any{"", merged}}
}

// disposable reports whether the stack's environment is disposable.
func disposable(stack assembly.Stack) bool {
	return slices.ContainsFunc(allEnvironments(), func(e environments.Environment) bool {
		return e.Name == stack.Environment && e.Disposable
	})
}

// panicMessage returns the message of the error that f panics with, or an empty string.
func panicMessage(f func()) (message string) {
	defer func() {
		if err, ok := recover().(error); ok {
			message = err.Error()
		}
	}()
	f()
	return ""
}

// text returns a value as JSON, for comparisons and messages.
func text(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}
