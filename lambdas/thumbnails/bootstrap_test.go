package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/internal/testing/sqstest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const (
	topicARN = "arn:aws:sns:eu-central-1:111111111111:ThumbnailEvents"
	queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadLetters"

	// timeout is the function's timeout, as deployed.
	timeout = time.Minute

	// Keys of the originals in testdata.
	keyOfUpload    = "temp/0123456789abcdef0123456789abcdef/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	keyOfPermanent = "permanent/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	keyOfPrivate   = "private/eu-central-1:00000000-0000-4000-8000-00000000aaaa/my cat+dog ü.jpg"
)

// A platform is the built function with fakes of the services that it calls.
type platform struct {
	server      *s3test.Server
	topic       *awstest.SNS
	queue       *awstest.SQS
	bootstrap   string
	environment map[string]string
	fn          *lambdatest.Function
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{
		server: s3test.Start(t),
		topic:  awstest.StartSNS(t, topicARN),
		queue:  awstest.StartSQS(t, queueURL),
	}
	p.server.Bucket(t, "originals")
	p.server.Bucket(t, "thumbnails")
	var err error
	p.environment, err = lambdaenv.Encode(contract.Settings{
		ThumbnailBucket: "thumbnails", TopicARN: topicARN, DeadLetterQueueURL: queueURL,
		Widths: pictures.Widths, MaxBytes: pictures.MaxBytes, MaxPixels: pictures.MaxPixels,
		TempPrefix: "temp/", PermanentPrefix: "permanent/",
		ProtectedPrefix: "protected/", PrivatePrefix: "private/",
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, map[string]string{
		"AWS_ENDPOINT_URL_S3":  p.server.URL,
		"AWS_ENDPOINT_URL_SNS": p.topic.URL,
		"AWS_ENDPOINT_URL_SQS": p.queue.URL,
	})
	p.bootstrap = lambdatest.Build(t, contract.Package)
	p.fn = p.newFunction(t)
	return p
}

// newFunction returns another instance of the function, besides p.fn.
func (p *platform) newFunction(t *testing.T) *lambdatest.Function {
	t.Helper()
	return lambdatest.New(t, p.bootstrap, p.environment)
}

// put creates an original without an event notification, and without a checksum, like a browser.
func (p *platform) put(t *testing.T, key string, content []byte) {
	t.Helper()
	if _, err := p.server.Client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("originals"), Key: &key, Body: bytes.NewReader(content),
	}, func(options *s3.Options) {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}); err != nil {
		t.Fatal(err)
	}
}

// remove deletes an original without an event notification.
func (p *platform) remove(t *testing.T, key string) {
	t.Helper()
	input := &s3.DeleteObjectInput{Bucket: aws.String("originals"), Key: &key}
	if _, err := p.server.Client.DeleteObject(t.Context(), input); err != nil {
		t.Fatal(err)
	}
}

// A thumbnail is the response to a browser.
type thumbnail struct {
	contentType, cacheControl string
	content                   []byte
	image                     image.Image
}

// thumbnail returns an original's thumbnail of the width.
func (p *platform) thumbnail(t *testing.T, key string, width int) thumbnail {
	t.Helper()
	object, err := p.server.Client.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("thumbnails"), Key: aws.String(fmt.Sprintf("%s/%d.jpg", key, width)),
	})
	if err != nil {
		t.Fatalf("%s at %d: %v", key, width, err)
	}
	content, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s at %d: %v", key, width, err)
	}
	contentType, cacheControl := aws.ToString(object.ContentType), aws.ToString(object.CacheControl)
	return thumbnail{contentType, cacheControl, content, img}
}

// has checks that an original has thumbnails of one colour, or none if want is nil.
func (p *platform) has(t *testing.T, key string, want *color.RGBA) {
	t.Helper()
	keys := p.keys(t, key)
	if want == nil {
		if len(keys) > 0 {
			t.Errorf("%s has %q, want no thumbnails", key, keys)
		}
		return
	}
	if len(keys) != len(pictures.Widths) {
		t.Fatalf("%s has %q, want a thumbnail of each width", key, keys)
	}
	for _, width := range pictures.Widths {
		if img := p.thumbnail(t, key, width).image; !near(img, 0.5, 0.5, *want) {
			t.Errorf("%s at %d is %v, want %v", key, width, img.At(0, 0), *want)
		}
	}
}

