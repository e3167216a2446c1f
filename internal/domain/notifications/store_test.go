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
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
)

// A stage counts mails about comments. Its senders use the store of a database; all else is fake.
type stage struct {
	mu       sync.Mutex
	sent     map[uuid.UUID]int // number of mails about each comment
	faults   map[uuid.UUID]int // number of faults between acceptance and acknowledgement
	outcomes []string          // of mails, in their order; all others succeed
}

// A run is one call of a sender.
type run struct {
	*stage
	*mysqlstore.Notifications
	leased []uuid.UUID
	dies   bool   // before the acknowledgement
	die    func() // ends the context, so that it does not retry
}

var errDead = errors.New("the process has died")

func (r *run) Lease(
	ctx context.Context, recipient string, age, leaseDuration time.Duration,
) (notifications.Lease, error) {
	lease, err := r.Notifications.Lease(ctx, recipient, age, leaseDuration)
	r.leased = nil
	for _, comment := range lease.Digest.Comments {
		r.leased = append(r.leased, comment.ID)
	}
	if err == nil && lease.Digest.Count > len(r.leased) {
		return lease,
			fmt.Errorf("the digest has %d comments, more than the mail shows", lease.Digest.Count)
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
	return "https://api.example.com/unsubscribe", nil
}
func (*run) Language(tag string) string { return tag }

func (r *run) Message(_, _ string, to email.Address, _ any) (email.Message, error) {
	return email.Message{To: to}, nil
}

func (r *run) Send(context.Context, email.Message) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	accepted, responded := true, true
	if len(r.outcomes) > 0 {
		switch r.outcomes[0] {
		case "fails":
			accepted, responded = false, false
		case "response lost":
			responded = false
		case "dies after":
			r.dies = true
			r.die()
		}
		r.outcomes = r.outcomes[1:]
	}
	for _, id := range r.leased {
		if accepted {
			r.sent[id]++
			if !responded || r.dies {
				r.faults[id]++
			}
		}
	}
	if !responded {
		return "", errFault
	}
	return "id", nil
}

var storeSteps = []string{
	"comment", "comment", "comment", "own comment", "repeat", "remove", "send", "send", "expire",
}

// TestSender_with_MySQL does with a database what TestSender_random_faults does with a model:
// bursts of comments, removed comments and posts, and mails sent meanwhile, concurrently if the
// server has locks.
func TestSender_with_MySQL(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	databases := database.Open(t)
	if _, err := schema.Up(t.Context(), databases.Writer, migrations.Files); err != nil {
		t.Fatal(err)
	}
	profiles, store := mysqlstore.NewProfiles(databases), mysqlstore.NewPosts(databases)
	pending := mysqlstore.NewNotifications(databases)
	expireLeases := "UPDATE " + database.Name +
		".notification_leases SET leased_until = UTC_TIMESTAMP(6)"
	runs, sent, twice := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		outcomes := rapid.SliceOf(rapid.SampledFrom([]string{
			"succeeds", "succeeds", "fails", "response lost", "dies after",
		}))
		s := &stage{
			sent:     map[uuid.UUID]int{},
			faults:   map[uuid.UUID]int{},
			outcomes: outcomes.Draw(r, "outcomes"),
		}
		check := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		authors, wall := []string{}, map[string]posts.Post{}
		for _, name := range []string{"ada", "bob"} {
			subject := fmt.Sprintf("%s-%d", name, runs)
			authors = append(authors, subject)
			profile := accounts.Profile{Subject: subject, DisplayName: name}
			_, err := profiles.Put(t.Context(), profile, nil)
			check(err)
			draft := posts.Draft{Title: "A wall", Body: "x"}
			wall[subject], err = store.Create(t.Context(), subject, "", draft)
			check(err)
		}
		send := func(recipient string) {
			one := &run{stage: s, Notifications: pending}
			sender := &notifications.Sender{
				Store: one, Users: one, Suppressions: one, Links: one, Messages: one, Mailer: one,
				Logger:        slog.New(slog.DiscardHandler),
				LeaseDuration: email.MinLease,
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			one.die = cancel
			_ = sender.Send(ctx, recipient) // repeated until nothing is left
		}
		var comments []posts.NewComment
		var sending sync.WaitGroup
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "author")
			author, other := authors[i], authors[1-i]
			switch rapid.SampledFrom(storeSteps).Draw(r, "step") {
			case "comment":
				created, err := store.CreateComment(t.Context(), author, "", wall[other].ID, "x")
				check(err)
				comments = append(comments, created)
			case "own comment":
				_, err := store.CreateComment(t.Context(), author, "", wall[author].ID, "x")
				check(err)
			case "repeat":
				created, err := store.CreateComment(
					t.Context(), author, "key", wall[other].ID, "x")
				check(err)
				if !slices.Contains(comments, created) {
					comments = append(comments, created)
				}
			case "remove":
				if len(comments) > 0 {
					last := comments[len(comments)-1]
					comments = comments[:len(comments)-1]
					check(store.DeleteComment(t.Context(), last.Author, last.PostID, last.ID))
				}
			case "send":
				sending.Go(func() { send(author) })
				if server.Embedded() {
					sending.Wait() // the embedded server has no locks
				}
			case "expire": // leases of dead processes
				sending.Wait()
				_, err := server.Admin.Exec(expireLeases)
				check(err)
			}
		}
		sending.Wait()
		s.outcomes = nil
		for _, author := range authors {
			_, err := server.Admin.Exec(expireLeases)
			check(err)
			send(author)
			_, err = pending.Lease(t.Context(), author, 0, time.Minute)
			if !errors.Is(err, email.ErrNothingToSend) {
				r.Fatalf("%s has unsent notifications: %v", author, err)
			}
		}
		for _, comment := range comments {
			times := s.sent[comment.ID]
			if times == 0 || times > 1+s.faults[comment.ID] {
				r.Fatalf("a comment was in %d mails, with %d faults before the acknowledgement",
					times, s.faults[comment.ID])
			}
			sent++
			twice += cmp.Compare(times, 1)
		}
	})
	if t.Logf("%d comments, %d of them in several mails", sent, twice); sent == 0 || twice == 0 {
		t.Error("the test has not covered mails and repeated mails")
	}
}
