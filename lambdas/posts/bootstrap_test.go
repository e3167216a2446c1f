package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/apitest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func settings(of apitest.Settings) any {
	return contract.Settings{
		API: of.API, TokenKeyARN: of.TokenKeyARN, OriginalsBucket: of.OriginalsBucket,
		MediaURL: of.MediaURL, TopicARN: of.TopicARN, Database: of.Database,
	}
}

const (
	eve   = "00000000-0000-4000-8000-0000000000bb"
	draft = `{"title":"Cutting true","body":"<p>Six faces.</p>"}`
)

func createPost(subject string) resttest.Request {
	return resttest.Request{Route: "POST /posts", Subject: subject, Body: draft}
}

// TestBootstrap sends API Gateway's events to the built function, with a MySQL server that has the
// platform's schema. The subtests share the function's process as requests do; each leaves the
// database up.
func TestBootstrap(t *testing.T) {
	f := apitest.NewAccount(t, mysqltest.Start(t)).Start(t, lambdatest.Build(t, contract.Package),
		settings)
	resttest.ErrorOf(t, f.Do(t, createPost(resttest.Subject)), 409, "profile_required")
	profiles := mysqlstore.NewProfiles(f.Database.Open(t))
	for subject, name := range map[string]string{resttest.Subject: "Ada", eve: "Eve"} {
		if _, err := profiles.Put(t.Context(),
			accounts.Profile{Subject: subject, DisplayName: name}, nil); err != nil {
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
			Route: "POST /posts/{postId}/comments", Path: path, Subject: owner,
			Body: `{"body":"True."}`,
		}, 201), 201)
		path["commentId"] = created.ID.String()
		return path
	}

	t.Run("every route", func(t *testing.T) {
		route := func(
			name, body string, path func(t testing.TB, owner string) map[string]string,
		) func(t testing.TB, user, owner string) resttest.Request {
			return func(t testing.TB, user, owner string) resttest.Request {
				return resttest.Request{
					Route: name, Path: path(t, owner), Subject: user, Body: body,
				}
			}
		}
		public := func(
			name string, path func(t testing.TB, owner string) map[string]string,
		) func(t testing.TB, user, owner string) resttest.Request {
			return func(t testing.TB, _, owner string) resttest.Request {
				return resttest.Request{Route: name, Path: path(t, owner)}
			}
		}
		none := func(testing.TB, string) map[string]string { return nil }
		apitest.CheckRoutes(t, f, postsapi.Routes.Operations(), map[string]apitest.Route{
			"GET /posts": {
				Request:  public("GET /posts", none),
				Cursor:   "cursor",
				Position: make([]byte, 16),
				Lifetime: 24 * time.Hour,
				List: func(resttest.Request) string {
					return "posts"
				},
				Want: map[string][]string{
					"200": {"valid", "twice", "old cursor"},
					"400 invalid_cursor": {
						"SQL in cursor", "forged cursor", "empty cursor", "overlong cursor",
						"cursor of another list",
					},
					"400 expired_cursor":  {"expired cursor"},
					"400 invalid_request": {"SQL in limit", "limit of zero", "limit of a million"},
				},
			},
			"POST /posts": {
				Request: route("POST /posts", draft, none),
				Want: map[string][]string{
					"201": {"valid", "twice", "SQL in title", "SQL in body"},
					"400 invalid_request": {"no body", "unknown field", "wrong type in title",
						"wrong type in body", "too long title", "too long body",
						"SQL in Idempotency-Key", "too long Idempotency-Key"},
					"401 unauthenticated": {"not signed in"},
				},
			},
			"GET /posts/{postId}": {
				Request: public("GET /posts/{postId}", newPost),
				Want: map[string][]string{
					"200":                 {"valid", "twice", "another's"},
					"400 invalid_request": {"SQL in postId"},
					"404 not_found":       {"unknown postId"},
				},
			},
			"PUT /posts/{postId}": {
				Request: route("PUT /posts/{postId}", draft, newPost),
				Want: map[string][]string{
					"200": {"valid", "twice", "SQL in title", "SQL in body"},
					"400 invalid_request": {"no body", "unknown field", "wrong type in title",
						"wrong type in body", "too long title", "too long body",
						"SQL in postId"},
					"401 unauthenticated": {"not signed in"},
					"404 not_found":       {"unknown postId", "another's"},
				},
			},
			"DELETE /posts/{postId}": {
				Request: route("DELETE /posts/{postId}", "", newPost),
				Want: map[string][]string{
					"204":                 {"valid"},
					"400 invalid_request": {"SQL in postId"},
					"401 unauthenticated": {"not signed in"},
					"404 not_found":       {"unknown postId", "another's", "twice"},
				},
			},
			"GET /posts/{postId}/comments": {
				Request:  public("GET /posts/{postId}/comments", newPost),
				Cursor:   "cursor",
				Position: make([]byte, 16),
				Lifetime: 24 * time.Hour,
				List: func(request resttest.Request) string {
					return "comments of " + request.Path["postId"]
				},
				Want: map[string][]string{
					"200": {"valid", "twice", "another's", "old cursor"},
					"400 invalid_cursor": {
						"SQL in cursor", "forged cursor", "empty cursor", "overlong cursor",
						"cursor of another list",
					},
					"400 expired_cursor": {"expired cursor"},
					"400 invalid_request": {
						"SQL in limit", "limit of zero", "limit of a million", "SQL in postId",
					},
					"404 not_found": {"unknown postId"},
				},
			},
			"POST /posts/{postId}/comments": {
				Request: route("POST /posts/{postId}/comments", `{"body":"True."}`, newPost),
				Want: map[string][]string{
					"201": {"valid", "twice", "SQL in body"},
					"400 invalid_request": {"no body", "unknown field", "wrong type in body",
						"too long body", "SQL in postId",
						"SQL in Idempotency-Key", "too long Idempotency-Key"},
					"401 unauthenticated": {"not signed in"},
					"404 not_found":       {"unknown postId"},
				},
			},
			"GET /posts/{postId}/comments/{commentId}": {
				Request: public("GET /posts/{postId}/comments/{commentId}", newComment),
				Want: map[string][]string{
					"200":                 {"valid", "twice", "another's"},
					"400 invalid_request": {"SQL in postId", "SQL in commentId"},
					"404 not_found":       {"unknown postId", "unknown commentId"},
				},
			},
			"PUT /posts/{postId}/comments/{commentId}": {
				Request: route("PUT /posts/{postId}/comments/{commentId}", `{"body":"True."}`,
					newComment),
				Want: map[string][]string{
					"200": {"valid", "twice", "SQL in body"},
					"400 invalid_request": {
						"no body", "unknown field", "wrong type in body", "too long body",
						"SQL in postId", "SQL in commentId",
					},
					"401 unauthenticated": {"not signed in"},
					"404 not_found":       {"unknown postId", "unknown commentId", "another's"},
				},
			},
			"DELETE /posts/{postId}/comments/{commentId}": {
				Request: route("DELETE /posts/{postId}/comments/{commentId}", "", newComment),
				Want: map[string][]string{
					"204":                 {"valid"},
					"400 invalid_request": {"SQL in postId", "SQL in commentId"},
					"401 unauthenticated": {"not signed in"},
					"404 not_found": {
						"unknown postId", "unknown commentId", "another's", "twice",
					},
				},
			},
		})
	})

	t.Run("a post is stored sanitized", func(t *testing.T) {
		title := `Ада 🪨 "quoted" <b> \ %s ?`
		body, err := json.Marshal(map[string]string{
			"title": title,
			"body": `<p onclick="steal()">Six <script>steal()</script>faces` +
				`<img src="temp/1/a.jpg"><img src="https://evil.example.com/x.gif">.</p>`,
		})
		if err != nil {
			t.Fatal(err)
		}
		request := createPost(resttest.Subject)
		request.Body = string(body)
		created := resttest.Body[postsapi.Post](t, f.Check(t, request, 201), 201)
		read := resttest.Body[postsapi.Post](t, f.Check(t, resttest.Request{
			Route: "GET /posts/{postId}", Path: map[string]string{"postId": created.ID.String()},
		}, 200), 200)
		if read != created {
			t.Errorf("GET returns %+v, POST returned %+v", read, created)
		}
		if read.Title != title || read.Body != `<p>Six faces.</p>` ||
			read.Author.DisplayName != "Ada" || read.CreatedAt.IsZero() ||
			!read.CreatedAt.Equal(read.UpdatedAt) {
			t.Errorf("post %+v", read)
		}
	})

	t.Run("posts are listed once, newest first, page by page", func(t *testing.T) {
		for range 3 {
			newPost(t, eve) // older than the listed posts, so that no page of those is the last
		}
		var written []string
		for range 7 {
			written = append([]string{newPost(t, resttest.Subject)["postId"]}, written...)
		}
		var listed []string
		query := map[string]string{"limit": "2"}
		for len(listed) < len(written) {
			page := resttest.Body[postsapi.PostPage](t,
				f.Check(t, resttest.Request{Route: "GET /posts", Query: query}, 200), 200)
			newPost(t, eve) // would shift the pages if they were counted by offset
			for _, post := range page.Posts {
				listed = append(listed, post.ID.String())
			}
			if page.NextCursor == "" || len(page.Posts) != 2 {
				t.Fatalf("a page of %d with the cursor %q", len(page.Posts), page.NextCursor)
			}
			query["cursor"] = page.NextCursor
		}
		if got, want := fmt.Sprint(listed[:len(written)]), fmt.Sprint(written); got != want {
			t.Errorf("listed %s, want %s", got, want)
		}
	})

	t.Run("comments are counted and listed, oldest first, to the last page", func(t *testing.T) {
		path := newPost(t, eve)
		for i := range 3 {
			f.Check(t, resttest.Request{
				Route: "POST /posts/{postId}/comments", Path: path, Subject: resttest.Subject,
				Body: fmt.Sprintf(`{"body":"%d"}`, i),
			}, 201)
		}
		request := resttest.Request{
			Route: "GET /posts/{postId}/comments", Path: path,
			Query: map[string]string{"limit": "2"},
		}
		first := resttest.Body[postsapi.CommentPage](t, f.Check(t, request, 200), 200)
		request.Query["cursor"] = first.NextCursor
		second := resttest.Body[postsapi.CommentPage](t, f.Check(t, request, 200), 200)
		if len(first.Comments) != 2 || len(second.Comments) != 1 || second.NextCursor != "" ||
			first.Comments[0].Body != "0" || second.Comments[0].Body != "2" {
			t.Errorf("pages %+v and %+v", first, second)
		}
		if post := resttest.Body[postsapi.Post](t,
			f.Check(t, resttest.Request{Route: "GET /posts/{postId}", Path: path}, 200),
			200); post.CommentCount != 3 {
			t.Errorf("the comment count is %d, want 3", post.CommentCount)
		}
		empty := resttest.Request{Route: "GET /posts/{postId}/comments", Path: newPost(t, eve)}
		if body := f.Check(t, empty, 200).Body; body != `{"comments":[]}` {
			t.Errorf("a post without comments has %s", body)
		}
	})

	t.Run("a post's pictures are promoted, shown, and deleted", func(t *testing.T) {
		checkPictures(t, f)
	})

	t.Run("a new comment is published", func(t *testing.T) {
		checkPublication(t, f, newPost(t, eve), newPost(t, resttest.Subject))
	})

	path := newPost(t, resttest.Subject)
	f.CheckFaults(t,
		resttest.Request{Route: "GET /posts/{postId}", Path: path},
		resttest.Request{
			Route: "PUT /posts/{postId}", Path: path, Subject: resttest.Subject, Body: draft,
		})
	f.CheckNoLeaks(t, "Six faces", "Cutting true")
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

