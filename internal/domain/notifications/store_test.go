package notifications_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
)

// A stage is a database with authors who comment on each other's posts, and what is around a sender of theirs. Whom a mail is
// for and what it tells is all that is looked at.
type stage struct {
	mu     sync.Mutex
	told   map[uuid.UUID]int
	excess map[uuid.UUID]int // how often something happened between a mail about a comment and the note of it
	fates  []string          // of mails, in their order; all others work
}

// A run is one call of a sender.
type run struct {
	*stage
	*mysqlstore.Notifications
	leased []uuid.UUID
	dies   bool   // before it can note anything
	die    func() // ends its time, lest it tries again
}

var errDead = errors.New("the process has died")

func (r *run) Lease(ctx context.Context, recipient string, age, leaseDuration time.Duration) (notifications.Lease, error) {
	lease, err := r.Notifications.Lease(ctx, recipient, age, leaseDuration)
	r.leased = nil
	for _, comment := range lease.Digest.Comments {
		r.leased = append(r.leased, comment.ID)
	}
	if err == nil && lease.Digest.Count > len(r.leased) {
		return lease, fmt.Errorf("%d comments are more than this test looks at", lease.Digest.Count)
	}
	return lease, err
}

func (r *run) Acknowledge(ctx context.Context, lease notifications.Lease) error {
	if r.dies {
		return errDead
	}
	return r.Notifications.Acknowledge(ctx, lease)
}

func (r *run) Release(ctx context.Context, lease notifications.Lease) error {
	if r.dies {
		return errDead
	}
	return r.Notifications.Release(ctx, lease)
}

func (r *run) Address(_ context.Context, subject string) (email.Address, error) {
	return email.Address(subject), nil
}
func (r *run) Suppressed(context.Context, string) (bool, error) { return false, nil }
func (r *run) NotificationSettings(context.Context, string, string) (string, error) {
	return "end", nil
}
func (r *run) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (r *run) Send(context.Context, email.Message) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	accepted, heard := true, true
	if len(r.fates) > 0 {
		switch r.fates[0] {
		case "fails":
			accepted, heard = false, false
		case "is not heard":
			heard = false
		case "dies after":
			r.dies = true
			r.die()
		}
		r.fates = r.fates[1:]
	}
	for _, id := range r.leased {
		if accepted {
			r.told[id]++
			if !heard || r.dies {
				r.excess[id]++
			}
		}
	}
	if !heard {
		return "", errFault
	}
	return "id", nil
}

// TestEveryCommentIsToldByARealStore plays with a database what the test above plays with a model: bursts of comments, comments
// and posts that are taken back, and authors who are told meanwhile, at once where the server has locks.
func TestEveryCommentIsToldByARealStore(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	databases := database.Open(t)
	if _, err := schema.Up(t.Context(), databases.Writer); err != nil {
		t.Fatal(err)
	}
	profiles, written, store := mysqlstore.NewProfiles(databases), mysqlstore.NewPosts(databases), mysqlstore.NewNotifications(databases)
	runs, told, twice := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		fates := rapid.SliceOf(rapid.SampledFrom([]string{"works", "works", "fails", "is not heard", "dies after"}))
		s := &stage{told: map[uuid.UUID]int{}, excess: map[uuid.UUID]int{}, fates: fates.Draw(r, "fates")}
		fail := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		authors, wall := []string{}, map[string]posts.Post{}
		for _, name := range []string{"ada", "bob"} {
			subject := fmt.Sprintf("%s-%d", name, runs)
			authors = append(authors, subject)
			_, err := profiles.Put(t.Context(), accounts.Profile{Subject: subject, DisplayName: name}, nil)
			fail(err)
			wall[subject], err = written.Create(t.Context(), subject, "", posts.Draft{Title: "A wall", Body: "x"})
			fail(err)
		}
		tell := func(recipient string) {
			one := &run{stage: s, Notifications: store}
			sender := &notifications.Sender{Store: one, Users: one, Suppressions: one, Links: one, Messages: one, Mailer: one,
				Logger: slog.New(slog.DiscardHandler), LeaseDuration: email.MinLease}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			one.die = cancel
			_ = sender.Send(ctx, recipient) // it comes again until there is nothing left
		}
		var kept []posts.NewComment
		var telling sync.WaitGroup
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "author")
			author, other := authors[i], authors[1-i]
			switch rapid.SampledFrom([]string{"comment", "comment", "comment", "own", "again", "take back", "tell", "tell", "expire"}).Draw(r, "step") {
			case "comment":
				made, err := written.CreateComment(t.Context(), author, "", wall[other].ID, "x")
				fail(err)
				kept = append(kept, made)
			case "own":
				_, err := written.CreateComment(t.Context(), author, "", wall[author].ID, "x")
				fail(err)
			case "again":
				made, err := written.CreateComment(t.Context(), author, "key", wall[other].ID, "x")
				fail(err)
				if !slices.Contains(kept, made) {
					kept = append(kept, made)
				}
			case "take back":
				if len(kept) > 0 {
					last := kept[len(kept)-1]
					kept = kept[:len(kept)-1]
					fail(written.DeleteComment(t.Context(), last.Author, last.PostID, last.ID))
				}
			case "tell":
				telling.Go(func() { tell(author) })
				if server.Embedded() {
					telling.Wait() // it has no locks
				}
			case "expire": // those of the dead
				telling.Wait()
				_, err := server.Admin.Exec("UPDATE " + database.Name + ".notification_leases SET leased_until = UTC_TIMESTAMP(6)")
				fail(err)
			}
		}
		telling.Wait()
		s.fates = nil
		for _, author := range authors {
			_, err := server.Admin.Exec("UPDATE " + database.Name + ".notification_leases SET leased_until = UTC_TIMESTAMP(6)")
			fail(err)
			tell(author)
			if _, err := store.Lease(t.Context(), author, 0, time.Minute); !errors.Is(err, email.ErrNothingToSend) {
				r.Fatalf("%s was not told of all: %v", author, err)
			}
		}
		for _, comment := range kept {
			times := s.told[comment.ID]
			if times == 0 || times > 1+s.excess[comment.ID] {
				r.Fatalf("a comment was told %d times, and %d times something happened to the note of it", times, s.excess[comment.ID])
			}
			told++
			twice += cmp.Compare(times, 1)
		}
	})
	if t.Logf("%d comments told, %d of them more than once", told, twice); told == 0 || twice == 0 {
		t.Error("the test has not tried what it is about")
	}
}
