package pictures

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// ErrPendingDeletion reports that a picture lost its last post after it was promoted. It is a
// temporary failure: a second promotion copies an upload again and reports any other picture as
// missing.
var ErrPendingDeletion = fmt.Errorf("%w: a picture is pending deletion", retry.ErrUnavailable)

// CopyTime is longer than the timeout of any function that copies pictures. A promotion that takes
// longer is abandoned.
const CopyTime = time.Minute

// A Promotion is the record of one picture of a post that is about to be stored.
type Promotion struct {
	Missing  bool      // the author has no such picture; the rest is empty
	ID       uuid.UUID // of the promoted picture
	CopyFrom string    // the key of the upload to copy; empty if the picture is already promoted
}

// Records stores the records of promoted pictures, in the database of posts. The store of posts
// marks pictures that lose their last post as pending deletion.
type Records interface {
	// StartPromotions returns the promotions of these pictures for a post of the author. Each
	// upload that has to be copied gets an ID that no picture ever had, and a record, so that the
	// copy is deleted if the post is never stored.
	StartPromotions(ctx context.Context, author string, shown []Reference) ([]Promotion, error)
	// AbandonPromotions marks pictures whose promotion was started as pending deletion, except
	// those that a post shows.
	AbandonPromotions(ctx context.Context, ids []uuid.UUID) error
	// PendingDeletion returns up to limit of the user's pictures that are to be deleted: those that
	// lost their last post, and those whose promotion was started longer than CopyTime ago.
	PendingDeletion(ctx context.Context, owner string, limit int) ([]uuid.UUID, error)
	// Purge deletes the records of pictures that were pending deletion and are now deleted.
	Purge(ctx context.Context, ids []uuid.UUID) error
	// HasAny reports whether the user has a record of any picture.
	HasAny(ctx context.Context, owner string) (bool, error)
}

// A Bucket stores pictures.
type Bucket interface {
	// Copy copies each picture from its CopyFrom to its permanent key, and returns the indexes of
	// those whose upload does not exist. It is idempotent.
	Copy(ctx context.Context, copies []Promotion) (missing []int, err error)
	// Delete deletes promoted pictures. It is idempotent.
	Delete(ctx context.Context, ids []uuid.UUID) error
}

// A Store promotes the uploads of posts and deletes pictures that no post shows. It may be
// interrupted at any moment: then either the post is stored with all its pictures or it is not
// stored, and unreferenced copies and pictures pending deletion are deleted with the user's next
// save or with the account.
//
// That holds because the ID of a promoted picture is never reused. A deletion, however late,
// deletes nothing that can be promoted again; and only one save copies a picture, and that save is
// over when a post shows the picture.
type Store struct {
	Records Records
	Bucket  Bucket
	Logger  *slog.Logger
}

const (
	// maxDeletions is S3's limit of deletions in one call.
	maxDeletions = 1000

	// cleanUpTimeout is how long a completed save waits for the deletion of pictures.
	cleanUpTimeout = 2 * time.Second
)

// A Promoted is the body of a post whose pictures have permanent keys.
type Promoted struct {
	HTML   string
	IDs    []uuid.UUID // of the pictures, each once
	Copied []uuid.UUID // those of IDs that were copied for this body
}

