// Package other tests a function of the library from another module, with the library's public
// packages and the standard library.
package other

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func TestThumbnails(t *testing.T) {
	fake := &fakeAWS{stored: map[string][]byte{}}
	server := httptest.NewServer(fake)
	defer server.Close()
	environment, err := lambdaenv.Encode(contract.Settings{
		ThumbnailBucket:    "thumbnails",
		TopicARN:           "arn:aws:sns:eu-central-1:111111111111:ThumbnailEvents",
		DeadLetterQueueURL: "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadLetters",
		Widths:             []int{32},
		MaxBytes:           1 << 20,
		MaxPixels:          1_000_000,
		TempPrefix:         "temp/",
		PermanentPrefix:    "permanent/",
		ProtectedPrefix:    "protected/",
		PrivatePrefix:      "private/",
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(environment, map[string]string{"AWS_ENDPOINT_URL": server.URL})
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), environment)

	notification := `{"Records":[{"eventVersion":"2.1","eventTime":"2026-01-01T00:00:00Z",` +
		`"s3":{"bucket":{"name":"originals"},"object":{"key":"cat.jpg","sequencer":"01"}}}]}`
	event, err := json.Marshal(map[string]any{
		"Records": []any{map[string]any{"messageId": "1", "body": notification}},
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := fn.Invoke(t.Context(), event, time.Minute)
	if err != nil || strings.Contains(string(response), "itemIdentifier") {
		t.Fatalf("response %s, %v\n%s", response, err, fn.Logs())
	}
	content := fake.stored["/thumbnails/cat.jpg/32.jpg"]
	thumbnail, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%v: stored %q\n%s", err, slices.Collect(maps.Keys(fake.stored)), fn.Logs())
	}
	if size := thumbnail.Bounds().Size(); size != image.Pt(32, 24) {
		t.Errorf("the thumbnail's size is %v, want 32×24", size)
	}
	if !strings.Contains(fake.published, "cat.jpg") {
		t.Errorf("published %q, want an event about cat.jpg", fake.published)
	}
}

// fakeAWS is an S3 with one original of 64×48 pixels, and an SNS.
type fakeAWS struct {
	mu        sync.Mutex
	stored    map[string][]byte
	published string
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.Method {
	case http.MethodPut:
		f.stored[r.URL.Path] = body
	case http.MethodPost:
		f.published = string(body)
		_, _ = io.WriteString(w, "<PublishResponse><PublishResult><MessageId>1</MessageId>"+
			"</PublishResult></PublishResponse>")
	default:
		w.Header().Set("ETag", `"1"`)
		_ = jpeg.Encode(w, image.NewRGBA(image.Rect(0, 0, 64, 48)), nil)
	}
}
