// Package cursor provides the cursors of lists: a client sends back the cursor of a page to get the
// next one.
package cursor

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/rest"
)

var (
	// ErrInvalid reports a cursor that was not sealed for the list.
	ErrInvalid = rest.NewError(http.StatusBadRequest, "invalid_cursor",
		"The cursor does not belong to this list. Start again without a cursor.")

	// ErrExpired reports a cursor that is older than the list's lifetime of cursors.
	ErrExpired = rest.NewError(http.StatusBadRequest, "expired_cursor",
		"The cursor has expired. Start again without a cursor.")
)

// Tokens seals and opens positions. A [token.Sealer] implements it.
type Tokens interface {
	Seal(ctx context.Context, purpose string, content []byte) (string, error)
	Open(ctx context.Context, purpose, token string, lifetime time.Duration) ([]byte, error)
}

// A List is a list that clients read page by page.
type List struct {
	Name     string        // a cursor of one list is invalid in any other
	Lifetime time.Duration // of the list's cursors
}

// Cursors seals and opens cursors. Its methods fail with [retry.ErrUnavailable] when the key of
// tokens cannot be fetched.
type Cursors struct {
	Tokens Tokens
}

// Seal returns the cursor of a position in the list.
func (c *Cursors) Seal(
	ctx context.Context, list List, position encoding.BinaryMarshaler,
) (string, error) {
	content, err := position.MarshalBinary()
	if err != nil {
		return "", fmt.Errorf("cursor: %w", err)
	}
	return c.Tokens.Seal(ctx, list.Name, content)
}

// Open sets position to the position of a cursor. An empty cursor leaves position unchanged: the
// zero position is the start of the list.
func (c *Cursors) Open(
	ctx context.Context, list List, cursor string, position encoding.BinaryUnmarshaler,
) error {
	if cursor == "" {
		return nil
	}
	content, err := c.Tokens.Open(ctx, list.Name, cursor, list.Lifetime)
	switch {
	case errors.Is(err, token.ErrInvalid):
		return ErrInvalid
	case errors.Is(err, token.ErrExpired):
		return ErrExpired
	case err != nil:
		return err
	}
	if err := position.UnmarshalBinary(content); err != nil { // a cursor of another API version
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}
