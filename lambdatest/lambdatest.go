// Package lambdatest provides tests of built functions: it runs a function like the Lambda service,
// as a process in a function's environment that requests its next event from the Runtime API. The
// first invocation starts the process, later ones reuse it, and a timeout kills it.
//
//	bootstrap := lambdatest.Build(t, "example.com/app/lambdas/welcome")
//	fn := lambdatest.New(t, bootstrap, map[string]string{"SENDER": "hello@example.com"})
//	response, err := fn.Invoke(t.Context(), event, 10*time.Second)
//
// It needs the go command, and nothing but the standard library.
package lambdatest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
)

// initTimeout limits the time until a process requests its first event, as on the service.
const initTimeout = 10 * time.Second

// Build compiles the main package at importPath for this machine, without cgo like a deployed
// function, and returns the executable, in a folder of its own. It is deleted when the test ends. A
// test that starts several functions builds once.
//
// The package is in the test's module, or in a module that its go.mod requires. It is built with
// the go.mod of its own module, like the deployed function.
func Build(t testing.TB, importPath string) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	command := exec.Command("go", "build", "-C", moduleOf(t, importPath), "-buildvcs=false",
		"-tags=lambda.norpc", "-o", bootstrap, importPath)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("lambdatest: cannot build %s: %v\n%s", importPath, err, output)
	}
	recordSources(t, importPath)
	return bootstrap
}

// moduleOf returns the folder of the module that provides importPath.
func moduleOf(t testing.TB, importPath string) string {
	t.Helper()
	command := exec.Command("go", "list", "-mod=readonly", "-find", "-f",
		"{{with .Module}}{{.Dir}}{{end}}", importPath)
	var stderr strings.Builder
	command.Stderr = &stderr
	dir, err := command.Output()
	if err != nil {
		t.Fatalf("lambdatest: cannot find %s: %v\n%s", importPath, err, stderr.String())
	}
	if len(strings.TrimSpace(string(dir))) == 0 {
		t.Fatalf("lambdatest: the source of %s is not on this machine; run go mod download",
			importPath)
	}
	return strings.TrimSpace(string(dir))
}

// AddFiles puts files beside the executable bootstrap, where a function whose
// gofunction.Props.Files has them finds them with lambdaenv.Files.
func AddFiles(t testing.TB, bootstrap string, files fs.FS) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(filepath.Dir(bootstrap), lambdaenv.FilesFolder),
		files); err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
}

