package postsapi

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
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

func (s *Handlers) answerPost(post posts.Post, err error) (*onePost, error) {
	if err != nil {
		return nil, err
	}
	return &onePost{Body: Post{PostSummary: summary(post), Body: s.Media.Show(post.Body)}}, nil
}

func (s *Handlers) listPosts(ctx context.Context, in *struct{ Page }) (*struct{ Body PostPage }, error) {
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

func (s *Handlers) createPost(ctx context.Context, in *struct {
	rest.IdempotencyKey
	Body PostDraft
}) (*onePost, error) {
	draft, err := posts.CleanPost(posts.Draft(in.Body), s.Media)
	if err != nil {
		return nil, err
	}
	author := rest.Caller(ctx).Subject
	// A request that comes again is answered as before, though its uploads may be gone by now.
	if in.Key != "" && len(pictures.References(draft.Body)) > 0 {
		if post, err := s.Store.Created(ctx, author, in.Key); !errors.Is(err, posts.ErrNotFound) {
			return s.answerPost(post, err)
		}
	}
	var post posts.Post
	err = s.Pictures.Save(ctx, author, draft.Body, func(body string, shown []uuid.UUID) (err error) {
		post, err = s.Store.Create(ctx, author, in.Key, posts.Draft{Title: draft.Title, Body: body}, shown...)
		return err
	})
	return s.answerPost(post, err)
}

func (s *Handlers) getPost(ctx context.Context, in *struct{ PostPath }) (*onePost, error) {
	return s.answerPost(s.Store.Get(ctx, in.PostID))
}

func (s *Handlers) updatePost(ctx context.Context, in *struct {
	PostPath
	Body PostDraft
}) (*onePost, error) {
	draft, err := posts.CleanPost(posts.Draft(in.Body), s.Media)
	if err != nil {
		return nil, err
	}
	author := rest.Caller(ctx).Subject
	var post posts.Post
	err = s.Pictures.Save(ctx, author, draft.Body, func(body string, shown []uuid.UUID) (err error) {
		post, err = s.Store.Update(ctx, author, in.PostID, posts.Draft{Title: draft.Title, Body: body}, shown...)
		return err
	})
	return s.answerPost(post, err)
}

func (s *Handlers) deletePost(ctx context.Context, in *struct{ PostPath }) (*struct{}, error) {
	author := rest.Caller(ctx).Subject
	if err := s.Store.Delete(ctx, author, in.PostID); err != nil {
		return nil, err
	}
	s.Pictures.LetGo(ctx, author)
	return nil, nil
}
