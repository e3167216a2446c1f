package thumbnails_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
)

// A store is a fake of the buckets and the topic, with one original. It records the calls.
type store struct {
	original string // its content; empty if it does not exist
	calls    []string
	written  func() // called after each Put and Delete
	failing  string // the call that fails
	events   []thumbnails.Event
}

func (s *store) record(call string) error {
	s.calls = append(s.calls, call)
	if call == s.failing {
		return errFault
	}
	return nil
}

func (s *store) Get(_ context.Context, _, _ string, maxBytes int64) (thumbnails.Original, error) {
	if err := s.record("get"); err != nil {
		return thumbnails.Original{}, err
	}
	if s.original == "" {
		return thumbnails.Original{}, thumbnails.ErrNotFound
	}
	original := thumbnails.Original{ETag: "etag-" + s.original, Size: int64(len(s.original))}
	if original.Size <= maxBytes {
		original.Content = []byte(s.original)
	}
	return original, nil
}

func (s *store) ETag(context.Context, string, string) (string, error) {
	if err := s.record("etag"); err != nil {
		return "", err
	}
	if s.original == "" {
		return "", thumbnails.ErrNotFound
	}
	return "etag-" + s.original, nil
}

func (s *store) Put(_ context.Context, key string, jpeg []byte, cacheControl string) error {
	defer s.changed()
	return s.record("put " + key + ": " + string(jpeg) + ", " + cacheControl)
}

func (s *store) Delete(_ context.Context, key string) error {
	defer s.changed()
	return s.record("delete " + key)
}

func (s *store) changed() {
	if s.written != nil {
		s.written()
	}
}

func (s *store) Notify(_ context.Context, event thumbnails.Event) error {
	s.events = append(s.events, event)
	return s.record("notify")
}

func (s *store) reconcile(t *testing.T, key string) error {
	t.Helper()
	change := thumbnails.Change{Bucket: "originals", Key: key, Sequencer: "00A1"}
	return s.reconciler().Reconcile(t.Context(), change)
}

func (s *store) reconciler() *thumbnails.Reconciler {
	return &thumbnails.Reconciler{
		Originals: s, Thumbnails: s, Notifier: s,
		Widths: widths, Limits: limits, Generate: generate,
		PermanentPrefix: "permanent/", PrivatePrefix: "private/",
	}
}

// put returns the record of a Put call for a thumbnail of the key temp/a.
func put(content string, width int) string {
	return fmt.Sprintf("put temp/a/%d.jpg: %s at %d, public, max-age=300", width, content, width)
}

