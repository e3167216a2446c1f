package mysqlstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

func TestChanges_Since_returns_only_the_users_data(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	byAda, byBob := s.post(t, "ada"), s.post(t, "bob")
	own, others := s.comment(t, "ada", byBob.ID), s.comment(t, "bob", byAda.ID)
	page := must(s.changes.Since(t.Context(), "ada", accounts.Position{}, 10))(t)
	stored := must(s.profiles.Get(t.Context(), "ada"))(t)
	byAda.CommentCount, byAda.AuthorName, own.AuthorName = 1, "", ""
	want := []accounts.Change{
		{Kind: accounts.KindProfile, Profile: &stored},
		{Kind: accounts.KindComment, ID: own.ID, Comment: &own},
		{Kind: accounts.KindPost, ID: byAda.ID, Post: &byAda}, // changed last
	}
	if diff := cmp.Diff(want, page.Changes); diff != "" {
		t.Error(diff)
	}
	if page.More {
		t.Error("More is true on the last page")
	}
	again := must(s.changes.Since(t.Context(), "ada", page.Next, 10))(t)
	if len(again.Changes) != 0 || again.Next != page.Next || again.More {
		t.Errorf("got %+v, want no changes", again)
	}
	ok(t, s.posts.DeleteComment(t.Context(), "bob", byAda.ID, others.ID))
	ok(t, s.posts.DeleteComment(t.Context(), "ada", byBob.ID, own.ID))
	page = must(s.changes.Since(t.Context(), "ada", page.Next, 10))(t)
	byAda.CommentCount = 0
	want = []accounts.Change{
		{Kind: accounts.KindPost, ID: byAda.ID, Post: &byAda},
		{Kind: accounts.KindComment, ID: own.ID, Deleted: true},
	}
	if diff := cmp.Diff(want, page.Changes); diff != "" {
		t.Error(diff)
	}
}

func TestChanges_Since_without_changes(t *testing.T) {
	s := open(t)
	from := accounts.Position{Version: 3, ID: uuid.Max}
	diff := cmp.Diff(accounts.Page{Next: from},
		must(s.changes.Since(t.Context(), "unknown", from, 10))(t))
	if diff != "" {
		t.Error(diff)
	}
}

func TestChanges_Since_skips_calls_that_change_nothing(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := must(s.posts.Create(t.Context(), "ada", "key", draft))(t)
	ada := newClient("ada")
	ok(t, ada.syncToTheEnd(t, s.changes, 10))
	before := ada.position
	must(s.posts.Create(t.Context(), "ada", "key", draft))(t)
	ok(t, s.profiles.Create(t.Context(), accounts.Profile{Subject: "ada", DisplayName: "Another"}))
	if err := s.posts.Delete(t.Context(), "bob", post.ID); err == nil {
		t.Error("bob could delete ada's post")
	}
	ok(t, ada.syncToTheEnd(t, s.changes, 10))
	if ada.position != before {
		t.Errorf("the position changed from %v to %v", before, ada.position)
	}
	if got := must(s.profiles.Get(t.Context(), "ada"))(t); got.DisplayName != nameOf("ada") {
		t.Errorf("Create has overwritten the profile: %+v", got)
	}
}

func TestProfiles_Create_creates_a_profile_once(t *testing.T) {
	s := open(t)
	s.atOnce(t, 6, func(s *stores, i int) error {
		return s.profiles.Create(t.Context(),
			accounts.Profile{Subject: "ada", DisplayName: fmt.Sprint(i)})
	})
	first := must(s.profiles.Get(t.Context(), "ada"))(t)
	ok(t, s.profiles.Create(t.Context(), accounts.Profile{Subject: "ada", DisplayName: "again"}))
	if diff := cmp.Diff(first, must(s.profiles.Get(t.Context(), "ada"))(t)); diff != "" {
		t.Error(diff)
	}
	c := newClient("ada")
	ok(t, c.syncToTheEnd(t, s.changes, 10))
	if diff := c.check(t, s); diff != "" {
		t.Error(diff)
	}
}

func TestChanges_unavailable_database(t *testing.T) {
	s := open(t)
	s.server.Down()
	_, err := s.changes.Since(t.Context(), "ada", accounts.Position{}, 10)
	deletion := s.accounts.Delete(t.Context(), "ada")
	if !errors.Is(err, retry.ErrUnavailable) || !errors.Is(deletion, retry.ErrUnavailable) ||
		!errors.Is(err, mysqlconn.ErrUnavailable) {
		t.Errorf("got %v and %v, want ErrUnavailable", err, deletion)
	}
}

// A world is a set of users and all posts and comments that they have written.
type world struct {
	stores   *stores
	users    []string
	posts    []posts.Post
	comments []posts.Comment
}

// refused reports whether err is expected for a user whose post, profile or account is deleted.
func refused(err error) bool {
	return errors.Is(err, posts.ErrNotFound) || errors.Is(err, posts.ErrNoProfile) ||
		errors.Is(err, accounts.ErrDeleted)
}

