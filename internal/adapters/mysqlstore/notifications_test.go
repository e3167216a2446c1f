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

// lease returns what the recipient is to be told.
func (s *stores) lease(t testing.TB, recipient string) notifications.Lease {
	t.Helper()
	return must(s.notifications.Lease(t.Context(), recipient, 0, leaseDuration))(t)
}

// checkNothing wants the recipient to have been told of all there is.
func (s *stores) checkNothing(t testing.TB, recipient string) {
	t.Helper()
	if lease, err := s.notifications.Lease(t.Context(), recipient, 0, leaseDuration); !errors.Is(err, email.ErrNothingToSend) {
		t.Errorf("%s is to be told %+v, %v; want nothing", recipient, lease, err)
	}
	if n := s.count(t, "notification_leases", "recipient = ?", recipient); n != 0 {
		t.Errorf("%s has a lease left", recipient)
	}
}

// age has all notifications of a recipient be made so much earlier.
func (s *stores) age(t testing.TB, recipient string, by time.Duration) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".comment_notifications SET created_at = created_at - INTERVAL ? SECOND WHERE recipient = ?",
		int(by.Seconds()), recipient)
	ok(t, err)
}

// runOut has the recipient's lease end now.
func (s *stores) runOut(t testing.TB, recipient string) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".notification_leases SET leased_until = UTC_TIMESTAMP(6) WHERE recipient = ?", recipient)
	ok(t, err)
}

