// Package postsapi provides the routes of posts and comments.
package postsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Routes are the routes of posts and comments. The responses of public routes are the same for
// every caller: a client knows the user's own posts from GET /user/sync.
var Routes = rest.Table[*Handlers]{
	rest.Handle("GET", "/posts", rest.Public,
		"List posts, newest first", (*Handlers).listPosts),
	rest.Handle("POST", "/posts", rest.Authenticated,
		"Create a post", (*Handlers).createPost),
	rest.Handle("GET", "/posts/{postId}", rest.Public,
		"Get a post", (*Handlers).getPost),
	rest.Handle("PUT", "/posts/{postId}", rest.Authenticated,
		"Update your post", (*Handlers).updatePost),
	rest.Handle("DELETE", "/posts/{postId}", rest.Authenticated,
		"Delete your post and its comments permanently", (*Handlers).deletePost),
	rest.Handle("GET", "/posts/{postId}/comments", rest.Public,
		"List the comments on a post, oldest first", (*Handlers).listComments),
	rest.Handle("POST", "/posts/{postId}/comments", rest.Authenticated,
		"Create a comment on a post", (*Handlers).createComment),
	rest.Handle("GET", "/posts/{postId}/comments/{commentId}", rest.Public,
		"Get a comment", (*Handlers).getComment),
	rest.Handle("PUT", "/posts/{postId}/comments/{commentId}", rest.Authenticated,
		"Update your comment", (*Handlers).updateComment),
	rest.Handle("DELETE", "/posts/{postId}/comments/{commentId}", rest.Authenticated,
		"Delete your comment permanently", (*Handlers).deleteComment),
}

// Handlers maps the routes to the use cases of posts.
type Handlers struct {
	Posts   *posts.Service
	Media   pictures.Delivery // the CDN of pictures
	Cursors *cursor.Cursors
}

// cursorLifetime is long enough to page through a list.
const cursorLifetime = 24 * time.Hour

// A Page holds the query parameters of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"nextCursor of the previous page; omit it for the first page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Maximum page size"`
}

// describeNextCursor describes the property nextCursor of a page.
func describeNextCursor(schema *huma.Schema) {
	property.Describe(schema, "nextCursor",
		"Pass it as cursor to get the next page; valid for 24 hours. "+
			"Missing on the last page.")
}

// cutPage returns the page of found and the cursor of the next page. If there is a next page, found
// has one element more than the page.
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

// An Author is the public part of the author of a post or comment.
type Author struct {
	DisplayName string `json:"displayName"`
}
