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

// Posts stores posts and comments. It reads from a replica, so results may be some seconds old.
// Drafts must be clean. Methods that change data fail with [accounts.ErrDeleted] for a deleted
// account, except Delete, which the deletion of an account does too.
type Posts struct {
	databases *mysqlconn.Databases
}

// NewPosts returns the posts in databases.
func NewPosts(databases *mysqlconn.Databases) *Posts {
	return &Posts{databases: databases}
}

// Create creates a post that shows these pictures. If the author has already created a post with
// this idempotency key, it returns that post unchanged. An empty key is no key. It fails with
// [posts.ErrNoProfile] when the author has no profile, and with [pictures.ErrPendingDeletion] when
// a picture is pending deletion by now.
func (s *Posts) Create(
	ctx context.Context, author, idempotencyKey string, draft posts.Draft, pictureIDs ...uuid.UUID,
) (posts.Post, error) {
	id := uuid.Must(uuid.NewV7()) // fails only without a source of random numbers
	var created posts.Post
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockAccounts(ctx, tx, author)
		if err != nil {
			return err
		}
		if err := locked.requireActive(author); err != nil {
			return err
		}
		// An earlier request may have created it, or an earlier try of this one whose commit was
		// not acknowledged. While the account is locked, no other transaction can.
		if idempotencyKey != "" {
			created, err = scanPost(
				tx.QueryRowContext(ctx, selectPostByKey, author, idempotencyKey))
		} else {
			created, err = scanPost(tx.QueryRowContext(ctx, selectPost, id[:]))
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := requireProfile(ctx, tx, author); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO posts
				(id, author, idempotency_key, title, body, comment_count, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
			id[:], author, orNull(idempotencyKey), draft.Title, draft.Body)
		if err != nil {
			return err
		}
		if err := setPictures(ctx, tx, author, id, pictureIDs); err != nil {
			return err
		}
		if err := locked.recordChange(ctx, tx, author, accounts.KindPost, id); err != nil {
			return err
		}
		created, err = scanPost(tx.QueryRowContext(ctx, selectPost, id[:]))
		return err
	})
	if err != nil {
		return posts.Post{}, failed("create post", err)
	}
	return created, nil
}

// Created returns the post that the author has created with this idempotency key.
func (s *Posts) Created(ctx context.Context, author, idempotencyKey string) (posts.Post, error) {
	found, err := retryQuery(ctx, s.databases.Writer,
		func(ctx context.Context, db *sql.DB) (posts.Post, error) {
			if err := requireActiveAccount(ctx, db, author); err != nil {
				return posts.Post{}, err
			}
			return scanPost(db.QueryRowContext(ctx, selectPostByKey, author, idempotencyKey))
		})
	if err != nil {
		return posts.Post{}, failed("get created post", orNotFound(err, posts.ErrNotFound))
	}
	return found, nil
}

// Get returns a post.
func (s *Posts) Get(ctx context.Context, id uuid.UUID) (posts.Post, error) {
	found, err := read(ctx, s.databases, func(ctx context.Context, db *sql.DB) (posts.Post, error) {
		return scanPost(db.QueryRowContext(ctx, selectPost, id[:]))
	})
	if err != nil {
		return posts.Post{}, failed("get post", orNotFound(err, posts.ErrNotFound))
	}
	return found, nil
}

// List returns up to limit posts without their bodies, newest first. It starts after the post whose
// id is before, which need not exist any more, or with the newest when before is [uuid.Nil].
func (s *Posts) List(ctx context.Context, before uuid.UUID, limit int) ([]posts.Post, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	found, err := read(ctx, s.databases,
		func(ctx context.Context, db *sql.DB) ([]posts.Post, error) {
			return list(ctx, db, scanPost, listPosts, before[:], limit)
		})
	if err != nil {
		return nil, failed("list posts", err)
	}
	return found, nil
}

// Update replaces the author's draft of a post and the pictures that the post shows, as Create
// does. It fails with [posts.ErrNotFound] for another user's post. A picture that no post shows any
// more becomes pending deletion.
func (s *Posts) Update(
	ctx context.Context, author string, id uuid.UUID, draft posts.Draft, pictureIDs ...uuid.UUID,
) (posts.Post, error) {
	var updated posts.Post
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockOwnPost(ctx, tx, author, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			"UPDATE posts SET title = ?, body = ?, updated_at = UTC_TIMESTAMP(6) WHERE id = ?",
			draft.Title, draft.Body, id[:])
		if err != nil {
			return err
		}
		if err := setPictures(ctx, tx, author, id, pictureIDs); err != nil {
			return err
		}
		if err := locked.recordChange(ctx, tx, author, accounts.KindPost, id); err != nil {
			return err
		}
		updated, err = scanPost(tx.QueryRowContext(ctx, selectPost, id[:]))
		return err
	})
	if err != nil {
		return posts.Post{}, failed("update post", err)
	}
	return updated, nil
}

// Delete deletes a post of the author with all its comments. It fails with [posts.ErrNotFound] for
// another user's post. A post with many comments is deleted in several transactions: when ctx's
// time is not enough, the next call continues, and until then the post exists with the remaining
// comments. Pictures that no post shows any more become pending deletion.
func (s *Posts) Delete(ctx context.Context, author string, id uuid.UUID) error {
	found := false
	for {
		var gone bool
		err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) (err error) {
			gone, err = deletePost(ctx, tx, author, id)
			if found && errors.Is(err, posts.ErrNotFound) {
				gone, err = true, nil // deleted by an earlier try whose commit was not acknowledged
			}
			found = found || err == nil
			return err
		})
		if gone || err != nil {
			return failed("delete post", err)
		}
	}
}

// lockOwnPost locks the author's post and account. It fails when the account is deleted.
func lockOwnPost(
	ctx context.Context, tx *sql.Tx, author string, id uuid.UUID,
) (lockedAccounts, error) {
	owner, err := lockPost(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if owner != author {
		return nil, posts.ErrNotFound
	}
	locked, err := lockAccounts(ctx, tx, author)
	if err != nil {
		return nil, err
	}
	return locked, locked.requireActive(author)
}

// requireProfile fails when the author has no profile. The author's account must be locked, which
// keeps the profile until the end of the transaction.
func requireProfile(ctx context.Context, tx *sql.Tx, author string) error {
	_, err := scanProfile(tx.QueryRowContext(ctx, selectProfile, author))
	return orNotFound(err, posts.ErrNoProfile)
}

func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// An outer join, so that the optimizer does not begin with profiles; the author of a post always
// has one.
const (
	postHead = "SELECT p.id, p.author, COALESCE(a.display_name, ''), p.title, "
	postTail = `, p.comment_count, p.created_at, p.updated_at
		FROM posts p LEFT JOIN profiles a ON a.subject = p.author `

	selectPosts     = postHead + "p.body" + postTail
	selectPost      = selectPosts + "WHERE p.id = ?"
	selectPostByKey = selectPosts + "WHERE p.author = ? AND p.idempotency_key = ?"
	listPosts       = postHead + "''" + postTail + "WHERE p.id < ? ORDER BY p.id DESC LIMIT ?"
)

func scanPost(from row) (posts.Post, error) {
	var p posts.Post
	err := from.Scan(&p.ID, &p.Author, &p.AuthorName, &p.Title, &p.Body, &p.CommentCount,
		&p.CreatedAt, &p.UpdatedAt)
	return p, err
}
