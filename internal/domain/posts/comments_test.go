package posts_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
)

// fakeComments is a fake store and fake events. It records the calls of both in one list.
type fakeComments struct {
	posts.Store
	calls     []string
	recipient string
	err       error // of the store
	eventsErr error
	deadline  time.Duration // of the call of events, from its start
}

func (f *fakeComments) CreateComment(
	_ context.Context, author, key string, postID uuid.UUID, body string,
) (posts.NewComment, error) {
	f.calls = append(f.calls, "store "+author+" "+key+" "+body)
	return posts.NewComment{
		Comment: posts.Comment{PostID: postID, Author: author, Body: body}, Recipient: f.recipient,
	}, f.err
}

func (f *fakeComments) UpdateComment(
	_ context.Context, author string, postID, _ uuid.UUID, body string,
) (posts.Comment, error) {
	f.calls = append(f.calls, "store "+author+" "+body)
	return posts.Comment{PostID: postID, Author: author, Body: body}, f.err
}

func (f *fakeComments) CommentCreated(ctx context.Context, recipient string) error {
	f.calls = append(f.calls, "publish to "+recipient)
	if end, ok := ctx.Deadline(); ok {
		f.deadline = time.Until(end)
	}
	return f.eventsErr
}

func (f *fakeComments) service(log *bytes.Buffer) *posts.Service {
	return &posts.Service{
		Store: f, Sanitizer: richtext.Sanitizer{}, Events: f,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

func TestService_CreateComment(t *testing.T) {
	failure := errors.New("failed")
	for name, test := range map[string]struct {
		fake  fakeComments
		body  string
		calls []string
		err   error
		log   string
	}{
		"stored, then published": {
			fake:  fakeComments{recipient: "eve"},
			body:  "<script>steal()</script>True.",
			calls: []string{"store ada key True.", "publish to eve"},
		},
		"on the author's own post": {
			body:  "True.",
			calls: []string{"store ada key True."},
		},
		"not stored": {
			fake:  fakeComments{recipient: "eve", err: failure},
			body:  "True.",
			calls: []string{"store ada key True."},
			err:   failure,
		},
		"not published": {
			fake:  fakeComments{recipient: "eve", eventsErr: failure},
			body:  "True.",
			calls: []string{"store ada key True.", "publish to eve"},
			log:   "publishing a comment failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			fake := test.fake
			got, err := fake.service(&log).CreateComment(t.Context(), "ada", "key", uuid.New(),
				test.body)
			if !errors.Is(err, test.err) || (err == nil) != (got.Body == "True.") {
				t.Errorf("got %+v, %v; want the error %v", got, err, test.err)
			}
			if diff := cmp.Diff(test.calls, fake.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if (log.Len() > 0) != (test.log != "") || !strings.Contains(log.String(), test.log) {
				t.Errorf("log %q, want %q", log.String(), test.log)
			}
			if len(fake.calls) == 2 && (fake.deadline <= 0 || fake.deadline > 2*time.Second) {
				t.Errorf("the topic's timeout is %s, want at most 2s", fake.deadline)
			}
		})
	}
	t.Run("invalid", func(t *testing.T) {
		var log bytes.Buffer
		fake := &fakeComments{recipient: "eve"}
		_, created := fake.service(&log).CreateComment(t.Context(), "ada", "", uuid.New(), "<br>")
		_, updated := fake.service(&log).UpdateComment(t.Context(), "ada", uuid.New(), uuid.New(),
			"<br>")
		if created == nil || updated == nil || len(fake.calls) > 0 {
			t.Errorf("%v, %v after %v; want errors before any call", created, updated, fake.calls)
		}
	})
}

func TestService_UpdateComment_stores_sanitized_HTML(t *testing.T) {
	var log bytes.Buffer
	fake := &fakeComments{}
	got, err := fake.service(&log).UpdateComment(t.Context(), "ada", uuid.New(), uuid.New(),
		"<script>steal()</script>True.")
	if err != nil || got.Body != "True." || !cmp.Equal(fake.calls, []string{"store ada True."}) {
		t.Errorf("got %+v, %v after %v", got, err, fake.calls)
	}
}
