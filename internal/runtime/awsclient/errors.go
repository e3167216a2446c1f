// Package awsclient tells AWS's errors apart.
package awsclient

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	later "github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// Is tells whether err is an answer of AWS's with that code. It is for codes that the SDK has no type for, or not at every
// operation.
func Is(err error, code string) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && failure.ErrorCode() == code
}

// Wrap says what could not be done, and in the domain's words that it may be tried again: that is what the SDK has tried
// again in vain, what AWS did not answer, and what it cannot do for the moment. Nil stays nil.
func Wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	failure, answered := errors.AsType[smithy.APIError](err)
	if !answered || failure.ErrorFault() == smithy.FaultServer || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool() {
		return fmt.Errorf("%s: %w: %w", action, later.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}
