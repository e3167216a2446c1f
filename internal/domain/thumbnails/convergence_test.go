package thumbnails_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
)

const key = "temp/a"

var (
	widths = []int{320, 640}
	limits = imaging.Limits{Bytes: 10, Pixels: 1}
)

// generate is a picture's content at each width. What begins with "bad" is no picture.
func generate(picture []byte, widths []int, _ imaging.Limits) ([]imaging.Thumbnail, error) {
	if strings.HasPrefix(string(picture), "bad") {
		return nil, fmt.Errorf("%w: bad", imaging.ErrRejected)
	}
	var made []imaging.Thumbnail
	for _, width := range widths {
		made = append(made, imaging.Thumbnail{Width: width, JPEG: fmt.Appendf(nil, "%s at %d", picture, width), Size: image.Pt(width, 1)})
	}
	return made, nil
}

// thumbnailsOf are those that the original should have, by key; empty for none.
func thumbnailsOf(original string) map[string]string {
	want := map[string]string{}
	if original != "" && int64(len(original)) <= limits.Bytes {
		made, _ := generate([]byte(original), widths, limits)
		for _, thumbnail := range made {
			want[pictures.ThumbnailKey(key, thumbnail.Width)] = string(thumbnail.JPEG)
		}
	}
	return want
}

// A world is S3, the queue and the topic. S3 may tell of a change twice. The queue has no order, gives a message to one
// function at a time, and again to another one unless that has done it.
type world struct {
	original   string              // its content; empty when there is none
	thumbnails map[string]string   // content by key
	messages   []thumbnails.Change // those that no function has
	changes    int
	events     []pictures.ThumbnailEvent
}

// change sets the original or, when empty, deletes it; a message tells of it once or twice.
func (w *world) change(original string, messages int) {
	w.original = original
	w.changes++ // to 9 at most, so that sequencers are in the order of their texts
	for range messages {
		w.messages = append(w.messages, thumbnails.Change{Bucket: "originals", Key: key, Sequencer: fmt.Sprint(w.changes)})
	}
}

// What happens to a call.
type fate string

const (
	works fate = "works"
	fails fate = "fails"
	lost  fate = "works, and its answer is lost"
	hangs fate = "the function is killed before it"
)

var errFault = errors.New("on purpose")

// A function follows one message. It stops before every call to the world, until it is told the call's fate.
type function struct {
	world   *world
	message thumbnails.Change
	fate    fate
	pause   func(struct{}) bool
	resume  func() (struct{}, bool)
	kill    func()
	err     error
}

func (w *world) start(message thumbnails.Change) *function {
	f := &function{world: w, message: message}
	f.resume, f.kill = iter.Pull(func(yield func(struct{}) bool) {
		f.pause = yield
		reconciler := thumbnails.Reconciler{Originals: f, Thumbnails: f, Notifier: f, Widths: widths, Limits: limits, Generate: generate}
		f.err = reconciler.Reconcile(context.Background(), message)
	})
	f.resume() // to its first call
	return f
}

// call does the function's next call, and tells whether the function has ended.
func (f *function) call(fate fate) (ended bool) {
	f.fate = fate
	if fate == hangs {
		f.kill()
		f.world.messages = append(f.world.messages, f.message)
		return true
	}
	if _, more := f.resume(); more {
		return false
	}
	if f.err != nil && !errors.Is(f.err, imaging.ErrRejected) {
		f.world.messages = append(f.world.messages, f.message)
	}
	return true
}

// wait does work when its time has come, as its fate has it. After a kill, nothing is done any more.
func (f *function) wait(work func()) error {
	if !f.pause(struct{}{}) || f.fate == fails {
		return errFault
	}
	work()
	if f.fate == lost {
		return errFault
	}
	return nil
}

func (f *function) Get(_ context.Context, _, _ string, maxBytes int64) (thumbnails.Original, error) {
	var original thumbnails.Original
	missing := false
	err := f.wait(func() {
		content := f.world.original
		missing = content == ""
		original = thumbnails.Original{ETag: "etag of " + content, Size: int64(len(content))}
		if original.Size <= maxBytes {
			original.Content = []byte(content)
		}
	})
	if missing && err == nil {
		return thumbnails.Original{}, thumbnails.ErrNotFound
	}
	return original, err
}

