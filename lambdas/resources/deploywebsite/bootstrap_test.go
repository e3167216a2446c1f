package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const (
	websiteBucket = "dev-website-websitebucket-0123456789ab"
	assets        = "cdk-hnb659fds-assets-111111111111-eu-central-1"
	distribution  = "E1EXAMPLE"
)

// zipped returns a website, zipped like by the CDK.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file, err := writer.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// Two versions of a website. Files with the prefix assets/ have a new name if their content
// changed.
var (
	first = map[string]string{
		"index.html":               `<script src="/assets/app-1.js"></script>`,
		"assets/app-1.js":          "first()",
		"assets/unchanged.css":     "body{}",
		"robots.txt":               "User-agent: *",
		"favicon.svg":              "<svg/>",
		"images/a b+(ü).png":       "png",
		".well-known/assetlinks":   "[]",
		"old/removed file.txt":     "removed",
		"docs/index.html":          "docs",
		"site.webmanifest":         "{}",
		"assets/Font.WOFF2":        "font",
		"assets/deep/er/blob.data": "blob",
	}
	second = func() map[string]string {
		files := maps.Clone(first)
		delete(files, "assets/app-1.js")
		delete(files, "old/removed file.txt")
		files["index.html"] = `<script src="/assets/app-2.js"></script>`
		files["assets/app-2.js"] = "second()"
		files["images/a b+(ü).png"] = "another png"
		files["new.txt"] = "new"
		return files
	}()
)

// A deployment is the built function with fakes of the services that it calls.
type deployment struct {
	fn             *lambdatest.Function
	server         *s3test.Server
	cloudFront     *awstest.CloudFront
	cloudFormation *awstest.CloudFormation
	requests       int
}

func start(t *testing.T, bootstrap string) *deployment {
	d := &deployment{
		server:         s3test.Start(t),
		cloudFront:     awstest.StartCloudFront(t, distribution),
		cloudFormation: awstest.StartCloudFormation(t),
	}
	d.fn = lambdatest.New(t, bootstrap, map[string]string{
		"AWS_ENDPOINT_URL_S3":         d.server.URL,
		"AWS_ENDPOINT_URL_CLOUDFRONT": d.cloudFront.URL,
		"TMPDIR":                      t.TempDir(),
	})
	d.server.Bucket(t, assets)
	d.bucket(t, websiteBucket)
	d.asset(t, "first.zip", zipped(t, first))
	d.asset(t, "second.zip", zipped(t, second))
	return d
}

// bucket creates a bucket with the settings of the construct.
func (d *deployment) bucket(t *testing.T, name string) {
	t.Helper()
	d.server.Bucket(t, name)
	if _, err := d.server.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name,
		VersioningConfiguration: &types.VersioningConfiguration{
			Status: types.BucketVersioningStatusEnabled,
		},
	}); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) asset(t *testing.T, key string, content []byte) {
	t.Helper()
	input := &s3.PutObjectInput{
		Bucket: aws.String(assets), Key: &key, Body: bytes.NewReader(content),
	}
	if _, err := d.server.Client.PutObject(t.Context(), input); err != nil {
		t.Fatal(err)
	}
}

// An event holds the fields in which CloudFormation's events differ.
type event struct {
	requestType string
	from, to    string // keys of the assets
	bucket      string // default: websiteBucket
	redelivered bool   // has the request id of the previous event
}

func (d *deployment) send(t *testing.T, e event) awstest.CustomResourceResponse {
	t.Helper()
	if e.bucket == "" {
		e.bucket = websiteBucket
	}
	if !e.redelivered {
		d.requests++
	}
	body := d.cloudFormation.Event(t, "testdata/"+strings.ToLower(e.requestType)+".json")
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	fields["RequestId"] = "request-" + string(rune('a'+d.requests))
	properties := fields["ResourceProperties"].(map[string]any)
	properties["BucketName"], properties["AssetKey"] = e.bucket, e.to
	if old, ok := fields["OldResourceProperties"].(map[string]any); ok {
		old["AssetKey"] = e.from
	}
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.fn.Invoke(t.Context(), body, time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, d.fn.Logs())
	}
	return d.cloudFormation.Response(t)
}

