package mysqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Profiles stores profiles. All its methods fail with [accounts.ErrDeleted] for a deleted account.
type Profiles struct {
	databases *mysqlconn.Databases
}

// NewProfiles returns the profiles in databases.
func NewProfiles(databases *mysqlconn.Databases) *Profiles {
	return &Profiles{databases: databases}
}

// Get returns the profile of subject, which must be valid. It is read from a replica, so it may be
// some seconds old.
func (s *Profiles) Get(ctx context.Context, subject string) (accounts.Profile, error) {
	found, err := read(ctx, s.databases,
		func(ctx context.Context, db *sql.DB) (accounts.Profile, error) {
			if err := requireActiveAccount(ctx, db, subject); err != nil {
				return accounts.Profile{}, err
			}
			return scanProfile(db.QueryRowContext(ctx, selectProfile, subject))
		})
	if err != nil {
		return accounts.Profile{},
			failed("get profile", orNotFound(err, accounts.ErrProfileNotFound))
	}
	return found, nil
}

// Put stores p as the profile of its subject and returns it with its times, which are the
// database's: a new profile is created now, an existing profile keeps its CreatedAt. p must be
// valid. Put stores commentNotifications instead of p.CommentNotifications; nil keeps the stored
// value, and means true in a new profile.
func (s *Profiles) Put(
	ctx context.Context, p accounts.Profile, commentNotifications *bool,
) (accounts.Profile, error) {
	var stored accounts.Profile
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockAccounts(ctx, tx, p.Subject)
		if err != nil {
			return err
		}
		if err := locked.requireActive(p.Subject); err != nil {
			return err
		}
		// The values are passed twice, since MySQL has deprecated VALUES() and MariaDB lacks its
		// replacement, the row alias.
		_, err = tx.ExecContext(ctx, insertProfile+`
			ON DUPLICATE KEY UPDATE display_name = ?, bio = ?, language = ?,
				comment_notifications = COALESCE(?, comment_notifications),
				updated_at = UTC_TIMESTAMP(6)`,
			p.Subject, p.DisplayName, p.Bio, p.Language, commentNotifications,
			p.DisplayName, p.Bio, p.Language, commentNotifications)
		if err != nil {
			return err
		}
		err = locked.recordChange(ctx, tx, p.Subject, accounts.KindProfile, uuid.Nil)
		if err != nil {
			return err
		}
		stored, err = scanProfile(tx.QueryRowContext(ctx, selectProfile, p.Subject))
		return err
	})
	if err != nil {
		return accounts.Profile{}, failed("put profile", err)
	}
	return stored, nil
}

// Create stores p as the profile of its subject. It leaves an existing profile unchanged. p must be
// valid. Comment notifications are enabled.
func (s *Profiles) Create(ctx context.Context, p accounts.Profile) error {
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockAccounts(ctx, tx, p.Subject)
		if err != nil {
			return err
		}
		if err := locked.requireActive(p.Subject); err != nil {
			return err
		}
		_, err = scanProfile(tx.QueryRowContext(ctx, selectProfile, p.Subject))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, insertProfile,
			p.Subject, p.DisplayName, p.Bio, p.Language, nil)
		if err != nil {
			return err
		}
		return locked.recordChange(ctx, tx, p.Subject, accounts.KindProfile, uuid.Nil)
	})
	return failed("create profile", err)
}

// SetCommentNotifications enables or disables mails about comments on the user's posts. It fails
// with [accounts.ErrProfileNotFound] when the user has no profile.
func (s *Profiles) SetCommentNotifications(ctx context.Context, subject string, on bool) error {
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockAccounts(ctx, tx, subject)
		if err != nil {
			return err
		}
		if err := locked.requireActive(subject); err != nil {
			return err
		}
		p, err := scanProfile(tx.QueryRowContext(ctx, selectProfile, subject))
		if err != nil || p.CommentNotifications == on {
			return err
		}
		_, err = tx.ExecContext(ctx,
			"UPDATE profiles SET comment_notifications = ?, updated_at = UTC_TIMESTAMP(6) "+
				"WHERE subject = ?",
			on, subject)
		if err != nil {
			return err
		}
		return locked.recordChange(ctx, tx, subject, accounts.KindProfile, uuid.Nil)
	})
	return failed("set comment notifications", orNotFound(err, accounts.ErrProfileNotFound))
}

const (
	selectProfile = `
		SELECT subject, display_name, bio, language, comment_notifications, created_at, updated_at
		FROM profiles WHERE subject = ?`

	insertProfile = `
		INSERT INTO profiles
			(subject, display_name, bio, language, comment_notifications, created_at, updated_at)
		VALUES (?, ?, ?, ?, COALESCE(?, TRUE), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`
)

func scanProfile(from row) (accounts.Profile, error) {
	var p accounts.Profile
	err := from.Scan(&p.Subject, &p.DisplayName, &p.Bio, &p.Language, &p.CommentNotifications,
		&p.CreatedAt, &p.UpdatedAt)
	return p, err
}
