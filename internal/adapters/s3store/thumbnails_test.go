package s3store_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func clientOf(url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		Region:       lambdatest.Region,
		Retryer:      aws.NopRetryer{},

		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported, // as by default
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID,
			lambdatest.SecretAccessKey, lambdatest.SessionToken),
	})
}

func TestOriginals_Get_returns_the_complete_original_or_only_its_size(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	originals := &s3store.Originals{API: clientOf(server.URL)}
	if _, err := server.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("pictures"), Key: aws.String("k"), Body: strings.NewReader("stone"),
	}); err != nil {
		t.Fatal(err)
	}
	read := func(key string, maxBytes int64) (thumbnails.Original, error) {
		return originals.Get(t.Context(), "pictures", key, maxBytes)
	}
	complete, err := read("k", 5)
	if err != nil || string(complete.Content) != "stone" || complete.Size != 5 ||
		complete.ETag == "" || strings.Contains(complete.ETag, `"`) {
		t.Errorf("got %+v, %v", complete, err)
	}
	large, err := read("k", 4)
	if err != nil || large.Content != nil || large.Size != 5 || large.ETag != complete.ETag {
		t.Errorf("got %+v, %v, want only the size", large, err)
	}
	etag, err := originals.ETag(t.Context(), "pictures", "k")
	if err != nil || etag != complete.ETag {
		t.Errorf("got %q, %v, want %q", etag, err, complete.ETag)
	}
	_, getErr := read("missing", 5)
	_, headErr := originals.ETag(t.Context(), "pictures", "missing")
	if !errors.Is(getErr, thumbnails.ErrNotFound) || !errors.Is(headErr, thumbnails.ErrNotFound) {
		t.Errorf("got %v and %v, want ErrNotFound", getErr, headErr)
	}
	_, err = originals.Get(t.Context(), "elsewhere", "k", 5)
	if err == nil || errors.Is(err, thumbnails.ErrNotFound) {
		t.Errorf("got %v: a missing bucket is not a missing original", err)
	}
}

// TestOriginals_and_Thumbnails_errors_do_not_contain_the_key: URLs contain it, and users name their
// files as they like.
func TestOriginals_and_Thumbnails_errors_do_not_contain_the_key(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close() // so that connections are refused
	const key = "private/secret"
	originals := &s3store.Originals{API: clientOf(server.URL)}
	made := &s3store.Thumbnails{Bucket: "thumbnails", API: clientOf(server.URL)}
	_, getErr := originals.Get(t.Context(), "pictures", key, 5)
	_, headErr := originals.ETag(t.Context(), "pictures", key)
	for action, err := range map[string]error{
		"read the original":        getErr,
		"read the original's ETag": headErr,
		"write a thumbnail":        made.Put(t.Context(), key, []byte("stone"), "public"),
		"delete a thumbnail":       made.Delete(t.Context(), key),
	} {
		if err == nil || strings.Contains(err.Error(), "secret") ||
			!strings.HasPrefix(err.Error(), action+": ") || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: error %v, want a refused connection without the key", action, err)
		}
	}
}

// TestOriginals_Get_rejects_a_damaged_response has a server that returns a wrong checksum or no
// length.
func TestOriginals_Get_rejects_a_damaged_response(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"wrong checksum": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
			_, _ = w.Write([]byte("stone"))
		},
		"no content length": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // forces chunked encoding
			_, _ = w.Write([]byte("stone"))
		},
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		originals := &s3store.Originals{API: clientOf(server.URL)}
		if got, err := originals.Get(t.Context(), "pictures", "k", 5); err == nil {
			t.Errorf("%s: got %q, want an error", name, got.Content)
		}
	}
}
