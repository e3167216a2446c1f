package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/lambdatest"
)

type response struct {
	Text        string   `json:"text"`
	RequestID   string   `json:"requestId"`
	FunctionARN string   `json:"functionArn"`
	Remaining   string   `json:"remaining"`
	Invocation  int      `json:"invocation"`
	Environment []string `json:"environment"`
}

func TestFunction(t *testing.T) {
	t.Setenv("ASHLAR_OF_THE_TEST", "must not reach the function")
	bootstrap := lambdatest.Build(t,
		"github.com/ashlar-cdk/ashlar/lambdatest/testdata/function")
	start := func(t *testing.T, environment map[string]string) *lambdatest.Function {
		return lambdatest.New(t, bootstrap, environment)
	}

	t.Run("responds, and reuses its process", func(t *testing.T) {
		fn := start(t, map[string]string{"SENDER": "hello@example.com"})
		first := mustEcho(t, fn, "first")
		second := mustEcho(t, fn, "second")
		if first.Text != "first" || second.Text != "second" {
			t.Errorf("responses %q and %q, want the texts of their own events", first.Text,
				second.Text)
		}
		if first.Invocation != 1 || second.Invocation != 2 {
			t.Errorf("invocations %d and %d of their processes, want 1 and 2 of one",
				first.Invocation, second.Invocation)
		}
		if first.RequestID == "" || first.RequestID == second.RequestID {
			t.Errorf("request ids %q and %q, want two different", first.RequestID, second.RequestID)
		}
		want := "arn:aws:lambda:eu-central-1:111111111111:function:function-under-test"
		if first.FunctionARN != want {
			t.Errorf("function ARN %q, want %q", first.FunctionARN, want)
		}
		remaining, err := time.ParseDuration(first.Remaining)
		if err != nil || remaining <= 0 || remaining > time.Minute {
			t.Errorf("%s remain, %v; want at most the timeout of a minute", first.Remaining, err)
		}
	})

	t.Run("has the service's variables and its own, but not the test's", func(t *testing.T) {
		fn := start(t, map[string]string{"SENDER": "hello@example.com"})
		environment := strings.Join(mustEcho(t, fn, "").Environment, "\n")
		for _, want := range []string{
			"SENDER=hello@example.com", "AWS_REGION=eu-central-1",
			"AWS_LAMBDA_RUNTIME_API=127.0.0.1:", "_HANDLER=bootstrap",
		} {
			if !strings.Contains(environment, want) {
				t.Errorf("environment lacks %s:\n%s", want, environment)
			}
		}
		for _, variable := range []string{"ASHLAR_OF_THE_TEST", "HOME=", "GOPATH="} {
			if strings.Contains(environment, variable) {
				t.Errorf("environment has the test's %s", variable)
			}
		}
	})

	t.Run("returns the function's error, and keeps the process", func(t *testing.T) {
		fn := start(t, nil)
		_, err := invoke(t, fn, "fail", "no such thing", time.Minute)
		if failure, ok := errors.AsType[*lambdatest.FunctionError](err); !ok ||
			failure.Type != "errorString" || failure.Message != "no such thing" {
			t.Errorf("error %v, want the function's own", err)
		}
		if next := mustEcho(t, fn, ""); next.Invocation != 2 {
			t.Errorf("invocation %d of its process, want 2", next.Invocation)
		}
	})

	t.Run("rejects a response that is too large, as on the service", func(t *testing.T) {
		fn := start(t, nil)
		// 6 bytes each in a response
		_, err := invoke(t, fn, "echo", strings.Repeat("\u2028", 1_050_000), time.Minute)
		if failure, ok := errors.AsType[*lambdatest.FunctionError](err); !ok ||
			failure.Type != "Function.ResponseSizeTooLarge" {
			t.Errorf("error %v, want ResponseSizeTooLarge", err)
		}
		mustEcho(t, fn, "short")
	})

	t.Run("reports a panic, and starts a new process for the next event", func(t *testing.T) {
		fn := start(t, nil)
		_, err := invoke(t, fn, "panic", "out of stones", time.Minute)
		if failure, ok := errors.AsType[*lambdatest.FunctionError](err); !ok ||
			failure.Message != "out of stones" {
			t.Errorf("error %v, want the panic", err)
		}
		if next := mustEcho(t, fn, ""); next.Invocation != 1 {
			t.Errorf("invocation %d of its process, want 1", next.Invocation)
		}
	})

	t.Run("reports a crash, and starts a new process for the next event", func(t *testing.T) {
		fn := start(t, nil)
		mustEcho(t, fn, "")
		_, err := invoke(t, fn, "crash", "the quarry is closed", time.Minute)
		exit, ok := errors.AsType[*lambdatest.ExitError](err)
		if !ok {
			t.Fatalf("error %v, want an ExitError", err)
		}
		if exit.State.ExitCode() != 4 || !strings.Contains(exit.Output, "the quarry is closed") {
			t.Errorf("exit %d with %q, want 4 with the reason", exit.State.ExitCode(), exit.Output)
		}
		_, err = invoke(t, fn, "crash", "again", time.Minute)
		if exit, ok = errors.AsType[*lambdatest.ExitError](err); !ok ||
			strings.Contains(exit.Output, "the quarry is closed") {
			t.Errorf("error %v, want only the new process's output", err)
		}
		if next := mustEcho(t, fn, ""); next.Invocation != 1 {
			t.Errorf("invocation %d of its process, want 1", next.Invocation)
		}
		if processes := fn.Processes(); processes != 3 {
			t.Errorf("%d processes, want 3", processes)
		}
	})

	t.Run("kills a hanging function at its deadline", func(t *testing.T) {
		fn := start(t, nil)
		mustEcho(t, fn, "")
		begun := time.Now()
		_, err := invoke(t, fn, "hang", "", 100*time.Millisecond)
		if timeout, ok := errors.AsType[*lambdatest.TimeoutError](err); !ok ||
			timeout.Timeout != 100*time.Millisecond {
			t.Errorf("error %v, want a TimeoutError of 100ms", err)
		}
		if took := time.Since(begun); took < 100*time.Millisecond {
			t.Errorf("killed after %s, before its deadline", took)
		}
		if next := mustEcho(t, fn, ""); next.Invocation != 1 {
			t.Errorf("invocation %d of its process, want 1", next.Invocation)
		}
	})

	t.Run("returns the error of the test's context", func(t *testing.T) {
		fn := start(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := fn.Invoke(ctx, []byte(`{"do":"hang"}`), time.Minute)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})

	t.Run("returns the function's init error", func(t *testing.T) {
		_, err := invoke(t, start(t, map[string]string{"INIT": "error"}), "echo", "", time.Minute)
		if failure, ok := errors.AsType[*lambdatest.InitError](err); !ok ||
			failure.Type != "Init.NoSettings" || failure.Message != "SENDER is missing" {
			t.Errorf("error %v, want the function's own", err)
		}
	})

	t.Run("reports a crash at start-up with its output", func(t *testing.T) {
		_, err := invoke(t, start(t, map[string]string{"INIT": "crash"}), "echo", "", time.Minute)
		if exit, ok := errors.AsType[*lambdatest.ExitError](err); !ok ||
			exit.State.ExitCode() != 3 || !strings.Contains(exit.Output, "no settings, no start") {
			t.Errorf("error %v, want an ExitError with the reason", err)
		}
	})

	t.Run("measures its memory", func(t *testing.T) {
		fn := start(t, nil)
		mustEcho(t, fn, "")
		before := fn.PeakMemory(t)
		mustEcho(t, fn, strings.Repeat("x", 5<<20)) // which is within a response's limit
		if after := fn.PeakMemory(t); before < 1<<20 || after < before+5<<20 || after > 1<<30 {
			t.Errorf("%d bytes, and %d after an event of 5 MiB", before, after)
		}
	})

	t.Run("logs contain the output of all processes", func(t *testing.T) {
		fn := start(t, nil)
		if _, err := invoke(t, fn, "crash", "the quarry is closed", time.Minute); err == nil {
			t.Error("no error, want an ExitError")
		}
		mustEcho(t, fn, "")
		for _, want := range []string{`doing "crash"`, "the quarry is closed", `doing "echo"`} {
			if !strings.Contains(fn.Logs(), want) {
				t.Errorf("logs lack %q:\n%s", want, fn.Logs())
			}
		}
	})
}

func invoke(
	t *testing.T, fn *lambdatest.Function, do, text string, timeout time.Duration,
) ([]byte, error) {
	t.Helper()
	event, err := json.Marshal(map[string]string{"do": do, "text": text})
	if err != nil {
		t.Fatal(err)
	}
	return fn.Invoke(t.Context(), event, timeout)
}

func mustEcho(t *testing.T, fn *lambdatest.Function, text string) response {
	t.Helper()
	payload, err := invoke(t, fn, "echo", text, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var echoed response
	if err := json.Unmarshal(payload, &echoed); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	return echoed
}
