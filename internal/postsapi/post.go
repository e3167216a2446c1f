package postsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/posts"
	"github.com/ashlar-cdk/ashlar/internal/rest"
	"github.com/ashlar-cdk/ashlar/internal/richtext"
)

// listOfPosts names the list for its cursors.
const listOfPosts = "posts"

type (
	// A PostPath names a post.
	PostPath struct {
		PostID uuid.UUID `path:"postId" format:"uuid"`
	}

	// A PostDraft is what an author sends.
	PostDraft struct {
		Title string `json:"title" doc:"Plain text of one line"`
		Body  string `json:"body" doc:"HTML; what a post may not have is taken out of it. A picture's src is the key that it was uploaded by."`
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
		Body string `json:"body" doc:"HTML that is safe to show"`
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
	rest.LimitLength(schema, "body", posts.MaxBody)
	return schema
}

func summary(post posts.Post) PostSummary {
	return PostSummary{
		ID:           post.ID,
		Title:        post.Title,
		Author:       Author{DisplayName: post.AuthorName},
		CommentCount: post.CommentCount,
		CreatedAt:    post.CreatedAt.UTC(),
		UpdatedAt:    post.UpdatedAt.UTC(),
	}
}

type onePost struct{ Body Post }

func answerPost(post posts.Post, err error) (*onePost, error) {
	if err != nil {
		return nil, err
	}
	return &onePost{Body: Post{PostSummary: summary(post), Body: post.Body}}, nil
}

func (s *Service) listPosts(ctx context.Context, in *struct{ Page }) (*struct{ Body PostPage }, error) {
	before, err := s.start(ctx, listOfPosts, in.Page)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	shown, next, err := cut(ctx, s, listOfPosts, in.Page, found, func(post posts.Post) uuid.UUID { return post.ID })
	if err != nil {
		return nil, err
	}
	page := PostPage{Posts: make([]PostSummary, len(shown)), NextCursor: next}
	for i, post := range shown {
		page.Posts[i] = summary(post)
	}
	return &struct{ Body PostPage }{page}, nil
}

func (s *Service) createPost(ctx context.Context, in *struct {
	rest.IdempotencyKey
	Body PostDraft
}) (*onePost, error) {
	draft, err := richtext.CleanPost(posts.Draft(in.Body))
	if err != nil {
		return nil, err
	}
	return answerPost(s.Store.Create(ctx, rest.Caller(ctx).Subject, in.Key, draft))
}

func (s *Service) getPost(ctx context.Context, in *struct{ PostPath }) (*onePost, error) {
	return answerPost(s.Store.Get(ctx, in.PostID))
}

func (s *Service) updatePost(ctx context.Context, in *struct {
	PostPath
	Body PostDraft
}) (*onePost, error) {
	draft, err := richtext.CleanPost(posts.Draft(in.Body))
	if err != nil {
		return nil, err
	}
	return answerPost(s.Store.Update(ctx, rest.Caller(ctx).Subject, in.PostID, draft))
}

func (s *Service) deletePost(ctx context.Context, in *struct{ PostPath }) (*struct{}, error) {
	return nil, s.Store.Delete(ctx, rest.Caller(ctx).Subject, in.PostID)
}
