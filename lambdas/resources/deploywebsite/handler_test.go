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

// writeArchive returns an archive whose files have what spoil makes of their headers.
func writeArchive(t *testing.T, names []string, spoil func(*zip.FileHeader)) *os.File {
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
		spoil(header)
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
	for name, test := range map[string]struct {
		names []string
		spoil func(*zip.FileHeader)
		want  string
	}{
		"a path that leads up":        {[]string{"../index.html"}, nil, `"../index.html" is no path of a website`},
		"a path that leads up inside": {[]string{"a/../../b"}, nil, `"a/../../b" is no path of a website`},
		"a path from the root":        {[]string{"/etc/passwd"}, nil, `"/etc/passwd" is no path of a website`},
		"a path of Windows":           {[]string{`a\b`}, nil, `"a\\b" is no path of a website`},
		"a path with nothing in it":   {[]string{"a//b"}, nil, `"a//b" is no path of a website`},
		"a path that a * ends":        {[]string{"assets/*"}, nil, `"assets/*" is no path of a website`},
		"a path with a line's end":    {[]string{"a\nb"}, nil, `"a\nb" is no path of a website`},
		"a path that is no UTF-8":     {[]string{"a\xffb"}, nil, `"a\xffb" is no path of a website`},
		"a path that is too long":     {[]string{long}, nil, `is no path of a website`},
		"the same file twice":         {[]string{"index.html", "a", "a"}, nil, `"a" is there twice`},
		"no page":                     {[]string{"a"}, nil, "there is no index.html"},
		"too many files":              {many, nil, "20001 files, want 20000 at most"},
		"a link": {[]string{"index.html"}, func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) },
			`"index.html" is no regular file`},
		"a file that is too large": {[]string{"index.html"}, func(h *zip.FileHeader) { h.UncompressedSize64 = maxFile + 1 },
			`"index.html": 52428801 bytes, want 52428800 at most`},
		"too much": {many[:30], func(h *zip.FileHeader) { h.UncompressedSize64 = maxFile },
			"more than 1073741824 bytes"},
		"a size that wraps around": {many[:3], func(h *zip.FileHeader) { h.UncompressedSize64 = 1<<64 - 1 },
			"bytes, want 52428800 at most"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.spoil == nil {
				test.spoil = func(*zip.FileHeader) {}
			}
			if _, err := newArchive(writeArchive(t, test.names, test.spoil)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestNewArchive_skips_folders(t *testing.T) {
	a, err := newArchive(writeArchive(t, []string{"assets/", "index.html"}, func(h *zip.FileHeader) {
		if strings.HasSuffix(h.Name, "/") {
			h.SetMode(fs.ModeDir | 0o755)
		}
	}))
	if err != nil || len(a.files) != 1 {
		t.Errorf("%v, %v, want index.html alone", a, err)
	}
}

// TestArchive_check_rejects_a_file_larger_than_its_header_says: a bomb says that it is small.
func TestArchive_check_rejects_a_file_larger_than_its_header_says(t *testing.T) {
	name := filepath.Join(t.TempDir(), "website.zip")
	content := zipped(t, map[string]string{"index.html": strings.Repeat("a", 1<<20)})
	// The size is at 24 of the header in the directory, which comes last.
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
		t.Errorf("error %v, want index.html refused", err)
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
	for name, test := range map[string]struct {
		former, content map[string]uint32
		want            []string
	}{
		"nothing":                        {map[string]uint32{"a": 1}, map[string]uint32{"a": 1}, nil},
		"a file that is new":             {map[string]uint32{}, map[string]uint32{"a": 1, "assets/a": 1}, nil},
		"a file that has changed":        {map[string]uint32{"a": 1, "b": 1}, map[string]uint32{"a": 2, "b": 1}, []string{"/a"}},
		"a file that is gone":            {map[string]uint32{"a": 1, "b": 1}, map[string]uint32{"b": 1}, []string{"/a"}},
		"the page, at both addresses":    {map[string]uint32{"index.html": 1}, map[string]uint32{"index.html": 2}, []string{"/", "/index.html"}},
		"another page, at one":           {map[string]uint32{"docs/index.html": 1}, map[string]uint32{"docs/index.html": 2}, []string{"/docs/index.html"}},
		"a hashed file that is gone":     {map[string]uint32{"assets/a": 1}, map[string]uint32{}, nil},
		"a hashed file that has changed": {map[string]uint32{"assets/a": 1}, map[string]uint32{"assets/a": 2}, []string{"/assets/a"}},
	} {
		if diff := cmp.Diff(test.want, changedPaths(archiveOf(test.former), archiveOf(test.content))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	grown := archiveOf(map[string]uint32{"a": 1})
	grown.files["a"].UncompressedSize64 = 1
	if got := changedPaths(archiveOf(map[string]uint32{"a": 1}), grown); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("a file of another size: %q, want /a", got)
	}
}

func TestChangedPaths_above_a_hundred_is_all_paths(t *testing.T) {
	former := map[string]uint32{}
	for i := range 100 {
		former[fmt.Sprint(i)] = 1
	}
	if got := changedPaths(archiveOf(former), archiveOf(nil)); len(got) != 100 {
		t.Errorf("%d paths, want 100", len(got))
	}
	former["100"] = 1
	if got := changedPaths(archiveOf(former), archiveOf(nil)); !slices.Equal(got, []string{"/*"}) {
		t.Errorf("%d paths, want /* alone", len(got))
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

// cutOff is a fake of S3 that cuts the bodies of its first answers off.
type cutOff struct {
	objects
	times   int
	content string
	gets    int
}

func (c *cutOff) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	c.gets++
	var body io.Reader = strings.NewReader(c.content)
	if c.times > 0 {
		c.times--
		body = io.MultiReader(strings.NewReader("something else, and longer"), brokenReader{})
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(body)}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHandler_download_retries_an_interrupted_download(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h := &handler{objects: &cutOff{times: 2, content: "whole"}}
	file, err := h.download(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "website.zip"})
	if err != nil {
		t.Fatal(err)
	}
	defer removeTemp(t.Context(), file)
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != "whole" {
		t.Errorf("got %q, %v, want whole", got, err)
	}
}

func TestHandler_download_fails_after_five_interrupted_downloads(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	synctest.Test(t, func(t *testing.T) {
		objects := &cutOff{times: 6}
		_, err := (&handler{objects: objects}).download(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "website.zip"})
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "get assets/website.zip: ") || objects.gets != 5 {
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

func (d *denied) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	d.gets++
	return nil, &smithy.GenericAPIError{Code: "AccessDenied"}
}

// The SDK has retried what can be retried.
func TestHandler_download_does_not_retry_an_error_of_S3(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	objects := &denied{}
	_, err := (&handler{objects: objects}).download(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "website.zip"})
	if !awsclient.Is(err, "AccessDenied") || objects.gets != 1 {
		t.Errorf("error %v after %d requests, want AccessDenied after 1", err, objects.gets)
	}
}

// TestHandler_pathsToInvalidate_is_all_paths_without_previous_content: its bucket is another, which
// is not read, or no archive is in it.
func TestHandler_pathsToInvalidate_is_all_paths_without_previous_content(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, test := range map[string]struct {
		assetBucket string
		objects     objects // a call to none would panic
	}{
		"another bucket": {"others", nil},
		"no archive":     {"assets", &cutOff{content: "no archive"}},
	} {
		h := &handler{objects: test.objects}
		paths, err := h.pathsToInvalidate(t.Context(), cfn.Event{RequestType: cfn.RequestUpdate, OldResourceProperties: map[string]any{
			"BucketName": "website", "DistributionID": "E1", "AssetBucket": test.assetBucket, "AssetKey": "former.zip",
		}}, contract.Properties{AssetBucket: "assets"}, archiveOf(nil))
		if err != nil || !slices.Equal(paths, []string{"/*"}) {
			t.Errorf("%s: %q, %v, want /*", name, paths, err)
		}
	}
}

// endless is S3 with an object of zeros without end.
type endless struct {
	objects
	gets int
}

func (e *endless) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	e.gets++
	return &s3.GetObjectOutput{Body: io.NopCloser(zeros{})}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestHandler_download_rejects_a_large_archive_without_retry(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	objects := &endless{}
	_, err := (&handler{objects: objects}).download(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "website.zip"})
	if err == nil || !strings.HasSuffix(err.Error(), "larger than 209715200 bytes") || objects.gets != 1 {
		t.Errorf("error %v after %d attempts", err, objects.gets)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// expired is S3 that has deleted an object since it was listed.
type expired struct{ objects }

func (expired) GetObjectTagging(context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options)) (*s3.GetObjectTaggingOutput, error) {
	return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
}

func TestHandler_supersede_ignores_an_expired_file(t *testing.T) {
	if err := (&handler{objects: expired{}}).supersede(t.Context(), "website", "assets/a.js"); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_deletes_temporary_files(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := &handler{objects: &cutOff{content: "no archive"}}
	_, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{
		"BucketName": "website", "DistributionID": "E1", "AssetBucket": "assets", "AssetKey": "website.zip",
	}})
	if err == nil || !strings.Contains(err.Error(), "content of the website: zip: not a valid zip file") {
		t.Errorf("error %v", err)
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

func (f *failingInvalidation) CreateInvalidation(context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.CreateInvalidationOutput, error) {
	f.creates++
	return nil, f.err
}

func TestHandler_invalidate_retries_only_while_too_many_invalidations_are_in_progress(t *testing.T) {
	for code, retried := range map[string]bool{"TooManyInvalidationsInProgress": true, "AccessDenied": false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
			defer cancel()
			fake := &failingInvalidation{err: &smithy.GenericAPIError{Code: code}}
			began := time.Now()
			err := (&handler{invalidations: fake}).invalidate(ctx, "E1", "request", []string{"/a", "/b"})
			if !awsclient.Is(err, code) || !strings.HasPrefix(err.Error(), "invalidate 2 paths of E1: ") {
				t.Errorf("error %v, want %s", err, code)
			}
			// Intervals of 10 s, random by half, until the deadline.
			if took := time.Since(began); retried && (fake.creates < 50 || took < 13*time.Minute) || !retried && fake.creates != 1 {
				t.Errorf("%s: %d requests in %s, want retries: %t", code, fake.creates, took, retried)
			}
		})
	}
}

// slowInvalidation is CloudFront with an invalidation that never ends.
type slowInvalidation struct {
	polls   int
	pollErr error
}

func (e *slowInvalidation) CreateInvalidation(context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.CreateInvalidationOutput, error) {
	return &cloudfront.CreateInvalidationOutput{Invalidation: &types.Invalidation{Id: aws.String("I1"), Status: aws.String("InProgress")}}, nil
}

func (e *slowInvalidation) GetInvalidation(context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.GetInvalidationOutput, error) {
	e.polls++
	return &cloudfront.GetInvalidationOutput{Invalidation: &types.Invalidation{Id: aws.String("I1"), Status: aws.String("InProgress")}}, e.pollErr
}

// TestHandler_invalidate_succeeds_when_the_invalidation_is_slow: to fail would have CloudFormation
// roll back, for which CloudFront would have to forget once more.
func TestHandler_invalidate_succeeds_when_the_invalidation_is_slow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := (&handler{invalidations: &slowInvalidation{}}).invalidate(t.Context(), "E1", "request", allPaths); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("it was waited for %s, want 10m0s", took)
		}
	})
}

func TestHandler_invalidate_succeeds_when_polling_fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		invalidation := &slowInvalidation{pollErr: &smithy.GenericAPIError{Code: "Throttling"}}
		if err := (&handler{invalidations: invalidation}).invalidate(t.Context(), "E1", "request", allPaths); err != nil {
			t.Error(err)
		}
		if invalidation.polls != 1 {
			t.Errorf("%d polls, want 1: the SDK retries", invalidation.polls)
		}
	})
}

func TestHandler_Handle_requires_all_properties(t *testing.T) {
	for _, missing := range []string{"BucketName", "DistributionID", "AssetBucket", "AssetKey"} {
		from := map[string]any{"BucketName": "a", "DistributionID": "b", "AssetBucket": "c", "AssetKey": "d", "ServiceTimeout": "960"}
		delete(from, missing)
		h := &handler{} // a call would panic
		_, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: from})
		if want := missing + " is required"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
