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

type (
	// A CommentPath holds the path parameters of a comment.
	CommentPath struct {
		PostPath
		CommentID uuid.UUID `path:"commentId" format:"uuid"`
	}

	// A CommentDraft is the request body of creating and updating a comment.
	CommentDraft struct {
		Body string `json:"body" minLength:"1"`
	}

	// A Comment is the public representation of a comment.
	Comment struct {
		ID        uuid.UUID `json:"id" format:"uuid"`
		PostID    uuid.UUID `json:"postId" format:"uuid"`
		Body      string    `json:"body" doc:"Sanitized HTML, safe to render"`
		Author    Author    `json:"author"`
		CreatedAt time.Time `json:"createdAt"`
		UpdatedAt time.Time `json:"updatedAt"`
	}

	// A CommentPage is a page of the list of a post's comments.
	CommentPage struct {
		Comments   []Comment `json:"comments" nullable:"false"`
		NextCursor string    `json:"nextCursor,omitempty"`
	}
)

// TransformSchema sets the domain's limit.
func (CommentDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.LimitLength(schema, "body", posts.MaxComment)
	property.Describe(schema, "body",
		"HTML; elements and attributes that are not allowed are removed")
	return schema
}

// TransformSchema describes the cursor.
func (CommentPage) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	describeNextCursor(schema)
	return schema
}

// listOfComments returns the list of a post's comments.
func listOfComments(postID uuid.UUID) cursor.List {
	return cursor.List{Name: "comments of " + postID.String(), Lifetime: cursorLifetime}
}

func commentJSON(comment posts.Comment) Comment {
	return Comment{
		ID:        comment.ID,
		PostID:    comment.PostID,
		Body:      comment.Body,
		Author:    Author{DisplayName: comment.AuthorName},
		CreatedAt: comment.CreatedAt.UTC(),
		UpdatedAt: comment.UpdatedAt.UTC(),
	}
}

type commentResponse struct{ Body Comment }

func respondComment(comment posts.Comment, err error) (*commentResponse, error) {
	if err != nil {
		return nil, err
	}
	return &commentResponse{Body: commentJSON(comment)}, nil
}

func (h *Handlers) listComments(ctx context.Context, in *struct {
	PostPath
	Page
}) (*struct{ Body CommentPage }, error) {
	list := listOfComments(in.PostID)
	var after uuid.UUID
	if err := h.Cursors.Open(ctx, list, in.Cursor, &after); err != nil {
		return nil, err
	}
	found, err := h.Posts.ListComments(ctx, in.PostID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	id := func(comment posts.Comment) uuid.UUID { return comment.ID }
	found, next, err := cutPage(ctx, h, list, in.Limit, found, id)
	if err != nil {
		return nil, err
	}
	page := CommentPage{Comments: make([]Comment, len(found)), NextCursor: next}
	for i, comment := range found {
		page.Comments[i] = commentJSON(comment)
	}
	return &struct{ Body CommentPage }{page}, nil
}

func (h *Handlers) createComment(ctx context.Context, in *struct {
	PostPath
	rest.IdempotencyKey
	Body CommentDraft
}) (*commentResponse, error) {
	author := rest.Caller(ctx).Subject
	created, err := h.Posts.CreateComment(ctx, author, string(in.Key), in.PostID, in.Body.Body)
	return respondComment(created, err)
}

func (h *Handlers) getComment(
	ctx context.Context, in *struct{ CommentPath },
) (*commentResponse, error) {
	return respondComment(h.Posts.GetComment(ctx, in.PostID, in.CommentID))
}

func (h *Handlers) updateComment(ctx context.Context, in *struct {
	CommentPath
	Body CommentDraft
}) (*commentResponse, error) {
	author := rest.Caller(ctx).Subject
	return respondComment(h.Posts.UpdateComment(ctx, author, in.PostID, in.CommentID, in.Body.Body))
}

func (h *Handlers) deleteComment(
	ctx context.Context, in *struct{ CommentPath },
) (*struct{}, error) {
	return nil, h.Posts.DeleteComment(ctx, rest.Caller(ctx).Subject, in.PostID, in.CommentID)
}