// of lists all comments of a lease, those too that its mail does not show, unless they have gone since.
func (s *stores) of(t testing.TB, lease notifications.Lease) (ids []uuid.UUID) {
	t.Helper()
	rows := must(s.server.Admin.Query("SELECT comment_id FROM "+s.database.Name+".comment_notifications WHERE recipient = ? AND version <= ?",
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

func TestTheAuthorOfAPostHasANotificationOfEachCommentByAnother(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.checkNothing(t, "ada")
	s.checkNothing(t, "nobody")

	own := must(s.posts.CreateComment(t.Context(), "ada", "", post.ID, "My own."))(t)
	if own.Recipient != "" {
		t.Errorf("%s is to be told of an own comment", own.Recipient)
	}
	s.checkNothing(t, "ada")

	first := must(s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "<p>True &amp; cut.</p>"))(t)
	again := must(s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "Twice?"))(t)
	if first.Recipient != "ada" || again != first {
		t.Errorf("made %+v, and then %+v", first, again)
	}
	s.checkNothing(t, "bob")
	want := notifications.Digest{Recipient: "ada", Count: 1, OnePost: true, Comments: []notifications.Comment{
		{ID: first.ID, PostID: post.ID, PostTitle: draft.Title, AuthorName: nameOf("bob"), Body: "<p>True &amp; cut.</p>"},
	}}
	lease := s.lease(t, "ada")
	if diff := cmp.Diff(want, lease.Digest, cmpopts.IgnoreFields(notifications.Digest{}, "LastVersion")); diff != "" {
		t.Error(diff)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
	must(s.posts.CreateComment(t.Context(), "bob", "key", post.ID, "After all?"))(t)
	s.checkNothing(t, "ada")
}

func TestADigestHasTheOldestCommentsAndCountsAll(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy")
	wall, arch := s.post(t, "ada"), must(s.posts.Create(t.Context(), "ada", "", posts.Draft{Title: "An arch", Body: "<p>Up.</p>"}))(t)
	var want []notifications.Comment
	for i := range notifications.MaxComments + 3 {
		author, post := []string{"bob", "cy"}[i%2], []posts.Post{wall, arch}[i%3/2]
		made := must(s.posts.CreateComment(t.Context(), author, "", post.ID, fmt.Sprint(i)))(t)
		want = append(want, notifications.Comment{ID: made.ID, PostID: post.ID, PostTitle: post.Title, AuthorName: nameOf(author), Body: made.Body})
	}
	s.comment(t, "ada", s.post(t, "bob").ID) // which is not ada's to be told
	got := s.lease(t, "ada").Digest
	if got.Count != len(want) || got.OnePost {
		t.Errorf("%d comments are counted, on one post: %t; want %d on two", got.Count, got.OnePost, len(want))
	}
	if diff := cmp.Diff(want[:notifications.MaxComments], got.Comments); diff != "" {
		t.Error(diff)
	}
}

func TestADigestSaysWhatTheRecipientWants(t *testing.T) {
	s := open(t)
	s.signUp(t, "bob")
	off := false
	for name, test := range map[string]struct {
		change   func(subject string) error
		language string
		unwanted bool
	}{
		"as in the profile": {func(string) error { return nil }, "ko-KR", false},
		"turned off": {func(subject string) error {
			_, err := s.profiles.Put(t.Context(), accounts.Profile{Subject: subject, DisplayName: "x", Language: "en"}, &off)
			return err
		}, "en", true},
		"by the link in a mail": {func(subject string) error { return s.profiles.SetCommentNotifications(t.Context(), subject, false) }, "ko-KR", true},
		"without a profile": {func(subject string) error {
			_, err := s.server.Admin.Exec("DELETE FROM "+s.database.Name+".profiles WHERE subject = ?", subject)
			return err
		}, "", true},
		"account deleted": {func(subject string) error {
			_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".accounts SET deleted_at = UTC_TIMESTAMP(6) WHERE subject = ?", subject)
			return err
		}, "ko-KR", true},
	} {
		t.Run(name, func(t *testing.T) {
			subject := uuid.NewString()
			must(s.profiles.Put(t.Context(), accounts.Profile{Subject: subject, DisplayName: "x", Language: "ko-KR"}, nil))(t)
			s.comment(t, "bob", s.post(t, subject).ID)
			ok(t, test.change(subject))
			if got := s.lease(t, subject).Digest; got.Language != test.language || got.Unwanted != test.unwanted {
				t.Errorf("language %q, unwanted %t", got.Language, got.Unwanted)
			}
		})
	}
}

func TestARecipientHasOneLeaseAtATime(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy")
	s.comment(t, "cy", s.post(t, "ada").ID)
	s.comment(t, "cy", s.post(t, "bob").ID)
	refused := func() {
		t.Helper()
		if lease, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration); !errors.Is(err, notifications.ErrLeased) || lease.Holder != uuid.Nil {
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
	ok(t, s.notifications.Release(t.Context(), first)) // which is not its own any more
	refused()

	s.runOut(t, "ada")
	third := s.lease(t, "ada")
	if diff := cmp.Diff(first.Digest, third.Digest); diff != "" {
		t.Errorf("another digest than at first:\n%s", diff)
	}
	refused()
}

func TestAClaimRunsOutByTheDatabasesClock(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	lease := s.lease(t, "ada")
	left := 0
	ok(t, s.server.Admin.QueryRow("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), leased_until) FROM "+s.database.Name+".notification_leases").Scan(&left))
	if seconds := int(leaseDuration.Seconds()); left > seconds || left < seconds-10 {
		t.Errorf("it is good for %d seconds, want %d", left, seconds)
	}
	ok(t, s.notifications.Release(t.Context(), lease))
	must(s.notifications.Lease(t.Context(), "ada", 0, time.Microsecond))(t) // over when it is answered
	s.lease(t, "ada")
}

func TestOfManyAtOnceOneHasTheLease(t *testing.T) {
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
		t.Errorf("%d have the lease, want 1", leased)
	}
}

func TestWhatCameSinceTheLeaseIsLeftToTheNextOne(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	lease := s.lease(t, "ada")
	later := s.comment(t, "bob", post.ID)
	for range 2 { // the second has nothing left to do
		ok(t, s.notifications.Acknowledge(t.Context(), lease))
	}
	next := s.lease(t, "ada")
	if next.Digest.Count != 1 || next.Digest.Comments[0].ID != later.ID {
		t.Errorf("told next is %+v, want %s", next.Digest, later.ID)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), next))
	s.checkNothing(t, "ada")
}

func TestWhoWasToldIsSettledThoughTheLeaseHasRunOut(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	late := s.lease(t, "ada")
	s.runOut(t, "ada")
	other := s.lease(t, "ada")
	ok(t, s.notifications.Acknowledge(t.Context(), late))
	s.comment(t, "bob", post.ID)
	if _, err := s.notifications.Lease(t.Context(), "ada", 0, leaseDuration); !errors.Is(err, notifications.ErrLeased) {
		t.Errorf("got %v: the other's lease is gone", err)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), other))
	if next := s.lease(t, "ada"); next.Digest.Count != 1 {
		t.Errorf("%d comments are left to tell, want 1", next.Digest.Count)
	}
}

