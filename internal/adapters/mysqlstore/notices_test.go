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
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

const lease = time.Minute

// claim returns what the recipient is to be told.
func (s *stores) claim(t testing.TB, recipient string) notifications.Claim {
	t.Helper()
	return must(s.notices.Claim(t.Context(), recipient, 0, lease))(t)
}

// checkNothing wants the recipient to have been told of all there is.
func (s *stores) checkNothing(t testing.TB, recipient string) {
	t.Helper()
	if claim, err := s.notices.Claim(t.Context(), recipient, 0, lease); !errors.Is(err, notifications.ErrNothing) {
		t.Errorf("%s is to be told %+v, %v; want nothing", recipient, claim, err)
	}
	if n := s.count(t, "digests", "recipient = ?", recipient); n != 0 {
		t.Errorf("%s has a claim left", recipient)
	}
}

// age has all notices of a recipient be made so much earlier.
func (s *stores) age(t testing.TB, recipient string, by time.Duration) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".comment_notices SET created_at = created_at - INTERVAL ? SECOND WHERE recipient = ?",
		int(by.Seconds()), recipient)
	ok(t, err)
}

// runOut has the recipient's claim end now.
func (s *stores) runOut(t testing.TB, recipient string) {
	t.Helper()
	_, err := s.server.Admin.Exec("UPDATE "+s.database.Name+".digests SET claimed_until = UTC_TIMESTAMP(6) WHERE recipient = ?", recipient)
	ok(t, err)
}

// of lists all comments of a claim, those too that its mail does not show, unless they have gone since.
func (s *stores) of(t testing.TB, claim notifications.Claim) (ids []uuid.UUID) {
	t.Helper()
	rows := must(s.server.Admin.Query("SELECT comment_id FROM "+s.database.Name+".comment_notices WHERE recipient = ? AND version <= ?",
		claim.Digest.Recipient, claim.Digest.Last))(t)
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		ok(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	ok(t, rows.Err())
	return ids
}

func TestTheAuthorOfAPostHasANoticeOfEachCommentByAnother(t *testing.T) {
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
	claim := s.claim(t, "ada")
	if diff := cmp.Diff(want, claim.Digest, cmpopts.IgnoreFields(notifications.Digest{}, "Last")); diff != "" {
		t.Error(diff)
	}
	ok(t, s.notices.Settle(t.Context(), claim))
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
	got := s.claim(t, "ada").Digest
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
		"by the link in a mail": {func(subject string) error { return s.profiles.SetCommentMails(t.Context(), subject, false) }, "ko-KR", true},
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
			if got := s.claim(t, subject).Digest; got.Language != test.language || got.Unwanted != test.unwanted {
				t.Errorf("language %q, unwanted %t", got.Language, got.Unwanted)
			}
		})
	}
}

func TestARecipientHasOneClaimAtATime(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob", "cy")
	s.comment(t, "cy", s.post(t, "ada").ID)
	s.comment(t, "cy", s.post(t, "bob").ID)
	refused := func() {
		t.Helper()
		if claim, err := s.notices.Claim(t.Context(), "ada", 0, lease); !errors.Is(err, notifications.ErrClaimed) || claim.Holder != uuid.Nil {
			t.Errorf("claimed %+v, %v; want ErrClaimed", claim, err)
		}
	}
	first := s.claim(t, "ada")
	refused()
	s.claim(t, "bob")

	ok(t, s.notices.Release(t.Context(), first))
	second := s.claim(t, "ada")
	if second.Holder == first.Holder {
		t.Error("two claims have the same holder")
	}
	ok(t, s.notices.Release(t.Context(), first)) // which is not its own any more
	refused()

	s.runOut(t, "ada")
	third := s.claim(t, "ada")
	if diff := cmp.Diff(first.Digest, third.Digest); diff != "" {
		t.Errorf("another digest than at first:\n%s", diff)
	}
	refused()
}

