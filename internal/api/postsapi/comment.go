package postsapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

type (
	// A CommentPath names a comment on a post.
	CommentPath struct {
		PostPath
		CommentID uuid.UUID `path:"commentId" format:"uuid"`
	}

	// A CommentDraft is what an author sends.
	CommentDraft struct {
		Body string `json:"body" minLength:"1" doc:"HTML; what a comment may not have is taken out of it"`
	}

	// A Comment is a comment as everybody sees it.
	Comment struct {
		ID        uuid.UUID `json:"id" format:"uuid"`
		PostID    uuid.UUID `json:"postId" format:"uuid"`
		Body      string    `json:"body" doc:"HTML that is safe to show"`
		Author    Author    `json:"author"`
		CreatedAt time.Time `json:"createdAt"`
		UpdatedAt time.Time `json:"updatedAt"`
	}

	// A CommentPage is a part of the list of a post's comments.
	CommentPage struct {
		Comments   []Comment `json:"comments" nullable:"false"`
		NextCursor string    `json:"nextCursor,omitempty" doc:"Asks for the next page; missing on the last"`
	}
)

// TransformSchema says the domain's limit.
func (CommentDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	rest.LimitLength(schema, "body", posts.MaxComment)
	return schema
}

// listOfComments names the list of a post's comments for its cursors.
func listOfComments(postID uuid.UUID) string { return "comments of " + postID.String() }

func represent(comment posts.Comment) Comment {
	return Comment{
		ID:        comment.ID,
		PostID:    comment.PostID,
		Body:      comment.Body,
		Author:    Author{DisplayName: comment.AuthorName},
		CreatedAt: comment.CreatedAt.UTC(),
		UpdatedAt: comment.UpdatedAt.UTC(),
	}
}

type oneComment struct{ Body Comment }

func answerComment(comment posts.Comment, err error) (*oneComment, error) {
	if err != nil {
		return nil, err
	}
	return &oneComment{Body: represent(comment)}, nil
}

func (s *Handlers) listComments(ctx context.Context, in *struct {
	PostPath
	Page
}) (*struct{ Body CommentPage }, error) {
	list := listOfComments(in.PostID)
	after, err := s.start(ctx, list, in.Page)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.ListComments(ctx, in.PostID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	shown, next, err := cut(ctx, s, list, in.Page, found, func(comment posts.Comment) uuid.UUID { return comment.ID })
	if err != nil {
		return nil, err
	}
	page := CommentPage{Comments: make([]Comment, len(shown)), NextCursor: next}
	for i, comment := range shown {
		page.Comments[i] = represent(comment)
	}
	return &struct{ Body CommentPage }{page}, nil
}

func (s *Handlers) createComment(ctx context.Context, in *struct {
	PostPath
	rest.IdempotencyKey
	Body CommentDraft
}) (*oneComment, error) {
	body, err := posts.CleanComment(in.Body.Body)
	if err != nil {
		return nil, err
	}
	created, err := s.Store.CreateComment(ctx, rest.Caller(ctx).Subject, in.Key, in.PostID, body)
	if err == nil && created.Recipient != "" {
		s.announce(ctx, created)
	}
	return answerComment(created.Comment, err)
}

// announceTime is how long a client waits for the topic, retries included. It answers within some tens of milliseconds.
const announceTime = 2 * time.Second

// announce has the recipient told of a comment soon. The comment is there, and so is the notice of it, which is told later
// if the topic is away: so it is no failure of the request. A request that comes again with its Idempotency-Key announces
// again, which is how one that was cut off in between is made good; who has been told already is not told twice.
func (s *Handlers) announce(ctx context.Context, created posts.NewComment) {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	if err := s.Activity.Notify(ctx, notifications.Message{Recipient: created.Recipient}); err != nil {
		s.Logger.WarnContext(ctx, "a comment is not announced", "comment", created.ID.String(), "error", err.Error())
	}
}

func (s *Handlers) getComment(ctx context.Context, in *struct{ CommentPath }) (*oneComment, error) {
	return answerComment(s.Store.GetComment(ctx, in.PostID, in.CommentID))
}

func (s *Handlers) updateComment(ctx context.Context, in *struct {
	CommentPath
	Body CommentDraft
}) (*oneComment, error) {
	body, err := posts.CleanComment(in.Body.Body)
	if err != nil {
		return nil, err
	}
	return answerComment(s.Store.UpdateComment(ctx, rest.Caller(ctx).Subject, in.PostID, in.CommentID, body))
}

func (s *Handlers) deleteComment(ctx context.Context, in *struct{ CommentPath }) (*struct{}, error) {
	return nil, s.Store.DeleteComment(ctx, rest.Caller(ctx).Subject, in.PostID, in.CommentID)
}