// succeeds sends the event and requires a successful response for the bucket.
func (d *deployment) succeeds(t *testing.T, e event) {
	t.Helper()
	want := websiteBucket
	if e.bucket != "" {
		want = e.bucket
	}
	if got := d.send(t, e); got.Status != "SUCCESS" || got.PhysicalResourceID != want {
		t.Fatalf("response %+v, want SUCCESS for %s\n%s", got, want, d.fn.Logs())
	}
}

// fails sends the event and requires a failure with the reason.
func (d *deployment) fails(t *testing.T, e event, reason string) {
	t.Helper()
	got := d.send(t, e)
	if got.Status != "FAILED" || !strings.Contains(got.Reason, reason) ||
		got.PhysicalResourceID != websiteBucket {
		t.Fatalf("response %+v, want FAILED with %s", got, reason)
	}
}

// An object is a file of the deployed website, with the metadata for browsers and lifecycle rules.
type object struct{ Content, ContentType, CacheControl, Tags string }

func (d *deployment) object(t *testing.T, bucket, key string) object {
	t.Helper()
	input := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	found, err := d.server.Client.GetObject(t.Context(), input)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer found.Body.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(found.Body); err != nil {
		t.Fatal(err)
	}
	tags := ""
	if aws.ToInt32(found.TagCount) > 0 {
		input := &s3.GetObjectTaggingInput{Bucket: &bucket, Key: &key}
		tagging, err := d.server.Client.GetObjectTagging(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tagging.TagSet {
			tags += *tag.Key + "=" + *tag.Value
		}
	}
	return object{
		content.String(), aws.ToString(found.ContentType), aws.ToString(found.CacheControl), tags,
	}
}

// contains checks that the bucket contains exactly the files and the superseded hashed files.
func (d *deployment) contains(
	t *testing.T, bucket string, files map[string]string, superseded ...string,
) {
	t.Helper()
	want := slices.Concat(slices.Collect(maps.Keys(files)), superseded)
	slices.Sort(want)
	if diff := cmp.Diff(want, d.server.Keys(t, bucket)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for name, content := range files {
		if got := d.object(t, bucket, name); got.Content != content || got.Tags != "" {
			t.Errorf("%s: %+v, want %q without tags", name, got, content)
		}
	}
	for _, name := range superseded {
		got := d.object(t, bucket, name)
		if got.Tags != "superseded=true" || got.ContentType != contentType(name) ||
			got.CacheControl != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %+v, want it tagged and otherwise unchanged", name, got)
		}
	}
}

// invalidated checks the number of all invalidations and the paths of the last one.
func (d *deployment) invalidated(t *testing.T, number int, paths ...string) {
	t.Helper()
	all := d.cloudFront.Invalidations(distribution)
	if len(all) != number {
		t.Fatalf("%d invalidations, want %d", len(all), number)
	}
	if diff := cmp.Diff(paths, all[number-1].Paths); diff != "" {
		t.Errorf("invalidated (-want +got):\n%s", diff)
	}
}

func TestBootstrap(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	t.Run("lifecycle", func(t *testing.T) { testLifecycle(t, bootstrap) })
	t.Run("faults", func(t *testing.T) { testFaults(t, bootstrap) })
}

// testLifecycle creates, updates, rolls back and deletes a website with the built function.
func testLifecycle(t *testing.T, bootstrap string) {
	d := start(t, bootstrap)
	changed := []string{"/", "/images/a%20b+(%C3%BC).png", "/index.html", "/old/removed%20file.txt"}

	t.Run("create uploads all files", func(t *testing.T) {
		d.succeeds(t, event{requestType: "Create", to: "first.zip"})
		d.contains(t, websiteBucket, first)
		d.invalidated(t, 1, "/*")
		for name, want := range map[string]object{
			"index.html": {
				first["index.html"], "text/html; charset=utf-8",
				"public, max-age=0, s-maxage=60, must-revalidate", "",
			},
			"assets/Font.WOFF2": {
				"font", "font/woff2", "public, max-age=31536000, immutable", "",
			},
			".well-known/assetlinks": {
				"[]", "application/json",
				"public, max-age=0, s-maxage=31536000, must-revalidate", "",
			},
		} {
			if diff := cmp.Diff(want, d.object(t, websiteBucket, name)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
	t.Run("the page is uploaded after all other files", func(t *testing.T) {
		var order []string
		for _, call := range d.server.Calls() {
			key, ok := strings.CutPrefix(call.Resource, "arn:aws:s3:::"+websiteBucket+"/")
			if !ok || call.Action != "s3:PutObject" {
				continue
			}
			switch {
			case strings.HasPrefix(key, "assets/"):
				order = append(order, "hashed")
			case key == "index.html":
				order = append(order, "page")
			default:
				order = append(order, "other")
			}
		}
		want := []string{"hashed", "other", "page"}
		if diff := cmp.Diff(want, slices.Compact(order)); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
	t.Run("an update invalidates changed files and waits", func(t *testing.T) {
		d.cloudFront.SetPollsUntilCompleted(3)
		defer d.cloudFront.SetPollsUntilCompleted(0)
		d.succeeds(t, event{requestType: "Update", from: "first.zip", to: "second.zip"})
		d.contains(t, websiteBucket, second, "assets/app-1.js")
		d.invalidated(t, 2, changed...)
		polls := 0
		for _, call := range d.cloudFront.Calls() {
			if call.Action == "cloudfront:GetInvalidation" {
				polls++
			}
		}
		if polls != 3 {
			t.Errorf("%d polls of the invalidation, want 3", polls)
		}
	})
	t.Run("a redelivered event changes nothing", func(t *testing.T) {
		const superseded = "assets/app-1.js"
		before := d.object(t, websiteBucket, superseded)
		copies := copiesOf(d.server.Calls(), superseded)
		d.succeeds(t, event{
			requestType: "Update", from: "first.zip", to: "second.zip", redelivered: true,
		})
		d.contains(t, websiteBucket, second, superseded)
		d.invalidated(t, 2, changed...)
		now := copiesOf(d.server.Calls(), superseded)
		if now != copies || d.object(t, websiteBucket, superseded) != before {
			t.Errorf("%d more copies of the superseded file, so it expires later", now-copies)
		}
	})
	t.Run("a rollback restores superseded files", func(t *testing.T) {
		d.succeeds(t, event{requestType: "Update", from: "second.zip", to: "first.zip"})
		d.contains(t, websiteBucket, first, "assets/app-2.js")
		d.invalidated(t, 3, "/", "/images/a%20b+(%C3%BC).png", "/index.html", "/new.txt")
	})
	t.Run("an update without changes invalidates nothing", func(t *testing.T) {
		d.asset(t, "first again.zip", zipped(t, first))
		d.succeeds(t, event{requestType: "Update", from: "first.zip", to: "first again.zip"})
		d.invalidated(t, 3, "/", "/images/a%20b+(%C3%BC).png", "/index.html", "/new.txt")
	})
	t.Run("without the previous content, all paths are invalidated", func(t *testing.T) {
		d.succeeds(t, event{requestType: "Update", from: "deleted.zip", to: "second.zip"})
		d.contains(t, websiteBucket, second, "assets/app-1.js")
		d.invalidated(t, 4, "/*")
	})
	t.Run("without previous properties, all paths are invalidated", func(t *testing.T) {
		d.succeeds(t, event{requestType: "Update", from: "", to: "second.zip"})
		d.invalidated(t, 5, "/*")
	})
	t.Run("a new bucket gets all files", func(t *testing.T) {
		const replacement = "dev-website-websitebucket-ba9876543210"
		d.bucket(t, replacement)
		d.succeeds(t, event{
			requestType: "Update", from: "second.zip", to: "second.zip", bucket: replacement,
		})
		d.contains(t, replacement, second)
	})
	t.Run("a deletion changes nothing", func(t *testing.T) {
		calls := len(d.server.Calls()) + len(d.cloudFront.Calls())
		d.succeeds(t, event{requestType: "Delete", to: "second.zip"})
		if now := len(d.server.Calls()) + len(d.cloudFront.Calls()); now != calls {
			t.Errorf("%d calls, want none", now-calls)
		}
	})

	awstest.CheckActions(t, "calls.txt", slices.Concat(d.server.Calls(), d.cloudFront.Calls()))
}

// copiesOf counts how often an object was copied onto itself.
func copiesOf(calls []awstest.Call, key string) (copies int) {
	for i, call := range calls {
		if i > 0 && call.Action == "s3:PutObject" && strings.HasSuffix(call.Resource, "/"+key) &&
			calls[i-1].Resource == call.Resource {
			copies++
		}
	}
	return copies
}

// testFaults injects faults of S3 and CloudFront during a deployment, and deploys invalid content.
func testFaults(t *testing.T, bootstrap string) {
	update := event{requestType: "Update", from: "first.zip", to: "second.zip"}
	deployed := func(t *testing.T) *deployment {
		d := start(t, bootstrap)
		d.succeeds(t, event{requestType: "Create", to: "first.zip"})
		return d
	}

	t.Run("temporary failures of S3 are retried", func(t *testing.T) {
		d := deployed(t)
		reset := func() awstest.Fault { panic(http.ErrAbortHandler) } // resets the connection
		failures := map[string]func() awstest.Fault{
			"s3:GetObject": func() awstest.Fault {
				return awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
			},
			"s3:PutObject": func() awstest.Fault {
				return awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
			},
			"s3:ListBucket":   reset,
			"s3:DeleteObject": reset,
		}
		gate := make(chan struct{}, 1) // calls are concurrent
		gate <- struct{}{}
		d.server.Intercept(func(call awstest.Call) awstest.Fault {
			<-gate
			fail := failures[call.Action]
			delete(failures, call.Action)
			gate <- struct{}{}
			if fail == nil {
				return awstest.Fault{}
			}
			return fail()
		})
		d.succeeds(t, update)
		d.contains(t, websiteBucket, second, "assets/app-1.js")
		if len(failures) > 0 {
			t.Errorf("not called: %v", slices.Collect(maps.Keys(failures)))
		}
	})
	t.Run("after an error of S3, the rollback restores the previous website", func(t *testing.T) {
		d := deployed(t)
		d.server.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action == "s3:PutObject" && strings.HasSuffix(call.Resource, "/new.txt") {
				return awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return awstest.Fault{}
		})
		d.fails(t, update, "put new.txt: operation error S3: PutObject")
		if page := d.object(t, websiteBucket, "index.html").Content; page != first["index.html"] {
			t.Errorf("the page is %q, want the previous one", page)
		}
		d.object(t, websiteBucket, "assets/app-1.js") // the page requests it
		d.server.Intercept(nil)
		d.succeeds(t, event{requestType: "Update", from: "second.zip", to: "first.zip"})
		d.contains(t, websiteBucket, first, "assets/app-2.js")
	})
	t.Run("too many invalidations in progress are retried", func(t *testing.T) {
		d := deployed(t)
		d.cloudFront.SetThrottledRequests(1)
		d.succeeds(t, update)
		d.invalidated(t, 2,
			"/", "/images/a%20b+(%C3%BC).png", "/index.html", "/old/removed%20file.txt")
	})
	t.Run("an error of CloudFront fails the deployment and is reported", func(t *testing.T) {
		d := deployed(t)
		d.cloudFront.SetFault(awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"})
		d.fails(t, update, "invalidate 4 paths of "+distribution)
	})

	corrupt := zipped(t, second)
	corrupt[bytes.Index(corrupt, []byte("index.html"))+len("index.html")+2] ^= 0xff
	withoutPage := zipped(t, map[string]string{"readme.txt": "no page"})
	traversal := zipped(t, map[string]string{"index.html": "", "../other/index.html": ""})
	for name, test := range map[string]struct {
		content []byte
		reason  string
	}{
		"missing content":        {nil, "NoSuchKey"},
		"corrupt content":        {corrupt, "index.html: "},
		"truncated content":      {zipped(t, second)[:200], "zip: not a valid zip file"},
		"content without a page": {withoutPage, "index.html is missing"},
		"content with path traversal": {
			traversal, `"../other/index.html" is not a valid path of a website`,
		},
	} {
		t.Run(name+" changes nothing", func(t *testing.T) {
			d := deployed(t)
			if test.content != nil {
				d.asset(t, "bad.zip", test.content)
			}
			d.fails(t, event{requestType: "Update", from: "first.zip", to: "bad.zip"}, test.reason)
			d.contains(t, websiteBucket, first)
			d.invalidated(t, 1, "/*")
		})
	}
}
