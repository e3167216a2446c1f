// Package awserror tells AWS's errors apart.
package awserror

import (
	"errors"

	"github.com/aws/smithy-go"
)

// Is tells whether err is an answer of AWS's with that code. It is for codes that the SDK has no type for, or not at every
// operation.
func Is(err error, code string) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && failure.ErrorCode() == code
}
