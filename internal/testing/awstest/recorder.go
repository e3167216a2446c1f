package awstest

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// A Recorder records calls and injects faults for relays in front of real servers. The zero
// Recorder injects none.
type Recorder struct {
	mu        sync.Mutex
	calls     []Call
	intercept func(Call) Fault
}

// Intercept calls f with every call before the call is executed; f returns the call's fault, or the
// zero Fault. f may block, and may be called concurrently. A nil f resets it.
func (r *Recorder) Intercept(f func(Call) Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept = f
}

// SetFault injects a fault into later calls. The zero Fault resets it.
func (r *Recorder) SetFault(fault Fault) {
	var failed atomic.Int64
	r.Intercept(func(call Call) Fault {
		if fault.Action != "" && fault.Action != call.Action {
			return Fault{}
		}
		if fault.Times > 0 && failed.Add(1) > int64(fault.Times) {
			return Fault{}
		}
		return fault
	})
}

// Calls returns the IAM actions that requests through the relay have needed, the oldest first. The
// actions of one request are adjacent.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Record records calls. It is for the relay.
func (r *Recorder) Record(calls ...Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, calls...)
}

// FaultOf returns the fault of a call. It is for the relay.
func (r *Recorder) FaultOf(call Call) Fault {
	r.mu.Lock()
	intercept := r.intercept
	r.mu.Unlock()
	if intercept == nil {
		return Fault{}
	}
	return intercept(call)
}

// fail records a call to a fake and injects a fault that happens before the call is executed;
// reject writes the service's errors. done reports whether the response is complete. Otherwise the
// caller executes the call and then injects the rest of fault.
func (r *Recorder) fail(
	w http.ResponseWriter, request *http.Request, call Call,
	reject func(w http.ResponseWriter, status int, code, message string),
) (fault Fault, done bool) {
	r.Record(call)
	switch fault = r.FaultOf(call); {
	case fault.NoResponse:
		<-request.Context().Done() // the operation is not executed either
	case fault.Reset:
		reset(w)
	case fault.Status != 0:
		reject(w, fault.Status, fault.Code, fault.Reason)
	default:
		return fault, false
	}
	return fault, true
}
