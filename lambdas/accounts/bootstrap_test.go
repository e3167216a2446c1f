package main

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
	"github.com/ashlar-cdk/ashlar/internal/testing/apitest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdas/accounts/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func settings(of apitest.Settings) any {
	return contract.Settings{
		API: of.API, TokenKeyARN: of.TokenKeyARN, UserPoolID: of.UserPoolID,
		OriginalsBucket: of.OriginalsBucket, MediaURL: of.MediaURL, Database: of.Database,
	}
}

const (
	ada = resttest.Subject
	eve = "00000000-0000-4000-8000-0000000000bb"
)

func getProfile(subject string) resttest.Request {
	return resttest.Request{Route: "GET /profile", Subject: subject}
}

func putProfile(subject, body string) resttest.Request {
	return resttest.Request{Route: "PUT /profile", Subject: subject, Body: body}
}

func sync(subject string, query map[string]string) resttest.Request {
	return resttest.Request{Route: "GET /user/sync", Subject: subject, Query: query}
}

func deleteUser(subject string) resttest.Request {
	return resttest.Request{Route: "DELETE /user", Subject: subject}
}

const body = `{"displayName":"Ada","bio":"Cuts stones true.","language":"en-GB"}`

// TestBootstrap sends API Gateway's events to the built function, with a MySQL server that has the
// platform's schema. The subtests share the function's process as requests do; each leaves the
// database up.
func TestBootstrap(t *testing.T) {
	f := apitest.NewAccount(t, mysqltest.Start(t)).Start(t, lambdatest.Build(t, contract.Package),
		settings)

	t.Run("a profile is found after it is put", func(t *testing.T) {
		resttest.ErrorOf(t, f.Do(t, getProfile(ada)), 404, "not_found")
		stored := resttest.Body[accountsapi.Profile](t, f.Do(t, putProfile(ada, body)), 200)
		read := resttest.Body[accountsapi.Profile](t, f.Do(t, getProfile(ada)), 200)
		if read != stored {
			t.Errorf("GET returns %+v, PUT returned %+v", read, stored)
		}
		if read.DisplayName != "Ada" || read.Bio != "Cuts stones true." ||
			read.Language != "en-GB" || read.CreatedAt.IsZero() ||
			!read.CreatedAt.Equal(read.UpdatedAt) {
			t.Errorf("profile %+v, want what was sent", read)
		}
	})

	t.Run("a profile is replaced, in any characters", func(t *testing.T) {
		f.Check(t, putProfile(ada, `{"displayName":"Ада 🪨 '; DROP TABLE profiles; --",`+
			`"bio":"é\n\t\"quoted\" \\ %s ?"}`), 200)
		read := resttest.Body[accountsapi.Profile](t, f.Do(t, getProfile(ada)), 200)
		if read.DisplayName != "Ада 🪨 '; DROP TABLE profiles; --" ||
			read.Bio != "é\n\t\"quoted\" \\ %s ?" || read.Language != "" {
			t.Errorf("profile %+v, want what was sent", read)
		}
	})

	t.Run("comment notifications are on by default, and unchanged if omitted", func(t *testing.T) {
		for i, step := range []struct {
			sent string
			want bool
		}{
			{"", true}, {`,"commentNotifications":false`, false}, {"", false},
			{`,"commentNotifications":true`, true}, {"", true},
		} {
			stored := resttest.Body[accountsapi.Profile](t,
				f.Do(t, putProfile(ada, `{"displayName":"Ada"`+step.sent+`}`)), 200)
			read := resttest.Body[accountsapi.Profile](t, f.Do(t, getProfile(ada)), 200)
			if stored.CommentNotifications != step.want || read != stored {
				t.Errorf("%d: PUT returns %+v, GET %+v", i, stored, read)
			}
		}
	})

	t.Run("users get their own profiles", func(t *testing.T) {
		resttest.ErrorOf(t, f.Do(t, getProfile(eve)), 404, "not_found")
	})

	t.Run("every route", func(t *testing.T) {
		request := func(
			request resttest.Request,
		) func(testing.TB, string, string) resttest.Request {
			return func(_ testing.TB, user, _ string) resttest.Request {
				request.Subject = user
				return request
			}
		}
		apitest.CheckRoutes(t, f, accountsapi.Routes.Operations(), map[string]apitest.Route{
			"GET /profile": {
				Request: request(getProfile("")),
				Want: map[string][]string{
					"200":                 {"valid", "twice"},
					"401 unauthenticated": {"not signed in"},
				},
			},
			"PUT /profile": {
				Request: request(putProfile("", body)),
				Want: map[string][]string{
					"200": {"valid", "twice", "SQL in displayName", "SQL in bio"},
					"400 invalid_request": {"no body", "unknown field", "wrong type in displayName",
						"wrong type in bio", "wrong type in language",
						"wrong type in commentNotifications", "SQL in commentNotifications",
						"too long displayName", "too long bio", "too long language",
						"SQL in language"},
					"401 unauthenticated": {"not signed in"},
				},
			},
			"GET /user/sync": {
				Request:  request(sync("", nil)),
				Cursor:   "token",
				Position: make([]byte, 24),
				Lifetime: 90 * 24 * time.Hour,
				List: func(resttest.Request) string {
					return "changes of " + ada
				},
				Want: map[string][]string{
					"200": {"valid", "twice", "old token"},
					"400 invalid_cursor": {
						"SQL in token", "forged token", "empty token", "overlong token",
						"token of another list",
					},
					"400 expired_cursor":  {"expired token"},
					"400 invalid_request": {"SQL in limit", "limit of zero", "limit of a million"},
					"401 unauthenticated": {"not signed in"},
				},
			},
			"GET /notification-settings/{token}": {
				Request: func(t testing.TB, user, _ string) resttest.Request {
					return apitest.FollowLink(t, "GET", notificationSettings(t, f, user))
				},
				Want: map[string][]string{
					"200 page": {"valid", "twice", "another's"},
					"400 page": {"SQL in token", "unknown token"},
				},
			},
			"POST /notification-settings/{token}": {
				Request: func(t testing.TB, user, _ string) resttest.Request {
					return apitest.FollowLink(t, "POST", notificationSettings(t, f, user))
				},
				Want: map[string][]string{
					"200 page": {"valid", "twice"},
					"400 page": {"SQL in token", "unknown token"},
				},
			},
			"DELETE /user": {
				Request: func(testing.TB, string, string) resttest.Request {
					return deleteUser(uuid.NewString()) // the other requests need their accounts
				},
				Want: map[string][]string{
					"204":                 {"valid", "twice"},
					"401 unauthenticated": {"not signed in"},
				},
			},
		})
	})

	t.Run("a link turns off comment notifications", func(t *testing.T) {
		checkCommentNotifications(t, f)
	})

	f.Check(t, putProfile(ada, body), 200)
	f.CheckFaults(t, getProfile(ada), putProfile(ada, body))

	t.Run("sync returns changes only", func(t *testing.T) { checkSync(t, f) })
	t.Run("an account is deleted with all of its data", func(t *testing.T) { checkDeletion(t, f) })
	t.Run("a page of the longest posts fits into a response", func(t *testing.T) {
		const author, most = "00000000-0000-4000-8000-0000000000cc", 40
		f.Check(t, putProfile(author, body), 200)
		store := mysqlstore.NewPosts(f.Database.Open(t))
		for range most {
			draft := posts.Draft{Title: "Long", Body: strings.Repeat("\u2028", posts.MaxBody)}
			if _, err := store.Create(t.Context(), author, "", draft); err != nil {
				t.Fatal(err)
			}
		}
		page := resttest.Body[accountsapi.SyncPage](t,
			f.Check(t, sync(author, map[string]string{"limit": strconv.Itoa(most)}), 200), 200)
		if len(page.Changes) != most {
			t.Errorf("%d changes, want %d", len(page.Changes), most)
		}
	})
	f.CheckNoLeaks(t, "Cuts stones")
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

// notificationSettings returns the link in the comment notifications to a user.
func notificationSettings(t testing.TB, f *apitest.Function, subject string) string {
	t.Helper()
	link, err := f.Links(0).NotificationSettings(t.Context(), subject, "ko")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func checkCommentNotifications(t *testing.T, f *apitest.Function) {
	const ask, disabled = "댓글 알림 메일을 끄시겠습니까?", "댓글 알림 메일을 껐습니다"
	on := func(subject string) bool {
		return resttest.Body[accountsapi.Profile](t, f.Do(t, getProfile(subject)),
			200).CommentNotifications
	}
	f.Check(t, putProfile(ada, `{"displayName":"Ada","commentNotifications":true}`), 200)
	f.Check(t, putProfile(eve, `{"displayName":"Eve","commentNotifications":true}`), 200)
	link := notificationSettings(t, f, ada)
	resttest.Page(t, f.Do(t, apitest.FollowLink(t, "GET", link)), 200, ask)
	if !on(ada) {
		t.Error("GET of the page has turned them off")
	}
	oneClick := apitest.FollowLink(t, "POST", link)
	oneClick.Headers = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	oneClick.Body = "List-Unsubscribe=One-Click"
	for range 2 {
		resttest.Page(t, f.Do(t, oneClick), 200, disabled)
		if on(ada) || !on(eve) {
			t.Errorf("Ada's are on: %t, and Eve's: %t; want Ada's off", on(ada), on(eve))
		}
	}

	t.Run("without a profile or an account there is nothing to turn off", func(t *testing.T) {
		unknown := uuid.NewString()
		resttest.Page(t,
			f.Do(t, apitest.FollowLink(t, "POST", notificationSettings(t, f, unknown))), 200,
			disabled)
		resttest.ErrorOf(t, f.Do(t, getProfile(unknown)), 404, "not_found")
		f.Check(t, deleteUser(unknown), 204)
		resttest.Page(t,
			f.Do(t, apitest.FollowLink(t, "POST", notificationSettings(t, f, unknown))), 200,
			disabled)
	})

	t.Run("an invalid or expired link has no effect", func(t *testing.T) {
		cursor := f.Cursor(t, "changes of "+eve, make([]byte, 24), 0)
		resttest.Page(t,
			f.Do(t,
				apitest.FollowLink(t, "POST", apitest.Endpoint+"notification-settings/"+cursor)),
			400, "This link does not work")
		expired := f.Links(10*365*24*time.Hour + time.Minute)
		old, err := expired.NotificationSettings(t.Context(), eve, "ko")
		if err != nil {
			t.Fatal(err)
		}
		resttest.Page(t, f.Do(t, apitest.FollowLink(t, "POST", old)), 410, "This link has expired")
		resttest.ErrorOf(t, f.Do(t, sync(eve, map[string]string{
			"token": strings.TrimPrefix(link, apitest.Endpoint+"notification-settings/"),
		})), 400, "invalid_cursor")
		if !on(eve) {
			t.Error("Eve's are off")
		}
	})

	t.Run("503 while the database is down", func(t *testing.T) {
		f.Server.Down()
		response := f.DoWithShortTimeout(t,
			apitest.FollowLink(t, "POST", notificationSettings(t, f, eve)))
		f.Server.Up(t)
		resttest.Page(t, response, 503, "Try again in a moment")
		if response.Headers["Retry-After"] == "" {
			t.Errorf("headers %v, want Retry-After", response.Headers)
		}
	})
}

// checkSync syncs the changes of two users. It makes the changes as the posts function does.
func checkSync(t *testing.T, f *apitest.Function) {
	databases := f.Database.Open(t)
	store := mysqlstore.NewPosts(databases)
	f.Check(t, putProfile(eve, `{"displayName":"Eve"}`), 200)
	post, key := postWithPicture(t, f, eve)
	comment, err := store.CreateComment(t.Context(), ada, "", post.ID, "True.")
	if err != nil {
		t.Fatal(err)
	}

	// syncAll requests pages of one change until there are no more. It returns the last state of
	// each object.
	syncAll := func(subject, token string) (state map[string]accountsapi.Change, next string) {
		state = map[string]accountsapi.Change{}
		for more := true; more; {
			query := map[string]string{"limit": "1"}
			if token != "" {
				query["token"] = token
			}
			page := resttest.Body[accountsapi.SyncPage](t, f.Check(t, sync(subject, query), 200),
				200)
			for _, change := range page.Changes {
				state[change.Kind+" "+change.ID.String()] = change
			}
			if len(page.Changes) > 1 || len(page.Changes) == 0 && page.More {
				t.Fatalf("a page of %d changes, more: %t", len(page.Changes), page.More)
			}
			token, more = page.Token, page.More
		}
		return state, token
	}
	names := func(state map[string]accountsapi.Change) []string {
		return slices.Sorted(maps.Keys(state))
	}
	profileName, postName, commentName := "profile "+
		uuid.Nil.String(), "post "+post.ID.String(), "comment "+comment.ID.String()

	eves, eveToken := syncAll(eve, "")
	if diff := cmp.Diff([]string{postName, profileName}, names(eves)); diff != "" {
		t.Fatalf("Eve's (-want +got):\n%s", diff)
	}
	if synced := eves[postName].Post; synced == nil || synced.Title != "Cutting true" ||
		synced.Body != `<p>Six faces.</p><img src="`+apitest.Media.URL(key, 1280)+`"/>` ||
		synced.CommentCount != 1 || eves[profileName].Profile.DisplayName != "Eve" {
		t.Errorf("Eve's post %+v and profile %+v", synced, eves[profileName].Profile)
	}
	adas, adaToken := syncAll(ada, "")
	if diff := cmp.Diff([]string{commentName, profileName}, names(adas)); diff != "" {
		t.Fatalf("Ada's (-want +got):\n%s", diff)
	}
	if synced := adas[commentName].Comment; synced == nil || synced.Body != "True." ||
		synced.PostID != post.ID {
		t.Errorf("Ada's comment %+v", synced)
	}
	if nothing, _ := syncAll(eve, eveToken); len(nothing) > 0 {
		t.Errorf("nothing has changed, and Eve gets %v", nothing)
	}
	resttest.ErrorOf(t, f.Do(t, sync(ada, map[string]string{"token": eveToken})), 400,
		"invalid_cursor")

	if err := store.Delete(t.Context(), eve, post.ID); err != nil {
		t.Fatal(err)
	}
	removed := &s3.DeleteObjectInput{Bucket: aws.String(apitest.Originals), Key: &key}
	if _, err := f.S3.Client.DeleteObject(t.Context(), removed); err != nil {
		t.Fatal(err)
	}
	eves, _ = syncAll(eve, eveToken)
	adas, _ = syncAll(ada, adaToken)
	if diff := cmp.Diff([]string{postName}, names(eves)); diff != "" || !eves[postName].Deleted ||
		eves[postName].Post != nil {
		t.Errorf("Eve gets %v, want a tombstone", eves)
	}
	if diff := cmp.Diff([]string{commentName}, names(adas)); diff != "" ||
		!adas[commentName].Deleted || adas[commentName].Comment != nil {
		t.Errorf("Ada gets %v, want a tombstone", adas)
	}
}

func checkDeletion(t *testing.T, f *apitest.Function) {
	databases := f.Database.Open(t)
	store := mysqlstore.NewPosts(databases)
	f.Cognito.SetUsers(awstest.CognitoUser{Username: resttest.Username(ada)},
		awstest.CognitoUser{Username: resttest.Username(eve)})
	adas, _ := postWithPicture(t, f, ada)
	eves, evesKey := postWithPicture(t, f, eve)
	for _, postID := range []uuid.UUID{adas.ID, eves.ID} {
		for _, author := range []string{ada, eve} {
			if _, err := store.CreateComment(t.Context(), author, "", postID, "True."); err != nil {
				t.Fatal(err)
			}
		}
	}

	// While S3 fails or does not respond, pictures remain. The next request deletes them.
	for _, fault := range []awstest.Fault{{Status: 503, Code: "SlowDown"}, {NoResponse: true}} {
		f.S3.SetFault(fault)
		f.CheckUnavailable(t, deleteUser(ada))
	}
	f.S3.SetFault(awstest.Fault{})
	if n := len(f.S3.Keys(t, apitest.Originals)); n != 2 {
		t.Errorf("S3 did not respond, and there are %d pictures, want both", n)
	}

	// While the user pool fails, the user remains, whose data is deleted. The next request deletes
	// the user.
	f.Cognito.SetFault(awstest.Fault{Status: 500, Code: "InternalErrorException"})
	f.CheckUnavailable(t, deleteUser(ada))
	if _, err := store.Get(t.Context(), adas.ID); !errors.Is(err, posts.ErrNotFound) {
		t.Errorf("the user is not deleted yet, and the post: %v", err)
	}
	f.Cognito.SetFault(awstest.Fault{Status: 400, Code: "TooManyRequestsException"})
	f.CheckUnavailable(t, deleteUser(ada))
	f.Cognito.SetFault(awstest.Fault{Status: 400, Code: "NotAuthorizedException"})
	resttest.ErrorOf(t, f.Do(t, deleteUser(ada)), 500, "internal")
	f.Cognito.SetFault(awstest.Fault{})
	f.Check(t, deleteUser(ada), 204)
	f.Check(t, deleteUser(ada), 204)

	if diff := cmp.Diff([]string{resttest.Username(eve)}, f.Cognito.Users()); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	// Ada's token is still valid for some time.
	for _, request := range []resttest.Request{
		getProfile(ada), putProfile(ada, body), sync(ada, nil),
	} {
		resttest.ErrorOf(t, f.Do(t, request), 403, "account_deleted")
	}
	if left, err := store.List(t.Context(), uuid.Nil, 10); err != nil || len(left) != 1 ||
		left[0].ID != eves.ID || left[0].CommentCount != 1 {
		t.Errorf("left are %+v, %v; want Eve's with her own comment", left, err)
	}
	f.Check(t, getProfile(eve), 200)
	if diff := cmp.Diff([]string{evesKey}, f.S3.Keys(t, apitest.Originals)); diff != "" {
		t.Errorf("pictures (-want +existing):\n%s", diff)
	}
}

// postWithPicture creates a post as the posts function does. The upload has already expired.
func postWithPicture(
	t testing.TB, f *apitest.Function, author string,
) (post posts.Post, key string) {
	t.Helper()
	databases := f.Database.Open(t)
	upload := pictures.TempKey(pictures.Owner(author), uuid.New())
	bucket := apitest.Originals
	if _, err := f.S3.Client.PutObject(t.Context(),
		&s3.PutObjectInput{
			Bucket: &bucket, Key: &upload, Body: strings.NewReader("stone"),
		}); err != nil {
		t.Fatal(err)
	}
	service := &posts.Service{
		Store:     mysqlstore.NewPosts(databases),
		Sanitizer: richtext.Sanitizer{},
		Pictures: &pictures.Store{
			Records: mysqlstore.NewPictures(databases),
			Bucket:  &s3store.Pictures{Bucket: bucket, API: f.S3.Client},
			Logger:  slog.Default(),
		},
	}
	post, err := service.Create(t.Context(), author, "",
		posts.Draft{Title: "Cutting true", Body: `<p>Six faces.</p><img src="` + upload + `"/>`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.S3.Client.DeleteObject(t.Context(),
		&s3.DeleteObjectInput{Bucket: &bucket, Key: &upload}); err != nil {
		t.Fatal(err)
	}
	return post, pictures.References(post.Body)[0].Key()
}

func TestBootstrap_without_the_secret(t *testing.T) {
	apitest.CheckStart(t, mysqltest.Start(t), lambdatest.Build(t, contract.Package), settings,
		getProfile(ada), 404)
}

func TestBootstrap_without_settings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package), "TOKEN_KEY_ARN",
		"USER_POOL_ID", "ORIGINALS_BUCKET", "MEDIA_URL", "DATABASE_SECRET_ARN",
		"DATABASE_WRITER_HOST", "DATABASE_PORT", "DATABASE_NAME")
}