func TestAClaimRunsOutByTheDatabasesClock(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	claim := s.claim(t, "ada")
	left := 0
	ok(t, s.server.Admin.QueryRow("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), claimed_until) FROM "+s.database.Name+".digests").Scan(&left))
	if seconds := int(lease.Seconds()); left > seconds || left < seconds-10 {
		t.Errorf("it is good for %d seconds, want %d", left, seconds)
	}
	ok(t, s.notices.Release(t.Context(), claim))
	must(s.notices.Claim(t.Context(), "ada", 0, time.Microsecond))(t) // over when it is answered
	s.claim(t, "ada")
}

func TestOfManyAtOnceOneHasTheClaim(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	var mu sync.Mutex
	claimed := 0
	s.atOnce(t, 8, func(s *stores, _ int) error {
		_, err := s.notices.Claim(t.Context(), "ada", 0, lease)
		if errors.Is(err, notifications.ErrClaimed) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		claimed++
		return err
	})
	if claimed != 1 {
		t.Errorf("%d have the claim, want 1", claimed)
	}
}

func TestWhatCameSinceTheClaimIsLeftToTheNextOne(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	claim := s.claim(t, "ada")
	later := s.comment(t, "bob", post.ID)
	for range 2 { // the second has nothing left to do
		ok(t, s.notices.Settle(t.Context(), claim))
	}
	next := s.claim(t, "ada")
	if next.Digest.Count != 1 || next.Digest.Comments[0].ID != later.ID {
		t.Errorf("told next is %+v, want %s", next.Digest, later.ID)
	}
	ok(t, s.notices.Settle(t.Context(), next))
	s.checkNothing(t, "ada")
}

func TestWhoWasToldIsSettledThoughTheClaimHasRunOut(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	late := s.claim(t, "ada")
	s.runOut(t, "ada")
	other := s.claim(t, "ada")
	ok(t, s.notices.Settle(t.Context(), late))
	s.comment(t, "bob", post.ID)
	if _, err := s.notices.Claim(t.Context(), "ada", 0, lease); !errors.Is(err, notifications.ErrClaimed) {
		t.Errorf("got %v: the other's claim is gone", err)
	}
	ok(t, s.notices.Settle(t.Context(), other))
	if next := s.claim(t, "ada"); next.Digest.Count != 1 {
		t.Errorf("%d comments are left to tell, want 1", next.Digest.Count)
	}
}

func TestNoticesGoWithWhatTheyAreAbout(t *testing.T) {
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
			claim := s.claim(t, "ada")
			ok(t, remove(s, post.ID, comment.ID))
			if n := s.count(t, "comment_notices", "recipient = 'ada'"); n != 0 {
				t.Errorf("%d notices are left", n)
			}
			if n := s.count(t, "comment_notices", "recipient = 'cy'"); n != 1 && name != "the recipient" {
				t.Errorf("another has %d notices, want 1", n)
			}
			ok(t, s.notices.Settle(t.Context(), claim)) // by who has read it before
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
	if _, err := s.notices.Claim(t.Context(), "ada", 5*time.Minute, lease); !errors.Is(err, notifications.ErrNothing) {
		t.Errorf("got %v, want ErrNothing", err)
	}
	s.age(t, "ada", time.Minute)
	s.comment(t, "bob", post.ID) // which is told along with it
	claim := must(s.notices.Claim(t.Context(), "ada", 5*time.Minute, lease))(t)
	if claim.Digest.Count != 2 || !claim.Digest.OnePost {
		t.Errorf("%d comments are told, on one post: %t; want both", claim.Digest.Count, claim.Digest.OnePost)
	}
	ok(t, s.notices.Settle(t.Context(), claim))
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
			if next, err = s.notices.NextOverdue(t.Context(), next, 10*time.Minute); errors.Is(err, notifications.ErrNothing) {
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
	ok(t, s.notices.Settle(t.Context(), s.claim(t, "bob")))
	overdue("cy")
}

func TestNoticesAreReadFromTheWriter(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	s.age(t, "ada", time.Hour)
	behind := s.server.NewDatabase(t).Open(t) // without so much as the tables
	store := mysqlstore.NewNotices(&mysqlconn.Databases{Writer: s.database.Open(t).Writer, Reader: behind.Writer})
	if overdue := must(store.NextOverdue(t.Context(), "", time.Minute))(t); overdue != "ada" {
		t.Errorf("overdue is %q", overdue)
	}
	ok(t, store.Settle(t.Context(), must(store.Claim(t.Context(), "ada", 0, lease))(t)))
}

func TestNoticesSurvive(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *mysqltest.Server, *mysqltest.Database){
		"deadlock": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.Deadlock(t, "digests", "recipient", "ada")
		},
		"lock wait timeout": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.LockTimeout(t, "digests", "recipient", "ada")
		},
		"failover":          func(t *testing.T, s *mysqltest.Server, _ *mysqltest.Database) { s.Failover(t) },
		"killed connection": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) { d.KillConnections(t) },
		"reset connection":  func(_ *testing.T, s *mysqltest.Server, _ *mysqltest.Database) { s.ResetConnections() },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.signUp(t, "ada", "bob")
			s.comment(t, "bob", s.post(t, "ada").ID)
			s.claim(t, "ada")
			s.runOut(t, "ada")
			fault(t, s.server, s.database)
			claim := s.claim(t, "ada")
			fault(t, s.server, s.database)
			ok(t, s.notices.Settle(t.Context(), claim))
			s.checkNothing(t, "ada")
		})
	}
}

