// Package thumbnails reconciles thumbnails with their originals:
// docs/adr/0018-thumbnails-follow-the-original.md.
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

// ErrNotFound reports that there is no original at a key.
var ErrNotFound = errors.New("original not found")

// ErrConcurrentModification reports that an original changed at every read, as often as there was
// time for. A retry succeeds once the changes end.
var ErrConcurrentModification = errors.New("the original keeps changing")

// maxReads limits how often Reconcile reads an original until it stays the same.
const maxReads = 3

// ProcessingTime is twice what the worst picture takes that is not rejected, on a whole CPU.
// Decoding does not stop at a deadline, so a picture is only started when there is this much time
// left.
const ProcessingTime = 20 * time.Second

// HasTime reports whether another picture may be started.
func HasTime(ctx context.Context) bool {
	return deadline.HasTimeFor(ctx, ProcessingTime)
}

// maxKeyBytes is S3's limit: "Naming Amazon S3 objects" in the Amazon S3 User Guide.
const maxKeyBytes = 1024

// A Change happened to an original. Which kind of change it was does not matter.
type Change struct {
	Bucket    string
	Key       string
	Sequencer string // passed on to the subscribers
}

// An Original is an uploaded object.
type Original struct {
	ETag    string // never empty
	Size    int64  // in bytes
	Content []byte // nil when Size is above the maxBytes of Get
}

// Originals reads the bucket of originals.
type Originals interface {
	// Get reads an original, or no more of it than its size when that is above maxBytes. It fails
	// with ErrNotFound when there is none.
	Get(ctx context.Context, bucket, key string, maxBytes int64) (Original, error)

	// ETag returns the current ETag of an original. It fails with ErrNotFound when there is none.
	ETag(ctx context.Context, bucket, key string) (string, error)
}

// Thumbnails writes the bucket of thumbnails.
type Thumbnails interface {
	Put(ctx context.Context, key string, jpeg []byte, cacheControl string) error
	Delete(ctx context.Context, key string) error // no error when there is none
}

// A Notifier publishes events.
type Notifier interface {
	Notify(ctx context.Context, event pictures.ThumbnailEvent) error
}

// A Reconciler makes the thumbnails of each original match it.
type Reconciler struct {
	Originals  Originals
	Thumbnails Thumbnails
	Notifier   Notifier

	// Widths are those of the thumbnails. Removing one leaves the thumbnails that were generated
	// for it.
	Widths []int
	Limits imaging.Limits

	// Generate is [imaging.Thumbnails].
	Generate func(picture []byte, widths []int, limits imaging.Limits) ([]imaging.Thumbnail, error)
}

// Reconcile makes the thumbnails match the current original, and publishes an event.
//
// The error wraps [imaging.ErrRejected] when the original is the cause: its thumbnails are deleted
// then, the event is published, and a retry would end the same. After any other error the same
// change has to be retried, or the thumbnails may stay those of an earlier original.
func (r *Reconciler) Reconcile(ctx context.Context, change Change) error {
	for read := range maxReads {
		if read > 0 && !HasTime(ctx) {
			break
		}
		original, err := r.Originals.Get(ctx, change.Bucket, change.Key, r.Limits.Bytes)
		deleted := errors.Is(err, ErrNotFound)
		if err != nil && !deleted {
			return err
		}
		var generated []imaging.Thumbnail
		var rejection error
		if !deleted {
			if generated, err = r.generate(change.Key, original); errors.Is(err, imaging.ErrRejected) {
				rejection = err
			} else if err != nil {
				return err
			}
		}
		event, err := r.write(ctx, change, generated)
		if err != nil {
			return err
		}
		// Another function may have written thumbnails of a later original meanwhile, and this one
		// have overwritten them. The last one to write is the last one to compare ETags, and sees
		// it.
		etag, err := r.Originals.ETag(ctx, change.Bucket, change.Key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if etag != original.ETag { // both are empty when it was and is deleted
			continue
		}
		event.ETag = etag
		if err := r.Notifier.Notify(ctx, event); err != nil {
			return err
		}
		return rejection
	}
	return ErrConcurrentModification
}

// longestKey returns the length of the longest key of an original's thumbnails, in bytes.
func (r *Reconciler) longestKey(key string) int {
	return len(pictures.ThumbnailKey(key, slices.Max(r.Widths)))
}

func (r *Reconciler) generate(key string, original Original) ([]imaging.Thumbnail, error) {
	if length := r.longestKey(key); length > maxKeyBytes {
		return nil, fmt.Errorf("%w: the keys of its thumbnails would have %d bytes, and may have %d",
			imaging.ErrRejected, length, maxKeyBytes)
	}
	if original.Size > r.Limits.Bytes {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d",
			imaging.ErrRejected, original.Size, r.Limits.Bytes)
	}
	return r.Generate(original.Content, r.Widths, r.Limits)
}

// write replaces the thumbnails by those that were generated, or deletes them when there are none.
func (r *Reconciler) write(
	ctx context.Context, change Change, generated []imaging.Thumbnail,
) (pictures.ThumbnailEvent, error) {
	event := pictures.ThumbnailEvent{
		Key:        change.Key,
		Removed:    len(generated) == 0,
		Sequencer:  change.Sequencer,
		Thumbnails: []pictures.Thumbnail{},
	}
	if event.Removed {
		if r.longestKey(change.Key) > maxKeyBytes { // there are none, and S3 would reject the keys
			return event, nil
		}
		for _, width := range r.Widths {
			if err := r.Thumbnails.Delete(ctx, pictures.ThumbnailKey(change.Key, width)); err != nil {
				return pictures.ThumbnailEvent{}, err
			}
		}
		return event, nil
	}
	for _, thumbnail := range generated {
		key := pictures.ThumbnailKey(change.Key, thumbnail.Width)
		if err := r.Thumbnails.Put(ctx, key, thumbnail.JPEG, cacheControl(change.Key)); err != nil {
			return pictures.ThumbnailEvent{}, err
		}
		event.Thumbnails = append(event.Thumbnails, pictures.Thumbnail{
			Key: key, Width: thumbnail.Size.X, Height: thumbnail.Size.Y,
		})
	}
	return event, nil
}

// cacheControl is how long browsers and CloudFront may cache a thumbnail: for so long a deleted
// picture is still shown. The picture of a post changes only by being deleted; the others may be
// overwritten.
func cacheControl(key string) string {
	switch {
	case strings.HasPrefix(key, pictures.PermanentPrefix):
		return "public, max-age=86400"
	case strings.HasPrefix(key, pictures.PrivatePrefix):
		return "private, max-age=300"
	}
	return "public, max-age=300"
}
