// Package domain defines the errors of the domain that clients see.
package domain

// A Kind groups errors by what a client can do about them. The API maps each to an HTTP status.
type Kind int

// The kinds of errors.
const (
	NotFound  Kind = iota + 1 // the object does not exist, or belongs to another user
	Conflict                  // the state of an object does not allow the request
	Forbidden                 // the caller may make no such request
)

// An Error is an error that a client sees. Errors are compared by identity, so each is a variable
// of its package: errors.Is(err, posts.ErrNotFound).
type Error struct {
	Kind    Kind
	Code    string // for programs: not_found
	Message string // for people: one or two sentences with the problem and its remedy
}

// NewError returns an error that a client sees.
func NewError(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
