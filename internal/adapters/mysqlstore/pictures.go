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

// Pictures notes which pictures are kept, and by which posts. A user's are protected by the row of the account, as all
// that the user has.
type Pictures struct {
	databases *mysqlconn.Databases
}

// NewPictures returns the notes in databases.
func NewPictures(databases *mysqlconn.Databases) *Pictures {
	return &Pictures{databases: databases}
}

// The states of a picture, in their order.
const (
	stateCopying         = "copying"          // a save copies it, or was cut off; no post shows it
	statePromoted        = "promoted"         // posts show it
	statePendingDeletion = "pending_deletion" // no post shows it, nor ever will; it is deleted, and then its row
)

// StartPromotions says what to do so that a post can show these pictures. A user whose account is deleted gets
// [accounts.ErrDeleted].
func (s *Pictures) StartPromotions(ctx context.Context, author string, shown []pictures.Reference) ([]pictures.Promotion, error) {
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

// startPromotion is called while the author's account is locked. What is being copied is another save's own: it is not known
// whether it is there, and nobody else may wait for it.
func startPromotion(ctx context.Context, tx *sql.Tx, author string, picture pictures.Reference) (pictures.Promotion, error) {
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
	_, err = tx.ExecContext(ctx, "INSERT INTO pictures (id, owner, upload, state, created_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))",
		id[:], author, picture.ID[:], stateCopying)
	return pictures.Promotion{ID: id, CopyFrom: picture.Key()}, err
}

// AbandonPromotions marks those pictures as pending deletion that are still being copied. It waits for a post that is about
// to be committed.
func (s *Pictures) AbandonPromotions(ctx context.Context, ids []uuid.UUID) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, abandonPromotions+in(ids), bytesOf(ids)...) //nolint:gosec // only question marks
		return err
	})
	return failed("abandon promotions", err)
}

