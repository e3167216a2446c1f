package mysqlstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

func TestPosts_Get_returns_the_stored_post(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada")
	before := time.Now().Add(-time.Minute) // the database's clock may be another machine's
	created := s.post(t, "ada")
	want := posts.Post{
		ID: created.ID, Author: "ada", AuthorName: nameOf("ada"), Title: draft.Title,
		Body: draft.Body,
	}
	diff := cmp.Diff(want, created, cmpopts.IgnoreFields(posts.Post{}, "CreatedAt", "UpdatedAt"))
	if diff != "" {
		t.Error(diff)
	}
	if created.ID.Version() != 7 || !created.CreatedAt.Equal(created.UpdatedAt) ||
		created.CreatedAt.Before(before) || created.CreatedAt.After(before.Add(2*time.Minute)) {
		t.Errorf("id %s, created %s, updated %s, want now", created.ID, created.CreatedAt,
			created.UpdatedAt)
	}
	if diff := cmp.Diff(created, must(s.posts.Get(t.Context(), created.ID))(t)); diff != "" {
		t.Error(diff)
	}

	changed := posts.Draft{Title: "Another", Body: "Other."}
	updated := must(s.posts.Update(t.Context(), "ada", created.ID, changed))(t)
	if updated.Title != "Another" || updated.Body != "Other." ||
		!updated.CreatedAt.Equal(created.CreatedAt) || !updated.UpdatedAt.After(created.UpdatedAt) {
		t.Errorf("updated to %+v", updated)
	}
	s.comment(t, "ada", created.ID)
	got := must(s.posts.Get(t.Context(), created.ID))(t)
	updated.CommentCount = 1
	if diff := cmp.Diff(updated, got); diff != "" {
		t.Errorf("a comment changes no more than the count:\n%s", diff)
	}

	ok(t, s.posts.Delete(t.Context(), "ada", created.ID))
	if _, err := s.posts.Get(t.Context(), created.ID); !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestPosts_Create_stores_the_longest_post_and_comment(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada")
	longest := posts.Draft{
		Title: strings.Repeat("🪨", posts.MaxTitle), Body: strings.Repeat("🪨", posts.MaxBody),
	}
	key := strings.Repeat("~", 64) // the longest key that the API accepts
	post := must(s.posts.Create(t.Context(), "ada", key, longest))(t)
	if post.Title != longest.Title || post.Body != longest.Body {
		t.Error("the stored post differs")
	}
	body := strings.Repeat("🪨", posts.MaxComment)
	comment := must(s.posts.CreateComment(t.Context(), "ada", key, post.ID, body))(t)
	if comment.Body != body {
		t.Error("the stored comment differs")
	}
}

func TestPosts_reject_other_authors_and_unknown_ids(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	comment := s.comment(t, "ada", post.ID)
	unknown := uuid.Must(uuid.NewV7())
	for name, try := range map[string]func() error{
		"update another's": func() error {
			_, err := s.posts.Update(t.Context(), "bob", post.ID, draft)
			return err
		},
		"delete another's": func() error { return s.posts.Delete(t.Context(), "bob", post.ID) },
		"case of subject":  func() error { return s.posts.Delete(t.Context(), "Ada", post.ID) },
		"update unknown": func() error {
			_, err := s.posts.Update(t.Context(), "ada", unknown, draft)
			return err
		},
		"delete unknown": func() error { return s.posts.Delete(t.Context(), "ada", unknown) },
		"get unknown":    func() error { _, err := s.posts.Get(t.Context(), unknown); return err },

		"update another's comment": func() error {
			_, err := s.posts.UpdateComment(t.Context(), "bob", post.ID, comment.ID, "x")
			return err
		},
		"delete another's comment": func() error {
			return s.posts.DeleteComment(t.Context(), "bob", post.ID, comment.ID)
		},
		"update comment by another post": func() error {
			_, err := s.posts.UpdateComment(t.Context(), "ada", unknown, comment.ID, "x")
			return err
		},
		"delete comment by another post": func() error {
			return s.posts.DeleteComment(t.Context(), "ada", unknown, comment.ID)
		},
		"get comment by another post": func() error {
			_, err := s.posts.GetComment(t.Context(), unknown, comment.ID)
			return err
		},
		"update unknown comment": func() error {
			_, err := s.posts.UpdateComment(t.Context(), "ada", post.ID, unknown, "x")
			return err
		},
		"delete unknown comment": func() error {
			return s.posts.DeleteComment(t.Context(), "ada", post.ID, unknown)
		},
		"get unknown comment": func() error {
			_, err := s.posts.GetComment(t.Context(), post.ID, unknown)
			return err
		},
		"comment on unknown": func() error {
			_, err := s.posts.CreateComment(t.Context(), "ada", "", unknown, "x")
			return err
		},
		"list comments of unknown": func() error {
			_, err := s.posts.ListComments(t.Context(), unknown, uuid.Nil, 1)
			return err
		},
	} {
		if err := try(); !errors.Is(err, posts.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	post.CommentCount = 1
	if diff := cmp.Diff(post, must(s.posts.Get(t.Context(), post.ID))(t)); diff != "" {
		t.Error(diff)
	}
	diff := cmp.Diff(comment, must(s.posts.GetComment(t.Context(), post.ID, comment.ID))(t))
	if diff != "" {
		t.Error(diff)
	}
}

func TestPosts_GetComment_returns_the_stored_comment(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	created := s.comment(t, "bob", post.ID)
	want := posts.Comment{
		ID: created.ID, PostID: post.ID, Author: "bob", AuthorName: nameOf("bob"),
		Body: "A comment.",
	}
	diff := cmp.Diff(want, created, cmpopts.IgnoreFields(posts.Comment{}, "CreatedAt", "UpdatedAt"))
	if diff != "" {
		t.Error(diff)
	}
	updated := must(s.posts.UpdateComment(t.Context(), "bob", post.ID, created.ID, "Another."))(t)
	if updated.Body != "Another." || !updated.CreatedAt.Equal(created.CreatedAt) ||
		!updated.UpdatedAt.After(created.UpdatedAt) {
		t.Errorf("updated to %+v", updated)
	}
	diff = cmp.Diff(updated, must(s.posts.GetComment(t.Context(), post.ID, created.ID))(t))
	if diff != "" {
		t.Error(diff)
	}
	ok(t, s.posts.DeleteComment(t.Context(), "bob", post.ID, created.ID))
	_, err := s.posts.GetComment(t.Context(), post.ID, created.ID)
	if !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	s.checkCounts(t)
}

func TestPosts_Create_requires_a_profile(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada")
	post := s.post(t, "ada")
	_, postErr := s.posts.Create(t.Context(), "nameless", "", draft)
	_, commentErr := s.posts.CreateComment(t.Context(), "nameless", "", post.ID, "x")
	if !errors.Is(postErr, posts.ErrNoProfile) || !errors.Is(commentErr, posts.ErrNoProfile) {
		t.Errorf("got %v and %v, want ErrNoProfile", postErr, commentErr)
	}
	if n := s.count(t, "accounts", "subject = 'nameless'"); n != 0 {
		t.Errorf("%d rows are left after a rejected call", n)
	}
}

func TestPosts_return_the_current_display_name(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada")
	post := s.post(t, "ada")
	comment := s.comment(t, "ada", post.ID)
	renamed := ada
	renamed.Subject, renamed.DisplayName = "ada", "Ada the Second"
	put(t, s.profiles, renamed)
	names := []string{
		must(s.posts.Get(t.Context(), post.ID))(t).AuthorName,
		must(s.posts.List(t.Context(), uuid.Nil, 1))(t)[0].AuthorName,
		must(s.posts.GetComment(t.Context(), post.ID, comment.ID))(t).AuthorName,
		must(s.posts.ListComments(t.Context(), post.ID, uuid.Nil, 1))(t)[0].AuthorName,
	}
	for i, name := range names {
		if name != renamed.DisplayName {
			t.Errorf("%d: %q", i, name)
		}
	}
}

func TestPosts_List_is_newest_first(t *testing.T) {
	s := open(t)
	if found := must(s.posts.List(t.Context(), uuid.Nil, 3))(t); len(found) != 0 {
		t.Errorf("%v in an empty store", found)
	}
	s.signUp(t, "ada")
	var want []posts.Post
	for range 7 {
		post := s.post(t, "ada")
		post.Body = ""
		want = append([]posts.Post{post}, want...)
	}
	var got []posts.Post
	for before := uuid.Nil; ; before = got[len(got)-1].ID {
		page := must(s.posts.List(t.Context(), before, 3))(t)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		if len(got) == 3 { // the post before the next page need not exist
			ok(t, s.posts.Delete(t.Context(), "ada", got[2].ID))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPosts_ListComments_is_oldest_first(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post, other := s.post(t, "ada"), s.post(t, "ada")
	if found := must(s.posts.ListComments(t.Context(), post.ID, uuid.Nil, 3))(t); len(found) != 0 {
		t.Errorf("%v on a new post", found)
	}
	var want []posts.Comment
	for range 7 {
		want = append(want, s.comment(t, "bob", post.ID))
		s.comment(t, "bob", other.ID)
	}
	var got []posts.Comment
	for after := uuid.Nil; ; after = got[len(got)-1].ID {
		page := must(s.posts.ListComments(t.Context(), post.ID, after, 3))(t)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		if len(got) == 3 {
			ok(t, s.posts.DeleteComment(t.Context(), "bob", post.ID, got[2].ID))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPosts_read_the_replica_or_else_the_writer(t *testing.T) {
	s := open(t)
	replica := s.server.NewDatabase(t).Open(t)
	migrate(t, replica)
	writer := s.database.Open(t)
	behind := mysqlstore.NewPosts(
		&mysqlconn.Databases{Writer: writer.Writer, Reader: replica.Writer})
	s.signUp(t, "ada")
	post := s.post(t, "ada")
	comment := s.comment(t, "ada", post.ID)
	if _, err := behind.Get(t.Context(), post.ID); err != nil {
		t.Errorf("post missing in the replica: %v", err)
	}
	if _, err := behind.GetComment(t.Context(), post.ID, comment.ID); err != nil {
		t.Errorf("comment missing in the replica: %v", err)
	}
	found, err := behind.ListComments(t.Context(), post.ID, uuid.Nil, 5)
	if err != nil || len(found) != 1 {
		t.Errorf("comments on a post missing in the replica: %v, %v", found, err)
	}
	if found, err := behind.List(t.Context(), uuid.Nil, 5); err != nil || len(found) != 0 {
		t.Errorf("got %v, %v, want the replica's empty list", found, err)
	}
	ok(t, replica.Writer.Close())
	settings := s.database.Settings()
	settings.ReaderHosts = []string{"replica.invalid"}
	unreachable := must(mysqlconn.Open(settings, s.database))(t)
	t.Cleanup(func() { _ = unreachable.Close() })
	fromWriter, err := mysqlstore.NewPosts(unreachable).List(t.Context(), uuid.Nil, 5)
	if err != nil || len(fromWriter) != 1 {
		t.Errorf("while the replica is unreachable: %v, %v, want the writer's", fromWriter, err)
	}
}

func TestPosts_Create_is_idempotent_per_key(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	other := posts.Draft{Title: "Other", Body: "Other."}
	first := must(s.posts.Create(t.Context(), "ada", "key", draft))(t)
	diff := cmp.Diff(first, must(s.posts.Create(t.Context(), "ada", "key", other))(t))
	if diff != "" {
		t.Error(diff)
	}
	comment := must(s.posts.CreateComment(t.Context(), "ada", "key", first.ID, "x"))(t)
	diff = cmp.Diff(comment,
		must(s.posts.CreateComment(t.Context(), "ada", "key", first.ID, "y"))(t))
	if diff != "" {
		t.Error(diff)
	}
	distinct := map[uuid.UUID]bool{first.ID: true, comment.ID: true}
	for _, post := range []posts.Post{
		must(s.posts.Create(t.Context(), "ada", "Key", draft))(t),
		must(s.posts.Create(t.Context(), "bob", "key", draft))(t),
		must(s.posts.Create(t.Context(), "ada", "", draft))(t),
		must(s.posts.Create(t.Context(), "ada", "", draft))(t),
	} {
		distinct[post.ID] = true
		distinct[must(s.posts.CreateComment(t.Context(), "ada", "key", post.ID, "x"))(t).ID] = true
	}
	for _, author := range []string{"ada", "ada", "bob"} {
		distinct[must(s.posts.CreateComment(t.Context(), author, "", first.ID, "x"))(t).ID] = true
	}
	distinct[must(s.posts.CreateComment(t.Context(), "bob", "key", first.ID, "x"))(t).ID] = true
	if len(distinct) != 14 {
		t.Errorf("%d posts and comments, want 14", len(distinct))
	}
	s.checkCounts(t)
}

func TestPosts_Create_is_idempotent_for_concurrent_requests(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "bob")
	const requests = 8
	var made, commented [requests]uuid.UUID
	s.atOnce(t, requests, func(s *stores, i int) error {
		one, err := s.posts.Create(t.Context(), "ada", "key", draft)
		made[i] = one.ID
		return err
	})
	s.atOnce(t, requests, func(s *stores, i int) error {
		one, err := s.posts.CreateComment(t.Context(), "ada", "key", post.ID, "x")
		commented[i] = one.ID
		return err
	})
	for i := range requests {
		if made[i] != made[0] || commented[i] != commented[0] {
			t.Errorf("request %d got different ids: %s, %s", i, made[i], commented[i])
		}
	}
	posts := s.count(t, "posts", "author = 'ada'")
	comments := s.count(t, "comments", "author = 'ada'")
	if posts != 1 || comments != 1 {
		t.Errorf("%d posts and %d comments, want one each", posts, comments)
	}
	s.checkCounts(t)
}

func TestPosts_CommentCount_is_right_after_concurrent_changes(t *testing.T) {
	s := open(t)
	s.signUp(t, "u-0", "u-1", "u-2", "u-3", "u-4", "u-5")
	post := s.post(t, "u-0")
	const workers, rounds = 6, 10
	deadlocks := s.deadlocks(t)
	s.atOnce(t, workers, func(s *stores, i int) error {
		author := []string{"u-0", "u-1", "u-2", "u-3", "u-4", "u-5"}[i]
		for range rounds {
			kept, err := s.posts.CreateComment(t.Context(), author, "", post.ID, "kept")
			if err != nil {
				return err
			}
			gone, err := s.posts.CreateComment(t.Context(), author, "", post.ID, "gone")
			if err != nil {
				return err
			}
			_, err = s.posts.UpdateComment(t.Context(), author, post.ID, kept.ID, "changed")
			if err != nil {
				return err
			}
			if err := s.posts.DeleteComment(t.Context(), author, post.ID, gone.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if got := must(s.posts.Get(t.Context(), post.ID))(t).CommentCount; got != workers*rounds {
		t.Errorf("CommentCount is %d, want %d", got, workers*rounds)
	}
	s.checkCounts(t)
	s.checkNoDeadlockSince(t, deadlocks)
}

func TestPosts_CreateComment_on_each_others_posts_does_not_deadlock(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	byAda, byBob := s.post(t, "ada"), s.post(t, "bob")
	deadlocks := s.deadlocks(t)
	const rounds = 20
	s.atOnce(t, 4, func(s *stores, i int) error {
		author, post := "ada", byBob
		if i%2 == 1 {
			author, post = "bob", byAda
		}
		for range rounds {
			if _, err := s.posts.CreateComment(t.Context(), author, "", post.ID, "x"); err != nil {
				return err
			}
		}
		return nil
	})
	for _, post := range []posts.Post{byAda, byBob} {
		if got := must(s.posts.Get(t.Context(), post.ID))(t).CommentCount; got != 2*rounds {
			t.Errorf("%d comments, want %d", got, 2*rounds)
		}
	}
	s.checkNoDeadlockSince(t, deadlocks)
}

// deadlocks returns how many deadlocks the server has detected, 0 for the embedded engine.
func (s *stores) deadlocks(t testing.TB) (n int) {
	t.Helper()
	if !s.server.Embedded() {
		count := s.server.Admin.QueryRow("SELECT count FROM information_schema.innodb_metrics " +
			"WHERE name = 'lock_deadlocks'")
		ok(t, count.Scan(&n))
	}
	return n
}

// checkNoDeadlockSince checks that the order of locks has prevented deadlocks, so that no retry was
// needed.
func (s *stores) checkNoDeadlockSince(t testing.TB, before int) {
	t.Helper()
	if n := s.deadlocks(t); n != before {
		t.Errorf("%d deadlocks", n-before)
	}
}

func TestPosts_CreateComment_retries_after(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *stores){
		"deadlock": func(t *testing.T, s *stores) {
			s.database.Deadlock(t, "accounts", "subject", "ada")
		},
		"lock wait timeout": func(t *testing.T, s *stores) {
			s.database.LockTimeout(t, "accounts", "subject", "ada")
		},
		"failover":          func(t *testing.T, s *stores) { s.server.Failover(t) },
		"killed connection": func(t *testing.T, s *stores) { s.database.KillConnections(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob")
			post := s.post(t, "bob")
			fault(t, s)
			s.comment(t, "ada", post.ID)
			s.checkCounts(t)
			if n := s.count(t, "comments", "1 = 1"); n != 1 {
				t.Errorf("%d comments, want 1", n)
			}
		})
	}
}

// TestPosts_apply_a_commit_with_a_lost_response_once breaks the connection instead of responding to
// the commit, so that the work is retried from the start.
func TestPosts_apply_a_commit_with_a_lost_response_once(t *testing.T) {
	s := open(t)
	for name, test := range map[string]struct {
		table string // whose number of rows the commit changes
		work  func(author string, post, comment uuid.UUID) error

		// How many exist afterwards; before, there is one of each.
		posts, comments int
	}{
		"create post": {"posts", func(author string, _, _ uuid.UUID) error {
			_, err := s.posts.Create(t.Context(), author, "", draft)
			return err
		}, 2, 1},
		"create post by key": {"posts", func(author string, _, _ uuid.UUID) error {
			_, err := s.posts.Create(t.Context(), author, "key", draft)
			return err
		}, 2, 1},
		"delete post": {"posts", func(author string, post, _ uuid.UUID) error {
			return s.posts.Delete(t.Context(), author, post)
		}, 0, 0},
		"create comment": {"comments", func(author string, post, _ uuid.UUID) error {
			_, err := s.posts.CreateComment(t.Context(), author, "", post, "x")
			return err
		}, 1, 2},
		"create comment by key": {"comments", func(author string, post, _ uuid.UUID) error {
			_, err := s.posts.CreateComment(t.Context(), author, "key", post, "x")
			return err
		}, 1, 2},
		"delete comment": {"comments", func(author string, post, comment uuid.UUID) error {
			return s.posts.DeleteComment(t.Context(), author, post, comment)
		}, 1, 0},
		"delete account": {"posts", func(author string, _, _ uuid.UUID) error {
			return s.accounts.Delete(t.Context(), author)
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			author := strings.ReplaceAll(name, " ", "-")
			s.signUp(t, author)
			post := s.post(t, author)
			comment := s.comment(t, author, post.ID)
			s.database.LoseCommitResponse(t, test.table)
			if err := test.work(author, post.ID, comment.ID); err != nil {
				t.Error(err)
			}
			posts := s.count(t, "posts", "author = ?", author)
			comments := s.count(t, "comments", "author = ?", author)
			if posts != test.posts || comments != test.comments {
				t.Errorf("%d posts and %d comments, want %d and %d", posts, comments, test.posts,
					test.comments)
			}
			s.checkCounts(t)
		})
	}
}

func TestPosts_unavailable_database(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada")
	post := s.post(t, "ada")
	s.server.Down()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, get := s.posts.Get(ctx, post.ID)
	_, list := s.posts.List(ctx, uuid.Nil, 1)
	_, create := s.posts.Create(ctx, "ada", "", draft)
	_, update := s.posts.Update(ctx, "ada", post.ID, draft)
	remove := s.posts.Delete(ctx, "ada", post.ID)
	_, getComment := s.posts.GetComment(ctx, post.ID, post.ID)
	_, listComments := s.posts.ListComments(ctx, post.ID, uuid.Nil, 1)
	_, createComment := s.posts.CreateComment(ctx, "ada", "", post.ID, "x")
	_, updateComment := s.posts.UpdateComment(ctx, "ada", post.ID, post.ID, "x")
	deleteComment := s.posts.DeleteComment(ctx, "ada", post.ID, post.ID)
	for i, err := range []error{
		get, list, create, update, remove, getComment, listComments, createComment, updateComment,
		deleteComment,
	} {
		if !errors.Is(err, retry.ErrUnavailable) || !errors.Is(err, mysqlconn.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrUnavailable", i, err)
		}
	}
}
