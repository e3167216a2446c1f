package posts_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const originals = "originals"

// A world is a database and a bucket, with the profiles of two authors, Ada and Eve.
type world struct {
	*author

	server   *mysqltest.Server
	database *mysqltest.Database
	s3       *s3test.Server
}

// An author is one process, with its own connections.
type author struct {
	service  posts.Service
	pictures *pictures.Store
	accounts *mysqlstore.Accounts
	log      strings.Builder
}

func newWorld(t testing.TB) *world {
	t.Helper()
	server := mysqltest.Start(t)
	w := &world{server: server, database: server.NewDatabase(t), s3: s3test.Start(t)}
	databases := w.database.Open(t)
	_, err := schema.Up(t.Context(), databases.Writer, migrations.Files)
	ok(t, err)
	w.s3.Bucket(t, originals)
	for _, subject := range []string{"ada", "eve"} {
		_, err := mysqlstore.NewProfiles(databases).Put(t.Context(),
			accounts.Profile{Subject: subject, DisplayName: subject}, nil)
		ok(t, err)
	}
	w.author = w.newAuthor(t)
	return w
}

func (w *world) newAuthor(t testing.TB) *author {
	t.Helper()
	databases := w.database.Open(t)
	a := &author{accounts: mysqlstore.NewAccounts(databases)}
	logger := slog.New(slog.NewTextHandler(&a.log, nil))
	a.pictures = &pictures.Store{
		Records: mysqlstore.NewPictures(databases),
		Bucket: &s3store.Pictures{
			Bucket: originals,
			API: s3.New(s3.Options{
				BaseEndpoint: &w.s3.URL,
				Region:       lambdatest.Region,
				Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
					lambdatest.SecretAccessKey, lambdatest.SessionToken),
				RetryMaxAttempts: 1,
			}),
		},
		Logger: logger,
	}
	a.service = posts.Service{
		Store: mysqlstore.NewPosts(databases), Sanitizer: richtext.Sanitizer{},
		Pictures: a.pictures, Logger: logger,
	}
	return a
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// upload uploads a picture as a browser does, and returns its key.
func (w *world) upload(t testing.TB, subject string) string {
	t.Helper()
	key := pictures.TempKey(pictures.Owner(subject), uuid.New())
	_, err := w.s3.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(originals), Key: &key, ContentType: aws.String("image/png"),
		Body: strings.NewReader(key),
	})
	ok(t, err)
	return key
}

func (w *world) expire(t testing.TB, key string) {
	t.Helper()
	_, err := w.s3.Client.DeleteObject(t.Context(),
		&s3.DeleteObjectInput{Bucket: aws.String(originals), Key: &key})
	ok(t, err)
}

func body(keys ...string) string {
	html := "<p>Stones.</p>"
	for _, key := range keys {
		html += `<img src="` + key + `"/>`
	}
	return html
}

// hooked is a store that calls before after the pictures are promoted and before the post is
// stored.
type hooked struct {
	posts.Store
	before []func()
}

func (h hooked) Create(
	ctx context.Context, author, key string, draft posts.Draft, pictureIDs ...uuid.UUID,
) (posts.Post, error) {
	for _, f := range h.before {
		f()
	}
	return h.Store.Create(ctx, author, key, draft, pictureIDs...)
}

func (h hooked) Update(
	ctx context.Context, author string, id uuid.UUID, draft posts.Draft, pictureIDs ...uuid.UUID,
) (posts.Post, error) {
	for _, f := range h.before {
		f()
	}
	return h.Store.Update(ctx, author, id, draft, pictureIDs...)
}

func (a *author) create(
	ctx context.Context, subject, html string, before ...func(),
) (posts.Post, error) {
	service := a.service
	service.Store = hooked{service.Store, before}
	return service.Create(ctx, subject, "", posts.Draft{Title: "t", Body: html})
}

func (a *author) update(
	ctx context.Context, subject string, id uuid.UUID, html string, before ...func(),
) (posts.Post, error) {
	service := a.service
	service.Store = hooked{service.Store, before}
	return service.Update(ctx, subject, id, posts.Draft{Title: "t", Body: html})
}

func (a *author) delete(ctx context.Context, subject string, id uuid.UUID) error {
	return a.service.Delete(ctx, subject, id)
}

