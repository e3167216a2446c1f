// Package postsapi is the API's posts and comments: their routes and what answers them.
package postsapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// Routes are those of posts and comments. What is public is the same for everybody: whose a post is, a client knows from
// GET /user/sync.
var Routes = rest.Table[*Handlers]{
	rest.Handle("GET", "/posts", rest.Public, "List posts, newest first", (*Handlers).listPosts),
	rest.Handle("POST", "/posts", rest.Authenticated, "Write a post", (*Handlers).createPost),
	rest.Handle("GET", "/posts/{postId}", rest.Public, "Read a post", (*Handlers).getPost),
	rest.Handle("PUT", "/posts/{postId}", rest.Authenticated, "Rewrite a post of one's own", (*Handlers).updatePost),
	rest.Handle("DELETE", "/posts/{postId}", rest.Authenticated, "Delete a post of one's own and its comments, for good", (*Handlers).deletePost),
	rest.Handle("GET", "/posts/{postId}/comments", rest.Public, "List a post's comments, oldest first", (*Handlers).listComments),
	rest.Handle("POST", "/posts/{postId}/comments", rest.Authenticated, "Comment on a post", (*Handlers).createComment),
	rest.Handle("GET", "/posts/{postId}/comments/{commentId}", rest.Public, "Read a comment", (*Handlers).getComment),
	rest.Handle("PUT", "/posts/{postId}/comments/{commentId}", rest.Authenticated, "Rewrite a comment of one's own", (*Handlers).updateComment),
	rest.Handle("DELETE", "/posts/{postId}/comments/{commentId}", rest.Authenticated, "Delete a comment of one's own, for good", (*Handlers).deleteComment),
}

// A Store is where posts and comments are kept.
type Store interface {
	Create(ctx context.Context, author, idempotencyKey string, draft posts.Draft, shown ...uuid.UUID) (posts.Post, error)
	Created(ctx context.Context, author, idempotencyKey string) (posts.Post, error)
	Get(ctx context.Context, id uuid.UUID) (posts.Post, error)
	List(ctx context.Context, before uuid.UUID, limit int) ([]posts.Post, error)
	Update(ctx context.Context, author string, id uuid.UUID, draft posts.Draft, shown ...uuid.UUID) (posts.Post, error)
	Delete(ctx context.Context, author string, id uuid.UUID) error

	CreateComment(ctx context.Context, author, idempotencyKey string, postID uuid.UUID, body string) (posts.NewComment, error)
	GetComment(ctx context.Context, postID, id uuid.UUID) (posts.Comment, error)
	ListComments(ctx context.Context, postID, after uuid.UUID, limit int) ([]posts.Comment, error) // ErrNotFound without the post
	UpdateComment(ctx context.Context, author string, postID, id uuid.UUID, body string) (posts.Comment, error)
	DeleteComment(ctx context.Context, author string, postID, id uuid.UUID) error
}

// Pictures keeps those of posts.
type Pictures interface {
	Save(ctx context.Context, author, html string, save func(html string, shown []uuid.UUID) error) error
	LetGo(ctx context.Context, owner string)
}

// Activity tells the subscribers what happens.
type Activity interface {
	Notify(ctx context.Context, message notifications.Message) error
}

// Cursors seal where a page of a list ends.
type Cursors interface {
	Seal(ctx context.Context, list string, position []byte) (string, error)
	Open(ctx context.Context, list, cursor string, lifetime time.Duration) ([]byte, error)
}

// A Handlers answers the routes.
type Handlers struct {
	Store    Store
	Pictures Pictures
	Media    pictures.Delivery
	Activity Activity
	Cursors  Cursors
	Logger   *slog.Logger
}

// cursorLifetime is longer than anybody turns pages.
const cursorLifetime = 24 * time.Hour

// A Page asks for a part of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"nextCursor of the page before, good for a day; none for the first page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most"`
}

// cut returns the page of found, which has one more than the page when there is another page, and that one's cursor.
func cut[T any](ctx context.Context, s *Handlers, list string, page Page, found []T, id func(T) uuid.UUID) (shown []T, nextCursor string, err error) {
	if len(found) <= page.Limit {
		return found, "", nil
	}
	shown = found[:page.Limit]
	last := id(shown[len(shown)-1])
	nextCursor, err = s.Cursors.Seal(ctx, list, last[:])
	return shown, nextCursor, err
}

// start is the id that the page begins after: uuid.Nil for the first page.
func (s *Handlers) start(ctx context.Context, list string, page Page) (uuid.UUID, error) {
	if page.Cursor == "" {
		return uuid.Nil, nil
	}
	position, err := s.Cursors.Open(ctx, list, page.Cursor, cursorLifetime)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := uuid.FromBytes(position)
	if err != nil { // a cursor of another deployment's form
		return uuid.Nil, fmt.Errorf("%w: %w", token.ErrInvalid, err)
	}
	return id, nil
}

// Refuse says what the client is told about the domain's errors.
func (s *Handlers) Refuse(err error) *rest.Error {
	switch {
	case errors.Is(err, posts.ErrNotFound):
		return rest.NewError(http.StatusNotFound, "not_found", "There is no such post or comment, or it is not yours to change.")
	case errors.Is(err, posts.ErrNoProfile):
		return rest.NewError(http.StatusConflict, "profile_required", "You have no profile yet; create it with PUT /profile, and try again.")
	default:
		return nil
	}
}

// An Author is who wrote something, as everybody sees him or her.
type Author struct {
	DisplayName string `json:"displayName"`
}