func TestNotificationsGoWithWhatTheyAreAbout(t *testing.T) {
	for name, remove := range map[string]func(s *stores, post, comment uuid.UUID) error{
		"the comment": func(s *stores, post, comment uuid.UUID) error {
			return s.posts.DeleteComment(t.Context(), "bob", post, comment)
		},
		"the post":      func(s *stores, post, _ uuid.UUID) error { return s.posts.Delete(t.Context(), "ada", post) },
		"the commenter": func(s *stores, _, _ uuid.UUID) error { return s.accounts.Delete(t.Context(), "bob") },
		"the recipient": func(s *stores, _, _ uuid.UUID) error { return s.accounts.Delete(t.Context(), "ada") },
		"a comment that the function of the deployment before deletes": func(s *stores, _, comment uuid.UUID) error {
			_, err := s.server.Admin.Exec("DELETE FROM "+s.database.Name+".comments WHERE id = ?", comment[:])
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
			if n := s.count(t, "comment_notifications", "recipient = 'cy'"); n != 1 && name != "the recipient" {
				t.Errorf("another has %d notifications, want 1", n)
			}
			ok(t, s.notifications.Acknowledge(t.Context(), lease)) // by who has read it before
			s.checkNothing(t, "ada")
		})
	}
}

func TestNothingIsToldBeforeTheOldestIsOldEnough(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	s.age(t, "ada", 4*time.Minute)
	if _, err := s.notifications.Lease(t.Context(), "ada", 5*time.Minute, leaseDuration); !errors.Is(err, email.ErrNothingToSend) {
		t.Errorf("got %v, want ErrNothing", err)
	}
	s.age(t, "ada", time.Minute)
	s.comment(t, "bob", post.ID) // which is told along with it
	lease := must(s.notifications.Lease(t.Context(), "ada", 5*time.Minute, leaseDuration))(t)
	if lease.Digest.Count != 2 || !lease.Digest.OnePost {
		t.Errorf("%d comments are told, on one post: %t; want both", lease.Digest.Count, lease.Digest.OnePost)
	}
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
	s.checkNothing(t, "ada")
}

func TestOverdueAreThoseWhomNobodyHasTold(t *testing.T) {
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
			if next, err = s.notifications.NextOverdue(t.Context(), next, 10*time.Minute); errors.Is(err, email.ErrNothingToSend) {
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

func TestNotificationsAreReadFromTheWriter(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	s.age(t, "ada", time.Hour)
	behind := s.server.NewDatabase(t).Open(t) // without so much as the tables
	store := mysqlstore.NewNotifications(&mysqlconn.Databases{Writer: s.database.Open(t).Writer, Reader: behind.Writer})
	if overdue := must(store.NextOverdue(t.Context(), "", time.Minute))(t); overdue != "ada" {
		t.Errorf("overdue is %q", overdue)
	}
	ok(t, store.Acknowledge(t.Context(), must(store.Lease(t.Context(), "ada", 0, leaseDuration))(t)))
}

func TestNotificationsSurvive(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *mysqltest.Server, *mysqltest.Database){
		"deadlock": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.Deadlock(t, "notification_leases", "recipient", "ada")
		},
		"lock wait timeout": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.LockTimeout(t, "notification_leases", "recipient", "ada")
		},
		"failover":          func(t *testing.T, s *mysqltest.Server, _ *mysqltest.Database) { s.Failover(t) },
		"killed connection": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) { d.KillConnections(t) },
		"reset connection":  func(_ *testing.T, s *mysqltest.Server, _ *mysqltest.Database) { s.ResetConnections() },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob")
			s.comment(t, "bob", s.post(t, "ada").ID)
			s.lease(t, "ada")
			s.runOut(t, "ada")
			fault(t, s.server, s.database)
			lease := s.lease(t, "ada")
			fault(t, s.server, s.database)
			ok(t, s.notifications.Acknowledge(t.Context(), lease))
			s.checkNothing(t, "ada")
		})
	}
}

