package sesmail

import (
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
)

// The backoff is random, with a maximum that doubles with each attempt, so that several functions
// do not retry at the same time. A new account may send one mail a second.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second
)

// NewClient returns a client that retries until its caller's context ends. It limits neither the
// number of attempts nor, with a token bucket, the rate of retries: a busy minute would drain the
// bucket.
//
// It retries only what SES has not accepted. When a connection breaks or a response does not
// arrive, the mail may have been sent. A caller that must be sure that the mail is sent sends it
// again and accepts a possible duplicate.
func NewClient(config aws.Config) *sesv2.Client {
	return sesv2.NewFromConfig(config, func(options *sesv2.Options) {
		options.RetryMaxAttempts = 0 // overrides the configuration, which is for all clients
		options.Retryer = retry.AddWithMaxAttempts(
			retry.NewStandard(func(standard *retry.StandardOptions) {
				standard.RateLimiter = ratelimit.None
				standard.Backoff = retry.BackoffDelayerFunc(backoff)
				standard.Retryables = []retry.IsErrorRetryable{
					retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
						return aws.BoolTernary(retryable(err) || notConnected(err))
					}),
				}
			}), 0)
	})
}

// notConnected reports whether an error is a connection that was never established.
func notConnected(err error) bool {
	failure, ok := errors.AsType[*net.OpError](err)
	return ok && failure.Op == "dial"
}

func backoff(attempt int, _ error) (time.Duration, error) {
	longest := min(maxBackoff, minBackoff<<min(attempt, 10))
	return rand.N(longest), nil //nolint:gosec // G404: guessing it has no value
}
