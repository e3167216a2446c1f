package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

func TestDo(t *testing.T) {
	fatal, busy := errors.New("fatal"), errors.New("busy")
	unlessFatal := retry.If(func(err error) bool { return !errors.Is(err, fatal) })
	for name, test := range map[string]struct {
		results     []error // of the calls; the last one repeats
		options     []retry.Option
		calls       int
		want        error
		unavailable bool
	}{
		"success":                {results: []error{nil}, calls: 1},
		"success after failures": {results: []error{busy, busy, nil}, calls: 3},
		"an error that is not retried": {
			results: []error{busy, fatal}, options: []retry.Option{unlessFatal},
			calls: 2, want: fatal,
		},
		"no tries left": {
			results: []error{busy}, options: []retry.Option{retry.MaxTries(4)},
			calls: 4, want: busy,
		},
		"the last try succeeds": {
			results: []error{busy, nil}, options: []retry.Option{retry.MaxTries(2)},
			calls: 2,
		},
		"the context ends": {
			results: []error{busy}, options: []retry.Option{retry.Intervals(time.Hour, time.Hour)},
			calls: 1, want: busy, unavailable: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
				defer cancel()
				calls := 0
				err := retry.Do(ctx, func() error {
					calls++
					return test.results[min(calls, len(test.results))-1]
				}, test.options...)
				unavailable := errors.Is(err, retry.ErrUnavailable)
				if calls != test.calls || !errors.Is(err, test.want) ||
					unavailable != test.unavailable {
					t.Errorf("%d calls and the error %v, want %d and %v (unavailable: %t)",
						calls, err, test.calls, test.want, test.unavailable)
				}
			})
		})
	}
}

func TestDo_retries_until_the_context_ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := retry.Do(t.Context(), func() error {
			if time.Since(begun) < time.Hour {
				return errors.New("busy")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		longest, n := time.Duration(0), 0
		_ = retry.Do(t.Context(), func() error {
			if n++; n > 1 {
				longest = max(longest, time.Since(last))
			}
			last = time.Now()
			return errors.New("busy")
		}, retry.Intervals(10*time.Millisecond, 80*time.Millisecond), retry.MaxTries(40))
		// 80 ms, random by half
		if longest < 40*time.Millisecond || longest > 120*time.Millisecond {
			t.Errorf("the longest interval is %s, want about 80 ms", longest)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := retry.Wait(t.Context(), time.Minute); err != nil ||
			time.Since(begun) != time.Minute {
			t.Errorf("returned %v after %s", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := retry.Wait(ctx, time.Minute)
		if !errors.Is(err, retry.ErrUnavailable) || time.Since(begun) != time.Minute+time.Second {
			t.Errorf("returned %v after %s", err, time.Since(begun))
		}
	})
}