func TestWhatIsCommittedThoughNobodyHearsOfItIsFoundAgain(t *testing.T) {
	for table, commit := range map[string]func(*stores){
		"notification_leases":   func(s *stores) { s.lease(t, "ada") }, // finds its own, and is no other's
		"comment_notifications": func(s *stores) { ok(t, s.notifications.Acknowledge(t.Context(), s.lease(t, "ada"))) },
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

func TestNotificationsWaitForADatabaseThatIsDown(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	lease := s.lease(t, "ada")
	s.server.Down()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, leaseErr := s.notifications.Lease(ctx, "ada", 0, leaseDuration)
	_, overdueErr := s.notifications.NextOverdue(ctx, "", time.Minute)
	for i, err := range []error{leaseErr, overdueErr, s.notifications.Acknowledge(ctx, lease), s.notifications.Release(ctx, lease)} {
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrUnavailable", i, err)
		}
	}
	s.server.Up(t)
	ok(t, s.notifications.Acknowledge(t.Context(), lease))
}

// TestNoCommentIsLostNorToldTwiceWhateverHappensAtOnce has users comment on each other's posts, and take comments and posts
// back, while they are told. Transactions keep out of each other's way: nothing is tried again for a deadlock.
func TestNoCommentIsLostNorToldTwiceWhateverHappensAtOnce(t *testing.T) {
	s := open(t)
	users := []string{"u-0", "u-1", "u-2", "u-3"}
	s.signUp(t, append(users, "leaver")...)
	var standing []posts.Post // of each user, one that stays
	for _, user := range users {
		standing = append(standing, s.post(t, user))
	}
	deadlocks := s.deadlocks(t)
	var mu sync.Mutex
	told := map[uuid.UUID]int{}
	kept := map[uuid.UUID]bool{}
	tell := func(s *stores, recipient string) error {
		lease, err := s.notifications.Lease(t.Context(), recipient, 0, leaseDuration)
		if errors.Is(err, email.ErrNothingToSend) || errors.Is(err, notifications.ErrLeased) {
			return nil
		}
		if err != nil {
			return err
		}
		of := s.of(t, lease)
		mu.Lock()
		for _, id := range of {
			told[id]++
		}
		mu.Unlock()
		return s.notifications.Acknowledge(t.Context(), lease)
	}
	rounds := 15
	if s.server.Embedded() {
		rounds = 2
	}
	s.atOnce(t, 2*len(users)+1, func(s *stores, i int) error {
		if i == 2*len(users) { // leaves in the middle of it
			for _, post := range standing {
				if _, err := s.posts.CreateComment(t.Context(), "leaver", "", post.ID, "Bye."); err != nil {
					return err
				}
			}
			return s.accounts.Delete(t.Context(), "leaver")
		}
		user, own := users[i/2], standing[i/2]
		for round := range rounds {
			if i%2 == 0 {
				if err := tell(s, user); err != nil {
					return err
				}
				continue
			}
			other := standing[(i/2+1+round%3)%len(users)]
			staying, err := s.posts.CreateComment(t.Context(), user, "", other.ID, "Stays.")
			if err != nil {
				return err
			}
			mu.Lock()
			kept[staying.ID] = true
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
				if _, err := s.posts.CreateComment(t.Context(), commenter, "", gone.ID, "Goes with the post."); err != nil {
					return err
				}
			}
			if err := s.posts.Delete(t.Context(), user, gone.ID); err != nil {
				return err
			}
			if _, err := s.posts.CreateComment(t.Context(), user, "", own.ID, "My own."); err != nil {
				return err
			}
		}
		return nil
	})
	for _, user := range users {
		for s.count(t, "comment_notifications", "recipient = ?", user) > 0 {
			lease := s.lease(t, user)
			of := s.of(t, lease)
			if len(of) != lease.Digest.Count || len(lease.Digest.Comments) != min(lease.Digest.Count, notifications.MaxComments) {
				t.Errorf("%d comments are counted, %d shown, and there are %d", lease.Digest.Count, len(lease.Digest.Comments), len(of))
			}
			for _, id := range of {
				told[id]++
			}
			ok(t, s.notifications.Acknowledge(t.Context(), lease))
		}
	}
	for id := range kept {
		if told[id] != 1 {
			t.Errorf("comment %s was told %d times", id, told[id])
		}
	}
	for id, times := range told {
		if times > 1 {
			t.Errorf("comment %s was told %d times", id, times)
		}
	}
	s.checkNoDeadlockSince(t, deadlocks)
}

// TestAClaimWaitsForACommentThatIsBeingWritten holds a comment back between its version and its commit: one that has a later
// version cannot be told without it, since then both would be taken out.
func TestAClaimWaitsForACommentThatIsBeingWritten(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	writing := must(s.server.Admin.Begin())(t)
	_, err := writing.Exec("UPDATE " + s.database.Name + ".accounts SET version = version + 1 WHERE subject = 'ada'")
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

func TestADeletedAccountHasNoNotificationsAndIsNotLeased(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	s.lease(t, "ada")
	ok(t, s.accounts.Delete(t.Context(), "ada"))
	checkGone(t, s, "ada")
	s.checkNothing(t, "ada")
	if _, err := s.posts.CreateComment(t.Context(), "bob", "", post.ID, "x"); !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.profiles.SetCommentNotifications(t.Context(), "ada", true); !errors.Is(err, accounts.ErrDeleted) {
		t.Errorf("got %v, want ErrDeleted", err)
	}
}
