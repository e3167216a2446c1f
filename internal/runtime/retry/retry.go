// Package retry provides the error for temporary failures and a retry loop with exponential
// backoff.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// ErrUnavailable marks a temporary failure of a database or a service: the same call may succeed
// later. It is never the caller's mistake.
var ErrUnavailable = errors.New("temporarily unavailable")

// The default intervals between two calls. Each is twice as long as the previous one and random by
// half, so that callers that failed together do not retry together.
const (
	DefaultFirstInterval = 100 * time.Millisecond
	DefaultMaxInterval   = time.Second
)

// An Option configures [Do].
type Option func(*options)

type options struct {
	first, longest time.Duration
	maxTries       uint
	retryable      func(error) bool
}

// Intervals sets the first interval between two calls and the longest.
func Intervals(first, longest time.Duration) Option {
	return func(o *options) { o.first, o.longest = first, longest }
}

// MaxTries limits the number of calls. The default is no limit but the context.
func MaxTries(n uint) Option {
	return func(o *options) { o.maxTries = n }
}

// If limits retries to the errors for which retryable returns true. By default, every error is
// retried.
func If(retryable func(error) bool) Option {
	return func(o *options) { o.retryable = retryable }
}

// Unavailable reports whether err is a temporary failure. It is for [If].
func Unavailable(err error) bool { return errors.Is(err, ErrUnavailable) }

// Do calls operation until it succeeds, fails with an error that is not retried, or has been called
// as often as allowed; it then returns the last error unchanged. When ctx ends first, the error
// wraps [ErrUnavailable] and the last error.
func Do(ctx context.Context, operation func() error, opts ...Option) error {
	o := options{
		first:     DefaultFirstInterval,
		longest:   DefaultMaxInterval,
		retryable: func(error) bool { return true },
	}
	for _, set := range opts {
		set(&o)
	}
	intervals := backoff.NewExponentialBackOff()
	intervals.InitialInterval = o.first
	intervals.MaxInterval = o.longest
	intervals.Multiplier = 2
	var last error
	tries := uint(0)
	_, _ = backoff.Retry(ctx, func() (struct{}, error) { // its error is last, or ctx's
		tries++
		if last = operation(); last != nil && !o.retryable(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(intervals), backoff.WithMaxTries(o.maxTries),
		backoff.WithMaxElapsedTime(0)) // ctx is the limit, not the library's 15 minutes
	if last == nil || !o.retryable(last) || tries == o.maxTries {
		return last
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, last)
}

// Wait returns after duration, or fails with [ErrUnavailable] when ctx ends first.
func Wait(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}
