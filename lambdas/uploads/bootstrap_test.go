package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/apitest"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func settings(of apitest.Settings) any {
	return contract.Settings{
		API: of.API, OriginalsBucket: of.OriginalsBucket, MediaURL: of.MediaURL,
		UploadLifetime: of.UploadLifetime,
	}
}

const (
	ada  = resttest.Subject
	eve  = "00000000-0000-4000-8000-0000000000bb"
	body = `{"contentType":"image/png"}`
)

func createUpload(subject string) resttest.Request {
	return resttest.Request{Route: "POST /uploads", Subject: subject, Body: body}
}

func deleteUpload(subject string, id uuid.UUID) resttest.Request {
	return resttest.Request{
		Route: "DELETE /uploads/{uploadId}", Subject: subject,
		Path: map[string]string{"uploadId": id.String()},
	}
}

func newUpload(t testing.TB, f *apitest.Function, subject string) uploadsapi.Upload {
	t.Helper()
	return resttest.Body[uploadsapi.Upload](t, f.Check(t, createUpload(subject), 201), 201)
}

// send posts a form as a browser does, and returns S3's response.
func send(
	t testing.TB, url string, fields map[string]string, picture []byte,
) (status int, response string) {
	t.Helper()
	var content bytes.Buffer
	form := multipart.NewWriter(&content)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := form.WriteField(name, fields[name]); err != nil {
			t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("file", "wall.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(picture); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(url, form.FormDataContentType(), &content)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestBootstrap sends API Gateway's events to the built function, and sends the forms that it signs
// to a server that verifies them. The subtests share the function's process as requests do.
func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	account := apitest.NewAccount(t, mysqltest.Start(t))
	f := account.Start(t, bootstrap, settings)
	keys := func() []string { return f.S3.Keys(t, apitest.Originals) }

	t.Run("every route", func(t *testing.T) {
		apitest.CheckRoutes(t, f, uploadsapi.Routes.Operations(), map[string]apitest.Route{
			"POST /uploads": {
				Request: func(_ testing.TB, user, _ string) resttest.Request {
					return createUpload(user)
				},
				Want: map[string][]string{
					"201": {"valid", "twice"},
					"400 invalid_request": {
						"no body", "unknown field", "wrong type in contentType",
						"SQL in contentType",
					},
					"401 unauthenticated": {"not signed in"},
				},
			},
			"DELETE /uploads/{uploadId}": {
				Request: func(t testing.TB, user, owner string) resttest.Request {
					return deleteUpload(user, newUpload(t, f, owner).ID)
				},
				Want: map[string][]string{
					// another's is not deleted: see below
					"204":                 {"valid", "twice", "unknown uploadId", "another's"},
					"400 invalid_request": {"SQL in uploadId"},
					"401 unauthenticated": {"not signed in"},
				},
			},
		})
	})

	t.Run("the response has the key and the URLs of the picture", func(t *testing.T) {
		upload, another := newUpload(t, f, ada), newUpload(t, f, ada)
		key := "temp/" + pictures.Owner(ada) + "/" + upload.ID.String()
		want := uploadsapi.Upload{
			ID: upload.ID, Key: key, Upload: upload.Upload, ExpiresAt: upload.ExpiresAt,
			URL: "https://media.example.com/" + key + "/1280.jpg",
			URLs: map[string]string{
				"default": "https://media.example.com/" + key + "/1280.jpg",
				"320":     "https://media.example.com/" + key + "/320.jpg",
				"640":     "https://media.example.com/" + key + "/640.jpg",
				"1280":    "https://media.example.com/" + key + "/1280.jpg",
				"1920":    "https://media.example.com/" + key + "/1920.jpg",
			},
		}
		if diff := cmp.Diff(want, upload); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if upload.ID == another.ID || upload.ID.Version() != 4 {
			t.Errorf("two uploads have the ids %s and %s, want random ones", upload.ID, another.ID)
		}
		if left := time.Until(upload.ExpiresAt); left > 5*time.Minute || left < 4*time.Minute {
			t.Errorf("it expires in %s, want five minutes", left)
		}
	})

	t.Run("the policy allows one object and nothing else", func(t *testing.T) {
		upload := newUpload(t, f, ada)
		policy := policyOf(t, upload.Upload.Fields)
		want := []any{
			map[string]any{"X-Amz-Algorithm": "AWS4-HMAC-SHA256"},
			map[string]any{"bucket": apitest.Originals},
			map[string]any{"X-Amz-Credential": upload.Upload.Fields["X-Amz-Credential"]},
			map[string]any{"X-Amz-Date": upload.Upload.Fields["X-Amz-Date"]},
			map[string]any{"X-Amz-Security-Token": lambdatest.SessionToken},
			map[string]any{"Content-Type": "image/png"},
			[]any{"content-length-range", 1.0, float64(pictures.MaxBytes)},
			map[string]any{"key": upload.Key},
		}
		if diff := cmp.Diff(want, policy["conditions"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		fields := []string{
			"Content-Type", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
			"X-Amz-Security-Token", "X-Amz-Signature", "key", "policy",
		}
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(upload.Upload.Fields))); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})

	t.Run("a picture of each type is uploaded, up to the limit", func(t *testing.T) {
		for i, contentType := range pictures.ContentTypes {
			request := createUpload(ada)
			request.Body = fmt.Sprintf(`{"contentType":%q}`, contentType)
			upload := resttest.Body[uploadsapi.Upload](t, f.Check(t, request, 201), 201)
			size := []int{1, 1000, 1 << 20, pictures.MaxBytes}[i]
			if status, response := send(t, upload.Upload.URL, upload.Upload.Fields,
				make([]byte, size)); status != 204 {
				t.Fatalf("%s of %d bytes: %d %s", contentType, size, status, response)
			}
			found, err := f.S3.Client.HeadObject(t.Context(),
				&s3.HeadObjectInput{Bucket: aws.String(apitest.Originals), Key: &upload.Key})
			if err != nil {
				t.Fatal(err)
			}
			if *found.ContentType != contentType || *found.ContentLength != int64(size) ||
				len(found.Metadata) > 0 {
				t.Errorf("%s of %d bytes is %s of %d with %v", contentType, size,
					*found.ContentType, *found.ContentLength, found.Metadata)
			}
			f.Check(t, deleteUpload(ada, upload.ID), 204)
		}
	})

	t.Run("a modified form is rejected", func(t *testing.T) { checkModifiedForms(t, f) })

	t.Run("an expired form is rejected", func(t *testing.T) {
		brief := account.Start(t, bootstrap, func(of apitest.Settings) any {
			of.UploadLifetime = 2 * time.Second
			return settings(of)
		})
		upload := newUpload(t, brief, ada)
		accepted := false
		for {
			status, response := send(t, upload.Upload.URL, upload.Upload.Fields, []byte("stone"))
			if status == 204 {
				accepted = true
				if late := time.Since(upload.ExpiresAt); late > 10*time.Second {
					t.Fatalf("it is accepted %s after its expiry", late)
				}
				continue
			}
			if status != 403 || !strings.Contains(response, "AccessDenied") ||
				!strings.Contains(strings.ToLower(response), "expired") ||
				time.Now().Before(upload.ExpiresAt) {
				t.Errorf("it expires at %s, and S3 responds with %d %s", upload.ExpiresAt, status,
					response)
			}
			break
		}
		if !accepted {
			t.Error("it was never accepted, so this proves nothing")
		}
		f.Check(t, deleteUpload(ada, upload.ID), 204)
	})

	t.Run("users delete only their own uploads", func(t *testing.T) {
		adas, eves := newUpload(t, f, ada), newUpload(t, f, eve)
		for _, upload := range []uploadsapi.Upload{adas, eves} {
			if status, response := send(t, upload.Upload.URL, upload.Upload.Fields,
				[]byte("stone")); status != 204 {
				t.Fatalf("%d %s", status, response)
			}
		}
		f.Check(t, deleteUpload(ada, eves.ID), 204)
		if diff := cmp.Diff([]string{adas.Key, eves.Key}, keys(), cmp.Transformer("sorted",
			func(s []string) []string { return slices.Sorted(slices.Values(s)) })); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		f.Check(t, deleteUpload(ada, adas.ID), 204)
		f.Check(t, deleteUpload(ada, adas.ID), 204)
		if diff := cmp.Diff([]string{eves.Key}, keys()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		f.Check(t, deleteUpload(eve, eves.ID), 204)
	})

	t.Run("while S3 is down, forms are created and deletions are unavailable", func(t *testing.T) {
		for name, fault := range map[string]awstest.Fault{
			"it throttles":        {Status: http.StatusServiceUnavailable, Code: "SlowDown"},
			"it fails":            {Status: http.StatusInternalServerError, Code: "InternalError"},
			"it does not respond": {NoResponse: true},
		} {
			f.S3.SetFault(fault)
			upload := newUpload(t, f, ada)
			f.CheckUnavailable(t, deleteUpload(ada, upload.ID))
			f.S3.SetFault(awstest.Fault{})
			if response := f.Do(t, deleteUpload(ada, upload.ID)); response.StatusCode != 204 {
				t.Errorf("after %s: %d %s", name, response.StatusCode, response.Body)
			}
		}
		f.S3.SetFault(awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"})
		resttest.ErrorOf(t, f.Do(t, deleteUpload(ada, uuid.New())), 500, "internal")
		f.S3.SetFault(awstest.Fault{})
	})

	if left := keys(); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	f.CheckOneProcess(t)
	f.CheckNoLeaks(t)
	awstest.CheckActions(t, "calls.txt", f.Calls())
}

func policyOf(t testing.TB, fields map[string]string) map[string]any {
	t.Helper()
	decoded, err := base64.StdEncoding.DecodeString(fields["policy"])
	if err != nil {
		t.Fatal(err)
	}
	var policy map[string]any
	if err := json.Unmarshal(decoded, &policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

// checkModifiedForms modifies forms as an attacker might who wants more than the signature allows.
func checkModifiedForms(t *testing.T, f *apitest.Function) {
	before := f.S3.Keys(t, apitest.Originals)
	f.S3.Bucket(t, "another")
	small := []byte("stone")
	set := func(name, value string) func(*uploadsapi.Form) {
		return func(form *uploadsapi.Form) { form.Fields[name] = value }
	}
	remove := func(name string) func(*uploadsapi.Form) {
		return func(form *uploadsapi.Form) { delete(form.Fields, name) }
	}
	rewrite := func(change func(policy map[string]any)) func(*uploadsapi.Form) {
		return func(form *uploadsapi.Form) {
			policy := policyOf(t, form.Fields)
			change(policy)
			encoded, err := json.Marshal(policy)
			if err != nil {
				t.Fatal(err)
			}
			form.Fields["policy"] = base64.StdEncoding.EncodeToString(encoded)
		}
	}
	unchanged := func(*uploadsapi.Form) {}
	for name, test := range map[string]struct {
		change  func(*uploadsapi.Form)
		picture []byte
		because string // in S3's response
	}{
		"too large by a byte": {
			unchanged, make([]byte, pictures.MaxBytes+1), `EntityTooLarge`,
		},
		"empty":                  {unchanged, nil, `EntityTooSmall`},
		"another picture's type": {set("Content-Type", "image/gif"), small, `$content-type`},
		"a page's type":          {set("Content-Type", "text/html"), small, `$content-type`},
		"a type with a parameter": {
			set("Content-Type", "image/png; charset=utf-8"), small, `$content-type`,
		},
		"no type": {remove("Content-Type"), small, `$content-type`},
		"another key": {
			set("key", pictures.TempKey(pictures.Owner(ada), uuid.New())), small, `$key`,
		},
		"another user's key": {
			set("key", pictures.TempKey(pictures.Owner(eve), uuid.New())), small, `$key`,
		},
		"a promoted picture's key": {
			set("key", pictures.PermanentKey(uuid.New())), small, `$key`,
		},
		"a key with the file's name": {func(form *uploadsapi.Form) {
			form.Fields["key"] += "/${filename}"
		}, small, `$key`},
		"no key":   {remove("key"), small, `named &#39;key&#39;`},
		"no token": {remove("X-Amz-Security-Token"), small, `InvalidToken`},
		"another token": {
			set("X-Amz-Security-Token", "another"), small, `InvalidToken`,
		},
		"no signature": {remove("X-Amz-Signature"), small, `x-amz-signature`},
		"another signature": {
			set("X-Amz-Signature", strings.Repeat("0", 64)), small, `SignatureDoesNotMatch`,
		},
		"another day": {
			set("X-Amz-Date", "20260101T000000Z"), small, `Policy expired`,
		},
		"no policy": {remove("policy"), small, `named &#39;policy&#39;`},
		"a later expiration": {rewrite(func(policy map[string]any) {
			policy["expiration"] = "2099-01-01T00:00:00Z"
		}), small, `SignatureDoesNotMatch`},
		"a policy without conditions": {rewrite(func(policy map[string]any) {
			policy["conditions"] = []any{}
		}), make([]byte, pictures.MaxBytes+1), `SignatureDoesNotMatch`},
		"a field more: access": {
			set("acl", "public-read"), small, `Extra input fields: acl`,
		},
		"a field more: metadata": {
			set("x-amz-meta-note", "x"), small, `Extra input fields: x-amz-meta-note`,
		},
		"a field more: a redirect": {set("success_action_redirect",
			"https://evil.example.com"), small, `Extra input fields: success_action_redirect`},
		"a field more: an encoding": {
			set("Content-Encoding", "gzip"), small, `Extra input fields: content-encoding`,
		},
		"a field more: a storage class": {
			set("x-amz-storage-class", "GLACIER"), small, `Extra input fields: x-amz-storage-class`,
		},
		"another bucket": {func(form *uploadsapi.Form) {
			form.URL = f.S3.URL + "/another"
		}, small, `$bucket`},
	} {
		t.Run(name, func(t *testing.T) {
			upload := newUpload(t, f, ada)
			test.change(&upload.Upload)
			status, response := send(t, upload.Upload.URL, upload.Upload.Fields, test.picture)
			if status != 400 && status != 403 || !strings.Contains(response, test.because) {
				t.Errorf("S3 responds with %d %s, want a rejection because of %s", status, response,
					test.because)
			}
		})
	}
	if diff := cmp.Diff(before, f.S3.Keys(t, apitest.Originals)); diff != "" {
		t.Errorf("keys (-before +after):\n%s", diff)
	}
	if found := f.S3.Keys(t, "another"); len(found) > 0 {
		t.Errorf("the other bucket has %v", found)
	}
}

// TestBootstrap_transfer_acceleration needs no server: a form is signed without a call.
func TestBootstrap_transfer_acceleration(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	for accelerate, want := range map[bool]string{
		true:  "https://originals.s3-accelerate.amazonaws.com",
		false: "https://originals.s3.eu-central-1.amazonaws.com",
	} {
		var settings contract.Settings
		settings.API.AllowedOrigins, settings.API.ClientIDs = []string{
			resttest.Origin,
		}, []string{resttest.ClientID}
		settings.OriginalsBucket, settings.UploadLifetime = "originals", time.Minute
		settings.TransferAcceleration = accelerate
		settings.MediaURL = string(apitest.Media)
		environment, err := lambdaenv.Encode(settings)
		if err != nil {
			t.Fatal(err)
		}
		event, err := json.Marshal(createUpload(ada).Event(t))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := lambdatest.New(t, bootstrap, environment).Invoke(t.Context(), event,
			10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var response struct{ Body string }
		if err := json.Unmarshal(answer, &response); err != nil {
			t.Fatal(err)
		}
		var upload uploadsapi.Upload
		if err := json.Unmarshal([]byte(response.Body), &upload); err != nil ||
			strings.TrimSuffix(upload.Upload.URL, "/") != want {
			t.Errorf("accelerated %t: uploads go to %q (%v), want %s: %s", accelerate,
				upload.Upload.URL, err, want, response.Body)
		}
	}
}

func TestBootstrap_without_settings(t *testing.T) {
	apitest.CheckSettings(t, lambdatest.Build(t, contract.Package),
		"ORIGINALS_BUCKET", "UPLOAD_LIFETIME", "MEDIA_URL")
}
