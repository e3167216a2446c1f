package mysqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

const leaseDuration = time.Minute

// lease leases the recipient's notifications.
func (s *stores) lease(t testing.TB, recipient string) notifications.Lease {
	t.Helper()
	return must(s.notifications.Lease(t.Context(), recipient, 0, leaseDuration))(t)
}

// checkNothing checks that there is nothing to send to the recipient.
func (s *stores) checkNothing(t testing.TB, recipient string) {
	t.Helper()
	lease, err := s.notifications.Lease(t.Context(), recipient, 0, leaseDuration)
	if !errors.Is(err, email.ErrNothingToSend) {
		t.Errorf("leased for %s: %+v, %v; want nothing", recipient, lease, err)
	}
	if n := s.count(t, "notification_leases", "recipient = ?", recipient); n != 0 {
		t.Errorf("%s has a lease left", recipient)
	}
}

// age makes all notifications of a recipient older.
func (s *stores) age(t testing.TB, recipient string, by time.Duration) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+
		".comment_notifications SET created_at = created_at - INTERVAL ? SECOND WHERE recipient = "+
		"?",
		int(by.Seconds()), recipient)
	ok(t, err)
}

// expire makes the recipient's lease expire now.
func (s *stores) expire(t testing.TB, recipient string) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+
		".notification_leases SET leased_until = UTC_TIMESTAMP(6) WHERE recipient = ?", recipient)
	ok(t, err)
}

// commentsOf returns the ids of all comments of a lease, also of those that its mail does not show,
// unless they have been deleted since.
func (s *stores) commentsOf(t testing.TB, lease notifications.Lease) (ids []uuid.UUID) {
	t.Helper()
	rows := must(s.server.Admin.Query("SELECT comment_id FROM "+s.database.Name+
		".comment_notifications WHERE recipient = ? AND version <= ?",
		lease.Digest.Recipient, lease.Digest.LastVersion))(t)
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		ok(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	ok(t, rows.Err())
	return ids
}

func TestNotifications_Lease_returns_each_comment_of_another_user_once(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.checkNothing(t, "ada")
	s.checkNothing(t, "unknown")

	own := must(s.posts.CreateComment(t.Context(), "ada", "", post.ID, "My own."))(t)
	if own.Recipient != "" {
		t.Errorf("%s gets a notification of an own comment", own.Recipient)
	}
	s.checkNothing(t, "ada")

	first := must(
		s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "<p>True &amp; cut.</p>"))(t)
	again := must(s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "Twice?"))(t)
	if first.Recipient != "ada" || again != first {
		t.Errorf("created %+v, then %+v", first, again)
	}
	s.checkNothing(t, "bob")
	want := notifications.Digest{Recipient: "ada", Count: 1, OnePost: true}
	want.Comments = []notifications.Comment{
		{
			ID: first.ID, PostID: post.ID, PostTitle: draft.Title, AuthorName: nameOf("bob"),
			Body: "<p>True &amp; cut.</p>",
		},
	}
	lease := s.lease(t, "ada")
	diff := cmp.Diff(want, lease.Digest,
		cmpopts.IgnoreFields(notifications.Digest{}, "LastVersion"))
	if diff != "" {
		t.Error(diff)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
	must(s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "Again?"))(t)
	s.checkNothing(t, "ada")
}

func TestNotifications_Lease_digest_has_the_oldest_comments(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy")
	wall, arch := s.post(t, "ada"), must(
		s.posts.Create(t.Context(), "ada", "",
			posts.Draft{Title: "An arch", Body: "<p>Up.</p>"}))(t)
	var want []notifications.Comment
	for i := range notifications.MaxComments + 3 {
		author, post := []string{"bob", "cy"}[i%2], []posts.Post{wall, arch}[i%3/2]
		made := must(s.posts.CreateComment(t.Context(), author, "", post.ID, fmt.Sprint(i)))(t)
		want = append(want, notifications.Comment{
			ID: made.ID, PostID: post.ID, PostTitle: post.Title, AuthorName: nameOf(author),
			Body: made.Body,
		})
	}
	s.comment(t, "ada", s.post(t, "bob").ID) // not a notification for ada
	got := s.lease(t, "ada").Digest
	if got.Count != len(want) || got.OnePost {
		t.Errorf("count %d, one post %t; want %d on two posts", got.Count, got.OnePost, len(want))
	}
	if diff := cmp.Diff(want[:notifications.MaxComments], got.Comments); diff != "" {
		t.Error(diff)
	}
}

