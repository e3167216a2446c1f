package email

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const (
	// sendTime is how long one mail may take while others wait: look-ups and SES, on a slow day.
	sendTime = 5 * time.Second

	// acknowledgeTime is reserved at the end to acknowledge a mail or to release its lease.
	acknowledgeTime = 5 * time.Second
)

// MinLease is the shortest lease in which [SendOnce] can send a mail, and the least time that it
// starts with.
const MinLease = sendTime + acknowledgeTime

// ErrNothingToSend reports that the mail was sent or is no longer needed.
var ErrNothingToSend = errors.New("nothing to send")

// A LeasedError reports that another process holds the lease.
type LeasedError struct {
	Until time.Time // zero when unknown
}

func (e *LeasedError) Error() string {
	if e.Until.IsZero() {
		return "the mail is leased"
	}
	return "the mail is leased until " + e.Until.UTC().Format(time.RFC3339Nano)
}

// A Delivery is one mail that several processes may try to send at the same time.
type Delivery interface {
	// Lease takes the mail for duration: until then, no other process can lease it. It fails with
	// [ErrNothingToSend], or with a [*LeasedError] while another process holds the lease.
	Lease(ctx context.Context, duration time.Duration) error

	// Send sends the leased mail. It returns nil when nothing is left to send: the mail was
	// accepted, or will never be sent.
	Send(ctx context.Context) error

	// Acknowledge records the result of Send. It may be repeated.
	Acknowledge(ctx context.Context) error

	// Release ends the lease of a mail that was not sent, unless another process holds one by now.
	Release(ctx context.Context) error
}

// SendOnce leases a mail, sends it and acknowledges it, or releases the lease when sending fails.
// When another process holds the lease, it waits for the end of that lease if there is enough time
// to send the mail after it.
//
// A mail is sent twice only if it was accepted but not acknowledged: the response was lost, the
// process died, or the store was unavailable until ctx ended. Nothing can rule that out, since
// acknowledging first would lose the mail instead.
func SendOnce(ctx context.Context, delivery Delivery, leaseDuration time.Duration) error {
	until, err := lease(ctx, delivery, leaseDuration)
	if errors.Is(err, ErrNothingToSend) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := send(ctx, delivery, until); err != nil {
		if failure := delivery.Release(ctx); failure != nil {
			return errors.Join(err, failure) // the lease expires by itself
		}
		return err
	}
	// Until ctx ends: a mail that is not acknowledged is sent again.
	if err := retry.Do(ctx, func() error { return delivery.Acknowledge(ctx) }); err != nil {
		return fmt.Errorf("acknowledge the mail: %w", err)
	}
	return nil
}

// lease returns when the lease ends, or a moment before.
func lease(
	ctx context.Context, delivery Delivery, duration time.Duration,
) (until time.Time, err error) {
	for {
		if !deadline.HasTimeFor(ctx, MinLease) {
			return time.Time{},
				fmt.Errorf("%w: too little time to send the mail", retry.ErrUnavailable)
		}
		until := time.Now().Add(duration)
		err := delivery.Lease(ctx, duration)
		leased, ok := errors.AsType[*LeasedError](err)
		if !ok {
			return until, err
		}
		wait := max(time.Until(leased.Until), 0) + time.Millisecond
		if leased.Until.IsZero() || !deadline.HasTimeFor(ctx, wait+MinLease) {
			return time.Time{}, fmt.Errorf("%w: %w", retry.ErrUnavailable, err)
		}
		if err := retry.Wait(ctx, wait); err != nil {
			return time.Time{}, err
		}
	}
}

// send ends while there is time to acknowledge: before the lease ends, and before ctx ends.
func send(ctx context.Context, delivery Delivery, until time.Time) error {
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	ctx, cancel := context.WithDeadline(ctx, until.Add(-acknowledgeTime))
	defer cancel()
	return delivery.Send(ctx)
}
