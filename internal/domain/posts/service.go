package posts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// A Store stores posts and comments.
type Store interface {
	// Create creates a post that shows these pictures. If the author already created a post with
	// the idempotency key, it returns that post unchanged. An empty key matches nothing. It fails
	// with [pictures.ErrPendingDeletion] if one of the pictures is no longer promoted.
	Create(
		ctx context.Context, author, idempotencyKey string, draft Draft, pictureIDs ...uuid.UUID,
	) (Post, error)
	// Created returns the post that the author created with the idempotency key, or ErrNotFound.
	Created(ctx context.Context, author, idempotencyKey string) (Post, error)
	Get(ctx context.Context, id uuid.UUID) (Post, error)
	List(ctx context.Context, before uuid.UUID, limit int) ([]Post, error)
	// Update replaces the draft and the pictures of a post, and fails as Create does.
	Update(
		ctx context.Context, author string, id uuid.UUID, draft Draft, pictureIDs ...uuid.UUID,
	) (Post, error)
	Delete(ctx context.Context, author string, id uuid.UUID) error

	CreateComment(
		ctx context.Context, author, idempotencyKey string, postID uuid.UUID, body string,
	) (NewComment, error)
	GetComment(ctx context.Context, postID, id uuid.UUID) (Comment, error)
	// ListComments fails with ErrNotFound when there is no such post.
	ListComments(ctx context.Context, postID, after uuid.UUID, limit int) ([]Comment, error)
	UpdateComment(
		ctx context.Context, author string, postID, id uuid.UUID, body string,
	) (Comment, error)
	DeleteComment(ctx context.Context, author string, postID, id uuid.UUID) error
}

// A Sanitizer validates posts and comments and removes HTML that is not allowed in them.
// The errors are [*validate.Error]. A richtext.Sanitizer implements it; it is not imported here,
// since it adds milliseconds to the start of every function that imports it.
type Sanitizer interface {
	SanitizePost(draft Draft) (Draft, error)
	SanitizeComment(body string) (string, error)
}

// Pictures stores the pictures of posts. A [pictures.Store] implements it.
type Pictures interface {
	Promote(ctx context.Context, author, html string) (pictures.Promoted, error)
	DeleteUnreferenced(ctx context.Context, owner string, copied ...uuid.UUID)
}

// CommentEvents publishes that a user's post has a new comment.
type CommentEvents interface {
	CommentCreated(ctx context.Context, recipient string) error
}

// A Service provides the use cases of posts and comments.
type Service struct {
	Store     Store
	Sanitizer Sanitizer
	Pictures  Pictures
	Events    CommentEvents
	Logger    *slog.Logger
}

// Create creates a post of the draft and promotes the draft's uploads. With an idempotency key, a
// second call returns the post that the first one created, even if its uploads have expired.
func (s *Service) Create(
	ctx context.Context, author, idempotencyKey string, draft Draft,
) (post Post, err error) {
	draft, err = s.Sanitizer.SanitizePost(draft)
	if err != nil {
		return Post{}, err
	}
	if idempotencyKey != "" && len(pictures.References(draft.Body)) > 0 {
		post, err := s.Store.Created(ctx, author, idempotencyKey)
		if !errors.Is(err, ErrNotFound) {
			return post, err
		}
	}
	err = retry.Do(ctx, func() error {
		promoted, err := s.Pictures.Promote(ctx, author, draft.Body)
		if err != nil {
			return err
		}
		draft := draft
		draft.Body = promoted.HTML
		post, err = s.Store.Create(ctx, author, idempotencyKey, draft, promoted.IDs...)
		s.cleanUp(ctx, author, promoted, err)
		return err
	}, ifPendingDeletion...)
	return post, err
}

// Update replaces the draft of a post of the author, and promotes uploads as Create does.
func (s *Service) Update(
	ctx context.Context, author string, id uuid.UUID, draft Draft,
) (post Post, err error) {
	draft, err = s.Sanitizer.SanitizePost(draft)
	if err != nil {
		return Post{}, err
	}
	err = retry.Do(ctx, func() error {
		promoted, err := s.Pictures.Promote(ctx, author, draft.Body)
		if err != nil {
			return err
		}
		draft := draft
		draft.Body = promoted.HTML
		post, err = s.Store.Update(ctx, author, id, draft, promoted.IDs...)
		s.cleanUp(ctx, author, promoted, err)
		return err
	}, ifPendingDeletion...)
	return post, err
}

