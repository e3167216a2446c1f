package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// Pictures stores which pictures are promoted and which posts show them. The lock on the account's
// row protects a user's pictures, like all data of the user.
type Pictures struct {
	databases *mysqlconn.Databases
}

// NewPictures returns the pictures in databases.
func NewPictures(databases *mysqlconn.Databases) *Pictures {
	return &Pictures{databases: databases}
}

// The states of a picture, in their order.
const (
	// The picture is being copied, or the copy was interrupted. No post shows it.
	stateCopying = "copying"
	// At least one post shows the picture.
	statePromoted = "promoted"
	// No post will ever show the picture again. Its object is deleted first, then its row.
	statePendingDeletion = "pending_deletion"
)

// StartPromotions returns what is to be copied so that a post can show these pictures. It fails
// with [accounts.ErrDeleted] for a deleted account.
func (s *Pictures) StartPromotions(
	ctx context.Context, author string, shown []pictures.Reference,
) ([]pictures.Promotion, error) {
	var promotions []pictures.Promotion
	err := mysqlconn.Transact(ctx, s.databases.Writer, func(tx *sql.Tx) error {
		promotions = make([]pictures.Promotion, len(shown))
		locked, err := lockAccounts(ctx, tx, author)
		if err != nil {
			return err
		}
		if err := locked.requireActive(author); err != nil {
			return err
		}
		for i, picture := range shown {
			promotions[i], err = startPromotion(ctx, tx, author, picture)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed("promote pictures", err)
	}
	return promotions, nil
}

// startPromotion returns the promotion of one picture. The author's account must be locked. A row
// in the state copying does not count: that copy belongs to another request, it may not have
// succeeded, and this request must not wait for it.
func startPromotion(
	ctx context.Context, tx *sql.Tx, author string, picture pictures.Reference,
) (pictures.Promotion, error) {
	var id uuid.UUID
	if picture.Owner == "" {
		err := tx.QueryRowContext(ctx, selectPromoted, picture.ID[:], author).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return pictures.Promotion{Missing: true}, nil
		}
		return pictures.Promotion{ID: id}, err
	}
	if picture.Owner != pictures.Owner(author) {
		return pictures.Promotion{Missing: true}, nil
	}
	err := tx.QueryRowContext(ctx, selectPromotedUpload, author, picture.ID[:]).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return pictures.Promotion{ID: id}, err
	}
	id = uuid.New()
	_, err = tx.ExecContext(ctx,
		"INSERT INTO pictures (id, owner, upload, state, created_at) "+
			"VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))",
		id[:], author, picture.ID[:], stateCopying)
	return pictures.Promotion{ID: id, CopyFrom: picture.Key()}, err
}

// AbandonPromotions marks pictures that are still being copied as pending deletion. It waits for a
// post that is about to be committed.
func (s *Pictures) AbandonPromotions(ctx context.Context, ids []uuid.UUID) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, //nolint:gosec // only question marks
			abandonPromotions+in(ids), bytesOf(ids)...)
		return err
	})
	return failed("abandon promotions", err)
}

// PendingDeletion returns up to limit of the user's pictures that are pending deletion. It takes no
// locks when there are no abandoned promotions, which is nearly always: an update by the index of
// states would also lock neighboring entries, which other requests may be writing, and deadlock
// with those.
func (s *Pictures) PendingDeletion(
	ctx context.Context, owner string, limit int,
) ([]uuid.UUID, error) {
	ids := func(query string, args ...any) ([]uuid.UUID, error) {
		return retryQuery(ctx, s.databases.Writer,
			func(ctx context.Context, db *sql.DB) ([]uuid.UUID, error) {
				return list(ctx, db, scanID, query, args...)
			})
	}
	abandoned, err := ids(listAbandoned, owner, int(pictures.CopyTime.Seconds()), limit)
	if err != nil {
		return nil, failed("list abandoned promotions", err)
	}
	if len(abandoned) > 0 {
		if err := s.AbandonPromotions(ctx, abandoned); err != nil {
			return nil, err
		}
	}
	found, err := ids(listPendingDeletion, owner, limit)
	return found, failed("list pictures pending deletion", err)
}

// Purge deletes the rows of pictures that are pending deletion.
func (s *Pictures) Purge(ctx context.Context, ids []uuid.UUID) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, //nolint:gosec // only question marks
			purgePictures+in(ids), bytesOf(ids)...)
		return err
	})
	return failed("purge pictures", err)
}

// HasAny reports whether the user has a picture in any state.
func (s *Pictures) HasAny(ctx context.Context, owner string) (bool, error) {
	_, err := retryQuery(ctx, s.databases.Writer,
		func(ctx context.Context, db *sql.DB) (one int, err error) {
			err = db.QueryRowContext(ctx, selectAnyPicture, owner).Scan(&one)
			return one, err
		})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, failed("look for pictures", err)
}

