// Package mysqlstore keeps the domain in MySQL. Its errors are the domain's, with MySQL's wrapped for the log.
package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/profile"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Profiles keeps profiles in the table of that name.
type Profiles struct {
	databases *mysqlconn.Databases
}

// NewProfiles returns the profiles in databases.
func NewProfiles(databases *mysqlconn.Databases) *Profiles {
	return &Profiles{databases: databases}
}

// Get returns the profile of subject, which must be valid. It is read from a replica, so it may be some seconds old.
// The writer is asked for what the replica does not have yet, and in its place while the replica is away, as it is
// when RDS patches it: the replica has half of ctx's time to answer.
func (s *Profiles) Get(ctx context.Context, subject string) (profile.Profile, error) {
	found, err := s.getFromReplica(ctx, subject)
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, mysqlconn.ErrUnavailable) {
		found, err = s.get(ctx, s.databases.Writer, subject)
	}
	if err != nil {
		return profile.Profile{}, asProfileError("get profile", err)
	}
	return found, nil
}

// getFromReplica fails with [sql.ErrNoRows] when there is no replica.
func (s *Profiles) getFromReplica(ctx context.Context, subject string) (profile.Profile, error) {
	if s.databases.Reader == s.databases.Writer {
		return profile.Profile{}, sql.ErrNoRows
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return s.get(ctx, s.databases.Reader, subject)
}

func (s *Profiles) get(ctx context.Context, db *sql.DB, subject string) (found profile.Profile, err error) {
	err = mysqlconn.Retry(ctx, func() error {
		found, err = scanProfile(db.QueryRowContext(ctx, selectProfile, subject))
		return err
	})
	return found, err
}

// Put makes p the profile of its subject and returns it with its times, which are the database's: a new profile is
// created now, one that there was keeps its creation. p must be valid.
func (s *Profiles) Put(ctx context.Context, p profile.Profile) (profile.Profile, error) {
	var stored profile.Profile
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		// The values are passed twice, since MySQL has deprecated VALUES() and MariaDB lacks the row alias in its place.
		_, err := tx.ExecContext(ctx, `
			INSERT INTO profiles (subject, display_name, bio, language, created_at, updated_at)
			VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
			ON DUPLICATE KEY UPDATE display_name = ?, bio = ?, language = ?, updated_at = UTC_TIMESTAMP(6)`,
			p.Subject, p.DisplayName, p.Bio, p.Language, p.DisplayName, p.Bio, p.Language)
		if err != nil {
			return err
		}
		stored, err = scanProfile(tx.QueryRowContext(ctx, selectProfile, p.Subject))
		return err
	})
	if err != nil {
		return profile.Profile{}, asProfileError("put profile", err)
	}
	return stored, nil
}

const selectProfile = `
	SELECT subject, display_name, bio, language, created_at, updated_at
	FROM profiles WHERE subject = ?`

func scanProfile(row *sql.Row) (profile.Profile, error) {
	var p profile.Profile
	err := row.Scan(&p.Subject, &p.DisplayName, &p.Bio, &p.Language, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}

func asProfileError(action string, err error) error {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", action, profile.ErrNotFound)
	case errors.Is(err, mysqlconn.ErrUnavailable):
		return fmt.Errorf("%s: %w: %w", action, profile.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}
