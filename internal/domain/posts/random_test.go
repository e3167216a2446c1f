package posts_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

var errKilled = errors.New("the process is killed")

// A mortal process is killed after a number of steps: before the last one, or after it. A step is a
// transaction or a call of S3.
type mortal struct {
	pictures.Records
	pictures.Bucket
	steps int  // until it is killed; -1 for never
	after bool // whether the last step is executed
}

func (m *mortal) step(do func() error) error {
	if m.steps == 0 {
		return errKilled
	}
	m.steps--
	if m.steps == 0 && !m.after {
		return errKilled
	}
	err := do()
	if m.steps == 0 {
		return errKilled
	}
	return err
}

func (m *mortal) StartPromotions(
	ctx context.Context, author string, shown []pictures.Reference,
) (promotions []pictures.Promotion, err error) {
	err = m.step(func() error {
		promotions, err = m.Records.StartPromotions(ctx, author, shown)
		return err
	})
	return promotions, err
}

// Copy makes one copy after the other, so that the process can be killed between two copies.
func (m *mortal) Copy(ctx context.Context, copies []pictures.Promotion) (missing []int, err error) {
	for i := range copies {
		err := m.step(func() error {
			gone, err := m.Bucket.Copy(ctx, copies[i:i+1])
			if len(gone) > 0 {
				missing = append(missing, i)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

func (m *mortal) AbandonPromotions(ctx context.Context, ids []uuid.UUID) error {
	return m.step(func() error { return m.Records.AbandonPromotions(ctx, ids) })
}

func (m *mortal) PendingDeletion(
	ctx context.Context, owner string, limit int,
) (ids []uuid.UUID, err error) {
	err = m.step(func() error {
		ids, err = m.Records.PendingDeletion(ctx, owner, limit)
		return err
	})
	return ids, err
}

func (m *mortal) Delete(ctx context.Context, ids []uuid.UUID) error {
	return m.step(func() error { return m.Bucket.Delete(ctx, ids) })
}

func (m *mortal) Purge(ctx context.Context, ids []uuid.UUID) error {
	return m.step(func() error { return m.Records.Purge(ctx, ids) })
}

// mortalPosts is the store of posts of a mortal process.
type mortalPosts struct {
	posts.Store
	process *mortal
}

func (m mortalPosts) Create(
	ctx context.Context, author, key string, draft posts.Draft, pictureIDs ...uuid.UUID,
) (post posts.Post, err error) {
	err = m.process.step(func() error {
		post, err = m.Store.Create(ctx, author, key, draft, pictureIDs...)
		return err
	})
	return post, err
}

func (m mortalPosts) Update(
	ctx context.Context, author string, id uuid.UUID, draft posts.Draft, pictureIDs ...uuid.UUID,
) (post posts.Post, err error) {
	err = m.process.step(func() error {
		post, err = m.Store.Update(ctx, author, id, draft, pictureIDs...)
		return err
	})
	return post, err
}

// TestService_no_picture_is_lost_or_left_behind saves, edits and deletes posts of two authors with
// pictures of both, in processes that may be killed at every step. At any time, each post has its
// pictures; and after every author has saved again, there are no others.
func TestService_no_picture_is_lost_or_left_behind(t *testing.T) {
	w := newWorld(t)
	users := []string{"ada", "eve"}
	uploads := map[string][]string{}
	for _, user := range users {
		for range 3 {
			uploads[user] = append(uploads[user], w.upload(t, user))
		}
	}
	immortal, immortalPosts := *w.pictures, w.service.Store
	makeImmortal := func() {
		w.pictures.Records, w.pictures.Bucket = immortal.Records, immortal.Bucket
		w.service.Store = immortalPosts
	}
	ctx := t.Context()
	killed, saved, rejected := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		makeImmortal()
		every := map[string][]string{} // all permanent keys, past and present
		for _, user := range users {
			for _, post := range w.postsOf(t, user) {
				ok(t, w.delete(ctx, user, post.ID))
			}
		}
		w.checkSettled(t)
		for range rapid.IntRange(1, 10).Draw(rt, "operations") {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			another := users[1-slices.Index(users, user)]
			anothers := w.keysOf(t, another)
			process := &mortal{
				Records: immortal.Records, Bucket: immortal.Bucket,
				steps: rapid.IntRange(-1, 8).Draw(rt, "steps"),
				after: rapid.Bool().Draw(rt, "after"),
			}
			w.pictures.Records, w.pictures.Bucket, w.service.Store = process, process, mortalPosts{
				immortalPosts, process,
			}

			known := slices.Concat(uploads[user], every[user])
			if rapid.IntRange(0, 9).Draw(rt, "hostile") == 0 {
				known = slices.Concat(known, uploads[another], every[another])
			}
			html := body(rapid.SliceOfN(rapid.SampledFrom(known), 0, 4).Draw(rt, "pictures")...)
			mine := w.postsOf(t, user)
			var err error
			var post posts.Post
			switch rapid.IntRange(0, 3).Draw(rt, "operation") {
			case 0:
				if len(mine) > 0 {
					err = w.delete(ctx, user, rapid.SampledFrom(mine).Draw(rt, "deleted").ID)
				}
			default:
				if len(mine) > 0 && rapid.Bool().Draw(rt, "edit") {
					post, err = w.update(ctx, user, rapid.SampledFrom(mine).Draw(rt, "post").ID,
						html)
				} else {
					post, err = w.create(ctx, user, html)
				}
			}
			_, invalid := errors.AsType[*validate.Error](err)
			switch {
			case err == nil:
				saved++
			case errors.Is(err, errKilled):
				killed++
			case invalid:
				rejected++
			default:
				rt.Fatalf("%v", err)
			}
			every[user] = append(every[user], keysIn(post.Body)...)
			w.checkLinks(t)
			if now := w.keysOf(t, another); !slices.Equal(anothers, now) {
				rt.Fatalf("%s saved, and %s's objects %v are now %v", user, another, anothers, now)
			}
			if rapid.IntRange(0, 4).Draw(rt, "an hour passes") == 0 {
				w.age(t)
			}
			if t.Failed() {
				rt.FailNow()
			}
		}
		makeImmortal()
		w.checkSettled(t)
		if t.Failed() {
			rt.FailNow()
		}
	})
	t.Logf("%d saved or deleted, %d killed, %d rejected", saved, killed, rejected)
	if saved == 0 || killed == 0 || rejected == 0 {
		t.Error("an outcome did not occur")
	}
}

// postsOf lists a user's posts.
func (w *world) postsOf(t testing.TB, subject string) []posts.Post {
	t.Helper()
	var found []posts.Post
	for _, id := range column[uuid.UUID](t, w, "SELECT id FROM posts WHERE author = ?", subject) {
		found = append(found, posts.Post{ID: id})
	}
	return found
}

// keysOf lists the objects of a user in the bucket.
func (w *world) keysOf(t testing.TB, subject string) []string {
	t.Helper()
	existing := w.permanent(t)
	var found []string
	for _, id := range column[uuid.UUID](t, w,
		"SELECT id FROM pictures WHERE owner = ? ORDER BY id", subject) {
		if key := pictures.PermanentKey(id); slices.Contains(existing, key) {
			found = append(found, key)
		}
	}
	return found
}