func (a *author) deleteAccount(ctx context.Context, subject string) error {
	if err := a.accounts.Delete(ctx, subject); err != nil {
		return err
	}
	return a.pictures.DeleteAll(ctx, subject)
}

// mustCreate creates a post that shows these pictures, and returns it with their permanent keys.
func (w *world) mustCreate(
	t testing.TB, subject string, keys ...string,
) (post posts.Post, promoted []string) {
	t.Helper()
	post, err := w.create(t.Context(), subject, body(keys...))
	ok(t, err)
	return post, keysIn(post.Body)
}

func keysIn(html string) []string {
	var keys []string
	for _, picture := range pictures.References(html) {
		keys = append(keys, picture.Key())
	}
	return keys
}

// age moves the creation of all records of pictures one hour into the past.
func (w *world) age(t testing.TB) {
	t.Helper()
	_, err := w.server.Admin.Exec(
		"UPDATE " + w.database.Name + ".pictures SET created_at = created_at - INTERVAL 1 HOUR")
	ok(t, err)
}

// permanent lists the keys below permanent/.
func (w *world) permanent(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(w.s3.Keys(t, originals), func(key string) bool {
		return !strings.HasPrefix(key, "permanent/")
	})
}

// column returns one column of a query. It does not use the stores.
func column[T any](t testing.TB, w *world, query string, args ...any) []T {
	t.Helper()
	rows, err := w.server.Admin.Query(
		strings.ReplaceAll(query, "FROM ", "FROM "+w.database.Name+"."), args...)
	ok(t, err)
	defer rows.Close()
	var values []T
	for rows.Next() {
		var value T
		ok(t, rows.Scan(&value))
		values = append(values, value)
	}
	ok(t, rows.Err())
	return values
}