func TestNotifications_Lease_digest_has_the_recipients_settings(t *testing.T) {
	s := open(t)
	s.signUp(t, "bob")
	off := false
	for name, test := range map[string]struct {
		change   func(subject string) error
		language string
		unwanted bool
	}{
		"from the profile": {func(string) error { return nil }, "ko-KR", false},
		"disabled": {func(subject string) error {
			_, err := s.profiles.Put(t.Context(),
				accounts.Profile{Subject: subject, DisplayName: "x", Language: "en"}, &off)
			return err
		}, "en", true},
		"disabled by the link in a mail": {func(subject string) error {
			return s.profiles.SetCommentNotifications(t.Context(), subject, false)
		}, "ko-KR", true},
		"without a profile": {func(subject string) error {
			_, err := s.server.Admin.Exec(
				"DELETE FROM "+s.database.Name+".profiles WHERE subject = ?", subject)
			return err
		}, "", true},
		"account deleted": {func(subject string) error {
			_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+
				".accounts SET deleted_at = UTC_TIMESTAMP(6) WHERE subject = ?", subject)
			return err
		}, "ko-KR", true},
	} {
		t.Run(name, func(t *testing.T) {
			subject := uuid.NewString()
			must(s.profiles.Put(t.Context(),
				accounts.Profile{Subject: subject, DisplayName: "x", Language: "ko-KR"}, nil))(t)
			s.comment(t, "bob", s.post(t, subject).ID)
			ok(t, test.change(subject))
			got := s.lease(t, subject).Digest
			if got.Language != test.language || got.Unwanted != test.unwanted {
				t.Errorf("language %q, unwanted %t", got.Language, got.Unwanted)
			}
		})
	}
}

func TestNotifications_Lease_is_exclusive(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy")
	s.comment(t, "cy", s.post(t, "ada").ID)
	s.comment(t, "cy", s.post(t, "bob").ID)
	refused := func() {
		t.Helper()
		lease, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration)
		if !errors.Is(err, notifications.ErrLeased) || lease.Holder != uuid.Nil {
			t.Errorf("leased %+v, %v; want ErrLeased", lease, err)
		}
	}
	first := s.lease(t, "ada")
	refused()
	s.lease(t, "bob")

	ok(t, s.notifications.Release(t.Context(), first))
	second := s.lease(t, "ada")
	if second.Holder == first.Holder {
		t.Error("two leases have the same holder")
	}
	ok(t, s.notifications.Release(t.Context(), first)) // no longer the holder's lease
	refused()

	s.expire(t, "ada")
	third := s.lease(t, "ada")
	if diff := cmp.Diff(first.Digest, third.Digest); diff != "" {
		t.Errorf("digest differs from the first:\n%s", diff)
	}
	refused()
}

func TestNotifications_Lease_expires_by_the_databases_clock(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	lease := s.lease(t, "ada")
	left := 0
	ok(t, s.server.Admin.QueryRow(
		"SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), leased_until) FROM "+s.database.Name+
			".notification_leases",
	).Scan(&left))
	if seconds := int(leaseDuration.Seconds()); left > seconds || left < seconds-10 {
		t.Errorf("the lease is valid for %d seconds, want %d", left, seconds)
	}
	ok(t, s.notifications.Release(t.Context(), lease))
	// This lease has expired when it is returned.
	must(s.notifications.Lease(t.Context(), "ada", 0, time.Microsecond))(t)
	s.lease(t, "ada")
}

func TestNotifications_Lease_is_exclusive_for_concurrent_callers(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	var mu sync.Mutex
	leased := 0
	s.atOnce(t, 8, func(s *stores, _ int) error {
		_, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration)
		if errors.Is(err, notifications.ErrLeased) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		leased++
		return err
	})
	if leased != 1 {
		t.Errorf("%d callers have the lease, want 1", leased)
	}
}

