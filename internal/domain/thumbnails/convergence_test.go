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

// generate returns fake thumbnails with the picture's content. It rejects content that begins with
// "bad".
func generate(picture []byte, widths []int, _ imaging.Limits) ([]imaging.Thumbnail, error) {
	if strings.HasPrefix(string(picture), "bad") {
		return nil, fmt.Errorf("%w: bad", imaging.ErrRejected)
	}
	var generated []imaging.Thumbnail
	for _, width := range widths {
		generated = append(generated, imaging.Thumbnail{
			Width: width,
			JPEG:  fmt.Appendf(nil, "%s at %d", picture, width),
			Size:  image.Pt(width, 1),
		})
	}
	return generated, nil
}

// thumbnailsOf returns the thumbnails that the original should have, by key; empty for none.
func thumbnailsOf(original string) map[string]string {
	want := map[string]string{}
	if original != "" && int64(len(original)) <= limits.Bytes {
		generated, _ := generate([]byte(original), widths, limits)
		for _, thumbnail := range generated {
			want[pictures.ThumbnailKey(key, thumbnail.Width)] = string(thumbnail.JPEG)
		}
	}
	return want
}

// A world is a fake of S3, the queue and the topic. S3 may send an event notification twice. The
// queue is unordered, delivers a message to one function at a time, and redelivers it after a
// failure.
type world struct {
	original   string              // its content; empty if it does not exist
	thumbnails map[string]string   // content by key
	messages   []thumbnails.Change // not being processed
	changes    int
	events     []thumbnails.Event
}

// change sets the original, or deletes it if empty, and queues one or two messages about it.
func (w *world) change(original string, messages int) {
	w.original = original
	w.changes++ // at most 9, so that sequencers sort as strings
	for range messages {
		w.messages = append(w.messages, thumbnails.Change{
			Bucket: "originals", Key: key, Sequencer: fmt.Sprint(w.changes),
		})
	}
}

// An outcome is the result of a call.
type outcome string

const (
	succeeds     outcome = "succeeds"
	fails        outcome = "fails"
	lostResponse outcome = "succeeds, but the response is lost"
	killed       outcome = "the function is killed before the call"
)

var errFault = errors.New("injected fault")

// A function processes one message. It pauses before every call to the world until the test
// determines the call's outcome.
type function struct {
	world   *world
	message thumbnails.Change
	outcome outcome
	pause   func(struct{}) bool
	resume  func() (struct{}, bool)
	kill    func()
	err     error
}

func (w *world) start(message thumbnails.Change) *function {
	f := &function{world: w, message: message}
	f.resume, f.kill = iter.Pull(func(yield func(struct{}) bool) {
		f.pause = yield
		reconciler := thumbnails.Reconciler{
			Originals: f, Thumbnails: f, Notifier: f,
			Widths: widths, Limits: limits, Generate: generate,
		}
		f.err = reconciler.Reconcile(context.Background(), message)
	})
	f.resume() // to its first call
	return f
}

// call executes the function's next call, and reports whether the function has ended.
func (f *function) call(outcome outcome) (ended bool) {
	f.outcome = outcome
	if outcome == killed {
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

// wait pauses until the call's outcome is determined, and then calls work or fails. After a kill it
// does not call work any more.
func (f *function) wait(work func()) error {
	if !f.pause(struct{}{}) || f.outcome == fails {
		return errFault
	}
	work()
	if f.outcome == lostResponse {
		return errFault
	}
	return nil
}

func (f *function) Get(
	_ context.Context, _, _ string, maxBytes int64,
) (thumbnails.Original, error) {
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

func (f *function) Notify(_ context.Context, event thumbnails.Event) error {
	return f.wait(func() { f.world.events = append(f.world.events, event) })
}

// TestReconciler_Reconcile_converges runs functions that process changes concurrently, in any order
// and with any interleaving of their calls. Calls fail and functions are killed. When all messages
// are processed, exactly the thumbnails of the current original exist, and the event with the
// highest sequencer matches them.
func TestReconciler_Reconcile_converges(t *testing.T) {
	for range 20 { // a few thousand runs: a broken Reconcile fails in one of a hundred
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
			calls := []string{"call", "call", "call", "call", "call", "call", "call", "call"}
			possible = append(possible, calls...)
		}
		switch pick(t, "next", possible...) {
		case "change":
			content := pick(t, "content", "one", "two", "", "bad", "exceeds the limit")
			w.change(content, pick(t, "messages", 1, 1, 2))
			changes--
		case "deliver":
			message := pick(t, "message", w.messages...)
			running = append(running, w.start(message))
			i := slices.Index(w.messages, message)
			w.messages = slices.Delete(w.messages, i, i+1)
		case "call":
			outcomes := []outcome{succeeds}
			if faults > 0 {
				outcomes = []outcome{succeeds, succeeds, succeeds, fails, lostResponse, killed}
			}
			newest := running[len(running)-1] // picked most often, so that the others are slow
			outcome := pick(t, "outcome", outcomes...)
			if outcome != succeeds {
				faults--
			}
			f := pick(t, "function", append(running, newest, newest, newest)...)
			if f.call(outcome) {
				i := slices.Index(running, f)
				running = slices.Delete(running, i, i+1)
			}
		}
	}

	want := thumbnailsOf(w.original)
	if diff := cmp.Diff(want, w.thumbnails); diff != "" {
		t.Fatalf("thumbnails (-want +got):\n%s", diff)
	}
	last := slices.MaxFunc(w.events, func(a, b thumbnails.Event) int {
		return strings.Compare(a.Sequencer, b.Sequencer)
	})
	if last.Sequencer != fmt.Sprint(w.changes) || len(last.Thumbnails) != len(want) {
		t.Fatalf("after change %d, the last event is %+v, want %v", w.changes, last, want)
	}
	for _, thumbnail := range last.Thumbnails {
		if want[thumbnail.Key] == "" {
			t.Fatalf("the last event contains %s, which does not exist", thumbnail.Key)
		}
	}
}

// pick chooses uniformly. rapid's generators prefer the first value, so that functions would run
// one after another.
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
