// Package deadline provides contexts that end before Lambda's timeout.
package deadline

import (
	"context"
	"time"
)

// margin is enough to roll back, log and respond on a share of a CPU.
const margin = time.Second

// WithMargin returns ctx with a deadline one second before its own, which is Lambda's timeout. The
// function can then respond that the caller should retry. A function that reaches its timeout is
// killed, and the calling service reports only an error.
func WithMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// HasTimeFor reports whether at least duration is left before ctx ends.
func HasTimeFor(ctx context.Context, duration time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= duration
}
