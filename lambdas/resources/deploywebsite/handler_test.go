package main

import (
	"archive/zip"
	"context"
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

	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// written is an archive whose files have what spoil makes of their headers.
func written(t *testing.T, names []string, spoil func(*zip.FileHeader)) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "site.zip"))
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

func TestOnlyAPlainSiteIsTaken(t *testing.T) {
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
			if _, err := newArchive(written(t, test.names, test.spoil)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestAnArchivesFoldersAreNoFiles(t *testing.T) {
	a, err := newArchive(written(t, []string{"assets/", "index.html"}, func(h *zip.FileHeader) {
		if strings.HasSuffix(h.Name, "/") {
			h.SetMode(fs.ModeDir | 0o755)
		}
	}))
	if err != nil || len(a.files) != 1 {
		t.Errorf("%v, %v, want index.html alone", a, err)
	}
}

// TestAFileThatIsLargerThanItSaysIsRefused: a bomb says that it is small.
func TestAFileThatIsLargerThanItSaysIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "site.zip")
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

// of is an archive of files with these checksums.
func of(checksums map[string]uint32) *archive {
	a := &archive{files: map[string]*zip.File{}}
	for name, checksum := range checksums {
		a.files[name] = &zip.File{FileHeader: zip.FileHeader{CRC32: checksum}}
	}
	return a
}

func TestJustWhatHasChangedIsForgotten(t *testing.T) {
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
		if diff := cmp.Diff(test.want, changes(of(test.former), of(test.content))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	grown := of(map[string]uint32{"a": 1})
	grown.files["a"].UncompressedSize64 = 1
	if got := changes(of(map[string]uint32{"a": 1}), grown); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("a file of another size: %q, want /a", got)
	}
}

func TestAboveAHundredPathsEverythingIsForgotten(t *testing.T) {
	former := map[string]uint32{}
	for i := range 100 {
		former[fmt.Sprint(i)] = 1
	}
	if got := changes(of(former), of(nil)); len(got) != 100 {
		t.Errorf("%d paths, want 100", len(got))
	}
	former["100"] = 1
	if got := changes(of(former), of(nil)); !slices.Equal(got, []string{"/*"}) {
		t.Errorf("%d paths, want /* alone", len(got))
	}
}

func TestPathsAreEncodedAsCloudFrontHasThem(t *testing.T) {
	for name, want := range map[string]string{
		"a/b-c_d.e":     "/a/b-c_d.e",
		"a b.png":       "/a%20b.png",
		"ü.png":         "/%C3%BC.png",
		"(1)+2,3;4=5&6": "/(1)+2,3;4=5&6",
		"a~b#c?d%20e":   "/a%7Eb%23c%3Fd%2520e",
		"[a]{b}|^`\"<>": "/%5Ba%5D%7Bb%7D%7C%5E%60%22%3C%3E",
		"@$!'.:":        "/@$!'.:",
	} {
		if got := pathOf(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestContentTypes(t *testing.T) {
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

// cutOff is S3 that breaks the body of an answer off, so many times.
type cutOff struct {
	objects
	times   int
	content string
}

func (c *cutOff) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	var body io.Reader = strings.NewReader(c.content)
	if c.times > 0 {
		c.times--
		body = io.MultiReader(strings.NewReader("something else, and longer"), brokenReader{})
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(body)}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnAnswerThatIsCutOffIsAskedForAgain(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h := &handler{objects: &cutOff{times: 2, content: "whole"}}
	file, err := h.fetch(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "site.zip"})
	if err != nil {
		t.Fatal(err)
	}
	defer forget(t.Context(), file)
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != "whole" {
		t.Errorf("got %q, %v, want whole", got, err)
	}
}

// TestWhatWasNobodyKnowsIsAllForgotten: its bucket is another, which is not read, or no archive is in it.
func TestWhatWasNobodyKnowsIsAllForgotten(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, test := range map[string]struct {
		assetBucket string
		objects     objects // a call to none would panic
	}{
		"another bucket": {"others", nil},
		"no archive":     {"assets", &cutOff{content: "no archive"}},
	} {
		h := &handler{objects: test.objects}
		paths, err := h.changed(t.Context(), cfn.Event{RequestType: cfn.RequestUpdate, OldResourceProperties: map[string]any{
			"BucketName": "site", "DistributionID": "E1", "AssetBucket": test.assetBucket, "AssetKey": "former.zip",
		}}, contract.Properties{AssetBucket: "assets"}, of(nil))
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

func TestAnArchiveThatIsTooLargeIsRefusedOnce(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	objects := &endless{}
	_, err := (&handler{objects: objects}).fetch(t.Context(), contract.Properties{AssetBucket: "assets", AssetKey: "site.zip"})
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

func TestAHashedFileThatExpiresMeanwhileIsNoFailure(t *testing.T) {
	if err := (&handler{objects: expired{}}).supersede(t.Context(), "site", "assets/a.js"); err != nil {
		t.Error(err)
	}
}

func TestADeploymentLeavesNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := &handler{objects: &cutOff{content: "no archive"}}
	_, _, err := h.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{
		"BucketName": "site", "DistributionID": "E1", "AssetBucket": "assets", "AssetKey": "site.zip",
	}})
	if err == nil || !strings.Contains(err.Error(), "content of the site: zip: not a valid zip file") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// slowEdges is CloudFront with an invalidation that never ends.
type slowEdges struct {
	looks   int
	lookErr error
}

func (e *slowEdges) CreateInvalidation(context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.CreateInvalidationOutput, error) {
	return &cloudfront.CreateInvalidationOutput{Invalidation: &types.Invalidation{Id: aws.String("I1"), Status: aws.String("InProgress")}}, nil
}

func (e *slowEdges) GetInvalidation(context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.GetInvalidationOutput, error) {
	e.looks++
	return &cloudfront.GetInvalidationOutput{Invalidation: &types.Invalidation{Id: aws.String("I1"), Status: aws.String("InProgress")}}, e.lookErr
}

// TestAnInvalidationThatIsSlowTakesNothingBack: to fail would have CloudFormation roll back, for which CloudFront would
// have to forget once more.
func TestAnInvalidationThatIsSlowTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := (&handler{edges: &slowEdges{}}).invalidate(t.Context(), "E1", "request", everything); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("it was waited for %s, want 10m0s", took)
		}
	})
}

func TestALookAtAnInvalidationThatFailsTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &slowEdges{lookErr: &smithy.GenericAPIError{Code: "Throttling"}}
		if err := (&handler{edges: edges}).invalidate(t.Context(), "E1", "request", everything); err != nil {
			t.Error(err)
		}
		if edges.looks != 1 {
			t.Errorf("%d looks, want 1: the SDK has tried again", edges.looks)
		}
	})
}

func TestPropertiesAreAllRequired(t *testing.T) {
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
