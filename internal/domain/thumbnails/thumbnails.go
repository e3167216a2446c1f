// Package thumbnails makes the thumbnails of originals follow them: docs/adr/0018-thumbnails-follow-the-original.md.
package thumbnails

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
)

// ErrNotFound says that there is no original at a key.
var ErrNotFound = errors.New("no such original")

// ErrConcurrentModification says that an original was another one whenever it was looked at, as often as there was time for. Whoever
// changes it so often will end.
var ErrConcurrentModification = errors.New("the original keeps changing")

// maxReads is how often an original is read in one go until it stays what it was.
const maxReads = 3

// ProcessingTime is twice what the worst picture takes that is not refused, on a whole CPU. Decoding does not stop at a
// deadline: what might not be done by then is not begun.
const ProcessingTime = 20 * time.Second

// HasTime tells whether another picture may be begun.
func HasTime(ctx context.Context) bool {
	return deadline.HasTimeFor(ctx, ProcessingTime)
}

// maxKeyBytes is what S3 takes, in bytes: "Naming Amazon S3 objects" in the Amazon S3 User Guide.
const maxKeyBytes = 1024

// A Change is one that happened to an original. What it was does not matter.
type Change struct {
	Bucket    string
	Key       string
	Sequencer string // passed on to the subscribers
}

// An Original is what somebody uploaded.
type Original struct {
	ETag    string // never empty
	Size    int64  // in bytes
	Content []byte // nil when that is more than was asked for
}

// Originals are what thumbnails are made of.
type Originals interface {
	// Get reads an original as it is now, or no more of it than its size when that is above maxBytes. It fails with
	// ErrMissing when there is none.
	Get(ctx context.Context, bucket, key string, maxBytes int64) (Original, error)

	// ETag is that of an original as it is now. It fails with ErrMissing when there is none.
	ETag(ctx context.Context, bucket, key string) (string, error)
}

// Thumbnails are what is made.
type Thumbnails interface {
	Put(ctx context.Context, key string, jpeg []byte, cacheControl string) error
	Delete(ctx context.Context, key string) error // no error when there is none
}

// A Notifier tells the subscribers.
type Notifier interface {
	Notify(ctx context.Context, finished pictures.ThumbnailEvent) error
}

// A Reconciler makes the thumbnails of each original match it.
type Reconciler struct {
	Originals  Originals
	Thumbnails Thumbnails
	Notifier   Notifier

	// Widths are those of the thumbnails. One that is taken away leaves the thumbnails that were made of it.
	Widths []int
	Limits imaging.Limits

	// Generate is [imaging.Thumbnails].
	Generate func(picture []byte, widths []int, limits imaging.Limits) ([]imaging.Thumbnail, error)
}

// Reconcile makes the thumbnails match the original as it is now, and tells the subscribers.
//
// The error wraps [imaging.ErrRejected] when none can be made of the original: then there are none, the subscribers know,
// and another attempt would end the same. After any other error the same change has to be followed again, or the
// thumbnails may stay those of an earlier original.
func (f *Reconciler) Reconcile(ctx context.Context, change Change) error {
	for look := range maxReads {
		if look > 0 && !HasTime(ctx) {
			break
		}
		original, err := f.Originals.Get(ctx, change.Bucket, change.Key, f.Limits.Bytes)
		gone := errors.Is(err, ErrNotFound)
		if err != nil && !gone {
			return err
		}
		var made []imaging.Thumbnail
		var refusal error
		if !gone {
			if made, err = f.generate(change.Key, original); errors.Is(err, imaging.ErrRejected) {
				refusal = err
			} else if err != nil {
				return err
			}
		}
		finished, err := f.write(ctx, change, made)
		if err != nil {
			return err
		}
		// Another function may have written thumbnails of a later original while this one was at work, and this one have
		// overwritten them. Whoever wrote last looks last, and sees it.
		etag, err := f.Originals.ETag(ctx, change.Bucket, change.Key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if etag != original.ETag { // both are empty when it was gone and is
			continue
		}
		finished.ETag = etag
		if err := f.Notifier.Notify(ctx, finished); err != nil {
			return err
		}
		return refusal
	}
	return ErrConcurrentModification
}

// longestKey is the length of the longest key of an original's thumbnails, in bytes.
func (f *Reconciler) longestKey(key string) int {
	return len(pictures.ThumbnailKey(key, slices.Max(f.Widths)))
}

func (f *Reconciler) generate(key string, original Original) ([]imaging.Thumbnail, error) {
	if length := f.longestKey(key); length > maxKeyBytes {
		return nil, fmt.Errorf("%w: the keys of its thumbnails would have %d bytes, and may have %d", imaging.ErrRejected, length, maxKeyBytes)
	}
	if original.Size > f.Limits.Bytes {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d", imaging.ErrRejected, original.Size, f.Limits.Bytes)
	}
	return f.Generate(original.Content, f.Widths, f.Limits)
}

// write puts what was made in the place of what there was, or leaves nothing when nothing was made.
func (f *Reconciler) write(ctx context.Context, change Change, made []imaging.Thumbnail) (pictures.ThumbnailEvent, error) {
	finished := pictures.ThumbnailEvent{
		Key:        change.Key,
		Removed:    len(made) == 0,
		Sequencer:  change.Sequencer,
		Thumbnails: []pictures.Thumbnail{},
	}
	if finished.Removed {
		if f.longestKey(change.Key) > maxKeyBytes { // nothing can be there, and S3 would refuse to look
			return finished, nil
		}
		for _, width := range f.Widths {
			if err := f.Thumbnails.Delete(ctx, pictures.ThumbnailKey(change.Key, width)); err != nil {
				return pictures.ThumbnailEvent{}, err
			}
		}
		return finished, nil
	}
	for _, thumbnail := range made {
		key := pictures.ThumbnailKey(change.Key, thumbnail.Width)
		if err := f.Thumbnails.Put(ctx, key, thumbnail.JPEG, cacheControl(change.Key)); err != nil {
			return pictures.ThumbnailEvent{}, err
		}
		finished.Thumbnails = append(finished.Thumbnails, pictures.Thumbnail{
			Key: key, Width: thumbnail.Size.X, Height: thumbnail.Size.Y,
		})
	}
	return finished, nil
}

// cacheControl is how long browsers and CloudFront's edges may show a thumbnail without asking: for so long a deleted
// picture is still seen. The picture of a post changes only by being deleted; the others may be overwritten.
func cacheControl(key string) string {
	switch {
	case strings.HasPrefix(key, pictures.PermanentPrefix):
		return "public, max-age=86400"
	case strings.HasPrefix(key, pictures.PrivatePrefix):
		return "private, max-age=300"
	}
	return "public, max-age=300"
}
