package mysqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// many is more than two batches of comments, and not a multiple of a batch.
const many = 2*mysqlstore.BatchSize + 7

func TestPosts_Delete_deletes_comments_and_records_changes(t *testing.T) {
	for name, n := range map[string]int{
		"none": 0, "few": 3, "exactly a batch": mysqlstore.BatchSize, "many": many,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			users := []string{"ada", "bob", "cy"}
			s.signUp(t, users...)
			post, other := s.post(t, "ada"), s.post(t, "ada")
			s.comment(t, "bob", other.ID)
			for i := range n {
				s.comment(t, users[i%len(users)], post.ID)
			}
			var clients []*client
			for _, user := range users {
				c := newClient(user)
				ok(t, c.syncToTheEnd(t, s.changes, 100))
				clients = append(clients, c)
			}
			ok(t, s.posts.Delete(t.Context(), "ada", post.ID))
			err := s.posts.Delete(t.Context(), "ada", post.ID)
			if !errors.Is(err, posts.ErrNotFound) {
				t.Errorf("second deletion: %v, want ErrNotFound", err)
			}
			if n := s.count(t, "comments", "post_id = ?", post.ID[:]); n != 0 {
				t.Errorf("%d comments are left", n)
			}
			for _, c := range clients {
				ok(t, c.syncToTheEnd(t, s.changes, 10))
				if diff := c.check(t, s); diff != "" {
					t.Errorf("%s (-tables +client):\n%s", c.subject, diff)
				}
			}
			s.checkCounts(t)
		})
	}
}

// loadObjects creates posts of ada with comments, and comments of ada on posts of bob. The tests
// delete ada's account.
func loadObjects(t *testing.T, s *stores) {
	t.Helper()
	s.signUp(t, "ada", "bob", "cy")
	for i, owner := range []string{"ada", "ada", "bob", "bob"} {
		post := s.post(t, owner)
		n := 3
		if i%2 == 0 {
			n = many
		}
		for j := range n {
			s.comment(t, []string{"ada", "bob", "cy"}[j%3], post.ID)
		}
		s.comment(t, "ada", post.ID)
	}
}

// checkDeleted checks that no data of a user is left but the mark of the deleted account, and that
// the others' data is right.
func checkDeleted(t *testing.T, s *stores, subject string, others ...*client) {
	t.Helper()
	for table, column := range map[string]string{
		"profiles": "subject", "posts": "author", "comments": "author", "changes": "subject",
		"comment_notifications": "recipient", "notification_leases": "recipient",
	} {
		if n := s.count(t, table, column+" = ?", subject); n != 0 {
			t.Errorf("%d rows of the user are left in %s", n, table)
		}
	}
	if n := s.count(t, "accounts", "subject = ? AND deleted_at IS NOT NULL", subject); n != 1 {
		t.Errorf("%d accounts are marked as deleted, want 1", n)
	}
	s.checkCounts(t)
	for _, c := range others {
		ok(t, c.syncToTheEnd(t, s.changes, 20))
		if diff := c.check(t, s); diff != "" {
			t.Errorf("%s (-tables +client):\n%s", c.subject, diff)
		}
	}
}

// checkRejected checks that a user whose account is deleted can do nothing. post and comment are
// the user's own, and may be deleted.
func checkRejected(t *testing.T, s *stores, subject string, bobs, post, comment uuid.UUID) {
	t.Helper()
	_, get := s.profiles.Get(t.Context(), subject)
	_, put := s.profiles.Put(t.Context(), accounts.Profile{Subject: subject, DisplayName: "Again"},
		nil)
	create := s.profiles.Create(t.Context(),
		accounts.Profile{Subject: subject, DisplayName: "Again"})
	_, since := newClient(subject).sync(t, s.changes, 1)
	_, createPost := s.posts.Create(t.Context(), subject, "", draft)
	_, createComment := s.posts.CreateComment(t.Context(), subject, "", bobs, "x")
	_, created := s.posts.Created(t.Context(), subject, "key")
	_, promote := s.pictures.StartPromotions(t.Context(), subject,
		[]pictures.Reference{{Owner: pictures.Owner(subject), ID: uuid.New()}})
	mails := s.profiles.SetCommentNotifications(t.Context(), subject, true)
	for i, err := range []error{
		get, put, create, since, createPost, createComment, created, promote, mails,
	} {
		if !errors.Is(err, accounts.ErrDeleted) {
			t.Errorf("%d: got %v, want ErrDeleted", i, err)
		}
	}
	_, update := s.posts.Update(t.Context(), subject, post, draft)
	_, updateComment := s.posts.UpdateComment(t.Context(), subject, bobs, comment, "x")
	deleteComment := s.posts.DeleteComment(t.Context(), subject, bobs, comment)
	for i, err := range []error{update, updateComment, deleteComment} {
		if !errors.Is(err, accounts.ErrDeleted) && !errors.Is(err, posts.ErrNotFound) {
			t.Errorf("%d: got %v, want ErrDeleted or ErrNotFound", i, err)
		}
	}
}

