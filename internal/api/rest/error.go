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

// An Error is what a client is told: what is wrong and what would be right, and nothing of the inside.
type Error struct {
	Code      string  `json:"code" doc:"What is wrong, for programs" example:"invalid_request"`
	Message   string  `json:"message" doc:"What is wrong and what would be right, for people"`
	RequestID string  `json:"requestId" doc:"Names the request in our logs"`
	Fields    []Field `json:"fields,omitempty" nullable:"false" doc:"What is wrong, by field"`

	status int
	header map[string]string
	page   Translation // in place of the error, for people; default: somethingWentWrong
}

// A Field is what is wrong with one field of a request, or one parameter. It never repeats the field's value.
type Field struct {
	Name    string `json:"field" doc:"The field's or parameter's name; body for the whole"`
	Problem string `json:"problem" doc:"has 81 characters; at most 80 are allowed"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NewError returns an error that is answered with status.
func NewError(status int, code, message string) *Error {
	return &Error{Code: code, Message: message, status: status}
}

// WithPage sets the page that a route of [HandlePage] responds with, and returns e.
func (e *Error) WithPage(page Translation) *Error {
	e.page = page
	return e
}

// Page returns the page that a route of [HandlePage] responds with.
func (e *Error) Page() Translation {
	if e.page == nil {
		return somethingWentWrong
	}
	return e.page
}

// mapError maps an error of a handler to the one that its client gets. The domain's errors are
// [domain.Error] and [validate.Error]; errors of the API itself are [Error].
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
	if errors.Is(err, retry.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable()
	}
	return NewError(http.StatusInternalServerError, "internal",
		"Something went wrong on our side. Report it with this request ID.")
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

// Invalid returns the error of a request with these problems.
func Invalid(fields ...Field) *Error {
	sentences := make([]string, len(fields))
	for i, field := range fields {
		sentences[i] = field.Name + " " + field.Problem + "."
	}
	invalid := NewError(http.StatusBadRequest, "invalid_request", strings.Join(sentences, " "))
	invalid.Fields = fields
	return invalid
}

// retryAfter is in seconds. Most of what makes the database unavailable is over by then; a failover takes a minute
// or two, and clients that come back every few seconds do it no harm.
const retryAfter = "5"

// unavailable returns the error of a request that may be answered when it comes again.
func unavailable() *Error {
	unavailable := NewError(http.StatusServiceUnavailable, "unavailable",
		"The service is temporarily unavailable. Try again in "+retryAfter+" seconds.")
	unavailable.header = map[string]string{"Retry-After": retryAfter}
	return unavailable.WithPage(tryAgain)
}

// An ErrorBody is how an error is sent, by the gateway as well. It is what huma carries errors in, too, since the OpenAPI
// document has its shape.
type ErrorBody struct {
	Content Error `json:"error"`

	status int
	err    error
}

func (b *ErrorBody) Error() string { return b.err.Error() }

// GetStatus makes an ErrorBody a huma.StatusError.
func (b *ErrorBody) GetStatus() int { return b.status }

// huma is set up by variables, for everything that uses it in a process. The errors that it makes by them are for the
// handler to write.
func init() {
	huma.ValidateStrictCasing = true // a name is itself, not what it looks like
	huma.NewError = func(status int, message string, problems ...error) huma.StatusError {
		return &ErrorBody{status: status, err: convertError(status, message, problems)}
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, problems ...error) huma.StatusError {
		body := &ErrorBody{status: status, err: convertError(status, message, problems)}
		ctx.(*exchange).err = body.err
		return body
	}
}

// convertError says in our words what huma found wrong with a request, or hands on what went wrong with the answer.
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
		_, name, nested := strings.Cut(detail.Location, ".") // body.title is title, query.limit is limit
		if !nested {
			name = detail.Location
		}
		fields[i] = Field{Name: name, Problem: "is refused: " + detail.Message}
	}
	return Invalid(fields...)
}
