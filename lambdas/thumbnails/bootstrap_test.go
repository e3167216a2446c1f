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
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

const (
	topicARN = "arn:aws:sns:eu-central-1:111111111111:ThumbnailEvents"
	queueURL = "https://sqs.eu-central-1.amazonaws.com/111111111111/DeadLetters"

	// timeout is the function's own, as it is deployed.
	timeout = time.Minute

	// The originals' keys in testdata.
	keyOfUpload    = "temp/0123456789abcdef0123456789abcdef/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	keyOfPermanent = "permanent/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	keyOfPrivate   = "private/eu-central-1:00000000-0000-4000-8000-00000000aaaa/my cat+dog ü.jpg"
)

// A platform is the built function with all that it uses.
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
	p := &platform{server: s3test.Start(t), topic: awstest.StartSNS(t, topicARN), queue: awstest.StartSQS(t, queueURL)}
	p.server.Bucket(t, "originals")
	p.server.Bucket(t, "thumbnails")
	var err error
	p.environment, err = lambdaenv.Encode(contract.Settings{
		ThumbnailBucket: "thumbnails", TopicARN: topicARN, DeadLetterQueueURL: queueURL,
		Widths: pictures.Widths, MaxBytes: pictures.MaxBytes, MaxPixels: pictures.MaxPixels,
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, map[string]string{
		"AWS_ENDPOINT_URL_S3": p.server.URL, "AWS_ENDPOINT_URL_SNS": p.topic.URL, "AWS_ENDPOINT_URL_SQS": p.queue.URL,
	})
	p.bootstrap = lambdatest.Build(t, contract.Package)
	p.fn = p.newFunction(t)
	return p
}

// newFunction is another one, beside p.fn.
func (p *platform) newFunction(t *testing.T) *lambdatest.Function {
	t.Helper()
	return lambdatest.New(t, p.bootstrap, p.environment)
}

// put makes an original, without an event, and without a checksum of its own, as a browser does.
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

// remove deletes an original, without an event.
func (p *platform) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := p.server.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("originals"), Key: &key}); err != nil {
		t.Fatal(err)
	}
}

// A thumbnail is what a browser gets.
type thumbnail struct {
	contentType, cacheControl string
	content                   []byte
	image                     image.Image
}

// thumbnail reads the one of a width.
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
	return thumbnail{aws.ToString(object.ContentType), aws.ToString(object.CacheControl), content, img}
}

// has checks that an original has the thumbnails of a picture of one colour, or none.
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

// keys are those of an original's thumbnails.
func (p *platform) keys(t *testing.T, key string) []string {
	t.Helper()
	return slices.DeleteFunc(p.server.Keys(t, "thumbnails"), func(found string) bool { return filepath.Dir(found) != key })
}