// Promote copies the uploads in html to their permanent keys. html is sanitized and was written by
// the author. The caller then stores the post and calls [Store.DeleteUnreferenced] with the copied
// pictures, also when storing fails. The store of posts fails with [ErrPendingDeletion] if one of
// the pictures has become pending deletion; then the caller calls Promote again.
//
// The error is a [*validate.Error] of the field body if a picture does not exist, has expired, or
// belongs to another user.
func (s *Store) Promote(ctx context.Context, author, html string) (Promoted, error) {
	var distinct []Reference
	numbers := map[Reference]int{} // of each picture's first place in html, from 1
	for i, picture := range References(html) {
		if numbers[picture] == 0 {
			numbers[picture] = i + 1
			distinct = append(distinct, picture)
		}
	}
	if len(distinct) == 0 {
		return Promoted{HTML: html}, nil
	}
	promotions, err := s.Records.StartPromotions(ctx, author, distinct)
	if err != nil {
		return Promoted{}, err
	}
	var promoted Promoted
	var missing []int // numbers
	var copies []Promotion
	var copyNumbers []int
	keys := map[Reference]string{}
	for i, promotion := range promotions {
		picture := distinct[i]
		keys[picture] = PermanentKey(promotion.ID)
		switch {
		case promotion.Missing:
			missing = append(missing, numbers[picture])
		case promotion.CopyFrom != "":
			copies, copyNumbers = append(copies, promotion), append(copyNumbers, numbers[picture])
			promoted.Copied = append(promoted.Copied, promotion.ID)
		}
		promoted.IDs = append(promoted.IDs, promotion.ID)
	}
	if len(missing) == 0 && len(copies) > 0 {
		expired, err := s.Bucket.Copy(ctx, copies)
		if err != nil {
			return Promoted{}, err // copies may still be running: none is abandoned before CopyTime
		}
		for _, i := range expired {
			missing = append(missing, copyNumbers[i])
		}
	}
	if len(missing) > 0 {
		if len(promoted.Copied) > 0 {
			s.DeleteUnreferenced(ctx, author, promoted.Copied...)
		}
		return Promoted{}, missingPictures(missing)
	}
	promoted.HTML = replace(html, func(picture Reference) string { return keys[picture] })
	promoted.IDs = unique(promoted.IDs)
	return promoted, nil
}

// missingPictures identifies pictures by their position in the body: a problem never repeats user
// input.
func missingPictures(numbers []int) error {
	names := make([]string, len(numbers))
	for i, number := range numbers {
		names[i] = strconv.Itoa(number)
	}
	var invalid validate.Error
	invalid.Check("body", "shows pictures that do not exist, by number "+strings.Join(names, ", ")+
		"; upload them again or remove them")
	return invalid.OrNil()
}

// unique returns ids without repetitions: a post may refer to a picture by the key of its upload
// and by its permanent key.
func unique(ids []uuid.UUID) []uuid.UUID {
	seen := map[uuid.UUID]bool{}
	var distinct []uuid.UUID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			distinct = append(distinct, id)
		}
	}
	return distinct
}

// DeleteUnreferenced deletes the user's pictures that no post shows. Those of copied are included,
// which were copied for a post that has just been stored or could not be stored. A failure is
// logged: the user's next save deletes the rest.
func (s *Store) DeleteUnreferenced(ctx context.Context, owner string, copied ...uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, cleanUpTimeout)
	defer cancel()
	var err error
	if len(copied) > 0 {
		err = s.Records.AbandonPromotions(ctx, copied)
	}
	if err == nil {
		_, err = s.deletePending(ctx, owner)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "deleting unreferenced pictures failed, will be retried",
			"error", err.Error())
	}
}

// DeleteAll deletes all pictures of a user whose account and posts are deleted. It fails with
// [retry.ErrUnavailable] while a save may still be copying pictures.
func (s *Store) DeleteAll(ctx context.Context, owner string) error {
	for {
		deleted, err := s.deletePending(ctx, owner)
		if err != nil {
			return err
		}
		if deleted > 0 {
			continue
		}
		left, err := s.Records.HasAny(ctx, owner)
		if err != nil {
			return err
		}
		if left {
			return fmt.Errorf("delete pictures: %w: a copy may still be running",
				retry.ErrUnavailable)
		}
		return nil
	}
}

// deletePending deletes a batch of the user's pictures that are pending deletion.
func (s *Store) deletePending(ctx context.Context, owner string) (deleted int, err error) {
	ids, err := s.Records.PendingDeletion(ctx, owner, maxDeletions)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := s.Bucket.Delete(ctx, ids); err != nil {
		return 0, err
	}
	return len(ids), s.Records.Purge(ctx, ids)
}
