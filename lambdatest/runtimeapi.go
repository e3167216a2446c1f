package lambdatest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A process is one execution environment: a running bootstrap and its own Runtime API.
type process struct {
	command  *exec.Cmd
	api      *httptest.Server
	logStart int64 // offset of this process's output in the log

	idle        chan struct{} // receives when the process requests an event
	invocations chan invocation
	results     chan result
	initErrors  chan error
	exited      chan struct{} // closed when the process ends

	latest   atomic.Int64 // the number of the latest invocation
	answered atomic.Int64 // the number of the latest invocation with a response
}

type invocation struct {
	event    []byte
	deadline time.Time
}

type result struct {
	payload []byte
	err     error
}

func startProcess(bootstrap string, environment []string, log *os.File) (*process, error) {
	logStart, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	p := &process{
		logStart:    logStart,
		idle:        make(chan struct{}),
		invocations: make(chan invocation),
		results:     make(chan result, 1),
		initErrors:  make(chan error, 1),
		exited:      make(chan struct{}),
	}
	p.api = httptest.NewServer(p.routes())
	p.command = &exec.Cmd{
		Path: bootstrap,
		Args: []string{"bootstrap"},
		Env: append(
			[]string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(p.api.URL, "http://")},
			environment...),
		// A file, not a pipe: a line is readable as soon as the process has written it.
		Stdout: log,
		Stderr: log,
	}
	if err := p.command.Start(); err != nil {
		p.api.Close()
		return nil, err
	}
	go func() {
		// The error says no more than the ProcessState, which ExitError carries.
		_ = p.command.Wait()
		close(p.exited)
	}()
	return p, nil
}

// kill kills the process and returns when the process has ended and its Runtime API is closed.
func (p *process) kill() {
	// Kill fails only if the process has already ended.
	_ = p.command.Process.Kill()
	<-p.exited
	p.api.Close()
}

// routes returns the routes of the Runtime API: "Using the Lambda runtime API for custom runtimes"
// in the Lambda Developer Guide.
func (p *process) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response",
		p.response(func(body []byte) result {
			return result{payload: body}
		}))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error",
		p.response(func(body []byte) result {
			failure := new(FunctionError)
			if err := json.Unmarshal(body, failure); err != nil {
				return result{err: fmt.Errorf(
					"lambdatest: the function reported an error that is not JSON: %w: %q",
					err, body)}
			}
			return result{err: failure}
		}))
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", p.initError)
	return mux
}

func (p *process) next(w http.ResponseWriter, r *http.Request) {
	select {
	case p.idle <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case next := <-p.invocations:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", requestID(p.latest.Add(1)))
		w.Header().Set("Lambda-Runtime-Deadline-Ms",
			strconv.FormatInt(next.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", functionARN)
		w.Header().Set("Lambda-Runtime-Trace-Id",
			"Root=1-65f1c1a0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0")
		_, _ = w.Write(next.event) // a process that has ended is reported by its exit
	case <-r.Context().Done():
	}
}

// maxResponse is the limit of a function's response in bytes: "Lambda quotas" in the Lambda
// Developer Guide says 6 MB; the number is the one in the service's own error.
const maxResponse = 6_291_556

// response accepts the one response to the latest invocation. As on the service, a response to
// another invocation and a second response are errors.
func (p *process) response(read func(body []byte) result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		latest := p.latest.Load()
		if r.PathValue("id") != requestID(latest) || !p.answered.CompareAndSwap(latest-1, latest) {
			respond(w, http.StatusBadRequest,
				`{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
			return
		}
		if len(body) > maxResponse {
			message := fmt.Sprintf(
				"Response payload size exceeded maximum allowed payload size (%d bytes).",
				maxResponse)
			p.results <- result{
				err: &FunctionError{Type: "Function.ResponseSizeTooLarge", Message: message},
			}
			respond(w, http.StatusRequestEntityTooLarge,
				`{"errorMessage":"`+message+`","errorType":"RequestEntityTooLarge"}`)
			return
		}
		p.results <- read(body)
		respond(w, http.StatusAccepted, `{"status":"OK"}`)
	}
}

func (p *process) initError(w http.ResponseWriter, r *http.Request) {
	failure := new(InitError)
	if err := json.NewDecoder(r.Body).Decode(failure); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case p.initErrors <- failure:
		respond(w, http.StatusAccepted, `{"status":"OK"}`)
	default:
		respond(w, http.StatusForbidden,
			`{"errorMessage":"State transition is not allowed",`+
				`"errorType":"InvalidStateTransition"}`)
	}
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a process that has ended is reported by its exit
}

// requestID returns the predictable request id of a process's n-th invocation, which a test can
// compare with a log or a response.
func requestID(n int64) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
}