// keys returns the keys of an original's thumbnails.
func (p *platform) keys(t *testing.T, key string) []string {
	t.Helper()
	ofOther := func(found string) bool { return filepath.Dir(found) != key }
	return slices.DeleteFunc(p.server.Keys(t, "thumbnails"), ofOther)
}

// send invokes the function with a batch and returns the indexes of the messages to retry.
func (p *platform) send(
	t *testing.T, fn *lambdatest.Function, timeout time.Duration, bodies ...string,
) []int {
	t.Helper()
	failed, err := sqstest.Invoke(t.Context(), fn, sqstest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return failed
}

// succeeds sends a batch and requires that no message has to be retried.
func (p *platform) succeeds(t *testing.T, bodies ...string) {
	t.Helper()
	if failed := p.send(t, p.fn, timeout, bodies...); len(failed) > 0 {
		t.Fatalf("retry of messages %v of %d, want none\n%s", failed, len(bodies), p.fn.Logs())
	}
}

// changed returns the body of an event notification about the key. The kind of change does not
// matter.
func changed(t *testing.T, key string) string {
	t.Helper()
	escaped := strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") // as S3 does
	return strings.ReplaceAll(readEvent(t, "created.json").Records[0].Body, keyOfUpload, escaped)
}

func readEvent(t *testing.T, file string) events.SQSEvent {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(content, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// lastEvent returns the last event that was published, with the message attributes.
func (p *platform) lastEvent(t *testing.T) (contract.ThumbnailEvent, map[string]string) {
	t.Helper()
	messages := p.topic.Messages()
	if len(messages) == 0 {
		t.Fatal("no event was published")
	}
	last := messages[len(messages)-1]
	var event contract.ThumbnailEvent
	if err := json.Unmarshal([]byte(last.Message), &event); err != nil {
		t.Fatal(err)
	}
	return event, last.Attributes
}

var (
	red   = color.RGBA{200, 20, 20, 255}
	green = color.RGBA{20, 160, 20, 255}
	blue  = color.RGBA{20, 20, 200, 255}
)

// plain returns a picture of one colour.
func plain(t *testing.T, c color.RGBA) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range 40 * 30 {
		img.SetRGBA(i%40, i/40, c)
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, img, nil); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// near reports whether a picture has approximately the colour at a position, given as fractions of
// its sides.
func near(img image.Image, x, y float64, want color.RGBA) bool {
	size := img.Bounds().Size()
	r, g, b, _ := img.At(int(x*float64(size.X)), int(y*float64(size.Y))).RGBA()
	similar := func(got uint32, want uint8) bool {
		d := int(got>>8) - int(want)
		return max(d, -d) <= 45
	}
	return similar(r, want.R) && similar(g, want.G) && similar(b, want.B)
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)

	t.Run("an upload gets thumbnails, and an event is published", func(t *testing.T) {
		p.put(t, keyOfUpload, fixture(t, "baseline.jpg"))
		p.succeeds(t, readEvent(t, "created.json").Records[0].Body)
		for _, width := range pictures.Widths {
			got := p.thumbnail(t, keyOfUpload, width)
			if got.contentType != "image/jpeg" || got.cacheControl != "public, max-age=300" {
				t.Errorf("%d: Content-Type %q, Cache-Control %q",
					width, got.contentType, got.cacheControl)
			}
			want := image.Pt(min(width, 480), min(width, 480)*2/3)
			if size := got.image.Bounds().Size(); size != want {
				t.Errorf("%d: %v, want %v", width, size, want)
			}
		}
		event, attributes := p.lastEvent(t)
		want := contract.ThumbnailEvent{
			Key: keyOfUpload, ETag: event.ETag, Sequencer: "0055AED6DCD90281E5",
			Thumbnails: []contract.Thumbnail{
				{Key: keyOfUpload + "/320.jpg", Width: 320, Height: 213},
				{Key: keyOfUpload + "/640.jpg", Width: 480, Height: 320},
				{Key: keyOfUpload + "/1280.jpg", Width: 480, Height: 320},
				{Key: keyOfUpload + "/1920.jpg", Width: 480, Height: 320},
			},
		}
		diff := cmp.Diff(want, event)
		if diff != "" || len(event.ETag) != 32 || attributes["prefix"] != "temp" {
			t.Errorf("attributes %v, event (-want +got):\n%s", attributes, diff)
		}
	})
	t.Run("thumbnails of a promoted upload are cached for a day", func(t *testing.T) {
		p.put(t, keyOfPermanent, plain(t, red))
		p.succeeds(t, changed(t, keyOfPermanent))
		p.has(t, keyOfPermanent, &red)
		cached := p.thumbnail(t, keyOfPermanent, 320).cacheControl
		if cached != "public, max-age=86400" {
			t.Errorf("Cache-Control %q", cached)
		}
	})
	t.Run("thumbnails are deleted with their original", func(t *testing.T) {
		p.remove(t, keyOfPermanent)
		p.succeeds(t, readEvent(t, "removed.json").Records[0].Body)
		p.has(t, keyOfPermanent, nil)
		event, attributes := p.lastEvent(t)
		want := contract.ThumbnailEvent{
			Key: keyOfPermanent, Removed: true, Sequencer: "0055AED6DCD90281E6",
			Thumbnails: []contract.Thumbnail{},
		}
		if diff := cmp.Diff(want, event); diff != "" || attributes["prefix"] != "permanent" {
			t.Errorf("attributes %v, event (-want +got):\n%s", attributes, diff)
		}
		text := `{"key":"` + keyOfPermanent + `","removed":true,"sequencer":"0055AED6DCD90281E6",` +
			`"thumbnails":[]}`
		if got := p.topic.Messages()[len(p.topic.Messages())-1].Message; got != text {
			t.Errorf("message %s, want %s", got, text)
		}
	})
	t.Run("an original without one of the prefixes has other in its event", func(t *testing.T) {
		for _, key := range []string{"elsewhere/a", "template"} {
			p.put(t, key, plain(t, red))
			p.succeeds(t, changed(t, key))
			if event, attributes := p.lastEvent(t); attributes["prefix"] != "other" {
				t.Errorf("event %+v with %v, want other", event, attributes)
			}
		}
	})
	t.Run("uploads of signed-in clients get thumbnails", func(t *testing.T) {
		p.put(t, keyOfPrivate, plain(t, green))
		p.succeeds(t, readEvent(t, "private.json").Records[0].Body)
		p.has(t, keyOfPrivate, &green)
		cached := p.thumbnail(t, keyOfPrivate, 320).cacheControl
		if cached != "private, max-age=300" {
			t.Errorf("Cache-Control %q", cached)
		}
		event, attributes := p.lastEvent(t)
		if event.Key != keyOfPrivate || event.Removed || attributes["prefix"] != "private" {
			t.Errorf("event %+v with %v", event, attributes)
		}
	})
	t.Run("S3's test event is accepted", func(t *testing.T) {
		calls := func() int {
			return len(p.server.Calls()) + len(p.topic.Calls()) + len(p.queue.Calls())
		}
		before := calls()
		p.succeeds(t, readEvent(t, "test.json").Records[0].Body)
		if after := calls(); after != before {
			t.Errorf("%d calls, want none", after-before)
		}
	})
	t.Run("a thumbnail gets no thumbnails", func(t *testing.T) {
		before := len(p.server.Calls())
		body := changed(t, "temp/a/320.jpg")
		p.succeeds(t, strings.ReplaceAll(body, `"originals"`, `"thumbnails"`))
		if after := len(p.server.Calls()); after != before {
			t.Errorf("%d calls to S3, want none", after-before)
		}
		p.deadLettered(t, "temp/a/320.jpg", "it is a thumbnail")
	})
	t.Run("redelivered and reordered events converge", func(t *testing.T) {
		p.put(t, "temp/order", plain(t, red))
		p.succeeds(t, changed(t, "temp/order"), changed(t, "temp/order"))
		p.remove(t, "temp/order")
		created := changed(t, "temp/order")
		removed := strings.ReplaceAll(created, "ObjectCreated:Post", "ObjectRemoved:Delete")
		p.succeeds(t, removed, created, removed)
		p.has(t, "temp/order", nil)
		p.put(t, "temp/order", plain(t, blue))
		p.succeeds(t, removed)
		p.has(t, "temp/order", &blue)
	})
	t.Run("all records of a message are processed", func(t *testing.T) {
		p.put(t, "temp/several 1", plain(t, red))
		p.put(t, "temp/several 2", plain(t, green))
		first, second := changed(t, "temp/several 1"), changed(t, "temp/several 2")
		first = strings.TrimSuffix(first, "]}")
		p.succeeds(t, first+","+strings.TrimPrefix(second, `{"Records":[`))
		p.has(t, "temp/several 1", &red)
		p.has(t, "temp/several 2", &green)
	})

	t.Run("an original is replaced between reading and writing", func(t *testing.T) {
		testReplacedMeanwhile(t, p)
	})
	t.Run("a slow function does not overwrite newer thumbnails", func(t *testing.T) {
		testOvertaken(t, p)
	})
	t.Run("pictures", func(t *testing.T) { testPictures(t, p) })
	t.Run("poison", func(t *testing.T) { testPoison(t, p) })
	t.Run("faults", func(t *testing.T) { testFaults(t, p) })
	t.Run("memory", func(t *testing.T) { testMemory(t, p) })

	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.fn.Logs())
	}
	for line := range strings.Lines(p.fn.Logs()) {
		if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
			t.Errorf("a log line is not JSON with one message: %s", line)
		}
	}
	if strings.Contains(p.fn.Logs(), "my cat") {
		t.Errorf("the log contains the name of a user's file:\n%s", p.fn.Logs())
	}
	calls := slices.Concat(p.server.Calls(), p.topic.Calls(), p.queue.Calls())
	awstest.CheckActions(t, "calls.txt", calls)
}

