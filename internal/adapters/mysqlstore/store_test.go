package mysqlstore_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

// stores are the stores of one database.
type stores struct {
	server   *mysqltest.Server
	database *mysqltest.Database

	profiles      *mysqlstore.Profiles
	posts         *mysqlstore.Posts
	changes       *mysqlstore.Changes
	accounts      *mysqlstore.Accounts
	pictures      *mysqlstore.Pictures
	notifications *mysqlstore.Notifications
}

// open returns empty stores.
func open(t testing.TB) *stores {
	t.Helper()
	server := mysqltest.Start(t)
	s := &stores{server: server, database: server.NewDatabase(t)}
	databases := s.database.Open(t)
	migrate(t, databases)
	s.use(databases)
	return s
}

// another returns the same stores with connections of their own, as in another process.
func (s *stores) another(t testing.TB) *stores {
	t.Helper()
	other := &stores{server: s.server, database: s.database}
	other.use(s.database.Open(t))
	return other
}

func (s *stores) use(databases *mysqlconn.Databases) {
	s.profiles = mysqlstore.NewProfiles(databases)
	s.posts = mysqlstore.NewPosts(databases)
	s.changes = mysqlstore.NewChanges(databases)
	s.accounts = mysqlstore.NewAccounts(databases)
	s.pictures = mysqlstore.NewPictures(databases)
	s.notifications = mysqlstore.NewNotifications(databases)
}

func migrate(t testing.TB, databases *mysqlconn.Databases) {
	t.Helper()
	if _, err := schema.Up(t.Context(), databases.Writer, migrations.Files); err != nil {
		t.Fatal(err)
	}
}

// signUp creates a profile for each subject.
func (s *stores) signUp(t testing.TB, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		must(s.profiles.Put(t.Context(),
			accounts.Profile{Subject: subject, DisplayName: nameOf(subject)}, nil))(t)
	}
}

func nameOf(subject string) string { return "Name of " + subject }

func (s *stores) post(t testing.TB, author string) posts.Post {
	t.Helper()
	return must(s.posts.Create(t.Context(), author, "", draft))(t)
}

func (s *stores) comment(t testing.TB, author string, postID uuid.UUID) posts.Comment {
	t.Helper()
	return must(s.posts.CreateComment(t.Context(), author, "", postID, "A comment."))(t).Comment
}

var draft = posts.Draft{Title: "A wall 🪨", Body: "<p>Stones &amp; mortar 🪨</p>"}

// must returns a function that returns value, or fails the test on an error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count returns the number of rows in a table, bypassing the stores.
func (s *stores) count(t testing.TB, table, where string, args ...any) int {
	t.Helper()
	var n int
	ok(t, s.server.Admin.QueryRow("SELECT COUNT(*) FROM "+s.database.Name+"."+table+" WHERE "+where,
		args...).Scan(&n))
	return n
}