func TestAccounts_Delete_leaves_nothing_and_is_final(t *testing.T) {
	s := open(t)
	loadObjects(t, s)
	bobs := s.post(t, "bob")
	post, comment := s.post(t, "ada"), s.comment(t, "ada", bobs.ID)
	bob, cy := newClient("bob"), newClient("cy")
	ok(t, bob.syncToTheEnd(t, s.changes, 20))
	ok(t, cy.syncToTheEnd(t, s.changes, 20))

	ok(t, s.accounts.Delete(t.Context(), "ada"))
	checkDeleted(t, s, "ada", bob, cy)
	checkRejected(t, s, "ada", bobs.ID, post.ID, comment.ID)
	checkDeleted(t, s, "ada")
	if _, err := s.profiles.Get(t.Context(), "bob"); err != nil {
		t.Errorf("another user's profile: %v", err)
	}
	ok(t, s.accounts.Delete(t.Context(), "ada"))
}

func TestAccounts_Delete_account_without_data(t *testing.T) {
	s := open(t)
	s.signUp(t, "bob")
	bobs := s.post(t, "bob")
	ok(t, s.accounts.Delete(t.Context(), "unknown"))
	checkDeleted(t, s, "unknown")
	checkRejected(t, s, "unknown", bobs.ID, bobs.ID, bobs.ID)
}

func TestAccounts_Delete_continues_after_an_interruption(t *testing.T) {
	s := open(t)
	loadObjects(t, s)
	bobs := s.post(t, "bob")
	post, comment := s.post(t, "ada"), s.comment(t, "ada", bobs.ID)
	bob, cy := newClient("bob"), newClient("cy")
	left := map[string]bool{}
	cut(t, s, func(ctx context.Context) error {
		err := s.accounts.Delete(ctx, "ada")
		if err != nil && !errors.Is(err, retry.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
		if s.count(t, "accounts", "subject = 'ada' AND deleted_at IS NOT NULL") == 0 {
			return err // the deletion has not begun
		}
		left[fmt.Sprint(s.count(t, "posts", "author = 'ada'"), s.count(t, "comments", "1 = 1"),
			s.count(t, "changes", "subject = 'ada'"))] = true
		checkRejected(t, s, "ada", bobs.ID, post.ID, comment.ID)
		s.checkCounts(t)
		for _, c := range []*client{bob, cy} {
			ok(t, c.syncToTheEnd(t, s.changes, 20))
			if diff := c.check(t, s); diff != "" {
				t.Errorf("%s (-tables +client):\n%s", c.subject, diff)
			}
		}
		return err
	})
	if len(left) < 3 {
		t.Errorf("states after interruptions: %v; want at least 3", left)
	}
	checkDeleted(t, s, "ada", bob, cy)
}

// cut calls work with too little time, or with a fault, until it succeeds.
func cut(t *testing.T, s *stores, work func(context.Context) error) {
	t.Helper()
	if !s.server.Embedded() {
		// The timeout is much too short, and a little longer each time.
		for timeout := 4 * time.Millisecond; ; timeout += timeout / 8 {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			err := work(ctx)
			cancel()
			if err == nil {
				return
			}
		}
	}
	// The embedded engine rolls back rows but not index entries, so the fault hits where a
	// transaction begins: this tests the steps, and a real server also tests what is within them.
	for _, statement := range []string{
		"FROM posts WHERE id", "DELETE FROM changes", "DELETE FROM profiles",
	} {
		for range 4 { // one per try of a transaction
			s.database.Deadlock(t, statement, "", "")
		}
		if err := work(t.Context()); err == nil {
			t.Errorf("the deletion does not execute %s", statement)
		}
	}
	ok(t, work(t.Context()))
}

func TestAccounts_Delete_retries_after(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *stores){
		"deadlock": func(t *testing.T, s *stores) {
			s.database.Deadlock(t, "accounts", "subject", "bob")
		},
		"lock wait timeout": func(t *testing.T, s *stores) {
			s.database.LockTimeout(t, "accounts", "subject", "bob")
		},
		"killed connection": func(t *testing.T, s *stores) { s.database.KillConnections(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			loadObjects(t, s)
			fault(t, s)
			ok(t, s.accounts.Delete(t.Context(), "ada"))
			checkDeleted(t, s, "ada", newClient("bob"), newClient("cy"))
		})
	}
}