func TestReconciler_Reconcile(t *testing.T) {
	s := &store{original: "one"}
	if err := s.reconcile(t, "permanent/a b"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"get",
		"put permanent/a b/320.jpg: one at 320, public, max-age=86400",
		"put permanent/a b/640.jpg: one at 640, public, max-age=86400",
		"etag", "notify",
	}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	events := []thumbnails.Event{{
		Key: "permanent/a b", ETag: "etag-one", Sequencer: "00A1",
		Thumbnails: []thumbnails.Thumbnail{
			{Key: "permanent/a b/320.jpg", Width: 320, Height: 1},
			{Key: "permanent/a b/640.jpg", Width: 640, Height: 1},
		},
	}}
	if diff := cmp.Diff(events, s.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestReconciler_Reconcile_caches_permanent_thumbnails_for_a_day(t *testing.T) {
	for key, want := range map[string]string{
		"permanent/a":   "public, max-age=86400",
		"temp/a":        "public, max-age=300",
		"protected/i/a": "public, max-age=300",
		"private/i/a":   "private, max-age=300",
		"permanently/a": "public, max-age=300",
		"a":             "public, max-age=300",
	} {
		s := &store{original: "one"}
		if err := s.reconcile(t, key); err != nil {
			t.Fatal(err)
		}
		if call := "put " + key + "/320.jpg: one at 320, " + want; !slices.Contains(s.calls, call) {
			t.Errorf("calls %q, want %q", s.calls, call)
		}
	}
}

func TestReconciler_Reconcile_deletes_thumbnails(t *testing.T) {
	for name, test := range map[string]struct {
		original, etag string
		rejected       bool
	}{
		"of a deleted original":         {"", "", false},
		"of a rejected original":        {"bad", "etag-bad", true},
		"of an original over the limit": {"exceeds the limit", "etag-exceeds the limit", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{original: test.original}
			err := s.reconcile(t, key)
			rejected := errors.Is(err, imaging.ErrRejected)
			if rejected != test.rejected || !test.rejected && err != nil {
				t.Errorf("error %v, want a rejection: %t", err, test.rejected)
			}
			calls := []string{
				"get", "delete temp/a/320.jpg", "delete temp/a/640.jpg", "etag", "notify",
			}
			if diff := cmp.Diff(calls, s.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			events := []thumbnails.Event{{
				Key: key, ETag: test.etag, Sequencer: "00A1",
			}}
			if diff := cmp.Diff(events, s.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconciler_Reconcile_reads_a_changed_original_again(t *testing.T) {
	for _, next := range []string{"two", "", "bad"} {
		s := &store{original: "one"}
		s.written = func() { s.original = next }
		if err := s.reconcile(t, key); errors.Is(err, imaging.ErrRejected) != (next == "bad") {
			t.Errorf("error %v", err)
		}
		want := []string{"get", put("one", 320), put("one", 640), "etag", "get"}
		if next == "two" {
			want = append(want, put("two", 320), put("two", 640))
		} else {
			want = append(want, "delete temp/a/320.jpg", "delete temp/a/640.jpg")
		}
		if diff := cmp.Diff(append(want, "etag", "notify"), s.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

func TestReconciler_Reconcile_fails_when_the_original_keeps_changing(t *testing.T) {
	s := &store{original: "0"}
	s.written = func() { s.original += "." }
	err, want := s.reconcile(t, key), thumbnails.ErrConcurrentModification
	if !errors.Is(err, want) || errors.Is(err, imaging.ErrRejected) {
		t.Errorf("error %v, want %v alone", err, want)
	}
	if len(s.events) > 0 {
		t.Errorf("events %+v, want none", s.events)
	}
	if read := strings.Count(strings.Join(s.calls, "\n"), "get"); read != 3 {
		t.Errorf("read %d times, want 3", read)
	}
}

// Decoding would continue after the deadline, and Lambda would kill the function.
func TestReconciler_Reconcile_starts_no_picture_without_time(t *testing.T) {
	for left, again := range map[time.Duration]bool{
		thumbnails.ProcessingTime - time.Second: false,
		thumbnails.ProcessingTime + time.Minute: true,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), left)
		defer cancel()
		s := &store{original: "one"}
		s.written = func() { s.original = "two" }
		err := s.reconciler().Reconcile(ctx, thumbnails.Change{Bucket: "originals", Key: key})
		if errors.Is(err, thumbnails.ErrConcurrentModification) == again ||
			slices.Contains(s.calls, put("two", 320)) != again {
			t.Errorf("%s left: error %v after %q; want another read: %t", left, err, s.calls, again)
		}
		if !slices.Contains(s.calls, put("one", 640)) {
			t.Errorf("%s left: calls %q, want thumbnails of the first read", left, s.calls)
		}
	}
}

// Signed-in clients choose their keys, and S3 rejects longer keys, at every retry.
func TestReconciler_Reconcile_rejects_long_keys(t *testing.T) {
	fits := "private/" + strings.Repeat("x", 1024-len("private/")-len("/1280.jpg"))
	reconcile := func(s *store, key string) error {
		reconciler := s.reconciler()
		reconciler.Widths = []int{1280, 320}
		return reconciler.Reconcile(t.Context(), thumbnails.Change{Bucket: "originals", Key: key})
	}
	s := &store{original: "one"}
	want := "put " + fits + "/1280.jpg: one at 1280, private, max-age=300"
	if err := reconcile(s, fits); err != nil || !slices.Contains(s.calls, want) {
		t.Errorf("error %v after %d calls, want thumbnails", err, len(s.calls))
	}
	for original, rejected := range map[string]bool{"one": true, "": false} {
		s := &store{original: original}
		err := reconcile(s, fits+"x")
		if errors.Is(err, imaging.ErrRejected) != rejected || !rejected && err != nil {
			t.Errorf("error %v, want a rejection: %t", err, rejected)
		}
		if want := []string{"get", "etag", "notify"}; !slices.Equal(s.calls, want) {
			t.Errorf("%d calls, want %q", len(s.calls), want)
		}
		if len(s.events) != 1 || len(s.events[0].Thumbnails) > 0 {
			t.Errorf("events %+v, want one without thumbnails", s.events)
		}
	}
}

func TestReconciler_Reconcile_returns_errors(t *testing.T) {
	for _, failing := range []string{"get", put("one", 320), put("one", 640), "etag", "notify"} {
		s := &store{original: "one", failing: failing}
		if err := s.reconcile(t, key); !errors.Is(err, errFault) {
			t.Errorf("%s: error %v, want the fault", failing, err)
		}
		if s.calls[len(s.calls)-1] != failing {
			t.Errorf("calls %q, want %q to be the last", s.calls, failing)
		}
	}
	for _, original := range []string{"", "bad"} {
		for _, failing := range []string{
			"delete temp/a/320.jpg", "delete temp/a/640.jpg", "etag", "notify",
		} {
			s := &store{original: original, failing: failing}
			err := s.reconcile(t, key)
			if !errors.Is(err, errFault) || errors.Is(err, imaging.ErrRejected) {
				t.Errorf("%s of %q: error %v, want the fault and no rejection",
					failing, original, err)
			}
		}
	}
}

func TestReconciler_Reconcile_accepts_the_maximum_size(t *testing.T) {
	s := &store{original: "10 bytes.."} // limits.Bytes
	err := s.reconcile(t, key)
	if err != nil || len(s.events) != 1 || len(s.events[0].Thumbnails) == 0 {
		t.Errorf("error %v, events %+v, want thumbnails", err, s.events)
	}
}

func TestReconciler_Reconcile_keeps_thumbnails_after_an_internal_error(t *testing.T) {
	s := &store{original: "one"}
	reconciler := s.reconciler()
	reconciler.Generate = func([]byte, []int, imaging.Limits) ([]imaging.Thumbnail, error) {
		return nil, errFault
	}
	err := reconciler.Reconcile(t.Context(), thumbnails.Change{Bucket: "originals", Key: key})
	if !errors.Is(err, errFault) || !slices.Equal(s.calls, []string{"get"}) {
		t.Errorf("error %v after %q, want the fault and no change of thumbnails", err, s.calls)
	}
}

func TestReconciler_Reconcile_publishes_actual_sizes(t *testing.T) {
	s := &store{original: "one"}
	reconciler := s.reconciler()
	reconciler.Generate = func(
		_ []byte, widths []int, _ imaging.Limits,
	) ([]imaging.Thumbnail, error) {
		return []imaging.Thumbnail{{Width: widths[1], Size: image.Pt(7, 9)}}, nil
	}
	err := reconciler.Reconcile(t.Context(), thumbnails.Change{Bucket: "originals", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	want := []thumbnails.Thumbnail{{Key: "temp/a/640.jpg", Width: 7, Height: 9}}
	if diff := cmp.Diff(want, s.events[0].Thumbnails); diff != "" {
		t.Errorf("thumbnails (-want +got):\n%s", diff)
	}
}