// atOnce calls work concurrently with 0 to n-1, each with stores of its own, and fails the test
// with their errors. The embedded engine has no locks and loses concurrent writes: there, the calls
// are sequential, and the test only proves their results.
func (s *stores) atOnce(t *testing.T, n int, work func(s *stores, i int) error) {
	t.Helper()
	if s.server.Embedded() {
		t.Log("sequential calls: the embedded engine has no locks; " +
			"TEST_MYSQL_DSN names a server that has")
		for i := range n {
			if err := work(s, i); err != nil {
				t.Error(err)
			}
		}
		return
	}
	var all []*stores
	for range n {
		all = append(all, s.another(t))
	}
	begin := make(chan struct{})
	var running sync.WaitGroup
	for i, own := range all {
		running.Go(func() {
			<-begin
			if err := work(own, i); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	running.Wait()
}

// checkCounts compares the count of every post with its comments.
func (s *stores) checkCounts(t testing.TB) {
	t.Helper()
	wrong := s.count(t, "posts p",
		"comment_count <> (SELECT COUNT(*) FROM "+s.database.Name+
			".comments c WHERE c.post_id = p.id)")
	if wrong > 0 {
		t.Errorf("%d posts have a wrong count", wrong)
	}
}

// A content is a user's data, sorted.
type content struct {
	Profile  []accounts.Profile
	Posts    []posts.Post
	Comments []posts.Comment
}

// content reads the data of subject, bypassing the stores.
func (s *stores) content(t testing.TB, subject string) content {
	t.Helper()
	var found content
	scan := func(query string, scan func(row func(...any) error) error) {
		t.Helper()
		rows, err := s.server.Admin.Query(
			strings.ReplaceAll(query, "FROM ", "FROM "+s.database.Name+"."), subject)
		ok(t, err)
		defer rows.Close()
		for rows.Next() {
			ok(t, scan(rows.Scan))
		}
		ok(t, rows.Err())
	}
	scan("SELECT subject, display_name, bio, language, comment_notifications "+
		"FROM profiles WHERE subject = ?",
		func(row func(...any) error) error {
			var p accounts.Profile
			err := row(&p.Subject, &p.DisplayName, &p.Bio, &p.Language, &p.CommentNotifications)
			found.Profile = append(found.Profile, p)
			return err
		})
	scan("SELECT id, author, title, body, comment_count FROM posts WHERE author = ?",
		func(row func(...any) error) error {
			var p posts.Post
			err := row(&p.ID, &p.Author, &p.Title, &p.Body, &p.CommentCount)
			found.Posts = append(found.Posts, p)
			return err
		})
	scan("SELECT id, post_id, author, body FROM comments WHERE author = ?",
		func(row func(...any) error) error {
			var c posts.Comment
			err := row(&c.ID, &c.PostID, &c.Author, &c.Body)
			found.Comments = append(found.Comments, c)
			return err
		})
	return found.sorted()
}

func (c content) sorted() content {
	slices.SortFunc(c.Posts, func(a, b posts.Post) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	slices.SortFunc(c.Comments, func(a, b posts.Comment) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	return c
}

// A client has a copy of its user's data.
type client struct {
	subject  string
	position accounts.Position
	copies   map[uuid.UUID]accounts.Change
}

func newClient(subject string) *client {
	return &client{subject: subject, copies: map[uuid.UUID]accounts.Change{}}
}

// sync gets one page.
func (c *client) sync(t testing.TB, from *mysqlstore.Changes, limit int) (more bool, err error) {
	page, err := from.Since(t.Context(), c.subject, c.position, limit)
	if err != nil {
		return false, err
	}
	if len(page.Changes) > limit || page.More && len(page.Changes) < limit {
		return false, fmt.Errorf("a page of %d changes with a limit of %d, more: %t",
			len(page.Changes), limit, page.More)
	}
	for _, change := range page.Changes {
		if change.Deleted {
			delete(c.copies, change.ID)
		} else {
			c.copies[change.ID] = change
		}
	}
	c.position = page.Next
	return page.More, nil
}

// syncToTheEnd gets pages until there are no more.
func (c *client) syncToTheEnd(t testing.TB, from *mysqlstore.Changes, limit int) error {
	for {
		if more, err := c.sync(t, from, limit); !more || err != nil {
			return err
		}
	}
}

// check compares the client's copy, which must be synced to the end, with the tables.
func (c *client) check(t testing.TB, s *stores) string {
	t.Helper()
	return gocmp.Diff(s.content(t, c.subject), c.content())
}

// content returns the copy without times, which other tests check.
func (c *client) content() content {
	var copied content
	for _, change := range c.copies {
		switch change.Kind {
		case accounts.KindProfile:
			p := *change.Profile
			copied.Profile = append(copied.Profile, accounts.Profile{
				Subject: p.Subject, DisplayName: p.DisplayName, Bio: p.Bio, Language: p.Language,
				CommentNotifications: p.CommentNotifications,
			})
		case accounts.KindPost:
			p := *change.Post
			copied.Posts = append(copied.Posts, posts.Post{
				ID: p.ID, Author: p.Author, AuthorName: p.AuthorName, Title: p.Title, Body: p.Body,
				CommentCount: p.CommentCount,
			})
		case accounts.KindComment:
			p := *change.Comment
			copied.Comments = append(copied.Comments, posts.Comment{
				ID: p.ID, PostID: p.PostID, Author: p.Author, AuthorName: p.AuthorName,
				Body: p.Body,
			})
		}
	}
	return copied.sorted()
}
