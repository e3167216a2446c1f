// Package retry is how the domain's adapters say that trying again may help, and how the domain does.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLater says that something is away for the moment, a database or a service: the same call may work later. It is never
// the caller's mistake.
var ErrLater = errors.New("unavailable for the moment; try again later")

// The pauses of Insist: each is twice as long as the one before.
const firstPause, longestPause = 100 * time.Millisecond, time.Second

// Insist calls do until it succeeds. When ctx ends first, it fails with [ErrLater] and with what do failed with last.
func Insist(ctx context.Context, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do()
		if err == nil {
			return nil
		}
		if Wait(ctx, pause) != nil {
			return fmt.Errorf("%w: %w", ErrLater, err)
		}
	}
}

// Wait returns after duration, or fails with [ErrLater] when ctx ends first.
func Wait(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrLater, ctx.Err())
	}
}