// shown returns the keys in all bodies, each once.
func (w *world) shown(t testing.TB) []string {
	t.Helper()
	keys := map[string]bool{}
	for _, body := range column[string](t, w, "SELECT body FROM posts") {
		for _, key := range keysIn(body) {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// checkLinks checks that every picture of every post exists, and that the records of pictures
// agree.
func (w *world) checkLinks(t testing.TB) {
	t.Helper()
	existing, shown := w.permanent(t), w.shown(t)
	for _, key := range shown {
		if !slices.Contains(existing, key) {
			t.Errorf("a post shows %s, which does not exist", key)
		}
	}
	var recorded []string
	for _, id := range column[uuid.UUID](t, w,
		"SELECT id FROM pictures WHERE state = 'promoted' ORDER BY id") {
		recorded = append(recorded, pictures.PermanentKey(id))
	}
	slices.Sort(recorded)
	if diff := cmp.Diff(shown, recorded, emptyIsNil); diff != "" {
		t.Errorf("pictures (-of posts +recorded as promoted):\n%s", diff)
	}
	for _, body := range column[string](t, w, "SELECT body FROM posts") {
		if strings.Contains(body, `src="temp/`) {
			t.Errorf("a post shows an upload, which expires: %s", body)
		}
	}
	pairs := column[int](t, w, "SELECT COUNT(*) FROM post_pictures")[0]
	want := 0
	for _, body := range column[string](t, w, "SELECT body FROM posts") {
		once := slices.Compact(slices.Sorted(slices.Values(keysIn(body))))
		want += len(once)
	}
	if pairs != want {
		t.Errorf("%d pictures of posts are recorded, want %d", pairs, want)
	}
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
})

// checkSettled checks that no other pictures exist, after an hour and the next save of each user.
func (w *world) checkSettled(t testing.TB) {
	t.Helper()
	w.age(t)
	for _, subject := range []string{"ada", "eve"} {
		w.pictures.DeleteUnreferenced(t.Context(), subject)
	}
	w.checkLinks(t)
	if diff := cmp.Diff(w.shown(t), w.permanent(t), emptyIsNil); diff != "" {
		t.Errorf("objects (-shown by posts +existing):\n%s", diff)
	}
	if n := column[int](t, w, "SELECT COUNT(*) FROM pictures WHERE state <> 'promoted'")[0]; n > 0 {
		t.Errorf("%d records of pictures that no post shows", n)
	}
}

func wantMissing(t testing.TB, err error, numbers string) {
	t.Helper()
	var invalid *validate.Error
	want := []validate.Problem{{
		Field: "body",
		Problem: "shows pictures that do not exist, by number " + numbers +
			"; upload them again or remove them",
	}}
	if !errors.As(err, &invalid) || !cmp.Equal(want, invalid.Problems) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestService_promotes_and_deletes_pictures(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.upload(t, "ada"), w.upload(t, "ada"), w.upload(t, "ada")
	before := w.s3.Keys(t, originals)
	post, promoted := w.mustCreate(t, "ada", one, two, one)
	if len(promoted) != 3 || promoted[0] != promoted[2] || promoted[0] == promoted[1] ||
		!slices.Equal(w.shown(t), w.permanent(t)) {
		t.Errorf("the post shows %v, there are %v", promoted, w.permanent(t))
	}
	found, err := w.s3.Client.HeadObject(t.Context(),
		&s3.HeadObjectInput{Bucket: aws.String(originals), Key: &promoted[0]})
	if err != nil || *found.ContentType != "image/png" {
		t.Errorf("a promoted picture is %v (%v), want image/png", found, err)
	}

	// An edit keeps one picture by its permanent key, removes one, and adds one.
	post, err = w.update(t.Context(), "ada", post.ID, body(promoted[0], three))
	ok(t, err)
	now := keysIn(post.Body)
	if now[0] != promoted[0] || slices.Contains(promoted, now[1]) ||
		!slices.Equal(w.shown(t), w.permanent(t)) {
		t.Errorf("the post shows %v after %v, there are %v", now, promoted, w.permanent(t))
	}
	w.checkLinks(t)

	// Saving again changes nothing, although the pictures are now referred to by the keys of their
	// uploads.
	again, err := w.update(t.Context(), "ada", post.ID, body(one, three))
	ok(t, err)
	if again.Body != post.Body {
		t.Errorf("saved again: %s, was %s", again.Body, post.Body)
	}
	ok(t, w.delete(t.Context(), "ada", post.ID))
	if diff := cmp.Diff(before, w.s3.Keys(t, originals)); diff != "" {
		t.Errorf("keys (-before the post +after it):\n%s", diff)
	}
	if n := column[int](t, w, "SELECT COUNT(*) FROM pictures")[0]; n != 0 || w.log.Len() > 0 {
		t.Errorf("%d records are left; log: %s", n, w.log.String())
	}
	// The uploads have not expired yet, so the author may use them again.
	w.mustCreate(t, "ada", one, two, three)
	w.checkSettled(t)
}

func TestService_Create_rejects_missing_pictures(t *testing.T) {
	w := newWorld(t)
	mine, eves := w.upload(t, "ada"), w.upload(t, "eve")
	_, evesPromoted := w.mustCreate(t, "eve", eves)
	removed, _ := w.mustCreate(t, "ada", mine)
	deleted := keysIn(removed.Body)[0]
	ok(t, w.delete(t.Context(), "ada", removed.ID))
	never, unknown := pictures.TempKey(
		pictures.Owner("ada"), uuid.New()), pictures.PermanentKey(uuid.New())

	// The error does not reveal whether a picture belongs to another user or does not exist.
	for name, key := range map[string]string{
		"never uploaded": never, "another user's upload": eves,
		"another user's picture": evesPromoted[0],
		"unknown":                unknown, "deleted": deleted,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.create(t.Context(), "ada", body(mine, key, mine, key))
			wantMissing(t, err, "2")
		})
	}
	_, err := w.create(t.Context(), "ada",
		body(never, mine, pictures.TempKey(pictures.Owner("ada"), uuid.New())))
	wantMissing(t, err, "1, 3")
	_, err = w.create(t.Context(), "ada", body(mine, mine, never, mine, never, unknown))
	wantMissing(t, err, "6") // a missing record is rejected before anything is copied
	_, err = w.create(t.Context(), "ada", body(mine, mine, never, mine, never))
	wantMissing(t, err, "3")
	if n := column[int](t, w, "SELECT COUNT(*) FROM posts WHERE author = 'ada'")[0]; n != 0 {
		t.Errorf("%d posts are saved, want none", n)
	}
	// The unused copies are already deleted: otherwise a user with one upload could fill the
	// bucket.
	if !slices.Equal(w.permanent(t), evesPromoted) ||
		column[int](t, w, "SELECT COUNT(*) FROM pictures")[0] != 1 {
		t.Errorf("there are %v, want %v and no other records", w.permanent(t), evesPromoted)
	}
	w.checkSettled(t)
	if !slices.Equal(w.permanent(t), evesPromoted) {
		t.Errorf("there are %v, want %v", w.permanent(t), evesPromoted)
	}
}

// TestService_Create_deletes_the_copies_of_a_rejected_post: a user without a profile could fill the
// bucket otherwise.
func TestService_Create_deletes_the_copies_of_a_rejected_post(t *testing.T) {
	w := newWorld(t)
	_, err := w.create(t.Context(), "bob", body(w.upload(t, "bob")), func() {
		if copied := w.permanent(t); len(copied) != 1 {
			t.Errorf("copied are %v, want one picture", copied)
		}
	})
	if !errors.Is(err, posts.ErrNoProfile) {
		t.Errorf("got %v, want ErrNoProfile", err)
	}
	if left := w.permanent(t); len(left) > 0 ||
		column[int](t, w, "SELECT COUNT(*) FROM pictures")[0] != 0 {
		t.Errorf("left are %v, want neither copies nor records", left)
	}
}

func TestService_Create_replays_an_idempotency_key(t *testing.T) {
	w := newWorld(t)
	key := w.upload(t, "ada")
	create := func() (posts.Post, error) {
		return w.service.Create(t.Context(), "ada", "the-same",
			posts.Draft{Title: "t", Body: body(key)})
	}
	first, err := create()
	ok(t, err)
	w.expire(t, key)
	edited, err := w.update(t.Context(), "ada", first.ID, body())
	ok(t, err)
	if again, err := create(); err != nil || again != edited {
		t.Errorf("the upload has expired and the picture is deleted: got %+v, %v; want %+v", again,
			err, edited)
	}
	ok(t, w.delete(t.Context(), "ada", first.ID))
	_, err = create()
	wantMissing(t, err, "1") // a new post, whose upload does not exist
	w.checkSettled(t)
}

func TestService_keeps_a_picture_until_its_last_post(t *testing.T) {
	w := newWorld(t)
	key := w.upload(t, "ada")
	first, promoted := w.mustCreate(t, "ada", key)
	for name, source := range map[string]string{
		"by its upload": key, "by its permanent key": promoted[0],
	} {
		t.Run(name, func(t *testing.T) {
			second, promotedToo := w.mustCreate(t, "ada", source)
			if !slices.Equal(promoted, promotedToo) {
				t.Errorf("the second post shows %v, want %v", promotedToo, promoted)
			}
			ok(t, w.delete(t.Context(), "ada", second.ID))
			w.checkSettled(t)
			if !slices.Equal(w.permanent(t), promoted) {
				t.Errorf("there are %v, want %v", w.permanent(t), promoted)
			}
		})
	}
	second, twice := w.mustCreate(t, "ada", promoted[0], key)
	if !slices.Equal(twice, []string{promoted[0], promoted[0]}) {
		t.Errorf("the post shows %v, want %s by both of its keys", twice, promoted[0])
	}
	ok(t, w.delete(t.Context(), "ada", first.ID))
	w.checkSettled(t)
	_, err := w.update(t.Context(), "ada", second.ID, body())
	ok(t, err)
	if left := w.permanent(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	w.checkSettled(t)
}

// TestService_concurrent_saves_of_one_picture runs a second save after a first one has promoted its
// pictures and before it stores its post.
func TestService_concurrent_saves_of_one_picture(t *testing.T) {
	w := newWorld(t)
	second := w.newAuthor(t)

	t.Run("two posts promote one upload", func(t *testing.T) {
		key := w.upload(t, "ada")
		_, err := w.create(t.Context(), "ada", body(key), func() {
			_, err := second.create(t.Context(), "ada", body(key))
			ok(t, err)
		})
		ok(t, err)
		w.checkSettled(t)
	})
	t.Run("one of them is deleted before the other is stored", func(t *testing.T) {
		key := w.upload(t, "ada")
		_, err := w.create(t.Context(), "ada", body(key), func() {
			post, err := second.create(t.Context(), "ada", body(key))
			ok(t, err)
			ok(t, second.delete(t.Context(), "ada", post.ID))
		})
		ok(t, err)
		w.checkSettled(t)
	})
	t.Run("an edit removes a picture that a new post refers to by its upload", func(t *testing.T) {
		key := w.upload(t, "ada")
		first, promoted := w.mustCreate(t, "ada", key)
		tries := 0
		post, err := w.create(t.Context(), "ada", body(key), func() {
			if tries++; tries == 1 {
				_, err := second.update(t.Context(), "ada", first.ID, body())
				ok(t, err)
			}
		})
		ok(t, err)
		if tries != 2 || slices.Equal(keysIn(post.Body), promoted) {
			t.Errorf("%d tries, and the post shows %v; want a second copy after %v", tries,
				keysIn(post.Body), promoted)
		}
		w.checkSettled(t)
	})
	t.Run("an edit removes a picture that a new post refers to by its permanent key",
		func(t *testing.T) {
			first, promoted := w.mustCreate(t, "ada", w.upload(t, "ada"))
			tries := 0
			_, err := w.create(t.Context(), "ada", body(promoted[0]), func() {
				if tries++; tries == 1 {
					_, err := second.update(t.Context(), "ada", first.ID, body())
					ok(t, err)
				}
			})
			wantMissing(t, err, "1") // no post shows it any more
			w.checkSettled(t)
		})
	t.Run("a new post refers to a picture that an edit is about to remove", func(t *testing.T) {
		first, promoted := w.mustCreate(t, "ada", w.upload(t, "ada"))
		_, err := w.update(t.Context(), "ada", first.ID, body(), func() {
			_, err := second.create(t.Context(), "ada", body(promoted[0]))
			ok(t, err)
		})
		ok(t, err)
		if !slices.Contains(w.permanent(t), promoted[0]) {
			t.Errorf("%s is deleted, but a post shows it", promoted[0])
		}
		w.checkSettled(t)
	})
	t.Run("the picture is pending deletion in every try", func(t *testing.T) {
		key := w.upload(t, "ada")
		_, err := w.create(t.Context(), "ada", body(key), func() {
			_, err := w.server.Admin.Exec("UPDATE " + w.database.Name +
				".pictures SET state = 'pending_deletion' WHERE state = 'copying'")
			ok(t, err)
		})
		if !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		w.checkSettled(t)
	})
}

// TestService_concurrent_saves runs every kind of save of two authors concurrently on few
// pictures.
func TestService_concurrent_saves(t *testing.T) {
	w := newWorld(t)
	if w.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	const workers, rounds = 6, 12
	keys := map[string][]string{}
	for _, subject := range []string{"ada", "eve"} {
		keys[subject] = []string{w.upload(t, subject), w.upload(t, subject), w.upload(t, subject)}
	}
	begin := make(chan struct{})
	var running sync.WaitGroup
	for worker := range workers {
		a := w.newAuthor(t)
		subject := []string{"ada", "eve"}[worker%2]
		running.Go(func() {
			<-begin
			var mine []posts.Post
			for round := range rounds {
				some := []string{keys[subject][round%3], keys[subject][(round+worker)%3]}
				var err error
				switch {
				case len(mine) < 2 || round%3 == 0:
					var post posts.Post
					if post, err = a.create(t.Context(), subject, body(some...)); err == nil {
						mine = append(mine, post)
					}
				case round%3 == 1:
					mine[0], err = a.update(t.Context(), subject, mine[0].ID, body(some[0]))
				default:
					err = a.delete(t.Context(), subject, mine[0].ID)
					mine = mine[1:]
				}
				if err != nil && !errors.Is(err, retry.ErrUnavailable) {
					t.Errorf("worker %d, round %d: %v", worker, round, err)
				}
			}
		})
	}
	close(begin)
	running.Wait()
	w.checkSettled(t)
}

// TestService_Delete_sees_a_post_stored_while_it_waited is about the snapshot of a transaction that
// reads before it waits for a lock: the deletion lists comments, waits for the author's account,
// and must then see the post that was stored in between.
func TestService_Delete_sees_a_post_stored_while_it_waited(t *testing.T) {
	w := newWorld(t)
	if w.server.Embedded() {
		t.Skip("the embedded engine has no locks; TEST_MYSQL_DSN names a server that has")
	}
	first, promoted := w.mustCreate(t, "ada", w.upload(t, "ada"))
	second, _ := w.mustCreate(t, "ada")
	saving, err := w.server.Admin.BeginTx(t.Context(), nil)
	ok(t, err)
	defer saving.Rollback()
	run := func(statement string, args ...any) {
		t.Helper()
		_, err := saving.Exec(strings.ReplaceAll(statement, "DB.", w.database.Name+"."), args...)
		ok(t, err)
	}
	run("UPDATE DB.accounts SET version = version + 1 WHERE subject = 'ada'")
	deleted := make(chan error)
	go func() { deleted <- w.delete(t.Context(), "ada", first.ID) }()
	w.database.WaitForLockWait(t)
	run("UPDATE DB.posts SET body = ? WHERE id = ?", body(promoted...), second.ID[:])
	run("INSERT INTO DB.post_pictures (post_id, picture_id) SELECT ?, picture_id FROM "+
		"DB.post_pictures WHERE post_id = ?",
		second.ID[:], first.ID[:])
	ok(t, saving.Commit())
	ok(t, <-deleted)
	w.checkSettled(t)
	if !slices.Equal(w.permanent(t), promoted) {
		t.Errorf("there are %v, want %v", w.permanent(t), promoted)
	}
}

func TestService_Create_copies_all_pictures_or_stores_nothing(t *testing.T) {
	w := newWorld(t)
	const n = 5
	var keys []string
	for range n {
		keys = append(keys, w.upload(t, "ada"))
	}
	for failing := range n {
		w.s3.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action == "s3:GetObject" && strings.HasSuffix(call.Resource, keys[failing]) {
				return awstest.Fault{Status: 503, Code: "SlowDown"}
			}
			return awstest.Fault{}
		})
		if _, err := w.create(
			t.Context(), "ada", body(keys...)); !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("the %d. copy fails: got %v, want ErrUnavailable", failing+1, err)
		}
		w.s3.Intercept(nil)
		if shown := w.shown(t); len(shown) > 0 {
			t.Errorf("the %d. copy fails, and posts show %v", failing+1, shown)
		}
	}
	w.mustCreate(t, "ada", keys...)
	w.checkSettled(t)
	if left := w.permanent(t); len(left) != n {
		t.Errorf("there are %d pictures, want %d", len(left), n)
	}
}

