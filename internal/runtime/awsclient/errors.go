package awsclient

import (
	"errors"
	"fmt"

	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// Is reports whether err is an error response of AWS with that code. It is for codes for which the
// SDK has no type, or not for every operation.
func Is(err error, code string) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && failure.ErrorCode() == code
}

// Wrap returns err with the action that failed. Temporary failures wrap [retry.ErrUnavailable]:
// errors for which the SDK's retries are exhausted, missing responses, and server faults. Wrap
// returns nil if err is nil.
func Wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	failure, answered := errors.AsType[smithy.APIError](err)
	retryable := awsretry.IsErrorRetryables(awsretry.DefaultRetryables).IsErrorRetryable(err).Bool()
	if !answered || failure.ErrorFault() == smithy.FaultServer || retryable {
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}
