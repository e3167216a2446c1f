// Package awsclient has the AWS SDK give up on a server that does not answer, and ask again on another connection. Without it,
// one silent server has all the time that the function has.
package awsclient

import (
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// DefaultResponseTimeout is long enough for a service that does something, and short enough to ask twice more within a function's time.
const DefaultResponseTimeout = 3 * time.Second

// WithResponseTimeout returns an HTTP client for services that have to begin to answer within patience. It is for calls that may be
// repeated: whoever gives up does not know whether what was asked for is done.
func WithResponseTimeout(patience time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.ResponseHeaderTimeout = patience
	})
}