func TestService_applies_a_lost_commit_once(t *testing.T) {
	for _, table := range []string{"pictures", "post_pictures", "posts"} {
		t.Run(table, func(t *testing.T) {
			w := newWorld(t)
			one, two := w.upload(t, "ada"), w.upload(t, "ada")
			w.database.LoseCommitResponse(t, table)
			post, _ := w.mustCreate(t, "ada", one)
			w.checkLinks(t)
			if table != "posts" {
				w.database.LoseCommitResponse(t, table)
				_, err := w.update(t.Context(), "ada", post.ID, body(one, two))
				ok(t, err)
				w.checkLinks(t)
			}
			w.database.LoseCommitResponse(t, table)
			ok(t, w.delete(t.Context(), "ada", post.ID))
			w.checkSettled(t)
		})
	}
}

func TestService_Update_retries_deletions_that_failed_earlier(t *testing.T) {
	w := newWorld(t)
	key := w.upload(t, "ada")
	post, promoted := w.mustCreate(t, "ada", key)
	for _, fault := range []awstest.Fault{
		{Status: 503, Code: "SlowDown"}, {Status: 403, Code: "AccessDenied"}, {NoResponse: true},
	} {
		w.s3.SetFault(fault)
		edited, err := w.update(t.Context(), "ada", post.ID, body())
		w.s3.SetFault(awstest.Fault{})
		if err != nil || edited.Body != body() {
			t.Errorf("%+v: %v, %s", fault, err, edited.Body)
		}
		if !strings.Contains(w.log.String(), "deleting unreferenced pictures failed") {
			t.Errorf("%+v: log %q", fault, w.log.String())
		}
		if !slices.Equal(w.permanent(t), promoted) {
			t.Errorf("%+v: there are %v, want %v", fault, w.permanent(t), promoted)
		}
		w.log.Reset()
		post, promoted = w.mustCreate(t, "ada", key)
		if !slices.Equal(w.permanent(t), promoted) {
			t.Errorf("after %+v there are %v, want %v", fault, w.permanent(t), promoted)
		}
	}
	w.checkSettled(t)
}