func TestNotifications_Acknowledge_keeps_later_notifications(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	lease := s.lease(t, "ada")
	later := s.comment(t, "bob", post.ID)
	for range 2 { // the second call has nothing to delete
		ok(t, s.notifications.Acknowledge(t.Context(), lease))
	}
	next := s.lease(t, "ada")
	if next.Digest.Count != 1 || next.Digest.Comments[0].ID != later.ID {
		t.Errorf("the next digest is %+v, want %s", next.Digest, later.ID)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), next))
	s.checkNothing(t, "ada")
}

func TestNotifications_Acknowledge_accepts_an_expired_lease(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	late := s.lease(t, "ada")
	s.expire(t, "ada")
	other := s.lease(t, "ada")
	ok(t, s.notifications.Acknowledge(t.Context(), late))
	s.comment(t, "bob", post.ID)
	_, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration)
	if !errors.Is(err, notifications.ErrLeased) {
		t.Errorf("got %v: the other lease was deleted", err)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), other))
	if next := s.lease(t, "ada"); next.Digest.Count != 1 {
		t.Errorf("%d comments are left, want 1", next.Digest.Count)
	}
}

func TestNotifications_are_deleted_with(t *testing.T) {
	for name, remove := range map[string]func(s *stores, post, comment uuid.UUID) error{
		"the comment": func(s *stores, post, comment uuid.UUID) error {
			return s.posts.DeleteComment(t.Context(), "bob", post, comment)
		},
		"the post": func(s *stores, post, _ uuid.UUID) error {
			return s.posts.Delete(t.Context(), "ada", post)
		},
		"the commenter": func(s *stores, _, _ uuid.UUID) error {
			return s.accounts.Delete(t.Context(), "bob")
		},
		"the recipient": func(s *stores, _, _ uuid.UUID) error {
			return s.accounts.Delete(t.Context(), "ada")
		},
		"a comment deleted by the previous deployment": func(
			s *stores, _, comment uuid.UUID,
		) error {
			_, err := s.server.Admin.Exec("DELETE FROM "+s.database.Name+".comments WHERE id = ?",
				comment[:])
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob", "cy")
			post, other := s.post(t, "ada"), s.post(t, "cy")
			comment := s.comment(t, "bob", post.ID)
			s.comment(t, "ada", other.ID)
			lease := s.lease(t, "ada")
			ok(t, remove(s, post.ID, comment.ID))
			if n := s.count(t, "comment_notifications", "recipient = 'ada'"); n != 0 {
				t.Errorf("%d notifications are left", n)
			}
			n := s.count(t, "comment_notifications", "recipient = 'cy'")
			if n != 1 && name != "the recipient" {
				t.Errorf("another recipient has %d notifications, want 1", n)
			}
			// The caller has leased them before.
			ok(t, s.notifications.Acknowledge(t.Context(), lease))
			s.checkNothing(t, "ada")
		})
	}
}