func TestBootstrap_without_the_secret(t *testing.T) {
	request := resttest.Request{Route: "GET /posts"}
	apitest.CheckStart(t, mysqltest.Start(t), lambdatest.Build(t, contract.Package), settings,
		request, 200)
}

func TestBootstrap_without_settings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package),
		"TOKEN_KEY_ARN", "ORIGINALS_BUCKET", "MEDIA_URL",
		"TOPIC_ARN", "DATABASE_SECRET_ARN", "DATABASE_WRITER_HOST", "DATABASE_PORT",
		"DATABASE_NAME")
}

// upload uploads a picture of the user, as a browser does, and returns its key.
func upload(t testing.TB, f *apitest.Function, subject string) (key string) {
	t.Helper()
	key = pictures.TempKey(pictures.Owner(subject), uuid.New())
	_, err := f.S3.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(apitest.Originals), Key: &key, ContentType: aws.String("image/png"),
		Body: strings.NewReader(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func remove(t testing.TB, f *apitest.Function, key string) {
	t.Helper()
	if _, err := f.S3.Client.DeleteObject(t.Context(),
		&s3.DeleteObjectInput{Bucket: aws.String(apitest.Originals), Key: &key}); err != nil {
		t.Fatal(err)
	}
}

// show returns the request body of a post with these pictures.
func show(sources ...string) string {
	body := "<p>Six faces.</p>"
	for _, source := range sources {
		body += `<img src="` + source + `">`
	}
	encoded, err := json.Marshal(map[string]string{"title": "Cutting true", "body": body})
	if err != nil {
		panic(err) // cannot happen: strings are always encoded
	}
	return string(encoded)
}

// shownIn returns the keys of the pictures in a body, whose src must be the URLs of thumbnails.
func shownIn(t testing.TB, body string) []string {
	t.Helper()
	var keys []string
	for _, part := range strings.Split(body, ` src="`)[1:] {
		source, _, _ := strings.Cut(part, `"`)
		picture, ok := apitest.Media.Parse(source)
		if !ok || picture.Owner != "" || source != apitest.Media.URL(picture.Key(), 1280) {
			t.Errorf("the src of a picture is %s", source)
		}
		keys = append(keys, picture.Key())
	}
	return keys
}

// permanent lists the keys of promoted pictures.
func permanent(t testing.TB, f *apitest.Function) []string {
	t.Helper()
	return slices.DeleteFunc(f.S3.Keys(t, apitest.Originals), func(key string) bool {
		return !strings.HasPrefix(key, "permanent/")
	})
}

func checkPictures(t *testing.T, f *apitest.Function) {
	create := func(subject, body string) resttest.Request {
		return resttest.Request{Route: "POST /posts", Subject: subject, Body: body}
	}
	update := func(post postsapi.Post, body string) resttest.Request {
		return resttest.Request{
			Route: "PUT /posts/{postId}", Path: map[string]string{"postId": post.ID.String()},
			Subject: resttest.Subject, Body: body,
		}
	}
	deletion := func(post postsapi.Post) resttest.Request {
		return resttest.Request{
			Route: "DELETE /posts/{postId}", Path: map[string]string{"postId": post.ID.String()},
			Subject: resttest.Subject,
		}
	}
	created := func(t testing.TB, request resttest.Request) postsapi.Post {
		t.Helper()
		return resttest.Body[postsapi.Post](t, f.Check(t, request, 201), 201)
	}
	none := func(t *testing.T) {
		t.Helper()
		if left := permanent(t, f); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}

	t.Run("by key and by URL, from the upload to the deletion", func(t *testing.T) {
		one, two := upload(t, f, resttest.Subject), upload(t, f, resttest.Subject)
		post := created(t, create(resttest.Subject, show(one, apitest.Media.URL(two, 640))))
		if shown := shownIn(t, post.Body); len(shown) != 2 || len(permanent(t, f)) != 2 {
			t.Errorf("the post shows %v, there are %v", shown, permanent(t, f))
		}
		read := resttest.Body[postsapi.Post](t, f.Check(t, resttest.Request{
			Route: "GET /posts/{postId}", Path: map[string]string{"postId": post.ID.String()},
		}, 200), 200)
		if read != post {
			t.Errorf("GET returns %+v, POST returned %+v", read, post)
		}
		// A client sends the response back, unchanged and then without the first picture.
		encoded, err := json.Marshal(map[string]string{"title": post.Title, "body": post.Body})
		if err != nil {
			t.Fatal(err)
		}
		if same := resttest.Body[postsapi.Post](t, f.Check(t, update(post, string(encoded)), 200),
			200); same.Body != post.Body {
			t.Errorf("the same is %s, was %s", same.Body, post.Body)
		}
		second := shownIn(t, post.Body)[1]
		f.Check(t, update(post, show(apitest.Media.URL(second, 1280))), 200)
		if diff := cmp.Diff([]string{second}, permanent(t, f)); diff != "" {
			t.Errorf("(-shown +existing):\n%s", diff)
		}
		f.Check(t, deletion(post), 204)
		none(t)
	})

	t.Run("the error of a missing picture has its field and its number", func(t *testing.T) {
		eves := upload(t, f, eve)
		for name, key := range map[string]string{
			"another user's": eves,
			"unknown":        pictures.TempKey(pictures.Owner(resttest.Subject), uuid.New()),
		} {
			refused := resttest.ErrorOf(t,
				f.Do(t, create(resttest.Subject, show(upload(t, f, resttest.Subject), key))), 400,
				"invalid_request")
			want := "shows pictures that do not exist, by number 2; upload them again or remove " +
				"them"
			if len(refused.Fields) != 1 || refused.Fields[0].Field != "body" ||
				refused.Fields[0].Problem != want {
				t.Errorf("%s: %+v", name, refused.Fields)
			}
		}
		none(t)
	})

	t.Run("a retry returns the post without its uploads and pictures", func(t *testing.T) {
		key := upload(t, f, resttest.Subject)
		request := create(resttest.Subject, show(key))
		request.Headers = map[string]string{"Idempotency-Key": "with-a-picture"}
		first := f.Check(t, request, 201)
		if again := f.Check(t, request, 201); again.Body != first.Body ||
			len(permanent(t, f)) != 1 {
			t.Errorf("response %s, there are %v", again.Body, permanent(t, f))
		}
		remove(t, f, key)
		if again := f.Check(t, request, 201); again.Body != first.Body {
			t.Errorf("response %s, was %s", again.Body, first.Body)
		}
		post := resttest.Body[postsapi.Post](t, first, 201)
		f.Check(t, update(post, show()), 200)
		again := resttest.Body[postsapi.Post](t, f.Check(t, request, 201), 201)
		if len(shownIn(t, again.Body)) != 0 {
			t.Errorf("response %s after the picture was removed", again.Body)
		}
		f.Check(t, deletion(post), 204)
		none(t)
	})

	t.Run("nothing is stored while S3 is down, and everything afterwards", func(t *testing.T) {
		request := create(resttest.Subject,
			show(upload(t, f, resttest.Subject), upload(t, f, resttest.Subject)))
		request.Headers = map[string]string{"Idempotency-Key": "while-s3-is-down"}
		for _, fault := range []awstest.Fault{
			{Status: 503, Code: "SlowDown"}, {NoResponse: true},
			{Status: 500, Code: "InternalError", Action: "s3:PutObject"},
		} {
			f.S3.SetFault(fault)
			f.CheckUnavailable(t, request)
			f.S3.SetFault(awstest.Fault{})
		}
		f.S3.SetFault(awstest.Fault{Status: 403, Code: "AccessDenied"})
		resttest.ErrorOf(t, f.Do(t, request), 500, "internal")
		f.S3.SetFault(awstest.Fault{})
		post := created(t, request)
		f.AgePictures(t)
		f.Check(t, update(post, show(shownIn(t, post.Body)...)), 200)
		shown := slices.Sorted(slices.Values(shownIn(t, post.Body)))
		if diff := cmp.Diff(shown, permanent(t, f)); diff != "" {
			t.Errorf("(-shown +existing):\n%s", diff)
		}
		f.Check(t, deletion(post), 204)
		none(t)
	})
	f.CheckOneProcess(t)
}

// checkPublication creates comments of Ada on a post of Eve and on a post of her own.
func checkPublication(t *testing.T, f *apitest.Function, eves, own map[string]string) {
	comment := resttest.Request{
		Route: "POST /posts/{postId}/comments", Path: eves, Subject: resttest.Subject,
		Body: `{"body":"True."}`,
	}
	// published returns the messages to the topic since its last call.
	before := len(f.CommentEvents.Messages())
	published := func() []awstest.SNSMessage {
		messages := f.CommentEvents.Messages()[before:]
		before += len(messages)
		return messages
	}
	want := []awstest.SNSMessage{{
		Message:    `{"recipient":"` + eve + `"}`,
		Attributes: map[string]string{"event": "comment.created"},
	}}

	t.Run("to the post's author, without its body", func(t *testing.T) {
		f.Check(t, comment, 201)
		if diff := cmp.Diff(want, published()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("not on the author's own post", func(t *testing.T) {
		f.Check(t, resttest.Request{
			Route: comment.Route, Path: own, Subject: resttest.Subject, Body: comment.Body,
		}, 201)
		if messages := published(); len(messages) > 0 {
			t.Errorf("published %v", messages)
		}
	})
	t.Run("not when it is rejected, updated or deleted", func(t *testing.T) {
		path := map[string]string{
			"postId": eves["postId"],
			"commentId": resttest.Body[postsapi.Comment](t, f.Check(t, comment, 201),
				201).ID.String(),
		}
		published()
		f.Check(t, resttest.Request{
			Route: comment.Route, Path: eves, Subject: resttest.Subject, Body: `{"body":"<br>"}`,
		}, 400)
		f.Check(t, resttest.Request{
			Route: comment.Route, Path: map[string]string{"postId": uuid.NewString()},
			Subject: resttest.Subject, Body: comment.Body,
		}, 404)
		f.Check(t, resttest.Request{
			Route: "PUT /posts/{postId}/comments/{commentId}", Path: path,
			Subject: resttest.Subject, Body: comment.Body,
		}, 200)
		f.Check(t, resttest.Request{
			Route: "DELETE /posts/{postId}/comments/{commentId}", Path: path,
			Subject: resttest.Subject,
		}, 204)
		if messages := published(); len(messages) > 0 {
			t.Errorf("published %v", messages)
		}
	})
	t.Run("again on a retry", func(t *testing.T) { // the first request may have been interrupted
		request := comment
		request.Headers = map[string]string{"Idempotency-Key": "published-again"}
		first, again := f.Check(t, request, 201), f.Check(t, request, 201)
		if diff := cmp.Diff(append(want, want...), published()); diff != "" ||
			again.Body != first.Body {
			t.Errorf("response %s, was %s\n%s", again.Body, first.Body, diff)
		}
	})
	for name, fault := range map[string]awstest.Fault{
		"fails":          {Status: 500, Code: "InternalError"},
		"throttles":      {Status: 400, Code: "Throttled"},
		"denies":         {Status: 403, Code: "AuthorizationError"},
		"does not exist": {Status: 404, Code: "NotFound"},
		"is silent":      {NoResponse: true},
	} {
		t.Run("it is created while the topic "+name, func(t *testing.T) {
			f.CommentEvents.SetFault(fault)
			defer f.CommentEvents.SetFault(awstest.Fault{})
			began := time.Now()
			made := resttest.Body[postsapi.Comment](t, f.Check(t, comment, 201), 201)
			f.CheckLogged(t, `"message":"publishing a comment failed, notification will be sent `+
				`later","comment":"`+made.ID.String()+`"`)
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("the client waited %s", took)
			}
			if messages := published(); len(messages) > 0 {
				t.Errorf("published %v", messages)
			}
		})
	}
	f.CheckOneProcess(t)
}

// TestBootstrap_killed kills the function's process during a save. The client retries with the same
// key.
func TestBootstrap_killed(t *testing.T) {
	f := apitest.NewAccount(t, mysqltest.Start(t)).Start(t, lambdatest.Build(t, contract.Package),
		settings)
	profiles := mysqlstore.NewProfiles(f.Database.Open(t))
	if _, err := profiles.Put(t.Context(),
		accounts.Profile{Subject: resttest.Subject, DisplayName: "Ada"}, nil); err != nil {
		t.Fatal(err)
	}
	newest := func(t testing.TB) []postsapi.PostSummary {
		return resttest.Body[postsapi.PostPage](t,
			f.Check(t, resttest.Request{Route: "GET /posts"}, 200), 200).Posts
	}
	// once kills the process at the n-th call of an action on a resource with one of these names.
	// The call fails, or, if after is set, succeeds and calls after. Calls of a process that was
	// killed earlier may still arrive, but their resources have other names.
	once := func(action string, n int, after func(), names ...string) func(kill func()) {
		return func(kill func()) {
			var mu sync.Mutex
			f.S3.Intercept(func(call awstest.Call) awstest.Fault {
				mu.Lock()
				defer mu.Unlock()
				named := slices.ContainsFunc(names, func(name string) bool {
					return strings.HasSuffix(call.Resource, name)
				})
				if call.Action != action || !named {
					return awstest.Fault{}
				}
				if n--; n != 0 {
					return awstest.Fault{}
				}
				if after != nil {
					after()
					return awstest.Fault{}
				}
				kill()
				return awstest.Fault{NoResponse: true}
			})
		}
	}
	check := func(t *testing.T, name string, arm func(uploads []string) func(kill func())) {
		t.Run(name, func(t *testing.T) {
			before := len(newest(t))
			uploads := []string{
				upload(t, f, resttest.Subject), upload(t, f, resttest.Subject),
				upload(t, f, resttest.Subject),
			}
			request := resttest.Request{
				Route: "POST /posts", Subject: resttest.Subject, Body: show(uploads...),
				Headers: map[string]string{"Idempotency-Key": uuid.NewString()},
			}
			f.CheckKilled(t, request, arm(uploads))
			f.S3.Intercept(nil)
			f.Server.Up(t)
			if now := len(newest(t)) - before; now != 0 {
				t.Errorf("%d posts are stored", now)
			}
			post := resttest.Body[postsapi.Post](t, f.Check(t, request, 201), 201)
			if len(newest(t))-before != 1 {
				t.Errorf("%d posts are stored, want 1", len(newest(t))-before)
			}
			f.AgePictures(t)
			path := map[string]string{"postId": post.ID.String()}
			f.Check(t, resttest.Request{
				Route: "PUT /posts/{postId}", Path: path, Subject: resttest.Subject,
				Body: show(shownIn(t, post.Body)...),
			}, 200)
			shown, existing := slices.Sorted(slices.Values(shownIn(t, post.Body))), permanent(t, f)
			if diff := cmp.Diff(shown, existing); diff != "" || len(existing) != 3 {
				t.Errorf("(-shown +existing):\n%s", diff)
			}
			f.Check(t, resttest.Request{
				Route: "DELETE /posts/{postId}", Path: path, Subject: resttest.Subject,
			}, 204)
			if left := permanent(t, f); len(left) > 0 {
				t.Errorf("left are %v", left)
			}
		})
	}
	check(t, "before the first copy", func(uploads []string) func(kill func()) {
		return once("s3:GetObject", 1, nil, uploads...)
	})
	check(t, "between two copies", func(uploads []string) func(kill func()) {
		return once("s3:GetObject", 3, nil, uploads...)
	})
	check(t, "between the last copy and the commit", func(uploads []string) func(kill func()) {
		return func(kill func()) {
			there := len(permanent(t, f))
			once("s3:GetObject", 3, func() {
				// The third copy succeeds afterwards. Then the function waits for the database.
				f.Server.StopResponding()
				go func() {
					for len(permanent(t, f)) < there+3 {
						runtime.Gosched()
					}
					kill()
				}()
			}, uploads...)(kill)
		}
	})

	t.Run("after the commit, before removed pictures are deleted", func(t *testing.T) {
		post := resttest.Body[postsapi.Post](t, f.Check(t, resttest.Request{
			Route: "POST /posts", Subject: resttest.Subject,
			Body: show(upload(t, f, resttest.Subject)),
		}, 201), 201)
		path := map[string]string{"postId": post.ID.String()}
		removal := resttest.Request{
			Route: "PUT /posts/{postId}", Path: path, Subject: resttest.Subject, Body: show(),
		}
		f.CheckKilled(t, removal, once("s3:DeleteObject", 1, nil, apitest.Originals+"/*"))
		f.S3.Intercept(nil)
		read := resttest.Body[postsapi.Post](t,
			f.Check(t, resttest.Request{Route: "GET /posts/{postId}", Path: path}, 200), 200)
		if len(shownIn(t, read.Body)) != 0 || len(permanent(t, f)) != 1 {
			t.Errorf("the post is %s, there are %v", read.Body, permanent(t, f))
		}
		f.Check(t, removal, 200)
		if left := permanent(t, f); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	})
}