// once calls f at the first call of an action on a bucket, before the call is executed.
func (p *platform) once(t *testing.T, action, bucket string, f func()) {
	var once sync.Once
	p.server.Intercept(func(call awstest.Call) awstest.Fault {
		if call.Action == action && strings.HasPrefix(call.Resource, "arn:aws:s3:::"+bucket+"/") {
			once.Do(f)
		}
		return awstest.Fault{}
	})
	t.Cleanup(func() { p.server.Intercept(nil) })
}

func testReplacedMeanwhile(t *testing.T, p *platform) {
	t.Run("by another picture", func(t *testing.T) {
		p.put(t, "temp/replaced", plain(t, red))
		p.once(t, "s3:PutObject", "thumbnails", func() {
			p.put(t, "temp/replaced", plain(t, blue))
		})
		p.succeeds(t, changed(t, "temp/replaced"))
		p.has(t, "temp/replaced", &blue)
	})
	t.Run("by a deletion", func(t *testing.T) {
		p.put(t, "temp/deleted", plain(t, red))
		p.once(t, "s3:PutObject", "thumbnails", func() { p.remove(t, "temp/deleted") })
		p.succeeds(t, changed(t, "temp/deleted"))
		p.has(t, "temp/deleted", nil)
		if event, _ := p.lastEvent(t); !event.Removed {
			t.Errorf("event %+v, want Removed", event)
		}
	})
	t.Run("by a file that is not a picture", func(t *testing.T) {
		p.put(t, "temp/broken", plain(t, red))
		p.once(t, "s3:PutObject", "thumbnails", func() {
			p.put(t, "temp/broken", []byte("no picture"))
		})
		p.succeeds(t, changed(t, "temp/broken"))
		p.has(t, "temp/broken", nil)
		p.deadLettered(t, "temp/broken", "it is not a JPEG, PNG, GIF or WebP file")
	})
	t.Run("by a picture after an invalid file", func(t *testing.T) {
		letters := len(p.queue.Messages())
		p.put(t, "temp/fixed", []byte("no picture"))
		p.once(t, "s3:DeleteObject", "thumbnails", func() {
			p.put(t, "temp/fixed", plain(t, green))
		})
		p.succeeds(t, changed(t, "temp/fixed"))
		p.has(t, "temp/fixed", &green)
		if after := p.queue.Messages(); len(after) != letters {
			t.Errorf("dead letters %+v, want none", after[letters:])
		}
	})
	t.Run("at every read", func(t *testing.T) {
		p.put(t, "temp/changing", plain(t, red))
		var writes atomic.Int32
		p.server.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action == "s3:PutObject" {
				p.put(t, "temp/changing", append(plain(t, red), make([]byte, writes.Add(1))...))
			}
			return awstest.Fault{}
		})
		failed := p.send(t, p.fn, timeout, changed(t, "temp/changing"))
		if !slices.Equal(failed, []int{0}) {
			t.Errorf("retry of messages %v, want the one", failed)
		}
		p.server.Intercept(nil)
		p.succeeds(t, changed(t, "temp/changing"))
		p.has(t, "temp/changing", &red)
	})
}

