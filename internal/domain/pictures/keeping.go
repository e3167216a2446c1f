package pictures

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// ErrPendingDeletion says that a picture has been let go since it was looked at.
var ErrPendingDeletion = errors.New("a picture has been let go meanwhile")

// CopyTime is longer than any function lives that copies a picture. What is being copied for longer is given up.
const CopyTime = time.Minute

// A Promotion is what becomes of one picture of a post that is saved.
type Promotion struct {
	Missing bool      // there is no such picture of the author's; the rest is empty
	ID      uuid.UUID // of the kept picture
	CopyFrom  string    // the key to copy it from; empty when it is there already
}

// A Records knows which pictures are kept, and why. It is of one mind with the store of posts, which marks those that lose
// their last post as leaving.
type Records interface {
	// Promote says what to do so that a post of the author's can show these pictures. Each that has to be copied gets an
	// ID that no picture ever had, and is noted, lest it stay when the post is never saved.
	StartPromotions(ctx context.Context, author string, shown []Reference) ([]Promotion, error)
	// GiveUp has pictures be leaving that were noted to be copied, unless a post has them by now.
	AbandonPromotions(ctx context.Context, ids []uuid.UUID) error
	// Leaving lists up to limit of the user's pictures that are to be deleted: those that lost their last post, and those
	// that have been copied for longer than CopyTime.
	PendingDeletion(ctx context.Context, owner string, limit int) ([]uuid.UUID, error)
	// Forget ends the notes on pictures that are leaving and have been deleted.
	Purge(ctx context.Context, ids []uuid.UUID) error
	// Any tells whether there is a note on any picture of the user's.
	HasAny(ctx context.Context, owner string) (bool, error)
}

// A Bucket holds pictures.
type Bucket interface {
	// Copy copies each picture from its CopyOf to its place, and returns the indexes of those that are not there. Done
	// twice, it is as if done once.
	Copy(ctx context.Context, copies []Promotion) (missing []int, err error)
	// Delete deletes kept pictures, whether they are there or not.
	Delete(ctx context.Context, ids []uuid.UUID) error
}

// A Keeper keeps the pictures of posts, and lets them go. It may be cut off at any moment: a post then has all its
// pictures or is not saved, and what was copied in vain, or should have been deleted, goes with the user's next save or
// with the account.
//
// That holds since a kept picture's ID is never used again. Whoever deletes one deletes nothing that anybody can come back
// to, however late; and a picture has one save that copies it, which is over when a post has it.
type Keeper struct {
	Store  Records
	Bucket Bucket
	Logger *slog.Logger
}

const (
	// maxTries is how often a save may meet with a picture that is let go by another save of the same author.
	maxTries = 3

	// batch is how many pictures are deleted by one call, which is S3's limit.
	batch = 1000

	// patience is how long a save that is done waits for what it lets go.
	patience = 2 * time.Second
)

// Save calls save with html, which is clean, in which the author's pictures have their permanent keys, and with the
// pictures' ids, each once. They are in their places then. save has to fail with ErrLeft when one of them has been let go,
// and is called again.
//
// The error is a [*validate.Error] of the field body when a picture is not there, be it that it never was, has expired, or
// is somebody else's.
func (k *Keeper) Save(ctx context.Context, author, html string, save func(html string, shown []uuid.UUID) error) error {
	for range maxTries {
		promoted, err := k.promote(ctx, author, html)
		if err == nil {
			err = save(promoted.html, promoted.shown)
		}
		if err == nil || len(promoted.copied) > 0 {
			k.letGoAfter(ctx, author, promoted.copied)
		}
		if !errors.Is(err, ErrPendingDeletion) {
			return err
		}
	}
	return fmt.Errorf("save pictures: %w: %w", retry.ErrUnavailable, ErrPendingDeletion)
}

// A promoted body has permanent keys.
type promoted struct {
	html   string
	shown  []uuid.UUID
	copied []uuid.UUID // by this save, with an error too; but none while copies may be under way
}

func (k *Keeper) promote(ctx context.Context, author, html string) (promoted, error) {
	var distinct []Reference
	numbers := map[Reference]int{} // of each picture's first place in html, from 1
	for i, picture := range References(html) {
		if numbers[picture] == 0 {
			numbers[picture] = i + 1
			distinct = append(distinct, picture)
		}
	}
	if len(distinct) == 0 {
		return promoted{html: html}, nil
	}
	promotions, err := k.Store.StartPromotions(ctx, author, distinct)
	if err != nil {
		return promoted{}, err
	}
	var done promoted
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
			done.copied = append(done.copied, promotion.ID)
		}
		done.shown = append(done.shown, promotion.ID)
	}
	if len(missing) == 0 && len(copies) > 0 {
		gone, err := k.Bucket.Copy(ctx, copies)
		if err != nil {
			return promoted{}, err
		}
		for _, i := range gone {
			missing = append(missing, copyNumbers[i])
		}
	}
	if len(missing) > 0 {
		return done, notThere(missing)
	}
	done.html = replace(html, func(picture Reference) string { return keys[picture] })
	done.shown = unique(done.shown)
	return done, nil
}

// notThere names pictures by their place in the body: a problem does not repeat what was written.
func notThere(numbers []int) error {
	names := make([]string, len(numbers))
	for i, number := range numbers {
		names[i] = strconv.Itoa(number)
	}
	var invalid validate.Error
	invalid.Check("body", "shows pictures that are not there, by number "+strings.Join(names, ", ")+
		"; upload them again, or take them out")
	return invalid.OrNil()
}

// unique returns ids without repetitions: a post may have a picture by its upload's key and by its own.
func unique(ids []uuid.UUID) []uuid.UUID {
	seen := map[uuid.UUID]bool{}
	var once []uuid.UUID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	return once
}

// LetGo deletes the user's pictures that no post shows any more. It is for after a save or a deletion, which has been
// done: what goes wrong here is logged, and is done by the user's next save.
func (k *Keeper) LetGo(ctx context.Context, owner string) { k.letGoAfter(ctx, owner, nil) }

// letGoAfter also lets go of what a save has copied and no post has got, lest somebody fill the bucket by posts that are
// refused.
func (k *Keeper) letGoAfter(ctx context.Context, owner string, copied []uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	if len(copied) > 0 {
		err = k.Store.AbandonPromotions(ctx, copied)
	}
	if err == nil {
		_, err = k.letGo(ctx, owner)
	}
	if err != nil {
		k.Logger.WarnContext(ctx, "pictures are let go later", slog.String("error", err.Error()))
	}
}

// LetGoOfAll deletes all pictures of a user whose account is deleted, and whose posts are. It fails with [retry.ErrUnavailable]
// while there may still be a save that copies some.
func (k *Keeper) LetGoOfAll(ctx context.Context, owner string) error {
	for {
		deleted, err := k.letGo(ctx, owner)
		if err != nil {
			return err
		}
		if deleted > 0 {
			continue
		}
		left, err := k.Store.HasAny(ctx, owner)
		if err != nil {
			return err
		}
		if left {
			return fmt.Errorf("let go of all pictures: %w: some may still be copied", retry.ErrUnavailable)
		}
		return nil
	}
}

// letGo deletes a batch.
func (k *Keeper) letGo(ctx context.Context, owner string) (deleted int, err error) {
	ids, err := k.Store.PendingDeletion(ctx, owner, batch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := k.Bucket.Delete(ctx, ids); err != nil {
		return 0, err
	}
	return len(ids), k.Store.Purge(ctx, ids)
}
