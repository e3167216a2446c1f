package accounts

import (
	"context"
	"errors"
)

// Profiles stores profiles.
type Profiles interface {
	Get(ctx context.Context, subject string) (Profile, error)
	// Put creates or replaces a profile. If commentNotifications is nil, it keeps the present
	// setting; in a new profile the default is on.
	Put(ctx context.Context, p Profile, commentNotifications *bool) (Profile, error)
	// SetCommentNotifications sets whether the user gets comment notifications.
	SetCommentNotifications(ctx context.Context, subject string, on bool) error
}

// Changes stores changes.
type Changes interface {
	// Since returns up to limit changes after a position.
	Since(ctx context.Context, subject string, position Position, limit int) (Page, error)
}

// A Store stores the accounts with the profiles, posts and comments of users.
type Store interface {
	// Delete deletes the account, the profile, the posts and the comments of a user.
	Delete(ctx context.Context, subject string) error
}

// Pictures stores the pictures of posts.
type Pictures interface {
	// DeleteAll deletes a user's pictures that no post shows.
	DeleteAll(ctx context.Context, owner string) error
}

// Users is the user pool.
type Users interface {
	// Delete deletes a user. It is idempotent.
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

// PutProfile creates or replaces a profile. If commentNotifications is nil, it keeps the present
// setting; in a new profile the default is on.
func (s *Service) PutProfile(
	ctx context.Context, p Profile, commentNotifications *bool,
) (Profile, error) {
	if err := p.Validate(); err != nil {
		return Profile{}, err
	}
	return s.Profiles.Put(ctx, p, commentNotifications)
}

// DisableCommentNotifications turns off comment notifications. A user without a profile or an
// account gets none anyway, so that is not an error.
func (s *Service) DisableCommentNotifications(ctx context.Context, subject string) error {
	err := s.Profiles.SetCommentNotifications(ctx, subject, false)
	if errors.Is(err, ErrProfileNotFound) || errors.Is(err, ErrDeleted) {
		return nil
	}
	return err
}

// Sync returns up to limit changes of the user's data after a position.
func (s *Service) Sync(
	ctx context.Context, subject string, position Position, limit int,
) (Page, error) {
	return s.Changes.Since(ctx, subject, position, limit)
}

// Delete deletes the user's data, then the pictures, then the user in the user pool. In this order,
// a user whose deletion was interrupted can still sign in and retry it. Each step is idempotent.
func (s *Service) Delete(ctx context.Context, subject, username string) error {
	if err := s.Store.Delete(ctx, subject); err != nil {
		return err
	}
	if err := s.Pictures.DeleteAll(ctx, subject); err != nil {
		return err
	}
	return s.Users.Delete(ctx, username)
}
