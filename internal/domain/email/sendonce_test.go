package email_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// A scripted delivery records its calls with the time since the start, in seconds. Each call takes
// a second and returns the next error of the script, or nil when there is none.
type scripted struct {
	begun    time.Time
	errors   map[string][]error
	hangs    bool // Send returns when its context ends
	calls    []string
	duration time.Duration // of the last lease
}

func (s *scripted) call(ctx context.Context, name string) error {
	s.calls = append(s.calls, fmt.Sprintf("%s %gs", name, time.Since(s.begun).Seconds()))
	if err := retry.Wait(ctx, time.Second); err != nil {
		return err
	}
	if script := s.errors[name]; len(script) > 0 {
		s.errors[name] = script[1:]
		return script[0]
	}
	return nil
}

func (s *scripted) Lease(ctx context.Context, duration time.Duration) error {
	s.duration = duration
	return s.call(ctx, "lease")
}

func (s *scripted) Send(ctx context.Context) error {
	if err := s.call(ctx, "send"); err != nil || !s.hangs {
		return err
	}
	<-ctx.Done()
	s.calls = append(s.calls, fmt.Sprintf("send ends %gs", time.Since(s.begun).Seconds()))
	return retry.ErrUnavailable
}

func (s *scripted) Acknowledge(ctx context.Context) error { return s.call(ctx, "acknowledge") }
func (s *scripted) Release(ctx context.Context) error     { return s.call(ctx, "release") }

func TestSendOnce(t *testing.T) {
	errFault := errors.New("on purpose")
	type script = map[string][]error
	leased := func(left time.Duration) error { // until a time after the start
		return &email.LeasedError{Until: time.Now().Add(left)}
	}
	for name, test := range map[string]struct {
		lease       time.Duration
		timeout     time.Duration // no timeout if zero
		script      func() script // in the bubble's time
		hangs       bool
		calls       []string
		err         error // that the result wraps; nil for none
		not         error // that the result does not wrap
		immediately bool  // the result is returned directly after the last call
	}{
		"success": {
			lease: 30 * time.Second, timeout: time.Minute,
			calls: []string{"lease 0s", "send 1s", "acknowledge 2s"},
		},
		"without a deadline": {
			lease: 30 * time.Second,
			calls: []string{"lease 0s", "send 1s", "acknowledge 2s"},
		},
		"nothing to send": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script {
				return script{"lease": {fmt.Errorf("wrapped: %w", email.ErrNothingToSend)}}
			},
			calls: []string{"lease 0s"},
		},
		"the lease fails": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script { return script{"lease": {errFault}} },
			calls:  []string{"lease 0s"}, err: errFault, not: retry.ErrUnavailable,
		},
		"too little time to start": {
			lease: 30 * time.Second, timeout: email.MinLease - time.Millisecond,
			err: retry.ErrUnavailable,
		},
		"just enough time to start": {
			lease: 30 * time.Second, timeout: email.MinLease,
			calls: []string{"lease 0s", "send 1s", "acknowledge 2s"},
		},
		"another process's lease ends in time": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script { return script{"lease": {leased(20 * time.Second)}} },
			calls:  []string{"lease 0s", "lease 20.001s", "send 21.001s", "acknowledge 22.001s"},
		},
		"another process's lease has ended": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script { return script{"lease": {leased(0)}} },
			calls:  []string{"lease 0s", "lease 1.001s", "send 2.001s", "acknowledge 3.001s"},
		},
		"another process's lease is too long": {
			lease: 30 * time.Second, timeout: 30 * time.Second,
			script: func() script { return script{"lease": {leased(20 * time.Second)}} },
			calls:  []string{"lease 0s"}, err: retry.ErrUnavailable, immediately: true,
		},
		"another process's lease has an unknown end": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script { return script{"lease": {&email.LeasedError{}}} },
			calls:  []string{"lease 0s"}, err: retry.ErrUnavailable, immediately: true,
		},
		"sending fails": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script { return script{"send": {errFault}} },
			calls:  []string{"lease 0s", "send 1s", "release 2s"}, err: errFault,
			not: retry.ErrUnavailable,
		},
		"sending and releasing fail": {
			lease: 30 * time.Second, timeout: time.Minute,
			script: func() script {
				return script{"send": {errFault}, "release": {retry.ErrUnavailable}}
			},
			calls: []string{"lease 0s", "send 1s", "release 2s"}, err: errFault,
		},
		"sending hangs until shortly before the lease ends": {
			lease: 30 * time.Second, timeout: time.Minute, hangs: true,
			calls: []string{"lease 0s", "send 1s", "send ends 25s", "release 25s"},
			err:   retry.ErrUnavailable,
		},
		"sending hangs until shortly before the deadline": {
			lease: time.Minute, timeout: 30 * time.Second, hangs: true,
			calls: []string{"lease 0s", "send 1s", "send ends 25s", "release 25s"},
			err:   retry.ErrUnavailable,
		},
		"sending hangs in a lease that was waited for": {
			lease: 20 * time.Second, timeout: time.Minute, hangs: true,
			script: func() script { return script{"lease": {leased(20 * time.Second)}} },
			calls: []string{
				"lease 0s", "lease 20.001s", "send 21.001s", "send ends 35.001s", "release 35.001s",
			},
			err: retry.ErrUnavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				delivery := &scripted{begun: time.Now(), hangs: test.hangs}
				if test.script != nil {
					delivery.errors = test.script()
				}
				err := email.SendOnce(within(t, test.timeout), delivery, test.lease)
				if !slices.Equal(delivery.calls, test.calls) {
					t.Errorf("calls %q, want %q", delivery.calls, test.calls)
				}
				if test.err == nil && err != nil || !errors.Is(err, test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				if test.not != nil && errors.Is(err, test.not) {
					t.Errorf("error %v, which is not %v", err, test.not)
				}
				calls := time.Duration(len(delivery.calls)) * time.Second
				if took := time.Since(delivery.begun); test.immediately && took != calls {
					t.Errorf("it took %s, want %s", took, calls)
				}
				if len(test.calls) > 0 && delivery.duration != test.lease {
					t.Errorf("leased for %s, want %s", delivery.duration, test.lease)
				}
			})
		})
	}
}