// testOvertaken pauses one function before its first write, while another one processes the next
// version of the original.
func testOvertaken(t *testing.T, p *platform) {
	slow := p.newFunction(t)
	for _, next := range []*color.RGBA{&blue, nil} {
		p.put(t, "temp/overtaken", plain(t, red))
		paused, resume, ended := make(chan struct{}), make(chan struct{}), make(chan []int, 1)
		release := sync.OnceFunc(func() { close(resume) })
		t.Cleanup(release)
		p.once(t, "s3:PutObject", "thumbnails", func() {
			close(paused)
			<-resume
		})
		go func() { ended <- p.send(t, slow, timeout, changed(t, "temp/overtaken")) }()
		<-paused
		p.server.Intercept(nil)
		if p.remove(t, "temp/overtaken"); next != nil {
			p.put(t, "temp/overtaken", plain(t, *next))
		}
		p.succeeds(t, changed(t, "temp/overtaken"))
		p.has(t, "temp/overtaken", next)
		release()
		if failed := <-ended; len(failed) > 0 {
			t.Errorf("retry of messages %v, want none", failed)
		}
		p.has(t, "temp/overtaken", next)
	}
}

// deadLettered checks the key and the reason of the last dead letter.
func (p *platform) deadLettered(t *testing.T, key, reason string) {
	t.Helper()
	letters := p.queue.Messages()
	if len(letters) == 0 {
		t.Fatalf("%s: no dead letter", key)
	}
	last := letters[len(letters)-1]
	if last.Attributes["Key"] != key || !strings.Contains(last.Attributes["Reason"], reason) {
		t.Errorf("%s: dead letter %+v, want the reason %q", key, last.Attributes, reason)
	}
	p.has(t, key, nil)
}