// setPictures replaces the pictures that a post shows. The post and its author's account must be
// locked, and the pictures' objects must exist. It fails with [pictures.ErrPendingDeletion] when a
// picture is pending deletion by now.
func setPictures(
	ctx context.Context, tx *sql.Tx, author string, postID uuid.UUID, shown []uuid.UUID,
) error {
	current, err := list(ctx, tx, scanID, listPicturesOfPost, postID[:])
	if err != nil {
		return err
	}
	without := func(ids, others []uuid.UUID) []uuid.UUID {
		return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
			return slices.Contains(others, id)
		})
	}
	if err := addPictures(ctx, tx, author, postID, without(shown, current)); err != nil {
		return err
	}
	return removePictures(ctx, tx, postID, without(current, shown))
}

func addPictures(
	ctx context.Context, tx *sql.Tx, author string, postID uuid.UUID, added []uuid.UUID,
) error {
	if len(added) == 0 {
		return nil
	}
	available, err := list(ctx, tx, scanID, lockAvailable+in(added)+" FOR UPDATE",
		append([]any{author}, bytesOf(added)...)...)
	if err != nil {
		return err
	}
	if len(available) < len(added) {
		return pictures.ErrPendingDeletion
	}
	rows := strings.TrimSuffix(strings.Repeat("(?, ?), ", len(added)), ", ")
	var args []any
	for _, id := range bytesOf(added) {
		args = append(args, postID[:], id)
	}
	_, err = tx.ExecContext(ctx, //nolint:gosec // only question marks
		insertPostPictures+rows, args...)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, //nolint:gosec // only question marks
		markPromoted+in(added), bytesOf(added)...)
	return err
}

// removePictures removes pictures from a post. The post and its author's account must be locked.
// Pictures that no other post shows become pending deletion. The query for other posts is a locking
// read, which sees what is committed: a transaction that has read without a lock before it locked
// the account, as a deletion has, would otherwise miss later changes.
func removePictures(ctx context.Context, tx *sql.Tx, postID uuid.UUID, dropped []uuid.UUID) error {
	if len(dropped) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, //nolint:gosec // only question marks
		deletePostPictures+in(dropped), append([]any{postID[:]}, bytesOf(dropped)...)...)
	if err != nil {
		return err
	}
	referenced, err := list(ctx, tx, scanID, lockReferenced+in(dropped)+" FOR UPDATE",
		bytesOf(dropped)...)
	if err != nil {
		return err
	}
	unreferenced := slices.DeleteFunc(slices.Clone(dropped), func(id uuid.UUID) bool {
		return slices.Contains(referenced, id)
	})
	if len(unreferenced) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, //nolint:gosec // only question marks
		markPendingDeletion+in(unreferenced), bytesOf(unreferenced)...)
	return err
}

// removeAllPictures is removePictures for all pictures of the post.
func removeAllPictures(ctx context.Context, tx *sql.Tx, postID uuid.UUID) error {
	// The post's lock protects them.
	current, err := list(ctx, tx, scanID, listPicturesOfPost, postID[:])
	if err != nil {
		return err
	}
	return removePictures(ctx, tx, postID, current)
}

const (
	selectPromoted = "SELECT id FROM pictures WHERE id = ? AND owner = ? AND state = '" +
		statePromoted + "'"
	selectPromotedUpload = "SELECT id FROM pictures WHERE owner = ? AND upload = ? AND state = '" +
		statePromoted + "' LIMIT 1"

	listAbandoned = "SELECT id FROM pictures WHERE owner = ? AND state = '" + stateCopying + "'" +
		" AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND LIMIT ?"
	abandonPromotions = "UPDATE pictures SET state = '" + statePendingDeletion +
		"' WHERE state = '" + stateCopying + "' AND id IN "
	listPendingDeletion = "SELECT id FROM pictures WHERE owner = ? AND state = '" +
		statePendingDeletion + "' LIMIT ?"
	// markAllPendingDeletion is for a user without posts.
	markAllPendingDeletion = "UPDATE pictures SET state = '" + statePendingDeletion +
		"' WHERE owner = ? AND state = '" + statePromoted + "'"

	selectAnyPicture = "SELECT 1 FROM pictures WHERE owner = ? LIMIT 1"
	purgePictures    = "DELETE FROM pictures WHERE state = '" + statePendingDeletion +
		"' AND id IN "

	listPicturesOfPost = "SELECT picture_id FROM post_pictures WHERE post_id = ?"
	// lockAvailable forces the primary key: for an owner with few pictures, MySQL would use an
	// index of the owner and lock neighboring entries too.
	lockAvailable = "SELECT id FROM pictures FORCE INDEX (`PRIMARY`) WHERE owner = ? AND " +
		"state <> '" + statePendingDeletion + "' AND id IN "
	lockReferenced      = "SELECT picture_id FROM post_pictures WHERE picture_id IN "
	insertPostPictures  = "INSERT INTO post_pictures (post_id, picture_id) VALUES "
	deletePostPictures  = "DELETE FROM post_pictures WHERE post_id = ? AND picture_id IN "
	markPromoted        = "UPDATE pictures SET state = '" + statePromoted + "' WHERE id IN "
	markPendingDeletion = "UPDATE pictures SET state = '" + statePendingDeletion + "' WHERE id IN "
)

func scanID(from row) (id uuid.UUID, err error) {
	err = from.Scan(&id)
	return id, err
}