func TestNotifications_Lease_waits_for_the_age(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	s.age(t, "ada", 4*time.Minute)
	_, err := s.notifications.Lease(t.Context(), "ada", 5*time.Minute, leaseDuration)
	if !errors.Is(err, email.ErrNothingToSend) {
		t.Errorf("got %v, want ErrNothingToSend", err)
	}
	s.age(t, "ada", time.Minute)
	s.comment(t, "bob", post.ID) // sent with the first
	lease := must(s.notifications.Lease(t.Context(), "ada", 5*time.Minute, leaseDuration))(t)
	if lease.Digest.Count != 2 || !lease.Digest.OnePost {
		t.Errorf("count %d, one post %t; want both comments", lease.Digest.Count,
			lease.Digest.OnePost)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
	s.checkNothing(t, "ada")
}

func TestNotifications_NextOverdue(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy", "dee")
	for _, author := range []string{"ada", "bob", "cy"} {
		post := s.post(t, author)
		s.comment(t, "dee", post.ID)
		s.comment(t, "dee", post.ID)
	}
	overdue := func(want ...string) {
		t.Helper()
		var got []string
		for next := ""; ; got = append(got, next) {
			var err error
			next, err = s.notifications.NextOverdue(t.Context(), next, 10*time.Minute)
			if errors.Is(err, email.ErrNothingToSend) {
				break
			}
			ok(t, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("overdue are %q, want %q", got, want)
		}
	}
	overdue()
	s.age(t, "cy", 11*time.Minute)
	s.age(t, "bob", time.Hour)
	s.age(t, "ada", 9*time.Minute)
	overdue("bob", "cy")
	ok(t, s.notifications.Acknowledge(t.Context(), s.lease(t, "bob")))
	overdue("cy")
}

func TestNotifications_read_the_writer(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	s.age(t, "ada", time.Hour)
	behind := s.server.NewDatabase(t).Open(t) // without any tables
	store := mysqlstore.NewNotifications(
		&mysqlconn.Databases{Writer: s.database.Open(t).Writer, Reader: behind.Writer})
	if overdue := must(store.NextOverdue(t.Context(), "", time.Minute))(t); overdue != "ada" {
		t.Errorf("overdue is %q", overdue)
	}
	ok(t,
		store.Acknowledge(t.Context(), must(store.Lease(t.Context(), "ada", 0, leaseDuration))(t)))
}

func TestNotifications_retry_after(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *mysqltest.Server, *mysqltest.Database){
		"deadlock": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.Deadlock(t, "notification_leases", "recipient", "ada")
		},
		"lock wait timeout": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.LockTimeout(t, "notification_leases", "recipient", "ada")
		},
		"failover": func(t *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.Failover(t)
		},
		"killed connection": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.KillConnections(t)
		},
		"reset connection": func(_ *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.ResetConnections()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob")
			s.comment(t, "bob", s.post(t, "ada").ID)
			s.lease(t, "ada")
			s.expire(t, "ada")
			fault(t, s.server, s.database)
			lease := s.lease(t, "ada")
			fault(t, s.server, s.database)
			ok(t, s.notifications.Acknowledge(t.Context(), lease))
			s.checkNothing(t, "ada")
		})
	}
}

func TestNotifications_lost_commit_response(t *testing.T) {
	for table, commit := range map[string]func(*stores){
		// The retry finds its own lease.
		"notification_leases": func(s *stores) { s.lease(t, "ada") },
		"comment_notifications": func(s *stores) {
			ok(t, s.notifications.Acknowledge(t.Context(), s.lease(t, "ada")))
		},
	} {
		t.Run(table, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob")
			s.comment(t, "bob", s.post(t, "ada").ID)
			s.database.LoseCommitResponse(t, table)
			commit(s)
		})
	}
}

func TestNotifications_unavailable_database(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	lease := s.lease(t, "ada")
	s.server.Down()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, leaseErr := s.notifications.Lease(ctx, "ada", 0, leaseDuration)
	_, overdueErr := s.notifications.NextOverdue(ctx, "", time.Minute)
	for i, err := range []error{
		leaseErr, overdueErr, s.notifications.Acknowledge(ctx, lease),
		s.notifications.Release(ctx, lease),
	} {
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrUnavailable", i, err)
		}
	}
	s.server.Up(t)
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
}