// ifPendingDeletion retries a promotion if another request of the same author has removed the
// last reference to one of the pictures since it was promoted.
var ifPendingDeletion = []retry.Option{
	retry.MaxTries(3),
	retry.If(func(err error) bool { return errors.Is(err, pictures.ErrPendingDeletion) }),
}

// cleanUp deletes the pictures that the post no longer shows. If the post was not stored, it
// deletes the copies, so that rejected posts cannot fill the bucket.
func (s *Service) cleanUp(
	ctx context.Context, author string, promoted pictures.Promoted, err error,
) {
	if err == nil || len(promoted.Copied) > 0 {
		s.Pictures.DeleteUnreferenced(ctx, author, promoted.Copied...)
	}
}

// Delete deletes a post of the author with its comments and pictures permanently.
func (s *Service) Delete(ctx context.Context, author string, id uuid.UUID) error {
	if err := s.Store.Delete(ctx, author, id); err != nil {
		return err
	}
	s.Pictures.DeleteUnreferenced(ctx, author)
	return nil
}

// Get returns a post.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Post, error) {
	return s.Store.Get(ctx, id)
}

// List returns up to limit posts that are older than the post before, newest first.
func (s *Service) List(ctx context.Context, before uuid.UUID, limit int) ([]Post, error) {
	return s.Store.List(ctx, before, limit)
}

// CreateComment creates a comment on a post and publishes it to the post's author. With an
// idempotency key, a second call returns the comment that the first one created.
func (s *Service) CreateComment(
	ctx context.Context, author, idempotencyKey string, postID uuid.UUID, body string,
) (Comment, error) {
	body, err := s.Sanitizer.SanitizeComment(body)
	if err != nil {
		return Comment{}, err
	}
	created, err := s.Store.CreateComment(ctx, author, idempotencyKey, postID, body)
	if err != nil {
		return Comment{}, err
	}
	if created.Recipient != "" {
		s.publish(ctx, created)
	}
	return created.Comment, nil
}

// publishTimeout is how long a client waits for the topic, retries included. It responds within
// some tens of milliseconds.
const publishTimeout = 2 * time.Second

// publish publishes a new comment. A failure is logged and does not fail the request: the comment
// and its notification are stored, and the notification is sent later if the topic is unavailable.
// A second request with the same idempotency key publishes again, which repairs a first one that
// was interrupted before it published; the recipient does not get a second e-mail.
func (s *Service) publish(ctx context.Context, created NewComment) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := s.Events.CommentCreated(ctx, created.Recipient); err != nil {
		s.Logger.WarnContext(ctx, "publishing a comment failed, notification will be sent later",
			"comment", created.ID.String(), "error", err.Error())
	}
}

// GetComment returns a comment on the post.
func (s *Service) GetComment(ctx context.Context, postID, id uuid.UUID) (Comment, error) {
	return s.Store.GetComment(ctx, postID, id)
}

// ListComments returns up to limit comments that are newer than the comment after, oldest first.
func (s *Service) ListComments(
	ctx context.Context, postID, after uuid.UUID, limit int,
) ([]Comment, error) {
	return s.Store.ListComments(ctx, postID, after, limit)
}

// UpdateComment replaces the body of a comment of the author.
func (s *Service) UpdateComment(
	ctx context.Context, author string, postID, id uuid.UUID, body string,
) (Comment, error) {
	body, err := s.Sanitizer.SanitizeComment(body)
	if err != nil {
		return Comment{}, err
	}
	return s.Store.UpdateComment(ctx, author, postID, id, body)
}

// DeleteComment deletes a comment of the author permanently.
func (s *Service) DeleteComment(ctx context.Context, author string, postID, id uuid.UUID) error {
	return s.Store.DeleteComment(ctx, author, postID, id)
}