func TestStore_DeleteAll_with_an_account(t *testing.T) {
	w := newWorld(t)
	one, two := w.upload(t, "ada"), w.upload(t, "ada")
	w.mustCreate(t, "ada", one)
	w.mustCreate(t, "ada", one, two)
	_, evesPromoted := w.mustCreate(t, "eve", w.upload(t, "eve"))

	// While S3 is down, the account is deleted, but its pictures are not: the next request deletes
	// them.
	w.s3.SetFault(awstest.Fault{Status: 503, Code: "SlowDown"})
	if err := w.deleteAccount(t.Context(), "ada"); !errors.Is(err, retry.ErrUnavailable) {
		t.Errorf("S3 is down: got %v, want ErrUnavailable", err)
	}
	w.s3.SetFault(awstest.Fault{})
	if _, err := w.create(t.Context(), "ada", body(two)); !errors.Is(err, accounts.ErrDeleted) {
		t.Errorf("a save after the deletion: got %v, want ErrDeleted", err)
	}
	ok(t, w.deleteAccount(t.Context(), "ada"))
	ok(t, w.deleteAccount(t.Context(), "ada"))
	if !slices.Equal(w.permanent(t), evesPromoted) {
		t.Errorf("there are %v, want %v", w.permanent(t), evesPromoted)
	}
	if n := column[int](t, w, "SELECT COUNT(*) FROM pictures WHERE owner = 'ada'")[0]; n > 0 {
		t.Errorf("%d records are left", n)
	}
	w.checkSettled(t)
}