func testFaults(t *testing.T, p *platform) {
	environment := maps.Clone(p.environment)
	environment["AWS_MAX_ATTEMPTS"] = "1" // the test does not wait for the SDK's retries
	withoutRetries := lambdatest.New(t, p.bootstrap, environment)
	wantRetry := func(t *testing.T, timeout time.Duration, want []int, bodies ...string) {
		t.Helper()
		if failed := p.send(t, withoutRetries, timeout, bodies...); !slices.Equal(failed, want) {
			t.Errorf("retry of messages %v, want %v\n%s", failed, want, withoutRetries.Logs())
		}
	}
	const (
		internalError = http.StatusInternalServerError
		unavailable   = http.StatusServiceUnavailable
		forbidden     = http.StatusForbidden
	)
	for name, test := range map[string]struct {
		fault   awstest.Fault
		timeout time.Duration
	}{
		"GetObject fails": {
			awstest.Fault{Status: internalError, Code: "InternalError", Action: "s3:GetObject"},
			timeout,
		},
		"GetObject is throttled": {
			awstest.Fault{Status: unavailable, Code: "SlowDown", Action: "s3:GetObject"},
			timeout,
		},
		"GetObject is denied": {
			awstest.Fault{Status: forbidden, Code: "AccessDenied", Action: "s3:GetObject"},
			timeout,
		},
		"GetObject is interrupted": {
			awstest.Fault{TruncateResponse: true, Action: "s3:GetObject"}, timeout,
		},
		"PutObject fails": {
			awstest.Fault{Status: internalError, Code: "InternalError", Action: "s3:PutObject"},
			timeout,
		},
		"GetObject has no response": {
			awstest.Fault{NoResponse: true, Action: "s3:GetObject"}, 2 * time.Second,
		},
		"PutObject has no response": {
			awstest.Fault{NoResponse: true, Action: "s3:PutObject"}, 2 * time.Second,
		},
		"S3 is unavailable": {
			awstest.Fault{Status: unavailable, Code: "ServiceUnavailable"}, timeout,
		},
		"PutObject is denied": {
			awstest.Fault{Status: forbidden, Code: "AccessDenied", Action: "s3:PutObject"},
			timeout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := "temp/fault " + name
			letters, events := len(p.queue.Messages()), len(p.topic.Messages())
			p.put(t, key, plain(t, red))
			p.server.SetFault(test.fault)
			wantRetry(t, test.timeout, []int{0}, changed(t, key))
			p.server.SetFault(awstest.Fault{})
			if len(p.queue.Messages()) != letters || len(p.topic.Messages()) != events {
				t.Errorf("dead letters %+v, events %+v, want none",
					p.queue.Messages()[letters:], p.topic.Messages()[events:])
			}
			p.succeeds(t, changed(t, key))
			p.has(t, key, &red)
		})
	}
	t.Run("DeleteObject fails", func(t *testing.T) {
		p.put(t, "temp/fault", plain(t, red))
		p.succeeds(t, changed(t, "temp/fault"))
		p.put(t, "temp/fault", []byte("no picture"))
		p.server.SetFault(awstest.Fault{
			Status: internalError, Code: "InternalError", Action: "s3:DeleteObject",
		})
		letters := len(p.queue.Messages())
		wantRetry(t, timeout, []int{0}, changed(t, "temp/fault"))
		p.server.SetFault(awstest.Fault{})
		if sent := p.queue.Messages()[letters:]; len(sent) > 0 {
			t.Errorf("dead letters %+v before the thumbnails were deleted", sent)
		}
		p.succeeds(t, changed(t, "temp/fault"))
		p.deadLettered(t, "temp/fault", "it is not a JPEG")
	})
	t.Run("the bucket does not exist", func(t *testing.T) {
		body := strings.ReplaceAll(changed(t, "temp/a"), `"originals"`, `"missing"`)
		wantRetry(t, timeout, []int{0}, body)
	})
	t.Run("a temporary failure is retried", func(t *testing.T) {
		p.put(t, "temp/failing", plain(t, red))
		p.server.SetFault(awstest.Fault{Status: unavailable, Code: "SlowDown", Times: 1})
		p.succeeds(t, changed(t, "temp/failing"))
		p.has(t, "temp/failing", &red)
	})
	t.Run("a request without a response is retried", func(t *testing.T) {
		p.put(t, "temp/silent", plain(t, red))
		p.server.SetFault(awstest.Fault{NoResponse: true, Times: 1})
		p.succeeds(t, changed(t, "temp/silent"))
		p.has(t, "temp/silent", &red)
	})
	for name, fault := range map[string]awstest.Fault{
		"fails":            {Status: internalError, Code: "InternalError"},
		"denies access":    {Status: forbidden, Code: "AuthorizationError"},
		"does not respond": {NoResponse: true},
	} {
		t.Run("SNS "+name, func(t *testing.T) {
			for key, content := range map[string][]byte{
				"temp/unpublished":        plain(t, red),
				"temp/unpublished poison": []byte("no picture"),
			} {
				p.put(t, key, content)
				events, letters := len(p.topic.Messages()), len(p.queue.Messages())
				p.topic.SetFault(fault)
				wantRetry(t, 3*time.Second, []int{0}, changed(t, key))
				p.topic.SetFault(awstest.Fault{})
				if len(p.queue.Messages()) != letters {
					t.Error("sent to the dead-letter queue, though the message is retried")
				}
				p.succeeds(t, changed(t, key))
				if published := len(p.topic.Messages()) - events; published != 1 {
					t.Errorf("%d events, want 1", published)
				}
			}
		})
		t.Run("the dead-letter queue "+name, func(t *testing.T) {
			p.put(t, "temp/poison", []byte("no picture"))
			letters, calls := len(p.queue.Messages()), len(p.queue.Calls())
			p.queue.SetFault(fault)
			if fault.NoResponse {
				wantRetry(t, 3*time.Second, []int{0}, changed(t, "temp/poison"))
			} else {
				p.put(t, "temp/beside poison", plain(t, green))
				bodies := []string{changed(t, "temp/beside poison"), changed(t, "temp/poison")}
				wantRetry(t, timeout, []int{1}, bodies...)
				p.has(t, "temp/beside poison", &green)
			}
			p.queue.SetFault(awstest.Fault{})
			if len(p.queue.Calls()) == calls {
				t.Error("no call of SQS")
			}
			p.succeeds(t, changed(t, "temp/poison"))
			p.deadLettered(t, "temp/poison", "it is not a JPEG")
			if sent := len(p.queue.Messages()) - letters; sent != 1 {
				t.Errorf("%d dead letters, want 1", sent)
			}
		})
	}
	t.Run("messages without time are retried", func(t *testing.T) {
		bodies := make([]string, 5)
		for i := range bodies {
			key := fmt.Sprintf("temp/late %d", i)
			p.put(t, key, plain(t, blue))
			bodies[i] = changed(t, key)
		}
		wantRetry(t, 5*time.Second, []int{1, 2, 3, 4}, bodies...)
		p.has(t, "temp/late 0", &blue)
		p.succeeds(t, bodies[1:]...)
		p.has(t, "temp/late 4", &blue)
	})
	if processes := withoutRetries.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1: none may be killed\n%s", processes, withoutRetries.Logs())
	}
}

func TestBootstrap_requires_its_settings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{
		"THUMBNAIL_BUCKET", "TOPIC_ARN", "DEAD_LETTER_QUEUE_URL",
		"WIDTHS", "MAX_BYTES", "MAX_PIXELS",
		"TEMP_PREFIX", "PERMANENT_PREFIX", "PROTECTED_PREFIX", "PRIVATE_PREFIX",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
