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

// ErrConcurrentModification reports that an original changed after every read. Reconcile reads
// maxReads times, or less often if time is short. A retry succeeds once the changes end.
var ErrConcurrentModification = errors.New("the original changed during every attempt")

// maxReads limits how often Reconcile reads an original that changes meanwhile.
const maxReads = 3

// ProcessingTime is twice the time that the slowest accepted picture takes on one full CPU.
// Decoding does not stop at a deadline, so a picture is only started when this much time is left.
const ProcessingTime = 20 * time.Second

// HasTime reports whether the time left is enough for another picture.
func HasTime(ctx context.Context) bool {
	return deadline.HasTimeFor(ctx, ProcessingTime)
}

// maxKeyBytes is S3's limit: "Naming Amazon S3 objects" in the Amazon S3 User Guide.
const maxKeyBytes = 1024

// A Change is a change to an original. Its kind does not matter.
type Change struct {
	Bucket    string
	Key       string
	Sequencer string // passed on to the subscribers
}

// An Original is an uploaded object.
type Original struct {
	ETag    string // never empty
	Size    int64  // in bytes
	Content []byte // nil if Size exceeds the maxBytes of Get
}

// Originals reads the bucket of originals.
type Originals interface {
	// Get returns an original, without its content if it is larger than maxBytes. It fails with
	// ErrNotFound if the original does not exist.
	Get(ctx context.Context, bucket, key string, maxBytes int64) (Original, error)

	// ETag returns the current ETag of an original. It fails with ErrNotFound if the original does
	// not exist.
	ETag(ctx context.Context, bucket, key string) (string, error)
}

// Thumbnails writes the bucket of thumbnails.
type Thumbnails interface {
	Put(ctx context.Context, key string, jpeg []byte, cacheControl string) error
	Delete(ctx context.Context, key string) error // no error if the key does not exist
}

// An Event reports the thumbnails that an original has after a change.
type Event struct {
	Key        string // of the original
	ETag       string // of the original that was read; empty if it is deleted
	Sequencer  string // of the change
	Thumbnails []Thumbnail
}

// A Thumbnail is one of the present thumbnails of an original.
type Thumbnail struct {
	Key           string
	Width, Height int // in pixels
}

// A Notifier publishes events.
type Notifier interface {
	Notify(ctx context.Context, event Event) error
}

// A Reconciler updates the thumbnails of changed originals.
type Reconciler struct {
	Originals  Originals
	Thumbnails Thumbnails
	Notifier   Notifier

	// Widths are the thumbnails' widths in pixels. Removing one leaves the thumbnails that were
	// generated for it.
	Widths []int
	Limits imaging.Limits

	// PermanentPrefix is the prefix of originals that are deleted but never overwritten, whose
	// thumbnails are cached for a day. Thumbnails below PrivatePrefix are cached by browsers only.
	PermanentPrefix, PrivatePrefix string

	// Generate is [imaging.Thumbnails].
	Generate func(picture []byte, widths []int, limits imaging.Limits) ([]imaging.Thumbnail, error)
}

// Reconcile makes the thumbnails match the current original, and publishes an event.
//
// The error wraps [imaging.ErrRejected] if the original is the cause: its thumbnails are then
// deleted, the event is published, and a retry would fail again. After any other error the caller
// has to retry the same change, or the thumbnails may stay those of an earlier original.
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
			generated, err = r.generate(change.Key, original)
			if errors.Is(err, imaging.ErrRejected) {
				rejection = err
			} else if err != nil {
				return err
			}
		}
		event, err := r.write(ctx, change, generated)
		if err != nil {
			return err
		}
		// Meanwhile another instance may have written thumbnails of a later original, and this one
		// may have overwritten them. The last instance to write is the last to compare ETags, so it
		// detects the change.
		etag, err := r.Originals.ETag(ctx, change.Bucket, change.Key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if etag != original.ETag { // both are empty if the original was and is deleted
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

// maxKeyLength returns the length of the longest thumbnail key of an original, in bytes.
func (r *Reconciler) maxKeyLength(key string) int {
	return len(pictures.ThumbnailKey(key, slices.Max(r.Widths)))
}

func (r *Reconciler) generate(key string, original Original) ([]imaging.Thumbnail, error) {
	if length := r.maxKeyLength(key); length > maxKeyBytes {
		return nil, fmt.Errorf("%w: a thumbnail's key would have %d bytes, more than %d",
			imaging.ErrRejected, length, maxKeyBytes)
	}
	if original.Size > r.Limits.Bytes {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d",
			imaging.ErrRejected, original.Size, r.Limits.Bytes)
	}
	return r.Generate(original.Content, r.Widths, r.Limits)
}

// write replaces the thumbnails with the generated ones, or deletes them if none were generated.
func (r *Reconciler) write(
	ctx context.Context, change Change, generated []imaging.Thumbnail,
) (Event, error) {
	event := Event{Key: change.Key, Sequencer: change.Sequencer}
	if len(generated) == 0 {
		if r.maxKeyLength(change.Key) > maxKeyBytes { // none exist, and S3 would reject the keys
			return event, nil
		}
		for _, width := range r.Widths {
			key := pictures.ThumbnailKey(change.Key, width)
			if err := r.Thumbnails.Delete(ctx, key); err != nil {
				return Event{}, err
			}
		}
		return event, nil
	}
	for _, thumbnail := range generated {
		key := pictures.ThumbnailKey(change.Key, thumbnail.Width)
		err := r.Thumbnails.Put(ctx, key, thumbnail.JPEG, r.cacheControl(change.Key))
		if err != nil {
			return Event{}, err
		}
		event.Thumbnails = append(event.Thumbnails, Thumbnail{
			Key: key, Width: thumbnail.Size.X, Height: thumbnail.Size.Y,
		})
	}
	return event, nil
}

// cacheControl returns the Cache-Control header of an original's thumbnails, for browsers and
// CloudFront. A deleted picture is shown until the cached copies expire.
func (r *Reconciler) cacheControl(key string) string {
	switch {
	case strings.HasPrefix(key, r.PermanentPrefix):
		return "public, max-age=86400"
	case strings.HasPrefix(key, r.PrivatePrefix):
		return "private, max-age=300"
	}
	return "public, max-age=300"
}