// write performs a random write of a user. draw returns a number below n.
func (w *world) write(t testing.TB, draw func(what string, n int) int) error {
	s, user := w.stores, w.users[draw("user", len(w.users))]
	text := fmt.Sprint("text ", draw("text", 1000))
	key := ""
	if n := draw("key", 8); n < 3 {
		key = fmt.Sprint(n)
	}
	post := func() uuid.UUID { // may be another user's, deleted or unknown
		if len(w.posts) == 0 {
			return uuid.Max
		}
		return w.posts[draw("post", len(w.posts))].ID
	}
	comment := func() posts.Comment {
		if len(w.comments) == 0 {
			return posts.Comment{}
		}
		return w.comments[draw("comment", len(w.comments))]
	}
	var err error
	switch draw("kind of write", 16) {
	case 0, 1, 2:
		_, err = s.profiles.Put(t.Context(), accounts.Profile{Subject: user, DisplayName: text},
			nil)
	case 3:
		err = s.profiles.Create(t.Context(), accounts.Profile{Subject: user, DisplayName: text})
	case 4, 5, 6:
		var created posts.Post
		created, err = s.posts.Create(t.Context(), user, key, posts.Draft{Title: text, Body: text})
		if err == nil {
			w.posts = append(w.posts, created)
		}
	case 7:
		_, err = s.posts.Update(t.Context(), user, post(), posts.Draft{Title: text, Body: text})
	case 8:
		err = s.posts.Delete(t.Context(), user, post())
	case 9, 10, 11, 12:
		var created posts.NewComment
		if created, err = s.posts.CreateComment(t.Context(), user, key, post(), text); err == nil {
			w.comments = append(w.comments, created.Comment)
		}
	case 13:
		one := comment()
		_, err = s.posts.UpdateComment(t.Context(), user, one.PostID, one.ID, text)
	case 14:
		one := comment()
		err = s.posts.DeleteComment(t.Context(), user, one.PostID, one.ID)
	case 15:
		if draw("delete the account", 4) == 0 {
			err = s.accounts.Delete(t.Context(), user)
		}
	}
	if refused(err) {
		return nil
	}
	return err
}

// TestChanges_Since_syncs_clients_to_the_tables performs random writes of users and random syncs of
// their clients, and syncs all clients to the end afterwards.
func TestChanges_Since_syncs_clients_to_the_tables(t *testing.T) {
	s := open(t)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		w := &world{stores: s}
		var clients []*client
		for _, name := range []string{"a", "b", "c"} {
			user := fmt.Sprintf("%s-%d", name, run)
			w.users = append(w.users, user)
			clients = append(clients, newClient(user), newClient(user))
		}
		draw := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(r, what) }
		for range draw("steps", 40) {
			if draw("write or sync", 3) > 0 {
				if err := w.write(t, draw); err != nil {
					r.Fatal(err)
				}
				continue
			}
			_, err := clients[draw("client", len(clients))].sync(t, s.changes, 1+draw("limit", 4))
			if err != nil && !refused(err) {
				r.Fatal(err)
			}
		}
		for i, c := range clients {
			err := c.syncToTheEnd(t, s.changes, 1+draw("limit", 4))
			if errors.Is(err, accounts.ErrDeleted) {
				continue
			}
			if err != nil {
				r.Fatal(err)
			}
			if diff := c.check(t, s); diff != "" {
				r.Fatalf("client %d of %s (-tables +client):\n%s", i%2, c.subject, diff)
			}
		}
	})
	s.checkCounts(t)
}

// TestChanges_Since_loses_no_change_of_concurrent_writers writes for a user in concurrent
// transactions while others comment on the user's posts and a client syncs. A version that became
// visible before a smaller one would be lost.
func TestChanges_Since_loses_no_change_of_concurrent_writers(t *testing.T) {
	s := open(t)
	users := []string{"ada", "bob", "cy"}
	s.signUp(t, users...)
	const writers, rounds = 5, 60
	post := s.post(t, "ada")
	var running atomic.Int32
	running.Store(writers)
	c, pages := newClient("ada"), 0
	s.atOnce(t, writers+1, func(s *stores, i int) error {
		if i == writers {
			for running.Load() > 0 {
				if _, err := c.sync(t, s.changes, 2); err != nil {
					return err
				}
				pages++
			}
			return nil
		}
		defer running.Add(-1)
		random := rand.New(rand.NewPCG(1, uint64(i))) // one per writer, the same in every run
		w := &world{stores: s, users: []string{users[max(0, i-2)]}, posts: []posts.Post{post}}
		for range rounds {
			err := w.write(t, func(what string, n int) int {
				if what == "delete the account" {
					return 1 // never
				}
				return random.IntN(n)
			})
			if err != nil {
				return fmt.Errorf("writer %d: %w", i, err)
			}
		}
		return nil
	})
	ok(t, c.syncToTheEnd(t, s.changes, 2))
	if diff := c.check(t, s); diff != "" {
		t.Errorf("after %d pages (-tables +client):\n%s", pages, diff)
	}
	for _, other := range users {
		fresh := newClient(other)
		ok(t, fresh.syncToTheEnd(t, s.changes, 7))
		if diff := fresh.check(t, s); diff != "" {
			t.Errorf("%s (-tables +client):\n%s", other, diff)
		}
	}
	s.checkCounts(t)
	t.Logf("%d pages during %d writes", pages, writers*rounds)
}
