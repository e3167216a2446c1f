package mysqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
)

// batchSize is how many comments one transaction deletes. Each may be another user's, whose account
// is locked meanwhile.
const batchSize = 50

// deletePost deletes a batch of the comments on the author's post and, with the last batch, the
// post. It also works for a deleted account, whose posts are deleted anyway.
func deletePost(
	ctx context.Context, tx *sql.Tx, author string, id uuid.UUID,
) (gone bool, err error) {
	owner, err := lockPost(ctx, tx, id)
	if err != nil {
		return false, err
	}
	if owner != author {
		return false, posts.ErrNotFound
	}
	// The post's lock protects its comments.
	comments, err := list(ctx, tx, scanOwned, listCommentsOfPost, id[:], batchSize)
	if err != nil {
		return false, err
	}
	subjects, ids := []string{author}, []uuid.UUID{}
	for _, comment := range comments {
		subjects, ids = append(subjects, comment.author), append(ids, comment.id)
	}
	locked, err := lockAccounts(ctx, tx, subjects...)
	if err != nil {
		return false, err
	}
	if err := deleteComments(ctx, tx, ids); err != nil {
		return false, err
	}
	for _, comment := range comments {
		err := locked.recordChange(ctx, tx, comment.author, accounts.KindComment, comment.id)
		if err != nil {
			return false, err
		}
	}
	if len(comments) == batchSize {
		return false, addComments(ctx, tx, locked, author, id, -len(comments))
	}
	if err := removeAllPictures(ctx, tx, id); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM posts WHERE id = ?", id[:]); err != nil {
		return false, err
	}
	return true, locked.recordChange(ctx, tx, author, accounts.KindPost, id)
}

// deleteComment deletes the author's comment. It fails when the author's account is deleted.
func deleteComment(ctx context.Context, tx *sql.Tx, author string, postID, id uuid.UUID) error {
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
	if err := requireOwnComment(ctx, tx, author, postID, id); err != nil {
		return err
	}
	if err := deleteComments(ctx, tx, []uuid.UUID{id}); err != nil {
		return err
	}
	if err := locked.recordChange(ctx, tx, author, accounts.KindComment, id); err != nil {
		return err
	}
	return addComments(ctx, tx, locked, owner, postID, -1)
}

// deleteCommentsOf deletes a batch of the author's comments on another user's post, as part of the
// deletion of the author's account.
func deleteCommentsOf(ctx context.Context, tx *sql.Tx, author string, postID uuid.UUID) error {
	owner, err := lockPost(ctx, tx, postID)
	if err != nil {
		return err
	}
	// The post's lock protects them, as in deletePost.
	comments, err := list(ctx, tx, scanOwned, listCommentsOfAuthor, author, postID[:], batchSize)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, comment := range comments {
		ids = append(ids, comment.id)
	}
	locked, err := lockAccounts(ctx, tx, owner)
	if err != nil {
		return err
	}
	if err := deleteComments(ctx, tx, ids); err != nil {
		return err
	}
	return addComments(ctx, tx, locked, owner, postID, -len(ids))
}

// deleteComments deletes comments on a post, which must be locked.
func deleteComments(ctx context.Context, tx *sql.Tx, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, //nolint:gosec // only question marks
		deleteSomeComments+in(ids), bytesOf(ids)...)
	return err
}

// in returns a SQL list with one parameter per id.
func in(ids []uuid.UUID) string {
	return "(?" + strings.Repeat(", ?", len(ids)-1) + ")"
}

// bytesOf returns ids as the driver needs them: it would send a [uuid.UUID] as text.
func bytesOf(ids []uuid.UUID) []any {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return args
}

const (
	listCommentsOfPost   = "SELECT id, author FROM comments WHERE post_id = ? ORDER BY id LIMIT ?"
	listCommentsOfAuthor = "SELECT id, author FROM comments " +
		"WHERE author = ? AND post_id = ? LIMIT ?"
	deleteSomeComments = "DELETE FROM comments WHERE id IN "
)

// An owned object is the part of a comment that its deletion needs.
type owned struct {
	id     uuid.UUID
	author string
}

func scanOwned(from row) (owned, error) {
	var one owned
	err := from.Scan(&one.id, &one.author)
	return one, err
}
