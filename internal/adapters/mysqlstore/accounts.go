package mysqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Accounts deletes accounts.
type Accounts struct {
	databases *mysqlconn.Databases
}

// NewAccounts returns the accounts in databases.
func NewAccounts(databases *mysqlconn.Databases) *Accounts {
	return &Accounts{databases: databases}
}

// Delete deletes all data of a user: posts with their comments and the notifications about these,
// comments on other users' posts, the list of changes, and the profile. It marks the user's
// pictures as pending deletion. As soon as it has begun, the user can no longer write, even if
// later steps fail.
//
// It works in many short transactions. When ctx's time is not enough, it fails with
// [retry.ErrUnavailable], and the next call continues. Only the subject and the time of the
// deletion remain, so that a token that outlives the account does not create a new one.
func (s *Accounts) Delete(ctx context.Context, subject string) error {
	for _, step := range []func(context.Context, string) error{
		s.markDeleted, s.deletePosts, s.markPicturesPendingDeletion, s.deleteComments,
		s.deleteChanges, s.deleteLease, s.deleteProfile,
	} {
		if err := step(ctx, subject); err != nil {
			return failed("delete account", err)
		}
	}
	return nil
}

// markDeleted waits for the user's running transactions. Later transactions find the account
// deleted.
func (s *Accounts) markDeleted(ctx context.Context, subject string) error {
	return mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		if _, err := lockAccounts(ctx, tx, subject); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			"UPDATE accounts SET deleted_at = COALESCE(deleted_at, UTC_TIMESTAMP(6)) "+
				"WHERE subject = ?",
			subject)
		return err
	})
}

func (s *Accounts) deletePosts(ctx context.Context, subject string) error {
	return s.forEach(ctx, firstPostOfAuthor, subject, func(tx *sql.Tx, id uuid.UUID) error {
		_, err := deletePost(ctx, tx, subject, id)
		return err
	})
}

// markPicturesPendingDeletion marks those of the user's pictures that no post shows and that are
// still marked as promoted: the functions of the deployment before pictures delete posts without
// marking their pictures.
func (s *Accounts) markPicturesPendingDeletion(ctx context.Context, subject string) error {
	return mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, markAllPendingDeletion, subject)
		return err
	})
}

func (s *Accounts) deleteComments(ctx context.Context, subject string) error {
	return s.forEach(ctx, firstCommentedPost, subject, func(tx *sql.Tx, postID uuid.UUID) error {
		return deleteCommentsOf(ctx, tx, subject, postID)
	})
}

// forEach calls work, in a transaction of its own, with each id that the query first returns, until
// it returns none.
func (s *Accounts) forEach(
	ctx context.Context, first, subject string, work func(*sql.Tx, uuid.UUID) error,
) error {
	for {
		var id uuid.UUID
		err := mysqlconn.Retry(ctx, func() error {
			return s.databases.Writer.QueryRowContext(ctx, first, subject).Scan(&id)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		err = mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
			return work(tx, id)
		})
		// The post may have been deleted meanwhile, by its author or by an earlier try whose commit
		// was not acknowledged.
		if err != nil && !errors.Is(err, posts.ErrNotFound) {
			return err
		}
	}
}

func (s *Accounts) deleteChanges(ctx context.Context, subject string) error {
	for {
		var deleted int64
		err := mysqlconn.Retry(ctx, func() error {
			result, err := s.databases.Writer.ExecContext(ctx,
				deleteSomeChanges, subject, changesPerStatement)
			if err != nil {
				return err
			}
			deleted, err = result.RowsAffected()
			return err
		})
		if err != nil || deleted == 0 {
			return err
		}
	}
}

// deleteLease must run when the account's notifications are deleted: then it gets no new lease.
func (s *Accounts) deleteLease(ctx context.Context, subject string) error {
	return mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, deleteAnyLease, subject)
		return err
	})
}

func (s *Accounts) deleteProfile(ctx context.Context, subject string) error {
	return mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx,
			"DELETE FROM profiles WHERE subject = ?", subject)
		return err
	})
}

// changesPerStatement is how many rows one statement deletes, so that it takes much less than a
// second.
const changesPerStatement = 1000

const (
	firstPostOfAuthor  = "SELECT id FROM posts WHERE author = ? LIMIT 1"
	firstCommentedPost = "SELECT post_id FROM comments WHERE author = ? LIMIT 1"
	deleteSomeChanges  = "DELETE FROM changes WHERE subject = ? ORDER BY id LIMIT ?"
)