// send gives the function a batch, and returns which of its messages come again, by their place.
func (p *platform) send(t *testing.T, fn *lambdatest.Function, timeout time.Duration, bodies ...string) []int {
	t.Helper()
	failed, err := fn.InvokeBatch(t.Context(), lambdatest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return failed
}

// done is send for what has to be done at once.
func (p *platform) done(t *testing.T, bodies ...string) {
	t.Helper()
	if failed := p.send(t, p.fn, timeout, bodies...); len(failed) > 0 {
		t.Fatalf("messages %v of %d come again\n%s", failed, len(bodies), p.fn.Logs())
	}
}

// changed is the body of the message that tells of a change, which is as good as any other.
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
func (p *platform) lastEvent(t *testing.T) (pictures.ThumbnailEvent, map[string]string) {
	t.Helper()
	messages := p.topic.Messages()
	if len(messages) == 0 {
		t.Fatal("subscribers have heard nothing")
	}
	last := messages[len(messages)-1]
	var event pictures.ThumbnailEvent
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

// plain is a picture of one colour.
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

// near tells whether a picture has about the colour at a place, given in parts of its sides.
func near(img image.Image, x, y float64, want color.RGBA) bool {
	size := img.Bounds().Size()
	r, g, b, _ := img.At(int(x*float64(size.X)), int(y*float64(size.Y))).RGBA()
	for _, pair := range [][2]int{{int(r >> 8), int(want.R)}, {int(g >> 8), int(want.G)}, {int(b >> 8), int(want.B)}} {
		if max(pair[0]-pair[1], pair[1]-pair[0]) > 45 {
			return false
		}
	}
	return true
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)

	t.Run("an upload gets thumbnails, and an event is published", func(t *testing.T) {
		p.put(t, keyOfUpload, fixture(t, "baseline.jpg"))
		p.done(t, readEvent(t, "created.json").Records[0].Body)
		for _, width := range pictures.Widths {
			got := p.thumbnail(t, keyOfUpload, width)
			if got.contentType != "image/jpeg" || got.cacheControl != "public, max-age=300" {
				t.Errorf("%d: Content-Type %q, Cache-Control %q", width, got.contentType, got.cacheControl)
			}
			if want := image.Pt(min(width, 480), min(width, 480)*2/3); got.image.Bounds().Size().X != want.X || got.image.Bounds().Size().Y != want.Y {
				t.Errorf("%d: %v, want %v", width, got.image.Bounds(), want)
			}
		}
		told, attributes := p.lastEvent(t)
		want := pictures.ThumbnailEvent{Key: keyOfUpload, ETag: told.ETag, Sequencer: "0055AED6DCD90281E5", Thumbnails: []pictures.Thumbnail{
			{Key: keyOfUpload + "/320.jpg", Width: 320, Height: 213}, {Key: keyOfUpload + "/640.jpg", Width: 480, Height: 320},
			{Key: keyOfUpload + "/1280.jpg", Width: 480, Height: 320}, {Key: keyOfUpload + "/1920.jpg", Width: 480, Height: 320},
		}}
		if diff := cmp.Diff(want, told); diff != "" || len(told.ETag) != 32 || attributes["prefix"] != "temp" {
			t.Errorf("attributes %v, notification (-want +got):\n%s", attributes, diff)
		}
	})
	t.Run("thumbnails of a promoted upload are cached for a day, and deleted with their original", func(t *testing.T) {
		p.put(t, keyOfPermanent, plain(t, red))
		p.done(t, changed(t, keyOfPermanent))
		p.has(t, keyOfPermanent, &red)
		if cached := p.thumbnail(t, keyOfPermanent, 320).cacheControl; cached != "public, max-age=86400" {
			t.Errorf("Cache-Control %q", cached)
		}
		p.remove(t, keyOfPermanent)
		p.done(t, readEvent(t, "removed.json").Records[0].Body)
		p.has(t, keyOfPermanent, nil)
		told, attributes := p.lastEvent(t)
		want := pictures.ThumbnailEvent{Key: keyOfPermanent, Removed: true, Sequencer: "0055AED6DCD90281E6", Thumbnails: []pictures.Thumbnail{}}
		if diff := cmp.Diff(want, told); diff != "" || attributes["prefix"] != "permanent" {
			t.Errorf("attributes %v, notification (-want +got):\n%s", attributes, diff)
		}
	})
	t.Run("uploads of signed-in clients get thumbnails", func(t *testing.T) {
		p.put(t, keyOfPrivate, plain(t, green))
		p.done(t, readEvent(t, "private.json").Records[0].Body)
		p.has(t, keyOfPrivate, &green)
		if cached := p.thumbnail(t, keyOfPrivate, 320).cacheControl; cached != "private, max-age=300" {
			t.Errorf("Cache-Control %q", cached)
		}
		if told, attributes := p.lastEvent(t); told.Key != keyOfPrivate || told.Removed || attributes["prefix"] != "private" {
			t.Errorf("notification %+v with %v", told, attributes)
		}
	})
	t.Run("S3's test of its notifications is accepted", func(t *testing.T) {
		before := len(p.server.Calls()) + len(p.topic.Calls()) + len(p.queue.Calls())
		p.done(t, readEvent(t, "test.json").Records[0].Body)
		if after := len(p.server.Calls()) + len(p.topic.Calls()) + len(p.queue.Calls()); after != before {
			t.Errorf("%d calls, want none", after-before)
		}
	})
	t.Run("a thumbnail gets no thumbnails", func(t *testing.T) {
		before := len(p.server.Calls())
		p.done(t, strings.ReplaceAll(changed(t, "temp/a/320.jpg"), `"originals"`, `"thumbnails"`))
		if after := len(p.server.Calls()); after != before {
			t.Errorf("%d calls to S3, want none", after-before)
		}
		p.deadLettered(t, "temp/a/320.jpg", "it is a thumbnail")
	})
	t.Run("redelivered and reordered events converge", func(t *testing.T) {
		p.put(t, "temp/order", plain(t, red))
		p.done(t, changed(t, "temp/order"), changed(t, "temp/order"))
		p.remove(t, "temp/order")
		removed := strings.ReplaceAll(changed(t, "temp/order"), "ObjectCreated:Post", "ObjectRemoved:Delete")
		p.done(t, removed, changed(t, "temp/order"), removed)
		p.has(t, "temp/order", nil)
		p.put(t, "temp/order", plain(t, blue))
		p.done(t, removed)
		p.has(t, "temp/order", &blue)
	})
	t.Run("one message may have several records", func(t *testing.T) {
		p.put(t, "temp/several 1", plain(t, red))
		p.put(t, "temp/several 2", plain(t, green))
		first, second := changed(t, "temp/several 1"), changed(t, "temp/several 2")
		p.done(t, strings.TrimSuffix(first, "]}")+","+strings.TrimPrefix(second, `{"Records":[`))
		p.has(t, "temp/several 1", &red)
		p.has(t, "temp/several 2", &green)
	})

	t.Run("an original that is replaced between reading and writing", func(t *testing.T) { testReplacedMeanwhile(t, p) })
	t.Run("a slow function does not overwrite newer thumbnails", func(t *testing.T) { testOvertaken(t, p) })
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
		t.Errorf("the log has the name of a user's file:\n%s", p.fn.Logs())
	}
	awstest.CheckActions(t, "calls.txt", slices.Concat(p.server.Calls(), p.topic.Calls(), p.queue.Calls()))
}

