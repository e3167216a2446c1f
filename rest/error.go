package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/domain"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// An Error is the error that a client gets: the problem and its remedy, without internal details.
type Error struct {
	Code      string  `json:"code" doc:"Error code, for programs" example:"invalid_request"`
	Message   string  `json:"message" doc:"The problem and its remedy, for developers"`
	RequestID string  `json:"requestId" doc:"ID of the request in our logs"`
	Fields    []Field `json:"fields,omitempty" nullable:"false" doc:"The problems by field"`
	Status    int     `json:"-"` // HTTP status of the response

	header map[string]string
	cause  error
}

// A Field is the problem of one field or parameter of a request. It never repeats the field's
// value.
type Field struct {
	Name    string `json:"field" doc:"Name of the field or parameter; body for the entire body"`
	Problem string `json:"problem" doc:"For example: has 81 characters; at most 80 are allowed"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the error of the route's handler where a failed request has one: in the error page
// of [HandleHTML]. It may contain internal details.
func (e *Error) Unwrap() error { return e.cause }

// NewError returns an error whose response has this status.
func NewError(status int, code, message string) *Error {
	return &Error{Code: code, Message: message, Status: status}
}

// ErrUnavailable marks a temporary failure, such as that of a database. A handler wraps it:
//
//	fmt.Errorf("%w: read the stones: %w", rest.ErrUnavailable, err)
//
// The client gets 503 and is told to retry.
var ErrUnavailable = retry.ErrUnavailable

// mapError maps an error of a handler to the error that the client gets.
func mapError(err error) *Error {
	if mapped, ok := errors.AsType[*Error](err); ok {
		return mapped
	}
	if mapped, ok := errors.AsType[*domain.Error](err); ok {
		return NewError(statusOf(mapped.Kind), mapped.Code, mapped.Message)
	}
	if invalid, ok := errors.AsType[*validate.Error](err); ok {
		fields := make([]Field, len(invalid.Problems))
		for i, problem := range invalid.Problems {
			fields[i] = Field{Name: problem.Field, Problem: problem.Problem}
		}
		return Invalid(fields...)
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable()
	}
	return NewError(http.StatusInternalServerError, "internal",
		"Internal error. Report it with this request ID.")
}

func statusOf(kind domain.Kind) int {
	switch kind {
	case domain.NotFound:
		return http.StatusNotFound
	case domain.Conflict:
		return http.StatusConflict
	case domain.Forbidden:
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}

// Invalid returns the error of a request that has these problems.
func Invalid(fields ...Field) *Error {
	sentences := make([]string, len(fields))
	for i, field := range fields {
		sentences[i] = field.Name + " " + field.Problem + "."
	}
	invalid := NewError(http.StatusBadRequest, "invalid_request", strings.Join(sentences, " "))
	invalid.Fields = fields
	return invalid
}

// retryAfter is in seconds. Most outages of the database are over by then; a failover takes a
// minute or two, and clients that retry every few seconds do no harm.
const retryAfter = "5"

// unavailable returns the error of a temporary failure: the client may retry the request.
func unavailable() *Error {
	unavailable := NewError(http.StatusServiceUnavailable, "unavailable",
		"The service is temporarily unavailable. Try again in "+retryAfter+" seconds.")
	unavailable.header = map[string]string{"Retry-After": retryAfter}
	return unavailable
}

// An errorBody is the body of an error response, of the gateway's own too. It also carries errors
// through huma, since huma takes the schema of errors in the OpenAPI document from it.
type errorBody struct {
	Content Error `json:"error"`

	status int
	err    error
}

func (b *errorBody) Error() string { return b.err.Error() }

// GetStatus makes an errorBody a huma.StatusError.
func (b *errorBody) GetStatus() int { return b.status }

// huma is configured by global variables. The errors that it creates by them are passed to the
// handler, which writes the response.
func init() {
	huma.ValidateStrictCasing = true // the names of fields are case-sensitive
	huma.NewError = func(status int, message string, problems ...error) huma.StatusError {
		return &errorBody{status: status, err: convertError(status, message, problems)}
	}
	huma.NewErrorWithContext = func(
		ctx huma.Context, status int, message string, problems ...error,
	) huma.StatusError {
		body := &errorBody{status: status, err: convertError(status, message, problems)}
		ctx.(*exchange).err = body.err
		return body
	}
}

// convertError converts the problems that huma found in a request to an [Error]. It returns any
// other error, such as one of a response, unchanged.
func convertError(status int, message string, problems []error) error {
	if status == http.StatusUnsupportedMediaType {
		return NewError(status, "unsupported_media_type", "Send the body as "+contentType+".")
	}
	if len(problems) == 0 {
		problems = []error{&huma.ErrorDetail{Location: "body", Message: message}}
	}
	fields := make([]Field, len(problems))
	for i, problem := range problems {
		detail, ok := errors.AsType[*huma.ErrorDetail](problem)
		if !ok {
			return errors.Join(problems...)
		}
		// body.title is title, query.limit is limit
		_, name, nested := strings.Cut(detail.Location, ".")
		if !nested {
			name = detail.Location
		}
		fields[i] = Field{Name: name, Problem: "is invalid: " + detail.Message}
	}
	return Invalid(fields...)
}
