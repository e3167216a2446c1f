package postsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// listOfPosts is the list of all posts.
var listOfPosts = cursor.List{Name: "posts", Lifetime: cursorLifetime}

type (
	// A PostPath names a post.
	PostPath struct {
		PostID uuid.UUID `path:"postId" format:"uuid"`
	}

	// A PostDraft is what an author sends.
	PostDraft struct {
		Title string `json:"title" minLength:"1" doc:"Plain text of one line"`
		Body  string `json:"body" minLength:"1" doc:"HTML; what a post may not have is taken out of it. It has 20,000 characters at most, in which a picture's address counts as 74, and 50 pictures. A picture's src is the key or the address that POST /uploads answered, or the address that it has in a post of one's own."`
	}

	// A PostSummary is a post in a list.
	PostSummary struct {
		ID           uuid.UUID `json:"id" format:"uuid"`
		Title        string    `json:"title" doc:"Plain text, to be escaped in HTML"`
		Author       Author    `json:"author"`
		CommentCount int       `json:"commentCount"`
		CreatedAt    time.Time `json:"createdAt"`
		UpdatedAt    time.Time `json:"updatedAt" doc:"When the title or the body changed last"`
	}

	// A Post is a post as everybody sees it.
	Post struct {
		PostSummary
		Body string `json:"body" doc:"HTML that is safe to show. A picture that the post has got by this request is seen a second or two later."`
	}

	// A PostPage is a part of the list of posts.
	PostPage struct {
		Posts      []PostSummary `json:"posts" nullable:"false"`
		NextCursor string        `json:"nextCursor,omitempty" doc:"Asks for the next page; missing on the last"`
	}
)

// TransformSchema says the domain's limits.
func (PostDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	rest.LimitLength(schema, "title", posts.MaxTitle)
	rest.LimitLength(schema, "body", posts.MaxWritten)
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
	return &postResponse{Body: Post{PostSummary: summaryJSON(post), Body: h.Media.Show(post.Body)}}, nil
}

func (h *Handlers) listPosts(ctx context.Context, in *struct{ Page }) (*struct{ Body PostPage }, error) {
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
	return h.respondPost(h.Posts.Create(ctx, author, in.Key, posts.Draft(in.Body)))
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