func TestAccounts_Delete_deletes_more_than_one_batch(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "bob")
	insert := func(table, row string, n int) { // bypasses the stores, which would be slow
		t.Helper()
		var rows []string
		for i := range n {
			rows = append(rows, fmt.Sprintf(row, i))
		}
		_, err := s.server.Admin.Exec(
			"INSERT INTO " + s.database.Name + "." + table + " VALUES " + strings.Join(rows, ", "))
		if err != nil {
			t.Fatal(err)
		}
	}
	insert("changes", "('ada', UNHEX('01%030x'), 'post', 1)", mysqlstore.ChangesPerStatement+1)
	insert("comments", fmt.Sprintf(
		"(UNHEX('%x'), UNHEX('02%%030x'), 'ada', NULL, 'x', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
		post.ID[:]), mysqlstore.BatchSize+1)
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".posts SET comment_count = ?",
		mysqlstore.BatchSize+1)
	if err != nil {
		t.Fatal(err)
	}
	ok(t, s.accounts.Delete(t.Context(), "ada"))
	checkDeleted(t, s, "ada", newClient("bob"))
}

func TestAccounts_Delete_skips_a_post_that_is_deleted_concurrently(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada", "bob")
	post := s.post(t, "bob")
	s.comment(t, "ada", post.ID)
	author := must(s.server.Admin.Begin())(t)
	for _, rows := range []string{"comments WHERE post_id = ?", "posts WHERE id = ?"} {
		if _, err := author.Exec("DELETE FROM "+s.database.Name+"."+rows, post.ID[:]); err != nil {
			t.Fatal(err)
		}
	}
	deleted := make(chan error)
	go func() { deleted <- s.accounts.Delete(t.Context(), "ada") }()
	s.awaitWaiting(t, 1) // it has found the comment, and waits for the post
	ok(t, author.Commit())
	if err := <-deleted; err != nil {
		t.Error(err)
	}
	checkDeleted(t, s, "ada")
}