// TestNotifications_deliver_each_comment_once_under_concurrency has users comment on each other's
// posts, and delete comments and posts, while notifications are sent. The order of locks prevents
// deadlocks: no transaction is retried for one.
func TestNotifications_deliver_each_comment_once_under_concurrency(t *testing.T) {
	s := open(t)
	users := []string{"u-0", "u-1", "u-2", "u-3"}
	s.signUp(t, append(users, "leaving")...)
	var permanent []posts.Post // one post per user that is not deleted
	for _, user := range users {
		permanent = append(permanent, s.post(t, user))
	}
	deadlocks := s.deadlocks(t)
	var mu sync.Mutex
	delivered := map[uuid.UUID]int{}
	remaining := map[uuid.UUID]bool{}
	deliver := func(s *stores, recipient string) error {
		lease, err := s.notifications.Lease(t.Context(), recipient, 0, leaseDuration)
		if errors.Is(err, email.ErrNothingToSend) || errors.Is(err, notifications.ErrLeased) {
			return nil
		}
		if err != nil {
			return err
		}
		of := s.commentsOf(t, lease)
		mu.Lock()
		for _, id := range of {
			delivered[id]++
		}
		mu.Unlock()
		return s.notifications.Acknowledge(t.Context(), lease)
	}
	rounds := 15
	if s.server.Embedded() {
		rounds = 2
	}
	s.atOnce(t, 2*len(users)+1, func(s *stores, i int) error {
		if i == 2*len(users) { // deletes the account concurrently
			for _, post := range permanent {
				_, err := s.posts.CreateComment(t.Context(), "leaving", "", post.ID, "Bye.")
				if err != nil {
					return err
				}
			}
			return s.accounts.Delete(t.Context(), "leaving")
		}
		user, own := users[i/2], permanent[i/2]
		for round := range rounds {
			if i%2 == 0 {
				if err := deliver(s, user); err != nil {
					return err
				}
				continue
			}
			other := permanent[(i/2+1+round%3)%len(users)]
			staying, err := s.posts.CreateComment(t.Context(), user, "", other.ID, "Stays.")
			if err != nil {
				return err
			}
			mu.Lock()
			remaining[staying.ID] = true
			mu.Unlock()
			going, err := s.posts.CreateComment(t.Context(), user, "", other.ID, "Goes.")
			if err != nil {
				return err
			}
			if err := s.posts.DeleteComment(t.Context(), user, other.ID, going.ID); err != nil {
				return err
			}
			gone, err := s.posts.Create(t.Context(), user, "", draft)
			if err != nil {
				return err
			}
			for _, commenter := range users {
				_, err := s.posts.CreateComment(t.Context(), commenter, "", gone.ID,
					"Goes with the post.")
				if err != nil {
					return err
				}
			}
			if err := s.posts.Delete(t.Context(), user, gone.ID); err != nil {
				return err
			}
			_, err = s.posts.CreateComment(t.Context(), user, "", own.ID, "My own.")
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, user := range users {
		for s.count(t, "comment_notifications", "recipient = ?", user) > 0 {
			lease := s.lease(t, user)
			of := s.commentsOf(t, lease)
			if len(of) != lease.Digest.Count ||
				len(lease.Digest.Comments) != min(lease.Digest.Count, notifications.MaxComments) {
				t.Errorf("count %d, %d shown, %d in the table", lease.Digest.Count,
					len(lease.Digest.Comments), len(of))
			}
			for _, id := range of {
				delivered[id]++
			}
			ok(t, s.notifications.Acknowledge(t.Context(), lease))
		}
	}
	for id := range remaining {
		if delivered[id] != 1 {
			t.Errorf("comment %s was delivered %d times", id, delivered[id])
		}
	}
	for id, times := range delivered {
		if times > 1 {
			t.Errorf("comment %s was delivered %d times", id, times)
		}
	}
	s.checkNoDeadlockSince(t, deadlocks)
}

// TestNotifications_Lease_waits_for_uncommitted_comments delays a comment between its version and
// its commit: a comment with a later version must not be sent without it, since acknowledging it
// would delete both.
func TestNotifications_Lease_waits_for_uncommitted_comments(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	writing := must(s.server.Admin.Begin())(t)
	_, err := writing.Exec(
		"UPDATE " + s.database.Name + ".accounts SET version = version + 1 WHERE subject = 'ada'")
	ok(t, err)
	leased := make(chan error)
	go func() {
		_, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration)
		leased <- err
	}()
	s.awaitWaiting(t, 1)
	ok(t, writing.Commit())
	ok(t, <-leased)
}

func TestNotifications_Lease_rejects_a_deleted_account(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	s.lease(t, "ada")
	ok(t, s.accounts.Delete(t.Context(), "ada"))
	checkDeleted(t, s, "ada")
	s.checkNothing(t, "ada")
	_, err := s.posts.CreateComment(t.Context(), "bob", "", post.ID, "x")
	if !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	err = s.profiles.SetCommentNotifications(t.Context(), "ada", true)
	if !errors.Is(err, accounts.ErrDeleted) {
		t.Errorf("got %v, want ErrDeleted", err)
	}
}