func (f *function) ETag(ctx context.Context, bucket, key string) (string, error) {
	original, err := f.Get(ctx, bucket, key, 0)
	return original.ETag, err
}

func (f *function) Put(_ context.Context, key string, jpeg []byte, _ string) error {
	return f.wait(func() { f.world.thumbnails[key] = string(jpeg) })
}

func (f *function) Delete(_ context.Context, key string) error {
	return f.wait(func() { delete(f.world.thumbnails, key) })
}

func (f *function) Notify(_ context.Context, event pictures.ThumbnailEvent) error {
	return f.wait(func() { f.world.events = append(f.world.events, event) })
}

// TestReconciler_Reconcile_converges has functions follow changes at the same time, in any order,
// each call of theirs between any two others', with calls that fail and functions that are killed.
// When all messages are done, the original has its own thumbnails and no others are there, and the
// notification with the highest sequencer says so.
func TestReconciler_Reconcile_converges(t *testing.T) {
	for range 20 { // a few thousand times in all: a broken Follow shows in one of a hundred
		rapid.Check(t, checkWorld)
	}
}

func checkWorld(t *rapid.T) {
	w := &world{thumbnails: map[string]string{}}
	var running []*function
	defer func() {
		for _, f := range running {
			f.kill()
		}
	}()
	changes, faults := pick(t, "changes", 1, 2, 3, 4), pick(t, "faults", 0, 1, 2)
	for changes+len(w.messages)+len(running) > 0 {
		var possible []string
		if changes > 0 {
			possible = append(possible, "change")
		}
		if len(w.messages) > 0 && len(running) < 3 {
			possible = append(possible, "deliver", "deliver")
		}
		if len(running) > 0 {
			possible = append(possible, "call", "call", "call", "call", "call", "call", "call", "call")
		}
		switch pick(t, "next", possible...) {
		case "change":
			w.change(pick(t, "content", "one", "two", "", "bad", "too large for us"), pick(t, "messages", 1, 1, 2))
			changes--
		case "deliver":
			message := pick(t, "message", w.messages...)
			running = append(running, w.start(message))
			i := slices.Index(w.messages, message)
			w.messages = slices.Delete(w.messages, i, i+1)
		case "call":
			fates := []fate{works}
			if faults > 0 {
				fates = []fate{works, works, works, fails, lost, hangs}
			}
			newest := running[len(running)-1] // mostly its turn, so that the others are slow
			fate := pick(t, "fate", fates...)
			if fate != works {
				faults--
			}
			if f := pick(t, "function", append(running, newest, newest, newest)...); f.call(fate) {
				running = slices.DeleteFunc(running, func(other *function) bool { return other == f })
			}
		}
	}

	want := thumbnailsOf(w.original)
	if diff := cmp.Diff(want, w.thumbnails); diff != "" {
		t.Fatalf("thumbnails (-want +got):\n%s", diff)
	}
	last := slices.MaxFunc(w.events, func(a, b pictures.ThumbnailEvent) int { return strings.Compare(a.Sequencer, b.Sequencer) })
	if last.Sequencer != fmt.Sprint(w.changes) || last.Removed != (len(want) == 0) || len(last.Thumbnails) != len(want) {
		t.Fatalf("after change %d, subscribers know of %+v, want %v", w.changes, last, want)
	}
	for _, thumbnail := range last.Thumbnails {
		if want[thumbnail.Key] == "" {
			t.Fatalf("subscribers know of %s, which is not there", thumbnail.Key)
		}
	}
}

// pick chooses evenly; what rapid has for it prefers the first, so that functions would follow each other.
func pick[T any](t *rapid.T, label string, from ...T) T {
	n := 0
	for range 4 {
		n *= 2
		if rapid.Bool().Draw(t, label) {
			n++
		}
	}
	return from[n*len(from)/16]
}