// recordSources stats the source files of the package and of its imports in this module. go test
// caches a result until a file changes that the test itself has opened or stat'ed; it does not see
// the files that the compiler reads. The test's go.sum may lack the imports of another module's
// package, hence -e; they have no files in this module.
func recordSources(t testing.TB, importPath string) {
	t.Helper()
	const files = `{{if and .Module .Module.Main}}` +
		`{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .EmbedFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	list, err := exec.Command("go", "list", "-mod=readonly", "-e", "-deps", "-f", files,
		importPath).Output()
	if err != nil {
		t.Fatalf("lambdatest: cannot list the source of %s: %v", importPath, err)
	}
	for _, file := range strings.Fields(string(list)) {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("lambdatest: %v", err)
		}
	}
}

// A Function is a built function with its settings. It has one execution environment: invocations
// must not overlap.
type Function struct {
	bootstrap   string
	environment []string
	log         *os.File
	process     *process // nil before the first invocation and after a process ended
	processes   int
}

// New returns the function that runs the executable bootstrap. Its processes have the variables
// that the service sets and those of environment, but no variables of the test. A process that is
// still running when the test ends is killed.
func New(t testing.TB, bootstrap string, environment map[string]string) *Function {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	variables := reserved()
	variables["LAMBDA_TASK_ROOT"] = filepath.Dir(bootstrap)
	maps.Copy(variables, environment)
	f := &Function{bootstrap: bootstrap, log: log}
	for name, value := range variables {
		f.environment = append(f.environment, name+"="+value)
	}
	t.Cleanup(func() {
		f.end()
		if err := log.Close(); err != nil {
			t.Errorf("lambdatest: %v", err)
		}
	})
	return f
}

// reserved returns the variables that the service sets for a function on provided.al2023 that logs
// JSON. The credentials are fake.
func reserved() map[string]string {
	return map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_LAMBDA_FUNCTION_NAME":        functionName,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_FORMAT":           "JSON",
		"AWS_LAMBDA_LOG_LEVEL":            "INFO",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + functionName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "2026/11/01/[$LATEST]00000000000000000000000000000000",
		"AWS_REGION":                      Region,
		"AWS_DEFAULT_REGION":              Region,
		"AWS_ACCESS_KEY_ID":               AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           SecretAccessKey,
		"AWS_SESSION_TOKEN":               SessionToken,
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"TZ":                              ":UTC",
	}
}

// Region is where a function runs; the others are its temporary credentials.
const (
	Region          = "eu-central-1"
	AccessKeyID     = "ASIAEXAMPLE"
	SecretAccessKey = "example-secret-access-key" //nolint:gosec // fake
	SessionToken    = "example-session-token"
)

const (
	functionName = "function-under-test"
	functionARN  = "arn:aws:lambda:" + Region + ":111111111111:function:" + functionName
)

// A FunctionError is an error that the function returned, or a panic that its runtime reported.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string {
	return fmt.Sprintf("function error: %s: %s", e.Type, e.Message)
}

// An InitError is an error that the function reported before it requested an event.
type InitError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *InitError) Error() string {
	return fmt.Sprintf("init error: %s: %s", e.Type, e.Message)
}

// An ExitError is a process that ended without a response.
type ExitError struct {
	State  *os.ProcessState
	Output string // what the process wrote to its stdout and stderr
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("the function's process ended (%s):\n%s", e.State, e.Output)
}

// A TimeoutError is a process that was killed because it did not respond in time.
type TimeoutError struct {
	Timeout time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("task timed out after %s", e.Timeout)
}

// Invoke sends event to the function and returns its response. timeout is the function's timeout:
// the process receives the deadline and is killed at it. If the function failed, the error is a
// [*FunctionError], an [*InitError], an [*ExitError] or a [*TimeoutError].
//
// The invocation ends when the process requests the next event, so work after the response, such as
// logging, is done when Invoke returns.
func (f *Function) Invoke(
	ctx context.Context, event []byte, timeout time.Duration,
) ([]byte, error) {
	if f.process == nil {
		if err := f.start(ctx); err != nil {
			return nil, err
		}
	}
	deadline := time.Now().Add(timeout)
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, &TimeoutError{Timeout: timeout})
	defer cancel()

	select {
	case f.process.invocations <- invocation{event: event, deadline: deadline}:
	case <-f.process.exited:
		return nil, f.exitError()
	case <-ctx.Done():
		f.end()
		return nil, context.Cause(ctx)
	}
	var response result
	select {
	case response = <-f.process.results:
	case <-f.process.exited:
		// A runtime that panicked reports the error and exits: the report says more than the exit.
		select {
		case response = <-f.process.results:
		default:
			return nil, f.exitError()
		}
	case <-ctx.Done():
		f.end()
		return nil, context.Cause(ctx)
	}
	select {
	case <-f.process.idle:
	case <-f.process.exited:
		f.end()
	case <-ctx.Done():
		f.end()
		return nil, context.Cause(ctx)
	}
	return response.payload, response.err
}

// Logs returns what the function's processes have written to stdout and stderr.
func (f *Function) Logs() string {
	content, err := os.ReadFile(f.log.Name())
	if err != nil {
		panic(fmt.Errorf("lambdatest: %w", err)) // the file exists until the test ends
	}
	return string(content)
}

// Processes returns the number of processes that invocations have started: 1 until one of them
// ends.
func (f *Function) Processes() int { return f.processes }

// PeakMemory returns the peak resident memory of the running process in bytes: VmHWM in proc(5), on
// Linux only. It fails the test if no process is running.
func (f *Function) PeakMemory(t testing.TB) int64 {
	t.Helper()
	if f.process == nil {
		t.Fatal("lambdatest: no process is running; invoke the function first")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.process.command.Process.Pid))
	if err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		var kibibytes int64
		if n, err := fmt.Sscanf(line, "VmHWM: %d kB", &kibibytes); n == 1 && err == nil {
			return kibibytes << 10
		}
	}
	t.Fatalf("lambdatest: no VmHWM in\n%s", status)
	return 0
}

// start runs a new process until it requests its first event.
func (f *Function) start(ctx context.Context) error {
	process, err := startProcess(f.bootstrap, f.environment, f.log)
	if err != nil {
		return err
	}
	f.process = process
	f.processes++
	ctx, cancel := context.WithTimeoutCause(ctx, initTimeout, &TimeoutError{Timeout: initTimeout})
	defer cancel()
	select {
	case <-f.process.idle:
		return nil
	case err := <-f.process.initErrors:
		f.end()
		return err
	case <-f.process.exited:
		select {
		case err := <-f.process.initErrors:
			f.end()
			return err
		default:
			return f.exitError()
		}
	case <-ctx.Done():
		f.end()
		return context.Cause(ctx)
	}
}

// Kill kills the process of a running invocation, which then returns an [*ExitError]. It is for the
// fakes that the process calls during the invocation.
func (f *Function) Kill() {
	_ = f.process.command.Process.Kill() // fails if the process has already ended
}

// exitError returns the error for the process that has exited and removes the process.
func (f *Function) exitError() error {
	err := &ExitError{
		State:  f.process.command.ProcessState,
		Output: f.Logs()[f.process.logStart:],
	}
	f.end()
	return err
}

// end kills the process, if there is one, and waits for its end.
func (f *Function) end() {
	if f.process != nil {
		f.process.kill()
		f.process = nil
	}
}
