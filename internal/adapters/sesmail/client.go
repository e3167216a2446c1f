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

// The pauses between attempts are random, up to twice as long each time, so that several functions do not come back all at
// once. A new account may send one mail a second.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second
)

// NewClient returns a client that asks SES again for as long as there is time: its caller's context ends it, not a number
// of attempts, nor a store of tokens that a busy minute uses up.
//
// It repeats only what SES has not taken: a connection that breaks, or an answer that does not come, may be that of a mail
// which is on its way. Whoever has to be sure that the mail is sent sends it again, and knows that it may be the second.
func NewClient(config aws.Config) *sesv2.Client {
	return sesv2.NewFromConfig(config, func(options *sesv2.Options) {
		options.RetryMaxAttempts = 0 // what the configuration has for all clients
		options.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(func(standard *retry.StandardOptions) {
			standard.RateLimiter = ratelimit.None
			standard.Backoff = retry.BackoffDelayerFunc(backoff)
			standard.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				return aws.BoolTernary(retryable(err) || notConnected(err))
			})}
		}), 0)
	})
}

// notConnected tells whether an error is that of a connection which there never was.
func notConnected(err error) bool {
	failure, ok := errors.AsType[*net.OpError](err)
	return ok && failure.Op == "dial"
}

func backoff(attempt int, _ error) (time.Duration, error) {
	longest := min(maxBackoff, minBackoff<<min(attempt, 10))
	return rand.N(longest), nil //nolint:gosec // G404: nobody gains by guessing it
}
