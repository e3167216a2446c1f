package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// writeArchive returns an archive whose file headers were changed by modify.
func writeArchive(t *testing.T, names []string, modify func(*zip.FileHeader)) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "website.zip"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	writer := zip.NewWriter(file)
	for _, name := range names {
		header := &zip.FileHeader{Name: name}
		header.SetMode(0o644)
		modify(header)
		if _, err := writer.CreateRaw(header); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNewArchive_rejects(t *testing.T) {
	long := strings.Repeat("a", 1025)
	many := []string{"index.html"}
	for i := range maxFiles {
		many = append(many, fmt.Sprint(i))
	}
	const invalid = "is not a valid path of a website"
	withSize := func(size uint64) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.UncompressedSize64 = size }
	}
	symlink := func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }
	for name, test := range map[string]struct {
		names  []string
		modify func(*zip.FileHeader)
		want   string
	}{
		"path above the root": {[]string{"../index.html"}, nil, `"../index.html" ` + invalid},
		"path with ..":        {[]string{"a/../../b"}, nil, `"a/../../b" ` + invalid},
		"absolute path":       {[]string{"/etc/passwd"}, nil, `"/etc/passwd" ` + invalid},
		"Windows path":        {[]string{`a\b`}, nil, `"a\\b" ` + invalid},
		"empty folder name":   {[]string{"a//b"}, nil, `"a//b" ` + invalid},
		"wildcard":            {[]string{"assets/*"}, nil, `"assets/*" ` + invalid},
		"line feed":           {[]string{"a\nb"}, nil, `"a\nb" ` + invalid},
		"invalid UTF-8":       {[]string{"a\xffb"}, nil, `"a\xffb" ` + invalid},
		"long path":           {[]string{long}, nil, invalid},
		"duplicate file":      {[]string{"index.html", "a", "a"}, nil, `duplicate file "a"`},
		"no page":             {[]string{"a"}, nil, "index.html is missing"},
		"too many files":      {many, nil, "20001 files, more than 20000"},
		"symbolic link": {
			[]string{"index.html"}, symlink, `"index.html" is not a regular file`,
		},
		"large file": {
			[]string{"index.html"}, withSize(maxFile + 1),
			`"index.html" has 52428801 bytes, more than 52428800`,
		},
		"large website": {
			many[:30], withSize(maxFile), "more than 1073741824 bytes in total",
		},
		"sizes that overflow": {
			many[:3], withSize(1<<64 - 1), "bytes, more than 52428800",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.modify == nil {
				test.modify = func(*zip.FileHeader) {}
			}
			_, err := newArchive(writeArchive(t, test.names, test.modify))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestNewArchive_skips_folders(t *testing.T) {
	setMode := func(h *zip.FileHeader) {
		if strings.HasSuffix(h.Name, "/") {
			h.SetMode(fs.ModeDir | 0o755)
		}
	}
	a, err := newArchive(writeArchive(t, []string{"assets/", "index.html"}, setMode))
	if err != nil || len(a.files) != 1 {
		t.Errorf("%v, %v, want only index.html", a, err)
	}
}

// A decompression bomb has a small size in its header.
func TestArchive_check_rejects_a_file_larger_than_its_header_says(t *testing.T) {
	name := filepath.Join(t.TempDir(), "website.zip")
	content := zipped(t, map[string]string{"index.html": strings.Repeat("a", 1<<20)})
	// The size is at offset 24 of the header in the directory, which comes last.
	at := strings.LastIndex(string(content), "PK\x01\x02") + 24
	copy(content[at:], []byte{1, 0, 0, 0})
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a, err := newArchive(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.check(); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("error %v, want index.html rejected", err)
	}
}

// archiveOf returns an archive of files with these checksums.
func archiveOf(checksums map[string]uint32) *archive {
	a := &archive{files: map[string]*zip.File{}}
	for name, checksum := range checksums {
		a.files[name] = &zip.File{FileHeader: zip.FileHeader{CRC32: checksum}}
	}
	return a
}

func TestChangedPaths(t *testing.T) {
	type files = map[string]uint32 // checksums by name
	for name, test := range map[string]struct {
		previous, content files
		want              []string
	}{
		"no change":      {files{"a": 1}, files{"a": 1}, nil},
		"a new file":     {files{}, files{"a": 1, "assets/a": 1}, nil},
		"a changed file": {files{"a": 1, "b": 1}, files{"a": 2, "b": 1}, []string{"/a"}},
		"a removed file": {files{"a": 1, "b": 1}, files{"b": 1}, []string{"/a"}},
		"the page, at both paths": {
			files{"index.html": 1}, files{"index.html": 2}, []string{"/", "/index.html"},
		},
		"another page, at one path": {
			files{"docs/index.html": 1}, files{"docs/index.html": 2}, []string{"/docs/index.html"},
		},
		"a removed hashed file": {files{"assets/a": 1}, files{}, nil},
		"a changed hashed file": {
			files{"assets/a": 1}, files{"assets/a": 2}, []string{"/assets/a"},
		},
	} {
		got := changedPaths(archiveOf(test.previous), archiveOf(test.content))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	larger := archiveOf(files{"a": 1})
	larger.files["a"].UncompressedSize64 = 1
	if got := changedPaths(archiveOf(files{"a": 1}), larger); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("a file of another size: %q, want /a", got)
	}
}

func TestChangedPaths_above_a_hundred_is_all_paths(t *testing.T) {
	previous := map[string]uint32{}
	for i := range 100 {
		previous[fmt.Sprint(i)] = 1
	}
	if got := changedPaths(archiveOf(previous), archiveOf(nil)); len(got) != 100 {
		t.Errorf("%d paths, want 100", len(got))
	}
	previous["100"] = 1
	got := changedPaths(archiveOf(previous), archiveOf(nil))
	if !slices.Equal(got, []string{"/*"}) {
		t.Errorf("%d paths, want only /*", len(got))
	}
}

func TestInvalidationPath(t *testing.T) {
	for name, want := range map[string]string{
		"a/b-c_d.e":     "/a/b-c_d.e",
		"a b.png":       "/a%20b.png",
		"ü.png":         "/%C3%BC.png",
		"(1)+2,3;4=5&6": "/(1)+2,3;4=5&6",
		"a~b#c?d%20e":   "/a%7Eb%23c%3Fd%2520e",
		"[a]{b}|^`\"<>": "/%5Ba%5D%7Bb%7D%7C%5E%60%22%3C%3E",
		"@$!'.:":        "/@$!'.:",
	} {
		if got := invalidationPath(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestContentType(t *testing.T) {
	for name, want := range map[string]string{
		"index.html":       "text/html; charset=utf-8",
		"assets/a.JS":      "text/javascript; charset=utf-8",
		"assets/a.mjs":     "text/javascript; charset=utf-8",
		"assets/a.js.map":  "application/json",
		"a.svg":            "image/svg+xml",
		"a.webmanifest":    "application/manifest+json",
		"a.wasm":           "application/wasm",
		"a.woff2":          "font/woff2",
		"LICENCE":          "application/octet-stream",
		"a.exe":            "application/octet-stream",
		".well-known/a":    "application/json",
		".well-known/a.md": "application/octet-stream",
		"a/.well-known/b":  "application/octet-stream",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// interrupted is a fake of S3 that interrupts the bodies of its first responses.
type interrupted struct {
	objects
	times   int
	content string
	gets    int
}

func (i *interrupted) GetObject(
	context.Context, *s3.GetObjectInput, ...func(*s3.Options),
) (*s3.GetObjectOutput, error) {
	i.gets++
	var body io.Reader = strings.NewReader(i.content)
	if i.times > 0 {
		i.times--
		body = io.MultiReader(strings.NewReader("other, longer content"), brokenReader{})
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(body)}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var asset = contract.Properties{AssetBucket: "assets", AssetKey: "website.zip"}

func TestHandler_download_retries_an_interrupted_download(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h := &handler{objects: &interrupted{times: 2, content: "complete"}}
	file, err := h.download(t.Context(), asset)
	if err != nil {
		t.Fatal(err)
	}
	defer removeTemp(t.Context(), file)
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != "complete" {
		t.Errorf("got %q, %v, want complete", got, err)
	}
}

func TestHandler_download_fails_after_five_interrupted_downloads(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	synctest.Test(t, func(t *testing.T) {
		objects := &interrupted{times: 6}
		_, err := (&handler{objects: objects}).download(t.Context(), asset)
		if !errors.Is(err, io.ErrUnexpectedEOF) ||
			!strings.HasPrefix(err.Error(), "get assets/website.zip: ") || objects.gets != 5 {
			t.Errorf("error %v after %d downloads, want unexpected EOF after 5", err, objects.gets)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// denied is a fake of S3 that rejects every request.
type denied struct {
	objects
	gets int
}

func (d *denied) GetObject(
	context.Context, *s3.GetObjectInput, ...func(*s3.Options),
) (*s3.GetObjectOutput, error) {
	d.gets++
	return nil, &smithy.GenericAPIError{Code: "AccessDenied"}
}

// The SDK has already retried retryable errors.
func TestHandler_download_does_not_retry_an_error_of_S3(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	objects := &denied{}
	_, err := (&handler{objects: objects}).download(t.Context(), asset)
	if !awsclient.Is(err, "AccessDenied") || objects.gets != 1 {
		t.Errorf("error %v after %d requests, want AccessDenied after 1", err, objects.gets)
	}
}

// The previous content is in another bucket, which is not read, or it is not an archive.
func TestHandler_pathsToInvalidate_is_all_paths_without_previous_content(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, test := range map[string]struct {
		assetBucket string
		objects     objects // a call to none would panic
	}{
		"another bucket": {"others", nil},
		"no archive":     {"assets", &interrupted{content: "no archive"}},
	} {
		h := &handler{objects: test.objects}
		event := cfn.Event{RequestType: cfn.RequestUpdate, OldResourceProperties: map[string]any{
			"BucketName": "website", "DistributionID": "E1",
			"AssetBucket": test.assetBucket, "AssetKey": "previous.zip",
		}}
		to := contract.Properties{AssetBucket: "assets"}
		paths, err := h.pathsToInvalidate(t.Context(), event, to, archiveOf(nil))
		if err != nil || !slices.Equal(paths, []string{"/*"}) {
			t.Errorf("%s: %q, %v, want /*", name, paths, err)
		}
	}
}

// endless is a fake of S3 with an endless object of zeros.
type endless struct {
	objects
	gets int
}

func (e *endless) GetObject(
	context.Context, *s3.GetObjectInput, ...func(*s3.Options),
) (*s3.GetObjectOutput, error) {
	e.gets++
	return &s3.GetObjectOutput{Body: io.NopCloser(zeros{})}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestHandler_download_rejects_a_large_archive_without_retry(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	objects := &endless{}
	_, err := (&handler{objects: objects}).download(t.Context(), asset)
	if err == nil || !strings.HasSuffix(err.Error(), "larger than 209715200 bytes") ||
		objects.gets != 1 {
		t.Errorf("error %v after %d attempts", err, objects.gets)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// expired is a fake of S3 that deleted an object after it was listed.
type expired struct{ objects }

func (expired) GetObjectTagging(
	context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options),
) (*s3.GetObjectTaggingOutput, error) {
	return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
}

func TestHandler_supersede_ignores_an_expired_file(t *testing.T) {
	h := &handler{objects: expired{}}
	if err := h.supersede(t.Context(), "website", "assets/a.js"); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_deletes_temporary_files(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := &handler{objects: &interrupted{content: "no archive"}}
	event := cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{
		"BucketName": "website", "DistributionID": "E1",
		"AssetBucket": "assets", "AssetKey": "website.zip",
	}}
	_, _, err := h.Handle(t.Context(), event)
	const want = "content of the website: zip: not a valid zip file"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// failingInvalidation is a fake of CloudFront that accepts no invalidation.
type failingInvalidation struct {
	invalidations
	err     error
	creates int
}

func (f *failingInvalidation) CreateInvalidation(
	context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options),
) (*cloudfront.CreateInvalidationOutput, error) {
	f.creates++
	return nil, f.err
}

func TestHandler_invalidate_retries_only_too_many_invalidations_in_progress(t *testing.T) {
	for code, retried := range map[string]bool{
		"TooManyInvalidationsInProgress": true, "AccessDenied": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
			defer cancel()
			fake := &failingInvalidation{err: &smithy.GenericAPIError{Code: code}}
			began := time.Now()
			h := &handler{invalidations: fake}
			err := h.invalidate(ctx, "E1", "request", []string{"/a", "/b"})
			if !awsclient.Is(err, code) ||
				!strings.HasPrefix(err.Error(), "invalidate 2 paths of E1: ") {
				t.Errorf("error %v, want %s", err, code)
			}
			// Intervals of 10 s, randomized by half, until the deadline.
			took := time.Since(began)
			if retried && (fake.creates < 50 || took < 13*time.Minute) ||
				!retried && fake.creates != 1 {
				t.Errorf("%s: %d requests in %s, want retries: %t",
					code, fake.creates, took, retried)
			}
		})
	}
}

// slowInvalidation is a fake of CloudFront with an invalidation that is never completed.
type slowInvalidation struct {
	polls   int
	pollErr error
}

func inProgress() *types.Invalidation {
	return &types.Invalidation{Id: aws.String("I1"), Status: aws.String("InProgress")}
}

func (s *slowInvalidation) CreateInvalidation(
	context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options),
) (*cloudfront.CreateInvalidationOutput, error) {
	return &cloudfront.CreateInvalidationOutput{Invalidation: inProgress()}, nil
}

func (s *slowInvalidation) GetInvalidation(
	context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options),
) (*cloudfront.GetInvalidationOutput, error) {
	s.polls++
	return &cloudfront.GetInvalidationOutput{Invalidation: inProgress()}, s.pollErr
}

// An error would make CloudFormation roll back, which would need another invalidation.
func TestHandler_invalidate_succeeds_when_the_invalidation_is_slow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h := &handler{invalidations: &slowInvalidation{}}
		if err := h.invalidate(t.Context(), "E1", "request", allPaths); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("waited %s, want 10m0s", took)
		}
	})
}

func TestHandler_invalidate_succeeds_when_polling_fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &slowInvalidation{pollErr: &smithy.GenericAPIError{Code: "Throttling"}}
		h := &handler{invalidations: fake}
		if err := h.invalidate(t.Context(), "E1", "request", allPaths); err != nil {
			t.Error(err)
		}
		if fake.polls != 1 {
			t.Errorf("%d polls, want 1: the SDK retries", fake.polls)
		}
	})
}

func TestHandler_Handle_requires_all_properties(t *testing.T) {
	for _, missing := range []string{"BucketName", "DistributionID", "AssetBucket", "AssetKey"} {
		from := map[string]any{
			"BucketName": "a", "DistributionID": "b", "AssetBucket": "c", "AssetKey": "d",
			"ServiceTimeout": "960",
		}
		delete(from, missing)
		h := &handler{} // a call would panic
		event := cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: from}
		_, _, err := h.Handle(t.Context(), event)
		if want := missing + " is required"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
