// Package awsclient provides a response timeout for the clients of the AWS SDK, and classifies
// their errors. With the timeout, the SDK retries on another connection when a server does not
// respond; without it, one silent server takes all the time of the function.
package awsclient

import (
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// DefaultResponseTimeout is long enough for a service that works, and short enough for two retries
// within a function's time.
const DefaultResponseTimeout = 3 * time.Second

// WithResponseTimeout returns an HTTP client that fails when a service does not begin to respond
// within timeout. It is for idempotent calls: after a timeout, it is unknown whether the call took
// effect.
func WithResponseTimeout(timeout time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.ResponseHeaderTimeout = timeout
	})
}
