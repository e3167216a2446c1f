package mysqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// CreateComment creates a comment on a post. If the author has already created a comment on it with
// this idempotency key, it returns that comment unchanged. An empty key is no key. It adds a
// notification for the author of the post, unless that is the author of the comment. It fails with
// [posts.ErrNoProfile] when the author of the comment has no profile, and with [posts.ErrNotFound]
// when the account of the post's author is deleted.
func (s *Posts) CreateComment(
	ctx context.Context, author, idempotencyKey string, postID uuid.UUID, body string,
) (posts.NewComment, error) {
	id := uuid.Must(uuid.NewV7()) // fails only without a source of random numbers
	var created posts.NewComment
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		owner, err := lockPost(ctx, tx, postID)
		if err != nil {
			return err
		}
		locked, err := lockAccounts(ctx, tx, author, owner)
		if err != nil {
			return err
		}
		if err := locked.requireActive(author); err != nil {
			return err
		}
		if locked[owner].deleted {
			return posts.ErrNotFound // the deletion of the account will delete the post
		}
		if owner != author {
			created.Recipient = owner
		}
		if idempotencyKey != "" { // as in Create
			created.Comment, err = scanComment(
				tx.QueryRowContext(ctx, selectCommentByKey, author, postID[:], idempotencyKey))
		} else {
			created.Comment, err = scanComment(
				tx.QueryRowContext(ctx, selectComment, postID[:], id[:]))
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := requireProfile(ctx, tx, author); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO comments
				(post_id, id, author, idempotency_key, body, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
			postID[:], id[:], author, orNull(idempotencyKey), body)
		if err != nil {
			return err
		}
		if created.Recipient != "" {
			if err := addNotification(ctx, tx, locked, created.Recipient, postID, id); err != nil {
				return err
			}
		}
		if err := locked.recordChange(ctx, tx, author, accounts.KindComment, id); err != nil {
			return err
		}
		if err := addComments(ctx, tx, locked, owner, postID, 1); err != nil {
			return err
		}
		created.Comment, err = scanComment(tx.QueryRowContext(ctx, selectComment, postID[:], id[:]))
		return err
	})
	if err != nil {
		return posts.NewComment{}, failed("create comment", err)
	}
	return created, nil
}

// GetComment returns a comment on the post.
func (s *Posts) GetComment(ctx context.Context, postID, id uuid.UUID) (posts.Comment, error) {
	found, err := read(ctx, s.databases,
		func(ctx context.Context, db *sql.DB) (posts.Comment, error) {
			return scanComment(db.QueryRowContext(ctx, selectComment, postID[:], id[:]))
		})
	if err != nil {
		return posts.Comment{}, failed("get comment", orNotFound(err, posts.ErrNotFound))
	}
	return found, nil
}

// ListComments returns up to limit comments on a post, oldest first. It starts after the comment
// whose id is after, which need not exist any more, or with the oldest when after is [uuid.Nil].
func (s *Posts) ListComments(
	ctx context.Context, postID, after uuid.UUID, limit int,
) ([]posts.Comment, error) {
	found, err := read(ctx, s.databases,
		func(ctx context.Context, db *sql.DB) ([]posts.Comment, error) {
			found, err := list(ctx, db, scanComment, listComments, postID[:], after[:], limit)
			if err != nil || len(found) > 0 {
				return found, err
			}
			var one int
			post := db.QueryRowContext(ctx, "SELECT 1 FROM posts WHERE id = ?", postID[:])
			return nil, post.Scan(&one)
		})
	if err != nil {
		return nil, failed("list comments", orNotFound(err, posts.ErrNotFound))
	}
	return found, nil
}

// UpdateComment replaces the body of the author's comment. It fails with [posts.ErrNotFound] for
// another user's comment.
func (s *Posts) UpdateComment(
	ctx context.Context, author string, postID, id uuid.UUID, body string,
) (posts.Comment, error) {
	var updated posts.Comment
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		// The post does not change, so it is not locked.
		locked, err := lockAccounts(ctx, tx, author)
		if err != nil {
			return err
		}
		if err := locked.requireActive(author); err != nil {
			return err
		}
		if err := requireOwnComment(ctx, tx, author, postID, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			"UPDATE comments SET body = ?, updated_at = UTC_TIMESTAMP(6) "+
				"WHERE post_id = ? AND id = ?",
			body, postID[:], id[:])
		if err != nil {
			return err
		}
		if err := locked.recordChange(ctx, tx, author, accounts.KindComment, id); err != nil {
			return err
		}
		updated, err = scanComment(tx.QueryRowContext(ctx, selectComment, postID[:], id[:]))
		return err
	})
	if err != nil {
		return posts.Comment{}, failed("update comment", err)
	}
	return updated, nil
}

// DeleteComment deletes the author's comment. It fails with [posts.ErrNotFound] for another user's
// comment.
func (s *Posts) DeleteComment(ctx context.Context, author string, postID, id uuid.UUID) error {
	found := false
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		err := deleteComment(ctx, tx, author, postID, id)
		if found && errors.Is(err, posts.ErrNotFound) {
			return nil // as in Delete
		}
		found = found || err == nil
		return err
	})
	return failed("delete comment", err)
}

// requireOwnComment fails when the comment is another user's. The author's account must be locked,
// which protects the author's comments from changes.
func requireOwnComment(ctx context.Context, tx *sql.Tx, author string, postID, id uuid.UUID) error {
	found, err := scanComment(tx.QueryRowContext(ctx, selectComment, postID[:], id[:]))
	if err == nil && found.Author != author {
		return posts.ErrNotFound
	}
	return orNotFound(err, posts.ErrNotFound)
}

// addComments adds n to the comment count of a post. The post and its author's account must be
// locked.
func addComments(
	ctx context.Context, tx *sql.Tx, locked lockedAccounts, author string, postID uuid.UUID, n int,
) error {
	_, err := tx.ExecContext(ctx,
		"UPDATE posts SET comment_count = comment_count + ? WHERE id = ?", n, postID[:])
	if err != nil {
		return err
	}
	return locked.recordChange(ctx, tx, author, accounts.KindPost, postID)
}

const (
	selectComments = `
		SELECT c.post_id, c.id, c.author, COALESCE(a.display_name, ''), c.body,
			c.created_at, c.updated_at
		FROM comments c LEFT JOIN profiles a ON a.subject = c.author `

	selectComment      = selectComments + "WHERE c.post_id = ? AND c.id = ?"
	selectCommentByKey = selectComments +
		"WHERE c.author = ? AND c.post_id = ? AND c.idempotency_key = ?"
	listComments = selectComments + "WHERE c.post_id = ? AND c.id > ? ORDER BY c.id LIMIT ?"
)

func scanComment(from row) (posts.Comment, error) {
	var c posts.Comment
	err := from.Scan(&c.PostID, &c.ID, &c.Author, &c.AuthorName, &c.Body, &c.CreatedAt,
		&c.UpdatedAt)
	return c, err
}
