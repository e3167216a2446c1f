package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const originals = "originals"

func start(t *testing.T) (*s3test.Server, *s3.Client, *s3store.Pictures) {
	t.Helper()
	server := s3test.Start(t)
	server.Bucket(t, originals)
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL,
		Region:       lambdatest.Region,
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
			lambdatest.SecretAccessKey, lambdatest.SessionToken),
		RetryMaxAttempts: 1,
	})
	return server, client,
		&s3store.Pictures{Bucket: originals, API: client}
}

// uploads stores n pictures in temp/, and returns their promotions.
func uploads(t *testing.T, server *s3test.Server, n int) []pictures.Promotion {
	t.Helper()
	copies := make([]pictures.Promotion, n)
	for i := range copies {
		copies[i] = pictures.Promotion{
			ID: uuid.New(), CopyFrom: pictures.TempKey(pictures.Owner("ada"), uuid.New()),
		}
		_, err := server.Client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(originals), Key: &copies[i].CopyFrom,
			ContentType: aws.String("image/webp"), Body: strings.NewReader(fmt.Sprint(i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return copies
}

func TestPictures_Copy_copies_and_is_idempotent(t *testing.T) {
	server, _, store := start(t)
	copies := uploads(t, server, 25)
	for range 2 {
		if missing, err := store.Copy(t.Context(), copies); err != nil || len(missing) > 0 {
			t.Fatalf("missing %v, %v", missing, err)
		}
	}
	for i, picture := range copies {
		found, err := server.Client.HeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: aws.String(originals), Key: aws.String(pictures.PermanentKey(picture.ID)),
		})
		if err != nil || *found.ContentType != "image/webp" ||
			*found.ContentLength != int64(len(fmt.Sprint(i))) {
			t.Errorf("copy: %+v, %v", found, err)
		}
	}
}

// crowded blocks copies until ten run concurrently.
type crowded struct {
	*s3.Client
	mu            sync.Mutex
	running, most int
	ten           chan struct{}
}

func (c *crowded) CopyObject(
	ctx context.Context, input *s3.CopyObjectInput, options ...func(*s3.Options),
) (*s3.CopyObjectOutput, error) {
	c.mu.Lock()
	c.running++
	if c.running > c.most {
		if c.most = c.running; c.most == 10 {
			close(c.ten)
		}
	}
	c.mu.Unlock()
	select {
	case <-c.ten:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running--
	}()
	return c.Client.CopyObject(ctx, input, options...)
}

func TestPictures_Copy_makes_ten_copies_concurrently(t *testing.T) {
	server, client, store := start(t)
	api := &crowded{Client: client, ten: make(chan struct{})}
	store.API = api
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if missing, err := store.Copy(ctx, uploads(t, server, 25)); err != nil || len(missing) > 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	if api.most != 10 {
		t.Errorf("%d concurrent copies, want 10", api.most)
	}
}

func TestPictures_Copy_returns_all_missing_uploads(t *testing.T) {
	server, _, store := start(t)
	copies := uploads(t, server, 5)
	for _, i := range []int{3, 1} {
		copies[i].CopyFrom = pictures.TempKey(pictures.Owner("ada"), uuid.New())
	}
	missing, err := store.Copy(t.Context(), copies)
	if diff := cmp.Diff([]int{1, 3}, missing); err != nil || diff != "" {
		t.Errorf("%v, missing (-want +got):\n%s", err, diff)
	}
}

func TestPictures_Delete_deletes_only_these_ids(t *testing.T) {
	server, _, store := start(t)
	copies := uploads(t, server, 3)
	if _, err := store.Copy(t.Context(), copies); err != nil {
		t.Fatal(err)
	}
	before := server.Keys(t, originals)
	for range 2 {
		err := store.Delete(t.Context(), []uuid.UUID{copies[0].ID, uuid.New(), copies[2].ID})
		if err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, key := range before {
		if key != pictures.PermanentKey(copies[0].ID) &&
			key != pictures.PermanentKey(copies[2].ID) {
			want = append(want, key)
		}
	}
	if diff := cmp.Diff(want, server.Keys(t, originals)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// partly deletes nothing, and returns errors in a successful response.
type partly struct {
	*s3.Client
	code string
}

func (p partly) DeleteObjects(
	context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options),
) (*s3.DeleteObjectsOutput, error) {
	return &s3.DeleteObjectsOutput{
			Errors: []types.Error{{Code: &p.code, Message: aws.String("on purpose")}},
		},
		nil
}

func TestPictures_and_Uploads_temporary_failures(t *testing.T) {
	server, client, store := start(t)
	copies := uploads(t, server, 3)
	ids := []uuid.UUID{copies[0].ID}
	uploader := s3store.NewUploads(s3store.UploadSettings{Bucket: originals, Lifetime: time.Minute},
		client)
	for name, test := range map[string]struct {
		fault     awstest.Fault
		temporary bool
	}{
		"SlowDown": {
			awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}, true,
		},
		"InternalError": {
			awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}, true,
		},
		"silence":      {awstest.Fault{NoResponse: true}, true},
		"AccessDenied": {awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}, false},
		"NoSuchBucket": {awstest.Fault{Status: http.StatusNotFound, Code: "NoSuchBucket"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server.SetFault(test.fault)
			defer server.SetFault(awstest.Fault{})
			for action, do := range map[string]func(ctx context.Context) error{
				"copy": func(ctx context.Context) error {
					_, err := store.Copy(ctx, copies)
					return err
				},
				"delete": func(ctx context.Context) error {
					return store.Delete(ctx, ids)
				},
				"delete an upload": func(ctx context.Context) error {
					return uploader.Delete(ctx, copies[0].CopyFrom)
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				err := do(ctx)
				cancel()
				if err == nil || errors.Is(err, retry.ErrUnavailable) != test.temporary {
					t.Errorf("%s: got %v; temporary: want %t", action, err, test.temporary)
				}
			}
		})
	}
	for code, temporary := range map[string]bool{
		"InternalError": true, "SlowDown": true, "AccessDenied": false,
	} {
		store.API = partly{client, code}
		err := store.Delete(t.Context(), ids)
		if err == nil || errors.Is(err, retry.ErrUnavailable) != temporary {
			t.Errorf("a response with %s: got %v; temporary: want %t", code, err, temporary)
		}
	}
}

func TestUploads_Presign_returns_the_expiry(t *testing.T) {
	_, client, _ := start(t)
	form, err := s3store.NewUploads(s3store.UploadSettings{Bucket: originals, Lifetime: time.Hour},
		client).Presign(t.Context(), "temp/a", "image/png")
	if left := time.Until(form.ExpiresAt); err != nil || left > time.Hour || left < 59*time.Minute {
		t.Errorf("expires in %s (%v), want an hour", left, err)
	}
}
