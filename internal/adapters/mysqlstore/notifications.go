package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Notifications stores which comments authors have not been notified of. It reads from the writer,
// and all times are the database's.
//
// Transactions that add or delete a recipient's notifications, those of the recipient and of
// commenters, lock the row of the recipient's account. So notifications are committed in the order
// of their versions, and transactions that delete notifications do not overlap.
type Notifications struct {
	databases *mysqlconn.Databases
}

// NewNotifications returns the notifications in databases.
func NewNotifications(databases *mysqlconn.Databases) *Notifications {
	return &Notifications{databases: databases}
}

// addNotification adds a notification. The recipient's account must be locked. A transaction may
// call it once.
func addNotification(
	ctx context.Context, tx *sql.Tx, locked lockedAccounts, recipient string,
	postID, commentID uuid.UUID,
) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO comment_notifications (recipient, version, post_id, comment_id, created_at)
		VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))`,
		recipient, locked[recipient].version, postID[:], commentID[:])
	return err
}

// Lease returns all pending notifications of the recipient if the oldest one is at least age old.
// No other caller gets them until the lease is acknowledged, released or expired. It fails with
// [email.ErrNothingToSend] when none are due, or with [notifications.ErrLeased] while another
// caller has the lease.
func (s *Notifications) Lease(
	ctx context.Context, recipient string, age, leaseDuration time.Duration,
) (notifications.Lease, error) {
	lease := notifications.Lease{Holder: uuid.New()}
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		deleted, err := lockRecipient(ctx, tx, recipient)
		if err != nil {
			return err
		}
		lease.Digest, err = readDigest(ctx, tx, recipient, age)
		if err != nil {
			return err
		}
		lease.Digest.Unwanted = lease.Digest.Unwanted || deleted
		var other bool
		err = tx.QueryRowContext(ctx, selectLease, lease.Holder[:], recipient).Scan(&other)
		switch {
		case err == nil && other:
			return notifications.ErrLeased
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err = tx.ExecContext(ctx, putLease, recipient, lease.Holder[:],
			leaseDuration.Microseconds(), lease.Holder[:], leaseDuration.Microseconds())
		return err
	})
	if err != nil {
		return notifications.Lease{}, failed("lease notifications", err)
	}
	return lease, nil
}

// lockRecipient locks the row of an account until the end of the transaction, without a new
// version: there is nothing to sync. It must be the transaction's first statement. A recipient
// without an account has no posts to comment on, so there is nothing to send.
func lockRecipient(ctx context.Context, tx *sql.Tx, subject string) (deleted bool, err error) {
	var one lockedAccount
	found := tx.QueryRowContext(ctx, selectAccount+" FOR UPDATE", subject)
	err = found.Scan(&one.version, &one.deleted)
	return one.deleted, orNotFound(err, email.ErrNothingToSend)
}

// readDigest reads one snapshot of the database: its transaction must not have read without a lock
// before.
func readDigest(
	ctx context.Context, tx *sql.Tx, recipient string, age time.Duration,
) (notifications.Digest, error) {
	digest := notifications.Digest{Recipient: recipient}
	var due bool
	count := tx.QueryRowContext(ctx, countNotifications, age.Microseconds(), recipient)
	err := count.Scan(&digest.Count, &digest.OnePost, &digest.LastVersion, &due)
	if err != nil {
		return digest, err
	}
	if !due {
		return digest, email.ErrNothingToSend
	}
	p, err := scanProfile(tx.QueryRowContext(ctx, selectProfile, recipient))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		digest.Unwanted = true
	case err != nil:
		return digest, err
	default:
		digest.Language, digest.Unwanted = p.Language, !p.CommentNotifications
	}
	digest.Comments, err = list(ctx, tx, scanNotification, listNotifications, recipient,
		notifications.MaxComments)
	return digest, err
}

// Acknowledge deletes the notifications of a lease, and the lease, even when the lease has expired:
// the mail has been sent. Notifications that were added after the lease remain.
func (s *Notifications) Acknowledge(ctx context.Context, lease notifications.Lease) error {
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		if _, err := lockRecipient(ctx, tx, lease.Digest.Recipient); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, deleteNotifications,
			lease.Digest.Recipient, lease.Digest.LastVersion)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, deleteLease, lease.Digest.Recipient, lease.Holder[:])
		return err
	})
	return failed("acknowledge notifications", err)
}

// Release ends a lease whose mail was not sent. It is no error when the lease has expired.
func (s *Notifications) Release(ctx context.Context, lease notifications.Lease) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx,
			deleteLease, lease.Digest.Recipient, lease.Holder[:])
		return err
	})
	return failed("release notifications", err)
}

// NextOverdue returns the first recipient after the subject after who has a notification older than
// age. It fails with [email.ErrNothingToSend] when there is none.
func (s *Notifications) NextOverdue(
	ctx context.Context, after string, age time.Duration,
) (string, error) {
	next, err := retryQuery(ctx, s.databases.Writer,
		func(ctx context.Context, db *sql.DB) (next string, err error) {
			err = db.QueryRowContext(ctx, selectOverdue, after, age.Microseconds()).Scan(&next)
			return next, err
		})
	return next, failed("find overdue notifications", orNotFound(err, email.ErrNothingToSend))
}

const (
	countNotifications = `
		SELECT COUNT(*), COALESCE(MIN(post_id) = MAX(post_id), FALSE), COALESCE(MAX(version), 0),
			COALESCE(MIN(created_at) + INTERVAL ? MICROSECOND <= UTC_TIMESTAMP(6), FALSE)
		FROM comment_notifications WHERE recipient = ?`

	// Outer joins, as for posts. Every notification has a comment, and every comment a post.
	listNotifications = `
		SELECT c.id, c.post_id, p.title, COALESCE(a.display_name, ''), c.body
		FROM comment_notifications n
		LEFT JOIN comments c ON c.post_id = n.post_id AND c.id = n.comment_id
		LEFT JOIN posts p ON p.id = n.post_id
		LEFT JOIN profiles a ON a.subject = c.author
		WHERE n.recipient = ? ORDER BY n.version LIMIT ?`

	deleteNotifications = "DELETE FROM comment_notifications WHERE recipient = ? AND version <= ?"
	// selectOverdue also scans notifications that are not overdue: at most those added within age.
	selectOverdue = `
		SELECT recipient FROM comment_notifications
		WHERE recipient > ? AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND
		ORDER BY recipient, version LIMIT 1`

	// selectLease reports whether another holder has an unexpired lease.
	selectLease = "SELECT holder <> ? AND leased_until > UTC_TIMESTAMP(6) " +
		"FROM notification_leases WHERE recipient = ?"
	// putLease passes its values twice, as [Profiles.Put] does.
	putLease = `
		INSERT INTO notification_leases (recipient, holder, leased_until)
		VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)
		ON DUPLICATE KEY UPDATE
			holder = ?, leased_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND`
	deleteLease    = "DELETE FROM notification_leases WHERE recipient = ? AND holder = ?"
	deleteAnyLease = "DELETE FROM notification_leases WHERE recipient = ?"
)

func scanNotification(from row) (notifications.Comment, error) {
	var c notifications.Comment
	err := from.Scan(&c.ID, &c.PostID, &c.PostTitle, &c.AuthorName, &c.Body)
	return c, err
}
