package accounts

import (
	"context"
	"errors"
)

// Profiles keeps profiles.
type Profiles interface {
	Get(ctx context.Context, subject string) (Profile, error)
	// Put leaves the setting of mails about comments as it is when commentNotifications is nil; in a new
	// profile it is on.
	Put(ctx context.Context, p Profile, commentNotifications *bool) (Profile, error)
	// SetCommentNotifications sets whether the user gets mails about comments.
	SetCommentNotifications(ctx context.Context, subject string, on bool) error
}

// Changes lists what has changed.
type Changes interface {
	Since(ctx context.Context, subject string, position Position, limit int) (Page, error)
}

// A Store keeps all that users write.
type Store interface {
	// Delete deletes all that a user has written.
	Delete(ctx context.Context, subject string) error
}

// Pictures keeps the pictures of posts.
type Pictures interface {
	// DeleteAll deletes a user's pictures that no post shows.
	DeleteAll(ctx context.Context, owner string) error
}

// Users is the directory in which users sign in.
type Users interface {
	// Delete deletes a user, if there is one of that name.
	Delete(ctx context.Context, username string) error
}

// A Service provides the use cases of accounts.
type Service struct {
	Profiles Profiles
	Changes  Changes
	Store    Store
	Pictures Pictures
	Users    Users
}

// Profile returns a user's profile.
func (s *Service) Profile(ctx context.Context, subject string) (Profile, error) {
	return s.Profiles.Get(ctx, subject)
}

// PutProfile creates or replaces a profile. Mails about comments stay as they are when commentNotifications
// is nil; in a new profile they are on.
func (s *Service) PutProfile(ctx context.Context, p Profile, commentNotifications *bool) (Profile, error) {
	if err := p.Validate(); err != nil {
		return Profile{}, err
	}
	return s.Profiles.Put(ctx, p, commentNotifications)
}

// DisableCommentNotifications turns mails about comments off. A user without a profile or an account gets none
// anyway, so that is no error.
func (s *Service) DisableCommentNotifications(ctx context.Context, subject string) error {
	err := s.Profiles.SetCommentNotifications(ctx, subject, false)
	if errors.Is(err, ErrProfileNotFound) || errors.Is(err, ErrDeleted) {
		return nil
	}
	return err
}

// Sync returns up to limit changes of the user's after a position.
func (s *Service) Sync(
	ctx context.Context, subject string, position Position, limit int,
) (Page, error) {
	return s.Changes.Since(ctx, subject, position, limit)
}

// Delete deletes all that a user has written, then the pictures, then the user, so that a user
// whose deletion was cut off can still sign in and repeat it. Each step may be repeated.
func (s *Service) Delete(ctx context.Context, subject, username string) error {
	if err := s.Store.Delete(ctx, subject); err != nil {
		return err
	}
	if err := s.Pictures.DeleteAll(ctx, subject); err != nil {
		return err
	}
	return s.Users.Delete(ctx, username)
}