// once has f called at the first call of an action on a bucket, before the call is done.
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
		p.once(t, "s3:PutObject", "thumbnails", func() { p.put(t, "temp/replaced", plain(t, blue)) })
		p.done(t, changed(t, "temp/replaced"))
		p.has(t, "temp/replaced", &blue)
	})
	t.Run("by nothing", func(t *testing.T) {
		p.put(t, "temp/deleted", plain(t, red))
		p.once(t, "s3:PutObject", "thumbnails", func() { p.remove(t, "temp/deleted") })
		p.done(t, changed(t, "temp/deleted"))
		p.has(t, "temp/deleted", nil)
		if told, _ := p.lastEvent(t); !told.Removed {
			t.Errorf("subscribers have heard %+v, want that it is gone", told)
		}
	})
	t.Run("by what is no picture", func(t *testing.T) {
		p.put(t, "temp/spoilt", plain(t, red))
		p.once(t, "s3:PutObject", "thumbnails", func() { p.put(t, "temp/spoilt", []byte("no picture")) })
		p.done(t, changed(t, "temp/spoilt"))
		p.has(t, "temp/spoilt", nil)
		p.deadLettered(t, "temp/spoilt", "it is no JPEG, PNG, GIF or WebP")
	})
	t.Run("by a picture, having been none", func(t *testing.T) {
		letters := len(p.queue.Messages())
		p.put(t, "temp/mended", []byte("no picture"))
		p.once(t, "s3:DeleteObject", "thumbnails", func() { p.put(t, "temp/mended", plain(t, green)) })
		p.done(t, changed(t, "temp/mended"))
		p.has(t, "temp/mended", &green)
		if after := p.queue.Messages(); len(after) != letters {
			t.Errorf("dead-lettered: %+v", after[letters:])
		}
	})
	t.Run("again and again", func(t *testing.T) {
		p.put(t, "temp/restless", plain(t, red))
		var writes atomic.Int32
		p.server.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action == "s3:PutObject" {
				p.put(t, "temp/restless", append(plain(t, red), make([]byte, writes.Add(1))...))
			}
			return awstest.Fault{}
		})
		if failed := p.send(t, p.fn, timeout, changed(t, "temp/restless")); !slices.Equal(failed, []int{0}) {
			t.Errorf("messages %v come again, want the one", failed)
		}
		p.server.Intercept(nil)
		p.done(t, changed(t, "temp/restless"))
		p.has(t, "temp/restless", &red)
	})
}

