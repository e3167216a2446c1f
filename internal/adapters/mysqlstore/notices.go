package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Notices are what authors have not been told of. All is read from the writer, and all times are the database's.
//
// A recipient's notices come and go while the account's row is held, by the recipient and by those who comment. So they are
// committed in the order of their versions, and transactions that delete notices do not meet.
type Notices struct {
	databases *mysqlconn.Databases
}

// NewNotices returns the notices in databases.
func NewNotices(databases *mysqlconn.Databases) *Notices {
	return &Notices{databases: databases}
}

// addNotice is called while the account of the recipient is locked, once in a transaction.
func addNotice(ctx context.Context, tx *sql.Tx, locked lockedAccounts, recipient string, postID, commentID uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO comment_notices (recipient, version, post_id, comment_id, created_at)
		VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))`,
		recipient, locked[recipient].version, postID[:], commentID[:])
	return err
}

// Claim returns all that the recipient has not been told, if the oldest of it has that age. Nobody else gets it until the
// claim is settled or released, or the lease has passed. It fails with [notifications.ErrNothing], or with [notifications.ErrClaimed]
// while somebody else has it.
func (s *Notices) Claim(ctx context.Context, recipient string, age, lease time.Duration) (notifications.Claim, error) {
	claim := notifications.Claim{Holder: uuid.New()}
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		deleted, err := holdAccount(ctx, tx, recipient)
		if err != nil {
			return err
		}
		claim.Digest, err = readDigest(ctx, tx, recipient, age)
		if err != nil {
			return err
		}
		claim.Digest.Unwanted = claim.Digest.Unwanted || deleted
		var other bool
		err = tx.QueryRowContext(ctx, selectClaim, claim.Holder[:], recipient).Scan(&other)
		switch {
		case err == nil && other:
			return notifications.ErrClaimed
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err = tx.ExecContext(ctx, putClaim, recipient, claim.Holder[:], lease.Microseconds(), claim.Holder[:], lease.Microseconds())
		return err
	})
	if err != nil {
		return notifications.Claim{}, failed("claim notices", err)
	}
	return claim, nil
}

// holdAccount holds the row of an account until the end of the transaction, without a new version: there is nothing to sync.
// It must be the transaction's first statement. Who has no account, has no post that somebody could comment on.
func holdAccount(ctx context.Context, tx *sql.Tx, subject string) (deleted bool, err error) {
	var one lockedAccount
	err = tx.QueryRowContext(ctx, selectAccount+" FOR UPDATE", subject).Scan(&one.version, &one.deleted)
	return one.deleted, orNotFound(err, notifications.ErrNothing)
}

// readDigest sees one state of the database, as its transaction has not read without a lock before.
func readDigest(ctx context.Context, tx *sql.Tx, recipient string, age time.Duration) (notifications.Digest, error) {
	digest := notifications.Digest{Recipient: recipient}
	var due bool
	err := tx.QueryRowContext(ctx, countNotices, age.Microseconds(), recipient).Scan(&digest.Count, &digest.OnePost, &digest.Last, &due)
	if err != nil {
		return digest, err
	}
	if !due {
		return digest, notifications.ErrNothing
	}
	p, err := scanProfile(tx.QueryRowContext(ctx, selectProfile, recipient))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		digest.Unwanted = true
	case err != nil:
		return digest, err
	default:
		digest.Language, digest.Unwanted = p.Language, !p.CommentMails
	}
	digest.Comments, err = list(ctx, tx, scanNotice, listNotices, recipient, notifications.MaxComments)
	return digest, err
}

// Settle takes out the notices of a claim, and the claim. It does so too when the claim has run out: the recipient has been
// told. What has come since the claim stays.
func (s *Notices) Settle(ctx context.Context, claim notifications.Claim) error {
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		if _, err := holdAccount(ctx, tx, claim.Digest.Recipient); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, deleteNotices, claim.Digest.Recipient, claim.Digest.Last); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, deleteClaim, claim.Digest.Recipient, claim.Holder[:])
		return err
	})
	return failed("settle notices", err)
}

// Release ends a claim whose recipient has not been told. It is no error when the claim has run out.
func (s *Notices) Release(ctx context.Context, claim notifications.Claim) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, deleteClaim, claim.Digest.Recipient, claim.Holder[:])
		return err
	})
	return failed("release notices", err)
}

// NextOverdue returns the first recipient after another, by subject, who has a notice older than age. It fails with
// [notifications.ErrNothing] when there is none.
func (s *Notices) NextOverdue(ctx context.Context, after string, age time.Duration) (string, error) {
	next, err := retryQuery(ctx, s.databases.Writer, func(ctx context.Context, db *sql.DB) (next string, err error) {
		err = db.QueryRowContext(ctx, selectOverdue, after, age.Microseconds()).Scan(&next)
		return next, err
	})
	return next, failed("find overdue notices", orNotFound(err, notifications.ErrNothing))
}

const (
	countNotices = `
		SELECT COUNT(*), COALESCE(MIN(post_id) = MAX(post_id), FALSE), COALESCE(MAX(version), 0),
			COALESCE(MIN(created_at) + INTERVAL ? MICROSECOND <= UTC_TIMESTAMP(6), FALSE)
		FROM comment_notices WHERE recipient = ?`

	// The joins are outer ones, as those of posts. A notice has its comment, and a comment its post.
	listNotices = `
		SELECT c.id, c.post_id, p.title, COALESCE(a.display_name, ''), c.body
		FROM comment_notices n
		LEFT JOIN comments c ON c.post_id = n.post_id AND c.id = n.comment_id
		LEFT JOIN posts p ON p.id = n.post_id
		LEFT JOIN profiles a ON a.subject = c.author
		WHERE n.recipient = ? ORDER BY n.version LIMIT ?`

	deleteNotices = "DELETE FROM comment_notices WHERE recipient = ? AND version <= ?"
	// selectOverdue reads those notices in vain which are not overdue, so no more than came within that time.
	selectOverdue = `
		SELECT recipient FROM comment_notices
		WHERE recipient > ? AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND ORDER BY recipient, version LIMIT 1`

	// selectClaim tells whether a claim that has not run out is another's than this one's.
	selectClaim = "SELECT claim <> ? AND claimed_until > UTC_TIMESTAMP(6) FROM digests WHERE recipient = ?"
	// putClaim passes its values twice, as [Profiles.Put].
	putClaim = `
		INSERT INTO digests (recipient, claim, claimed_until) VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)
		ON DUPLICATE KEY UPDATE claim = ?, claimed_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND`
	deleteClaim    = "DELETE FROM digests WHERE recipient = ? AND claim = ?"
	deleteAnyClaim = "DELETE FROM digests WHERE recipient = ?"
)

func scanNotice(from row) (notifications.Comment, error) {
	var c notifications.Comment
	err := from.Scan(&c.ID, &c.PostID, &c.PostTitle, &c.AuthorName, &c.Body)
	return c, err
}
