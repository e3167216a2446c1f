package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/apitest"
	"github.com/ashlar-cdk/ashlar/internal/awstest"
	"github.com/ashlar-cdk/ashlar/internal/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/profile"
	"github.com/ashlar-cdk/ashlar/internal/resttest"
	"github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
)

func settings(of apitest.Settings) any {
	return contract.Settings{API: of.API, Cursors: of.Cursors, Pictures: of.Pictures, Media: of.Media, Database: of.Database}
}

const (
	eve   = "00000000-0000-4000-8000-0000000000bb"
	draft = `{"title":"Cutting true","body":"<p>Six faces.</p>"}`
)

func createPost(subject string) resttest.Request {
	return resttest.Request{Route: "POST /posts", Subject: subject, Body: draft}
}

// TestBootstrap drives the built function with API Gateway's events, against a MySQL server that has the platform's
// schema. The subtests share the function's process as requests do; each leaves the database up.
func TestBootstrap(t *testing.T) {
	f := apitest.NewAccount(t, mysqltest.Start(t)).Start(t, lambdatest.Build(t, contract.Package), settings)
	resttest.ErrorOf(t, f.Do(t, createPost(resttest.Subject)), 409, "profile_required")
	profiles := mysqlstore.NewProfiles(f.Database.Open(t))
	for subject, name := range map[string]string{resttest.Subject: "Ada", eve: "Eve"} {
		if _, err := profiles.Put(t.Context(), profile.Profile{Subject: subject, DisplayName: name}); err != nil {
			t.Fatal(err)
		}
	}
	newPost := func(t testing.TB, owner string) map[string]string {
		created := resttest.Body[postsapi.Post](t, f.Check(t, createPost(owner), 201), 201)
		return map[string]string{"postId": created.ID.String()}
	}
	newComment := func(t testing.TB, owner string) map[string]string {
		path := newPost(t, eve)
		created := resttest.Body[postsapi.Comment](t, f.Check(t, resttest.Request{
			Route: "POST /posts/{postId}/comments", Path: path, Subject: owner, Body: `{"body":"True."}`,
		}, 201), 201)
		path["commentId"] = created.ID.String()
		return path
	}

	t.Run("every route", func(t *testing.T) {
		route := func(name, body string, path func(t testing.TB, owner string) map[string]string) func(t testing.TB, user, owner string) resttest.Request {
			return func(t testing.TB, user, owner string) resttest.Request {
				return resttest.Request{Route: name, Path: path(t, owner), Subject: user, Body: body}
			}
		}
		public := func(name string, path func(t testing.TB, owner string) map[string]string) func(t testing.TB, user, owner string) resttest.Request {
			return func(t testing.TB, _, owner string) resttest.Request {
				return resttest.Request{Route: name, Path: path(t, owner)}
			}
		}
		none := func(testing.TB, string) map[string]string { return nil }
		apitest.CheckRoutes(t, f, postsapi.Routes.Operations(), map[string]apitest.Route{
			"GET /posts": {Request: public("GET /posts", none), Cursor: "cursor", Position: make([]byte, 16), Lifetime: 24 * time.Hour, List: func(resttest.Request) string { return "posts" }, Want: map[string][]string{
				"200":                 {"valid", "twice", "old cursor"},
				"400 invalid_cursor":  {"SQL in cursor", "forged cursor", "empty cursor", "overlong cursor", "cursor of another list"},
				"400 expired_cursor":  {"expired cursor"},
				"400 invalid_request": {"SQL in limit", "limit of zero", "limit of a million"},
			}},
			"POST /posts": {Request: route("POST /posts", draft, none), Want: map[string][]string{
				"201": {"valid", "twice", "SQL in title", "SQL in body"},
				"400 invalid_request": {"no body", "unknown field", "wrong type in title", "wrong type in body", "too long title", "too long body",
					"SQL in Idempotency-Key", "too long Idempotency-Key"},
				"401 unauthenticated": {"nobody signed in"},
			}},
			"GET /posts/{postId}": {Request: public("GET /posts/{postId}", newPost), Want: map[string][]string{
				"200":                 {"valid", "twice", "another's"},
				"400 invalid_request": {"SQL in postId"},
				"404 not_found":       {"nobody's postId"},
			}},
			"PUT /posts/{postId}": {Request: route("PUT /posts/{postId}", draft, newPost), Want: map[string][]string{
				"200": {"valid", "twice", "SQL in title", "SQL in body"},
				"400 invalid_request": {"no body", "unknown field", "wrong type in title", "wrong type in body", "too long title", "too long body",
					"SQL in postId"},
				"401 unauthenticated": {"nobody signed in"},
				"404 not_found":       {"nobody's postId", "another's"},
			}},
			"DELETE /posts/{postId}": {Request: route("DELETE /posts/{postId}", "", newPost), Want: map[string][]string{
				"204":                 {"valid"},
				"400 invalid_request": {"SQL in postId"},
				"401 unauthenticated": {"nobody signed in"},
				"404 not_found":       {"nobody's postId", "another's", "twice"},
			}},
			"GET /posts/{postId}/comments": {Request: public("GET /posts/{postId}/comments", newPost), Cursor: "cursor", Position: make([]byte, 16), Lifetime: 24 * time.Hour, List: func(request resttest.Request) string {
				return "comments of " + request.Path["postId"]
			}, Want: map[string][]string{
				"200":                 {"valid", "twice", "another's", "old cursor"},
				"400 invalid_cursor":  {"SQL in cursor", "forged cursor", "empty cursor", "overlong cursor", "cursor of another list"},
				"400 expired_cursor":  {"expired cursor"},
				"400 invalid_request": {"SQL in limit", "limit of zero", "limit of a million", "SQL in postId"},
				"404 not_found":       {"nobody's postId"},
			}},
			"POST /posts/{postId}/comments": {Request: route("POST /posts/{postId}/comments", `{"body":"True."}`, newPost), Want: map[string][]string{
				"201": {"valid", "twice", "SQL in body"},
				"400 invalid_request": {"no body", "unknown field", "wrong type in body", "too long body", "SQL in postId",
					"SQL in Idempotency-Key", "too long Idempotency-Key"},
				"401 unauthenticated": {"nobody signed in"},
				"404 not_found":       {"nobody's postId"},
			}},
			"GET /posts/{postId}/comments/{commentId}": {Request: public("GET /posts/{postId}/comments/{commentId}", newComment), Want: map[string][]string{
				"200":                 {"valid", "twice", "another's"},
				"400 invalid_request": {"SQL in postId", "SQL in commentId"},
				"404 not_found":       {"nobody's postId", "nobody's commentId"},
			}},
			"PUT /posts/{postId}/comments/{commentId}": {Request: route("PUT /posts/{postId}/comments/{commentId}", `{"body":"True."}`, newComment), Want: map[string][]string{
				"200":                 {"valid", "twice", "SQL in body"},
				"400 invalid_request": {"no body", "unknown field", "wrong type in body", "too long body", "SQL in postId", "SQL in commentId"},
				"401 unauthenticated": {"nobody signed in"},
				"404 not_found":       {"nobody's postId", "nobody's commentId", "another's"},
			}},
			"DELETE /posts/{postId}/comments/{commentId}": {Request: route("DELETE /posts/{postId}/comments/{commentId}", "", newComment), Want: map[string][]string{
				"204":                 {"valid"},
				"400 invalid_request": {"SQL in postId", "SQL in commentId"},
				"401 unauthenticated": {"nobody signed in"},
				"404 not_found":       {"nobody's postId", "nobody's commentId", "another's", "twice"},
			}},
		})
	})

	t.Run("a post is read as it was written, but for what it may not have", func(t *testing.T) {
		title := `Ада 🪨 "quoted" <b> \ %s ?`
		body, err := json.Marshal(map[string]string{"title": title, "body": `<p onclick="steal()">Six <script>steal()</script>faces<img src="temp/1/a.jpg"><img src="https://evil.example.com/x.gif">.</p>`})
		if err != nil {
			t.Fatal(err)
		}
		request := createPost(resttest.Subject)
		request.Body = string(body)
		created := resttest.Body[postsapi.Post](t, f.Check(t, request, 201), 201)
		read := resttest.Body[postsapi.Post](t, f.Check(t, resttest.Request{Route: "GET /posts/{postId}", Path: map[string]string{"postId": created.ID.String()}}, 200), 200)
		if read != created {
			t.Errorf("GET answers %+v after POST answered %+v", read, created)
		}
		if read.Title != title || read.Body != `<p>Six faces<img src="temp/1/a.jpg"/>.</p>` || read.Author.DisplayName != "Ada" || read.CreatedAt.IsZero() || !read.CreatedAt.Equal(read.UpdatedAt) {
			t.Errorf("post %+v", read)
		}
	})

	t.Run("all posts are met once, newest first, page by page", func(t *testing.T) {
		for range 3 {
			newPost(t, eve) // older than those that are met, so that no page of them is the last
		}
		var written []string
		for range 7 {
			written = append([]string{newPost(t, resttest.Subject)["postId"]}, written...)
		}
		var met []string
		query := map[string]string{"limit": "2"}
		for len(met) < len(written) {
			page := resttest.Body[postsapi.PostPage](t, f.Check(t, resttest.Request{Route: "GET /posts", Query: query}, 200), 200)
			newPost(t, eve) // which moves what would be counted by offset
			for _, post := range page.Posts {
				met = append(met, post.ID.String())
			}
			if page.NextCursor == "" || len(page.Posts) != 2 {
				t.Fatalf("a page of %d with the cursor %q", len(page.Posts), page.NextCursor)
			}
			query["cursor"] = page.NextCursor
		}
		if got, want := fmt.Sprint(met[:len(written)]), fmt.Sprint(written); got != want {
			t.Errorf("met %s, want %s", got, want)
		}
	})

	t.Run("comments are counted and listed, oldest first, to the last page", func(t *testing.T) {
		path := newPost(t, eve)
		for i := range 3 {
			f.Check(t, resttest.Request{Route: "POST /posts/{postId}/comments", Path: path, Subject: resttest.Subject, Body: fmt.Sprintf(`{"body":"%d"}`, i)}, 201)
		}
		request := resttest.Request{Route: "GET /posts/{postId}/comments", Path: path, Query: map[string]string{"limit": "2"}}
		first := resttest.Body[postsapi.CommentPage](t, f.Check(t, request, 200), 200)
		request.Query["cursor"] = first.NextCursor
		second := resttest.Body[postsapi.CommentPage](t, f.Check(t, request, 200), 200)
		if len(first.Comments) != 2 || len(second.Comments) != 1 || second.NextCursor != "" || first.Comments[0].Body != "0" || second.Comments[0].Body != "2" {
			t.Errorf("pages %+v and %+v", first, second)
		}
		if post := resttest.Body[postsapi.Post](t, f.Check(t, resttest.Request{Route: "GET /posts/{postId}", Path: path}, 200), 200); post.CommentCount != 3 {
			t.Errorf("%d comments are counted, want 3", post.CommentCount)
		}
		empty := resttest.Request{Route: "GET /posts/{postId}/comments", Path: newPost(t, eve)}
		if body := f.Check(t, empty, 200).Body; body != `{"comments":[]}` {
			t.Errorf("a post without comments has %s", body)
		}
	})

	path := newPost(t, resttest.Subject)
	f.CheckFaults(t,
		resttest.Request{Route: "GET /posts/{postId}", Path: path},
		resttest.Request{Route: "PUT /posts/{postId}", Path: path, Subject: resttest.Subject, Body: draft})
	f.CheckSecrecy(t, "Six faces", "Cutting true")
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

func TestBootstrapWithoutItsSecret(t *testing.T) {
	request := resttest.Request{Route: "GET /posts"}
	apitest.CheckStart(t, mysqltest.Start(t), lambdatest.Build(t, contract.Package), settings, request, 200)
}

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package),
		"ALLOWED_ORIGINS", "CLIENT_IDS", "CURSOR_KEY_ARN", "ORIGINALS_BUCKET", "MEDIA_URL", "DATABASE_SECRET_ARN", "DATABASE_WRITER_HOST", "DATABASE_PORT", "DATABASE_NAME")
}