// overtaken stops one function before its first write, and has another one follow the next original meanwhile.
func testOvertaken(t *testing.T, p *platform) {
	slow := p.newFunction(t)
	for _, next := range []*color.RGBA{&blue, nil} {
		p.put(t, "temp/overtaken", plain(t, red))
		stopped, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan []int, 1)
		release := sync.OnceFunc(func() { close(goOn) })
		t.Cleanup(release)
		p.once(t, "s3:PutObject", "thumbnails", func() {
			close(stopped)
			<-goOn
		})
		go func() { ended <- p.send(t, slow, timeout, changed(t, "temp/overtaken")) }()
		<-stopped
		p.server.Intercept(nil)
		if p.remove(t, "temp/overtaken"); next != nil {
			p.put(t, "temp/overtaken", plain(t, *next))
		}
		p.done(t, changed(t, "temp/overtaken"))
		p.has(t, "temp/overtaken", next)
		release()
		if failed := <-ended; len(failed) > 0 {
			t.Errorf("messages %v come again", failed)
		}
		p.has(t, "temp/overtaken", next)
	}
}

// deadLettered checks that the last dead letter is about key.
func (p *platform) deadLettered(t *testing.T, key, reason string) {
	t.Helper()
	letters := p.queue.Messages()
	if len(letters) == 0 {
		t.Fatalf("%s: not given up", key)
	}
	last := letters[len(letters)-1]
	if last.Attributes["Key"] != key || !strings.Contains(last.Attributes["Reason"], reason) {
		t.Errorf("%s: given up %+v, want the reason %q", key, last.Attributes, reason)
	}
	p.has(t, key, nil)
}