// TestSendOnce_acknowledges_until_the_deadline covers a store that fails twice, and one that always
// fails.
func TestSendOnce_acknowledges_until_the_deadline(t *testing.T) {
	errFault := errors.New("on purpose")
	synctest.Test(t, func(t *testing.T) {
		faults := map[string][]error{"acknowledge": {errFault, errFault}}
		delivery := &scripted{begun: time.Now(), errors: faults}
		if err := email.SendOnce(within(t, time.Minute), delivery, 30*time.Second); err != nil {
			t.Error(err)
		}
		if n := len(delivery.calls); n != 5 { // lease, send, and acknowledge three times
			t.Errorf("calls %q", delivery.calls)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		faults := map[string][]error{"acknowledge": slices.Repeat([]error{errFault}, 1000)}
		delivery := &scripted{begun: time.Now(), errors: faults}
		err := email.SendOnce(within(t, time.Minute), delivery, 30*time.Second)
		released := slices.ContainsFunc(delivery.calls, func(call string) bool {
			return strings.HasPrefix(call, "release")
		})
		if !errors.Is(err, retry.ErrUnavailable) || time.Since(delivery.begun) != time.Minute ||
			len(delivery.calls) < 20 || released {
			t.Errorf("error %v after %s, calls %q", err, time.Since(delivery.begun), delivery.calls)
		}
	})
}

func within(t *testing.T, timeout time.Duration) context.Context {
	t.Helper()
	if timeout == 0 {
		return t.Context()
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}
