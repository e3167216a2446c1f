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

// Posts keeps posts and comments in the tables of these names. What is read comes from a replica, so it may be some
// seconds old. The drafts it is given must be clean. Users whose account is deleted get [accounts.ErrDeleted] for all
// that they would change, but may still Delete a post: the end of the account does so too.
type Posts struct {
	databases *mysqlconn.Databases
}

// NewPosts returns the posts in databases.
func NewPosts(databases *mysqlconn.Databases) *Posts {
	return &Posts{databases: databases}
}

// Create makes a post that shows these pictures, unless there is one of this author and idempotency key, which is returned
// as it is. An empty key is none. The author must have a profile, or gets [posts.ErrNoProfile]. When a picture has
// become pending deletion meanwhile, the error is [pictures.ErrPendingDeletion].
func (s *Posts) Create(ctx context.Context, author, idempotencyKey string, draft posts.Draft, pictureIDs ...uuid.UUID) (posts.Post, error) {
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
		// An earlier request may have made it, or an earlier try of this one whose commit nobody heard of. While the
		// account is locked, nobody else can.
		if idempotencyKey != "" {
			created, err = scanPost(tx.QueryRowContext(ctx, selectPostByKey, author, idempotencyKey))
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
			INSERT INTO posts (id, author, idempotency_key, title, body, comment_count, created_at, updated_at)
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

// Created returns the post that the author has made with this idempotency key.
func (s *Posts) Created(ctx context.Context, author, idempotencyKey string) (posts.Post, error) {
	found, err := retryQuery(ctx, s.databases.Writer, func(ctx context.Context, db *sql.DB) (posts.Post, error) {
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

// List returns up to limit posts without their bodies, newest first: those older than the post before, which need not
// exist any more, or the newest of all when it is [uuid.Nil].
func (s *Posts) List(ctx context.Context, before uuid.UUID, limit int) ([]posts.Post, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	found, err := read(ctx, s.databases, func(ctx context.Context, db *sql.DB) ([]posts.Post, error) {
		return list(ctx, db, scanPost, listPosts, before[:], limit)
	})
	if err != nil {
		return nil, failed("list posts", err)
	}
	return found, nil
}

// Update replaces what the author has written of a post, and the pictures that it shows, as Create does. A post of somebody
// else is not found. A picture that it has no more and no other post has is pending deletion then.
func (s *Posts) Update(ctx context.Context, author string, id uuid.UUID, draft posts.Draft, pictureIDs ...uuid.UUID) (posts.Post, error) {
	var updated posts.Post
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		locked, err := lockOwnPost(ctx, tx, author, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE posts SET title = ?, body = ?, updated_at = UTC_TIMESTAMP(6) WHERE id = ?",
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

// Delete removes a post of the author with all its comments. A post of somebody else is not found. A post with many
// comments goes in several transactions: what does not fit into ctx's time is done by the next call, and until then the
// post is there, with the comments that are left. Its pictures that no other post shows are pending deletion then.
func (s *Posts) Delete(ctx context.Context, author string, id uuid.UUID) error {
	found := false
	for {
		var gone bool
		err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) (err error) {
			gone, err = deletePost(ctx, tx, author, id)
			if found && errors.Is(err, posts.ErrNotFound) {
				gone, err = true, nil // with an earlier try, whose commit nobody heard of
			}
			found = found || err == nil
			return err
		})
		if gone || err != nil {
			return failed("delete post", err)
		}
	}
}

// lockOwnPost locks a post of the author's and the account, which must not be deleted.
func lockOwnPost(ctx context.Context, tx *sql.Tx, author string, id uuid.UUID) (lockedAccounts, error) {
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

// requireProfile is called while the author's account is locked: the profile stays until the end of the transaction.
func requireProfile(ctx context.Context, tx *sql.Tx, author string) error {
	_, err := scanProfile(tx.QueryRowContext(ctx, selectProfile, author))
	return orNotFound(err, posts.ErrNoProfile)
}

func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// The join is an outer one, lest the optimiser begin with profiles; a post's author has one.
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
	err := from.Scan(&p.ID, &p.Author, &p.AuthorName, &p.Title, &p.Body, &p.CommentCount, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}