// TestStore_DeleteAll_after_a_post_deleted_without_its_pictures is about functions of an earlier
// version that did not support pictures.
func TestStore_DeleteAll_after_a_post_deleted_without_its_pictures(t *testing.T) {
	w := newWorld(t)
	post, promoted := w.mustCreate(t, "ada", w.upload(t, "ada"))
	_, err := w.server.Admin.Exec("DELETE FROM "+w.database.Name+".posts WHERE id = ?", post.ID[:])
	ok(t, err)
	if !slices.Equal(w.permanent(t), promoted) {
		t.Errorf("there are %v, want %v", w.permanent(t), promoted)
	}
	ok(t, w.deleteAccount(t.Context(), "ada"))
	w.checkSettled(t)
}

// TestStore_DeleteAll_waits_for_a_concurrent_save deletes an account while a save copies pictures:
// no later request would delete the copies.
func TestStore_DeleteAll_waits_for_a_concurrent_save(t *testing.T) {
	w := newWorld(t)
	second := w.newAuthor(t)
	_, err := w.create(t.Context(), "ada", body(w.upload(t, "ada")), func() {
		if err := second.deleteAccount(t.Context(), "ada"); !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("deletion during a save: got %v, want ErrUnavailable", err)
		}
	})
	if !errors.Is(err, accounts.ErrDeleted) {
		t.Errorf("the save: got %v, want ErrDeleted", err)
	}
	ok(t, second.deleteAccount(t.Context(), "ada"))
	if left := w.permanent(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	if n := column[int](t, w, "SELECT COUNT(*) FROM pictures")[0]; n > 0 {
		t.Errorf("%d records are left", n)
	}
}

