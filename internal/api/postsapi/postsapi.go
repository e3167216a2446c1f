// Package postsapi is the API's posts and comments: their routes and what answers them.
package postsapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
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

// Handlers maps the routes to the use cases of posts.
type Handlers struct {
	Posts   *posts.Service
	Media   pictures.Delivery // where clients see pictures
	Cursors *cursor.Cursors
}

// cursorLifetime is longer than anybody turns pages.
const cursorLifetime = 24 * time.Hour

// A Page asks for a part of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"nextCursor of the page before, good for a day; none for the first page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most"`
}

// cutPage returns the page of found, which has one more than the page when there is another page,
// and the cursor of that one.
func cutPage[T any](
	ctx context.Context, h *Handlers, list cursor.List, limit int, found []T, id func(T) uuid.UUID,
) (page []T, nextCursor string, err error) {
	if len(found) <= limit {
		return found, "", nil
	}
	page = found[:limit]
	nextCursor, err = h.Cursors.Seal(ctx, list, id(page[len(page)-1]))
	return page, nextCursor, err
}

// An Author is who wrote something, as everybody sees him or her.
type Author struct {
	DisplayName string `json:"displayName"`
}