func testFaults(t *testing.T, p *platform) {
	environment := maps.Clone(p.environment)
	environment["AWS_MAX_ATTEMPTS"] = "1" // so that the test does not wait for the SDK's pauses
	hasty := lambdatest.New(t, p.bootstrap, environment)
	again := func(t *testing.T, timeout time.Duration, want []int, bodies ...string) {
		t.Helper()
		if failed := p.send(t, hasty, timeout, bodies...); !slices.Equal(failed, want) {
			t.Errorf("messages %v come again, want %v\n%s", failed, want, hasty.Logs())
		}
	}
	for name, test := range map[string]struct {
		fault   awstest.Fault
		timeout time.Duration
	}{
		"reading fails":                 {awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError", Action: "s3:GetObject"}, timeout},
		"reading is throttled":          {awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Action: "s3:GetObject"}, timeout},
		"reading is denied":             {awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Action: "s3:GetObject"}, timeout},
		"an original breaks off":        {awstest.Fault{Cut: true, Action: "s3:GetObject"}, timeout},
		"writing fails":                 {awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError", Action: "s3:PutObject"}, timeout},
		"reading is not answered":       {awstest.Fault{Silent: true, Action: "s3:GetObject"}, 2 * time.Second},
		"writing is not answered":       {awstest.Fault{Silent: true, Action: "s3:PutObject"}, 2 * time.Second},
		"all of S3 is not there":        {awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}, timeout},
		"the bucket does not let fn in": {awstest.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Action: "s3:PutObject"}, timeout},
	} {
		t.Run(name, func(t *testing.T) {
			key, letters, told := "temp/fault "+name, len(p.queue.Messages()), len(p.topic.Messages())
			p.put(t, key, plain(t, red))
			p.server.SetFault(test.fault)
			again(t, test.timeout, []int{0}, changed(t, key))
			p.server.SetFault(awstest.Fault{})
			if len(p.queue.Messages()) != letters || len(p.topic.Messages()) != told {
				t.Errorf("given up %+v, told %+v", p.queue.Messages()[letters:], p.topic.Messages()[told:])
			}
			p.done(t, changed(t, key))
			p.has(t, key, &red)
		})
	}
	t.Run("deleting fails", func(t *testing.T) {
		p.put(t, "temp/fault", plain(t, red))
		p.done(t, changed(t, "temp/fault"))
		p.put(t, "temp/fault", []byte("no picture"))
		p.server.SetFault(awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError", Action: "s3:DeleteObject"})
		letters := len(p.queue.Messages())
		again(t, timeout, []int{0}, changed(t, "temp/fault"))
		p.server.SetFault(awstest.Fault{})
		if given := p.queue.Messages()[letters:]; len(given) > 0 {
			t.Errorf("given up %+v before the thumbnails were gone", given)
		}
		p.done(t, changed(t, "temp/fault"))
		p.deadLettered(t, "temp/fault", "it is no JPEG")
	})
	t.Run("there is no such bucket", func(t *testing.T) {
		again(t, timeout, []int{0}, strings.ReplaceAll(changed(t, "temp/a"), `"originals"`, `"elsewhere"`))
	})
	t.Run("a temporary failure is retried", func(t *testing.T) {
		p.put(t, "temp/failing", plain(t, red))
		p.server.SetFault(awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Times: 1})
		p.done(t, changed(t, "temp/failing"))
		p.has(t, "temp/failing", &red)
	})
	t.Run("a request without a response is retried", func(t *testing.T) {
		p.put(t, "temp/silent", plain(t, red))
		p.server.SetFault(awstest.Fault{Silent: true, Times: 1})
		p.done(t, changed(t, "temp/silent"))
		p.has(t, "temp/silent", &red)
	})
	for name, fault := range map[string]awstest.Fault{
		"fails":           {Status: http.StatusInternalServerError, Code: "InternalError"},
		"denies":          {Status: http.StatusForbidden, Code: "AuthorizationError"},
		"does not answer": {Silent: true},
	} {
		t.Run("SNS "+name, func(t *testing.T) {
			for key, content := range map[string][]byte{"temp/unheard": plain(t, red), "temp/unheard poison": []byte("no picture")} {
				p.put(t, key, content)
				told, letters := len(p.topic.Messages()), len(p.queue.Messages())
				p.topic.SetFault(fault)
				again(t, 3*time.Second, []int{0}, changed(t, key))
				p.topic.SetFault(awstest.Fault{})
				if len(p.queue.Messages()) != letters {
					t.Error("given up, and it comes again")
				}
				p.done(t, changed(t, key))
				if len(p.topic.Messages()) != told+1 {
					t.Errorf("subscribers have heard %d times, want once", len(p.topic.Messages())-told)
				}
			}
		})
		t.Run("the dead-letter queue "+name, func(t *testing.T) {
			p.put(t, "temp/poison", []byte("no picture"))
			letters, calls := len(p.queue.Messages()), len(p.queue.Calls())
			p.queue.SetFault(fault)
			if fault.Silent {
				again(t, 3*time.Second, []int{0}, changed(t, "temp/poison"))
			} else {
				p.put(t, "temp/beside poison", plain(t, green))
				again(t, timeout, []int{1}, changed(t, "temp/beside poison"), changed(t, "temp/poison"))
				p.has(t, "temp/beside poison", &green)
			}
			p.queue.SetFault(awstest.Fault{})
			if len(p.queue.Calls()) == calls {
				t.Error("nothing was sent")
			}
			p.done(t, changed(t, "temp/poison"))
			p.deadLettered(t, "temp/poison", "it is no JPEG")
			if len(p.queue.Messages()) != letters+1 {
				t.Errorf("given up %d times, want once", len(p.queue.Messages())-letters)
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
		again(t, 5*time.Second, []int{1, 2, 3, 4}, bodies...)
		p.has(t, "temp/late 0", &blue)
		p.done(t, bodies[1:]...)
		p.has(t, "temp/late 4", &blue)
	})
	if processes := hasty.Processes(); processes != 1 {
		t.Errorf("%d processes, want that none was killed\n%s", processes, hasty.Logs())
	}
}

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, name := range []string{"THUMBNAIL_BUCKET", "TOPIC_ARN", "DEAD_LETTER_QUEUE_URL", "WIDTHS", "MAX_BYTES", "MAX_PIXELS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want it to name %s", err, name)
		}
	}
}
