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
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
)

func clientOf(url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		Region:       lambdatest.Region,
		Retryer:      aws.NopRetryer{},

		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported, // as by default
		Credentials:                credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID, lambdatest.SecretAccessKey, lambdatest.SessionToken),
	})
}

func TestAnOriginalIsReadWholeOrNotAtAll(t *testing.T) {
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
	whole, err := read("k", 5)
	if err != nil || string(whole.Content) != "stone" || whole.Size != 5 || whole.ETag == "" || strings.Contains(whole.ETag, `"`) {
		t.Errorf("got %+v, %v", whole, err)
	}
	if large, err := read("k", 4); err != nil || large.Content != nil || large.Size != 5 || large.ETag != whole.ETag {
		t.Errorf("got %+v, %v, want the size and no more", large, err)
	}
	if etag, err := originals.ETag(t.Context(), "pictures", "k"); err != nil || etag != whole.ETag {
		t.Errorf("got %q, %v, want %q", etag, err, whole.ETag)
	}
	_, getErr := read("missing", 5)
	_, headErr := originals.ETag(t.Context(), "pictures", "missing")
	if !errors.Is(getErr, thumbnails.ErrNotFound) || !errors.Is(headErr, thumbnails.ErrNotFound) {
		t.Errorf("got %v and %v, want ErrMissing", getErr, headErr)
	}
	if _, err := originals.Get(t.Context(), "elsewhere", "k", 5); err == nil || errors.Is(err, thumbnails.ErrNotFound) {
		t.Errorf("got %v: that there is no bucket does not mean that there is no original", err)
	}
}

// TestAFailureDoesNotTellTheKey: it is in URLs, and users name their files as they like.
func TestAFailureDoesNotTellTheKey(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close() // so that nobody answers
	const key = "private/secret"
	originals := &s3store.Originals{API: clientOf(server.URL)}
	made := &s3store.Thumbnails{Bucket: "thumbnails", API: clientOf(server.URL)}
	_, getErr := originals.Get(t.Context(), "pictures", key, 5)
	_, headErr := originals.ETag(t.Context(), "pictures", key)
	for what, err := range map[string]error{
		"read the original":    getErr,
		"look at the original": headErr,
		"write a thumbnail":    made.Put(t.Context(), key, []byte("stone"), "public"),
		"delete a thumbnail":   made.Delete(t.Context(), key),
	} {
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), what+": ") || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: error %v, want that nobody answers, without the key", what, err)
		}
	}
}

// TestADamagedAnswerIsAnError has a server that says another checksum or no length.
func TestADamagedAnswerIsAnError(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"the checksum of another": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
			_, _ = w.Write([]byte("stone"))
		},
		"no length": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // so that it comes in chunks
			_, _ = w.Write([]byte("stone"))
		},
	} {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		originals := &s3store.Originals{API: clientOf(server.URL)}
		if got, err := originals.Get(t.Context(), "pictures", "k", 5); err == nil {
			t.Errorf("%s: got %q, want an error", name, got.Content)
		}
	}
}