// PendingDeletion lists up to limit of the user's pictures that are to be deleted. It locks nothing where nothing has been given
// up, which is nearly always: to change by the index of states would mean to lock entries next to those, of whatever save
// has them, and to deadlock with it.
func (s *Pictures) PendingDeletion(ctx context.Context, owner string, limit int) ([]uuid.UUID, error) {
	ids := func(query string, args ...any) ([]uuid.UUID, error) {
		return retryQuery(ctx, s.databases.Writer, func(ctx context.Context, db *sql.DB) ([]uuid.UUID, error) {
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

// Purge removes the rows of pictures that are pending deletion.
func (s *Pictures) Purge(ctx context.Context, ids []uuid.UUID) error {
	err := mysqlconn.Retry(ctx, func() error {
		_, err := s.databases.Writer.ExecContext(ctx, purgePictures+in(ids), bytesOf(ids)...) //nolint:gosec // only question marks
		return err
	})
	return failed("purge pictures", err)
}

// HasAny tells whether the user has a row, in whatever state.
func (s *Pictures) HasAny(ctx context.Context, owner string) (bool, error) {
	_, err := retryQuery(ctx, s.databases.Writer, func(ctx context.Context, db *sql.DB) (one int, err error) {
		err = db.QueryRowContext(ctx, selectAnyPicture, owner).Scan(&one)
		return one, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, failed("look for pictures", err)
}

// setPictures has a post, which is locked with its author's account, show these pictures and no others. They are all in
// their places. It fails with [pictures.ErrPendingDeletion] when one has become pending deletion since.
func setPictures(ctx context.Context, tx *sql.Tx, author string, postID uuid.UUID, shown []uuid.UUID) error {
	had, err := list(ctx, tx, scanID, listPicturesOfPost, postID[:])
	if err != nil {
		return err
	}
	without := func(ids, others []uuid.UUID) []uuid.UUID {
		return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return slices.Contains(others, id) })
	}
	if err := addPictures(ctx, tx, author, postID, without(shown, had)); err != nil {
		return err
	}
	return removePictures(ctx, tx, postID, without(had, shown))
}

func addPictures(ctx context.Context, tx *sql.Tx, author string, postID uuid.UUID, added []uuid.UUID) error {
	if len(added) == 0 {
		return nil
	}
	available, err := list(ctx, tx, scanID, lockAvailable+in(added)+" FOR UPDATE", append([]any{author}, bytesOf(added)...)...)
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
	if _, err := tx.ExecContext(ctx, "INSERT INTO post_pictures (post_id, picture_id) VALUES "+rows, args...); err != nil { //nolint:gosec // only question marks
		return err
	}
	_, err = tx.ExecContext(ctx, markPromoted+in(added), bytesOf(added)...) //nolint:gosec // only question marks
	return err
}

// removePictures takes pictures out of a post, which is locked with its author's account. Those that are in no other post
// are pending deletion then. It asks for other posts by a locking read, which sees what is committed: a transaction that has read
// without a lock before it had the account, as that of a deletion, would otherwise not see what came in between.
func removePictures(ctx context.Context, tx *sql.Tx, postID uuid.UUID, dropped []uuid.UUID) error {
	if len(dropped) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, deletePostPictures+in(dropped), append([]any{postID[:]}, bytesOf(dropped)...)...); err != nil { //nolint:gosec // only question marks
		return err
	}
	referenced, err := list(ctx, tx, scanID, lockReferenced+in(dropped)+" FOR UPDATE", bytesOf(dropped)...)
	if err != nil {
		return err
	}
	unreferenced := slices.DeleteFunc(slices.Clone(dropped), func(id uuid.UUID) bool { return slices.Contains(referenced, id) })
	if len(unreferenced) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, markPendingDeletion+in(unreferenced), bytesOf(unreferenced)...) //nolint:gosec // only question marks
	return err
}

// removeAllPictures does so with all that the post has.
func removeAllPictures(ctx context.Context, tx *sql.Tx, postID uuid.UUID) error {
	had, err := list(ctx, tx, scanID, listPicturesOfPost, postID[:]) // which the post's lock keeps as they are
	if err != nil {
		return err
	}
	return removePictures(ctx, tx, postID, had)
}

const (
	selectPromoted       = "SELECT id FROM pictures WHERE id = ? AND owner = ? AND state = '" + statePromoted + "'"
	selectPromotedUpload = "SELECT id FROM pictures WHERE owner = ? AND upload = ? AND state = '" + statePromoted + "' LIMIT 1"

	listAbandoned = "SELECT id FROM pictures WHERE owner = ? AND state = '" + stateCopying + "'" +
		" AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND LIMIT ?"
	abandonPromotions   = "UPDATE pictures SET state = '" + statePendingDeletion + "' WHERE state = '" + stateCopying + "' AND id IN "
	listPendingDeletion = "SELECT id FROM pictures WHERE owner = ? AND state = '" + statePendingDeletion + "' LIMIT ?"
	// markAllPendingDeletion is for a user without posts.
	markAllPendingDeletion = "UPDATE pictures SET state = '" + statePendingDeletion + "' WHERE owner = ? AND state = '" + statePromoted + "'"

	selectAnyPicture = "SELECT 1 FROM pictures WHERE owner = ? LIMIT 1"
	purgePictures    = "DELETE FROM pictures WHERE state = '" + statePendingDeletion + "' AND id IN "

	listPicturesOfPost = "SELECT picture_id FROM post_pictures WHERE post_id = ?"
	// lockAvailable would be done by an index of the owner's, if that has few pictures: which locks its neighbours' entries too.
	lockAvailable       = "SELECT id FROM pictures FORCE INDEX (`PRIMARY`) WHERE owner = ? AND state <> '" + statePendingDeletion + "' AND id IN "
	lockReferenced      = "SELECT picture_id FROM post_pictures WHERE picture_id IN "
	deletePostPictures  = "DELETE FROM post_pictures WHERE post_id = ? AND picture_id IN "
	markPromoted        = "UPDATE pictures SET state = '" + statePromoted + "' WHERE id IN "
	markPendingDeletion = "UPDATE pictures SET state = '" + statePendingDeletion + "' WHERE id IN "
)

func scanID(from row) (id uuid.UUID, err error) {
	err = from.Scan(&id)
	return id, err
}
