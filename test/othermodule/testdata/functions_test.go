// Package other tests the functions of the library from another module, with the library's public
// packages and the standard library.
package other

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// TestFunctions starts each function of the library with the variables and the files of its
// template, and invokes it once. The event has nothing to do, so an error as the response is fine:
// the function has started, with complete settings.
func TestFunctions(t *testing.T) {
	content, err := os.ReadFile("functions.json") // of the synth
	if err != nil {
		t.Fatal(err)
	}
	var functions []struct {
		Package   string
		Variables map[string]string
		Code      string
	}
	if err := json.Unmarshal(content, &functions); err != nil {
		t.Fatal(err)
	}
	if len(functions) != 11 { // the library has eleven
		t.Errorf("%d functions, want those of all constructs", len(functions))
	}
	for _, function := range functions {
		t.Run(path.Base(function.Package), func(t *testing.T) {
			bootstrap := lambdatest.Build(t, function.Package)
			files := filepath.Join(function.Code, lambdaenv.FilesFolder)
			if _, err := os.Stat(files); err == nil {
				lambdatest.AddFiles(t, bootstrap, os.DirFS(files))
			}
			function.Variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1" // nothing reaches AWS
			fn := lambdatest.New(t, bootstrap, function.Variables)
			_, err := fn.Invoke(t.Context(), []byte(`{"RequestType":"Delete"}`), time.Minute)
			var failure *lambdatest.FunctionError
			if err != nil && !errors.As(err, &failure) {
				t.Errorf("%v\n%s", err, fn.Logs())
			}
		})
	}
}

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
