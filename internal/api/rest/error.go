package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// An Error is what a client is told: what is wrong and what would be right, and nothing of the inside.
type Error struct {
	Code      string  `json:"code" doc:"What is wrong, for programs" example:"invalid_request"`
	Message   string  `json:"message" doc:"What is wrong and what would be right, for people"`
	RequestID string  `json:"requestId" doc:"Names the request in our logs"`
	Fields    []Field `json:"fields,omitempty" nullable:"false" doc:"What is wrong, by field"`

	status int
	header map[string]string
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

// Invalid returns the error of a request with these problems.
func Invalid(fields ...Field) *Error {
	sentences := make([]string, len(fields))
	for i, field := range fields {
		sentences[i] = field.Name + " " + field.Problem + "."
	}
	refused := NewError(http.StatusBadRequest, "invalid_request", strings.Join(sentences, " "))
	refused.Fields = fields
	return refused
}

// retryAfter is in seconds. Most of what makes the database unavailable is over by then; a failover takes a minute
// or two, and clients that come back every few seconds do it no harm.
const retryAfter = "5"

// unavailable returns the error of a request that may be answered when it comes again.
func unavailable() *Error {
	refused := NewError(http.StatusServiceUnavailable, "unavailable", "This is unavailable for the moment; try again in "+retryAfter+" seconds.")
	refused.header = map[string]string{"Retry-After": retryAfter}
	return refused
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
