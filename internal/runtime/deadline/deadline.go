// Package deadline ends a function's work before Lambda ends the function.
package deadline

import (
	"context"
	"time"
)

// margin is enough to roll back, log and answer on a share of a CPU.
const margin = time.Second

// WithMargin returns ctx with a deadline a second before its own, which is Lambda's. Whoever asked is then told to try
// again, where a function that hits its own deadline is killed and leaves the service to say that something went wrong.
func WithMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// HasTimeFor tells whether something that takes so long may be begun before ctx ends.
func HasTimeFor(ctx context.Context, duration time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= duration
}
