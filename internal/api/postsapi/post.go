package postsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/rest"
)

// listOfPosts is the list of all posts.
var listOfPosts = cursor.List{Name: "posts", Lifetime: cursorLifetime}

type (
	// A PostPath holds the path parameter of a post.
	PostPath struct {
		PostID uuid.UUID `path:"postId" format:"uuid"`
	}

	// A PostDraft is the request body of creating and updating a post.
	PostDraft struct {
		Title string `json:"title" minLength:"1" doc:"Plain text of one line"`
		Body  string `json:"body" minLength:"1"`
	}

	// A PostSummary is a post in a list.
	PostSummary struct {
		ID           uuid.UUID `json:"id" format:"uuid"`
		Title        string    `json:"title" doc:"Plain text; escape it in HTML"`
		Author       Author    `json:"author"`
		CommentCount int       `json:"commentCount"`
		CreatedAt    time.Time `json:"createdAt"`
		UpdatedAt    time.Time `json:"updatedAt" doc:"Last change of the title or the body"`
	}

	// A Post is the public representation of a post.
	Post struct {
		PostSummary
		Body string `json:"body"`
	}

	// A PostPage is a page of the list of posts.
	PostPage struct {
		Posts      []PostSummary `json:"posts" nullable:"false"`
		NextCursor string        `json:"nextCursor,omitempty"`
	}
)

// TransformSchema sets the domain's limits.
func (PostDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.LimitLength(schema, "title", posts.MaxTitle)
	property.LimitLength(schema, "body", posts.MaxSubmittedBody)
	property.Describe(schema, "body",
		"HTML; elements and attributes that are not allowed are removed. "+
			"At most 20,000 characters, in which a picture's URL counts as 74, and 50 pictures. "+
			"The src of a picture is the key or a URL in the response of POST /uploads, "+
			"or the picture's URL in one of your posts.")
	return schema
}

// TransformSchema describes the body.
func (Post) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.Describe(schema, "body", "Sanitized HTML, safe to render. "+
		"A picture that this request added is available a second or two later.")
	return schema
}

// TransformSchema describes the cursor.
func (PostPage) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	describeNextCursor(schema)
	return schema
}

func summaryJSON(post posts.Post) PostSummary {
	return PostSummary{
		ID:           post.ID,
		Title:        post.Title,
		Author:       Author{DisplayName: post.AuthorName},
		CommentCount: post.CommentCount,
		CreatedAt:    post.CreatedAt.UTC(),
		UpdatedAt:    post.UpdatedAt.UTC(),
	}
}

type postResponse struct{ Body Post }

func (h *Handlers) respondPost(post posts.Post, err error) (*postResponse, error) {
	if err != nil {
		return nil, err
	}
	body := h.Media.ResolveURLs(post.Body)
	return &postResponse{Body: Post{PostSummary: summaryJSON(post), Body: body}}, nil
}

func (h *Handlers) listPosts(
	ctx context.Context, in *struct{ Page },
) (*struct{ Body PostPage }, error) {
	var before uuid.UUID
	if err := h.Cursors.Open(ctx, listOfPosts, in.Cursor, &before); err != nil {
		return nil, err
	}
	found, err := h.Posts.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	id := func(post posts.Post) uuid.UUID { return post.ID }
	found, next, err := cutPage(ctx, h, listOfPosts, in.Limit, found, id)
	if err != nil {
		return nil, err
	}
	page := PostPage{Posts: make([]PostSummary, len(found)), NextCursor: next}
	for i, post := range found {
		page.Posts[i] = summaryJSON(post)
	}
	return &struct{ Body PostPage }{page}, nil
}

func (h *Handlers) createPost(ctx context.Context, in *struct {
	rest.IdempotencyKey
	Body PostDraft
}) (*postResponse, error) {
	author := rest.Caller(ctx).Subject
	return h.respondPost(h.Posts.Create(ctx, author, string(in.Key), posts.Draft(in.Body)))
}

func (h *Handlers) getPost(ctx context.Context, in *struct{ PostPath }) (*postResponse, error) {
	return h.respondPost(h.Posts.Get(ctx, in.PostID))
}

func (h *Handlers) updatePost(ctx context.Context, in *struct {
	PostPath
	Body PostDraft
}) (*postResponse, error) {
	author := rest.Caller(ctx).Subject
	return h.respondPost(h.Posts.Update(ctx, author, in.PostID, posts.Draft(in.Body)))
}

func (h *Handlers) deletePost(ctx context.Context, in *struct{ PostPath }) (*struct{}, error) {
	return nil, h.Posts.Delete(ctx, rest.Caller(ctx).Subject, in.PostID)
}