// TestService_never_reuses_a_key deletes the pictures of earlier posts again, late: that must not
// delete a picture of a later post.
func TestService_never_reuses_a_key(t *testing.T) {
	w := newWorld(t)
	key := w.upload(t, "ada")
	used := map[string]bool{}
	for range 5 {
		post, promoted := w.mustCreate(t, "ada", key)
		if used[promoted[0]] {
			t.Errorf("%s is used again", promoted[0])
		}
		used[promoted[0]] = true
		ok(t, w.delete(t.Context(), "ada", post.ID))
	}
	_, promoted := w.mustCreate(t, "ada", key)
	for late := range used {
		w.expire(t, late)
	}
	w.checkSettled(t)
	if !slices.Equal(w.permanent(t), promoted) {
		t.Errorf("there are %v, want %v", w.permanent(t), promoted)
	}
}

func TestService_Update_deletes_many_pictures(t *testing.T) {
	w := newWorld(t)
	var keys []string
	for range posts.MaxPictures {
		keys = append(keys, w.upload(t, "ada"))
	}
	post, promoted := w.mustCreate(t, "ada", keys...)
	if len(w.permanent(t)) != posts.MaxPictures {
		t.Fatalf("%d are promoted, want %d", len(w.permanent(t)), posts.MaxPictures)
	}
	_, err := w.update(t.Context(), "ada", post.ID, body(promoted[:1]...))
	ok(t, err)
	if diff := cmp.Diff(promoted[:1], w.permanent(t)); diff != "" {
		t.Errorf("(-want +existing):\n%s", diff)
	}
	w.checkSettled(t)
}