func TestWhatIsCommittedThoughNobodyHearsOfItIsFoundAgain(t *testing.T) {
	for table, commit := range map[string]func(*stores){
		"digests":         func(s *stores) { s.claim(t, "ada") }, // finds its own, and is no other's
		"comment_notices": func(s *stores) { ok(t, s.notices.Settle(t.Context(), s.claim(t, "ada"))) },
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

func TestNoticesWaitForADatabaseThatIsDown(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	s.comment(t, "bob", s.post(t, "ada").ID)
	claim := s.claim(t, "ada")
	s.server.Down()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, claimErr := s.notices.Claim(ctx, "ada", 0, lease)
	_, overdueErr := s.notices.NextOverdue(ctx, "", time.Minute)
	for i, err := range []error{claimErr, overdueErr, s.notices.Settle(ctx, claim), s.notices.Release(ctx, claim)} {
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrLater", i, err)
		}
	}
	s.server.Up(t)
	ok(t, s.notices.Settle(t.Context(), claim))
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
		claim, err := s.notices.Claim(t.Context(), recipient, 0, lease)
		if errors.Is(err, notifications.ErrNothing) || errors.Is(err, notifications.ErrClaimed) {
			return nil
		}
		if err != nil {
			return err
		}
		of := s.of(t, claim)
		mu.Lock()
		for _, id := range of {
			told[id]++
		}
		mu.Unlock()
		return s.notices.Settle(t.Context(), claim)
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
		for s.count(t, "comment_notices", "recipient = ?", user) > 0 {
			claim := s.claim(t, user)
			of := s.of(t, claim)
			if len(of) != claim.Digest.Count || len(claim.Digest.Comments) != min(claim.Digest.Count, notifications.MaxComments) {
				t.Errorf("%d comments are counted, %d shown, and there are %d", claim.Digest.Count, len(claim.Digest.Comments), len(of))
			}
			for _, id := range of {
				told[id]++
			}
			ok(t, s.notices.Settle(t.Context(), claim))
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
	claimed := make(chan error)
	go func() {
		_, err := s.notices.Claim(t.Context(), "ada", 0, lease)
		claimed <- err
	}()
	s.awaitWaiting(t, 1)
	ok(t, writing.Commit())
	ok(t, <-claimed)
}

func TestADeletedAccountHasNoNoticesAndIsNotClaimed(t *testing.T) {
	s := open(t)
	s.signUp(t, "ada", "bob")
	post := s.post(t, "ada")
	s.comment(t, "bob", post.ID)
	s.claim(t, "ada")
	ok(t, s.accounts.Delete(t.Context(), "ada"))
	checkGone(t, s, "ada")
	s.checkNothing(t, "ada")
	if _, err := s.posts.CreateComment(t.Context(), "bob", "", post.ID, "x"); !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.profiles.SetCommentMails(t.Context(), "ada", true); !errors.Is(err, accounts.ErrDeleted) {
		t.Errorf("got %v, want ErrDeleted", err)
	}
}
