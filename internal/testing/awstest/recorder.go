package awstest

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// A Recorder is what relays before real servers share. It records the calls that pass, and says which of them fail. The
// zero Recorder lets all pass.
type Recorder struct {
	mu        sync.Mutex
	calls     []Call
	intercept func(Call) Fault
}

// Intercept has f look at every call before it is done, and say how it fails; the zero Fault lets it pass. f may wait, and
// may be called for several calls at a time. A nil f ends it.
func (r *Recorder) Intercept(f func(Call) Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept = f
}

// SetFault makes later calls fail as described; the zero Fault ends it.
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

// Calls returns the IAM actions that requests through the relay have needed so far, the oldest first; those of one
// request follow each other.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Record is for the relay: these calls are made.
func (r *Recorder) Record(calls ...Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, calls...)
}

// FaultOf is for the relay: how the call fails.
func (r *Recorder) FaultOf(call Call) Fault {
	r.mu.Lock()
	intercept := r.intercept
	r.mu.Unlock()
	if intercept == nil {
		return Fault{}
	}
	return intercept(call)
}

// fail records a call to a stand-in, and has it fail as it is to before it is done; refuse writes the service's errors. If done,
// there is nothing more to answer. Otherwise what is left of the fault happens when the call is done.
func (r *Recorder) fail(w http.ResponseWriter, request *http.Request, call Call, refuse func(w http.ResponseWriter, status int, code, message string)) (fault Fault, done bool) {
	r.Record(call)
	switch fault = r.FaultOf(call); {
	case fault.Silent:
		<-request.Context().Done() // what was asked for is not done either
	case fault.Reset:
		reset(w)
	case fault.Status != 0:
		refuse(w, fault.Status, fault.Code, fault.Reason)
	default:
		return fault, false
	}
	return fault, true
}