func TestPosts_CreateComment_rejects_a_post_of_a_deleted_account(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	_, err := s.server.Admin.Exec("INSERT INTO " + s.database.Name +
		".accounts VALUES ('ada', 1, UTC_TIMESTAMP(6))" +
		" ON DUPLICATE KEY UPDATE deleted_at = UTC_TIMESTAMP(6)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.posts.CreateComment(t.Context(), "bob", "", post.ID, "x")
	if !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestAccounts_Delete_rejects_concurrent_writes starts writes while the account is being marked as
// deleted. A write that read the mark before it locked the account's row would commit after all
// other data was deleted.
func TestAccounts_Delete_rejects_concurrent_writes(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada", "bob")
	post, bobs, others := s.post(t, "ada"), s.post(t, "bob"), s.post(t, "bob")
	comment := s.comment(t, "ada", others.ID)
	mark := must(s.server.Admin.Begin())(t)
	_, err := mark.Exec("UPDATE " + s.database.Name +
		".accounts SET deleted_at = UTC_TIMESTAMP(6) WHERE subject = 'ada'")
	if err != nil {
		t.Fatal(err)
	}
	writes := map[string]func(*stores) error{
		"put profile": func(s *stores) error {
			_, err := s.profiles.Put(t.Context(), accounts.Profile{Subject: "ada"}, nil)
			return err
		},
		"create profile": func(s *stores) error {
			return s.profiles.Create(t.Context(), accounts.Profile{Subject: "ada"})
		},
		"create post": func(s *stores) error {
			_, err := s.posts.Create(t.Context(), "ada", "", draft)
			return err
		},
		"update post": func(s *stores) error {
			_, err := s.posts.Update(t.Context(), "ada", post.ID, draft)
			return err
		},
		"create comment": func(s *stores) error {
			_, err := s.posts.CreateComment(t.Context(), "ada", "", bobs.ID, "x")
			return err
		},
		"update comment": func(s *stores) error {
			_, err := s.posts.UpdateComment(t.Context(), "ada", others.ID, comment.ID, "x")
			return err
		},
		"delete comment": func(s *stores) error {
			return s.posts.DeleteComment(t.Context(), "ada", others.ID, comment.ID)
		},
	}
	var running sync.WaitGroup
	for name, write := range writes {
		own := s.another(t)
		running.Go(func() {
			if err := write(own); !errors.Is(err, accounts.ErrDeleted) {
				t.Errorf("%s: got %v, want ErrDeleted", name, err)
			}
		})
	}
	s.awaitWaiting(t, len(writes))
	ok(t, mark.Commit())
	running.Wait()
}

// awaitWaiting returns when n transactions wait for row locks.
func (s *stores) awaitWaiting(t *testing.T, n int) {
	t.Helper()
	waiting := 0
	for deadline := time.Now().Add(10 * time.Second); waiting < n && time.Now().Before(deadline); {
		waits := s.server.Admin.QueryRow("SELECT count FROM information_schema.innodb_metrics " +
			"WHERE name = 'lock_row_lock_current_waits'")
		ok(t, waits.Scan(&waiting))
	}
	if waiting < n {
		t.Errorf("%d of %d transactions wait", waiting, n)
	}
}

// TestAccounts_Delete_deletes_concurrent_writes has the user and others write continuously until
// they are rejected.
func TestAccounts_Delete_deletes_concurrent_writes(t *testing.T) {
	s := open(t)
	loadObjects(t, s)
	bobs := s.post(t, "bob")
	const writers = 6
	bob, cy := newClient("bob"), newClient("cy")
	s.atOnce(t, writers+1, func(s *stores, i int) error {
		if i == writers {
			return s.accounts.Delete(t.Context(), "ada")
		}
		rounds := 2_000 // rejected long before
		if s.server.Embedded() {
			rounds = 3
		}
		for range rounds {
			var err error
			switch i {
			case 0, 1:
				_, err = s.posts.Create(t.Context(), "ada", "", draft)
			case 2, 3:
				_, err = s.posts.CreateComment(t.Context(), "ada", "", bobs.ID, "x")
			case 4:
				_, err = s.profiles.Put(t.Context(),
					accounts.Profile{Subject: "ada", DisplayName: "Not deleted"}, nil)
			case 5: // cy comments on a post of ada's, while there is one
				var newest []posts.Post
				newest, err = s.posts.List(t.Context(), uuid.Nil, 1)
				if err == nil && newest[0].Author == "ada" {
					_, err = s.posts.CreateComment(t.Context(), "cy", "", newest[0].ID, "x")
				}
				_, gone := s.profiles.Get(t.Context(), "ada")
				if errors.Is(gone, accounts.ErrDeleted) {
					return nil
				}
				if errors.Is(err, posts.ErrNotFound) {
					err = nil
				}
			}
			if errors.Is(err, accounts.ErrDeleted) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("writer %d: %w", i, err)
			}
		}
		if !s.server.Embedded() {
			return fmt.Errorf("writer %d was never rejected", i)
		}
		return nil
	})
	checkDeleted(t, s, "ada", bob, cy)
}
