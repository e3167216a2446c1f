package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/ashlar-cdk/ashlar/internal/adapters/kinesisstream"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Prefixes of the objects in the ingestion bucket, followed by the day of arrival.
const (
	// From Firehose: compressed raw copies of the stream's records.
	rawPrefix = telemetry.RawPrefix + "day="
	// From the error action of IoT Core's rule: one document per message.
	rulePrefix = telemetry.RuleErrorsPrefix + "day="
)

const (
	batchMessages = 5000     // per batch that is put into the stream: ten calls
	batchBytes    = 16 << 20 // per batch, if messages are large
	readers       = 8        // concurrent reads: the rule's documents are many and small
)

// A replay puts a day's messages into the stream.
type replay struct {
	objects        *s3.Client
	bucket         string
	stream         *kinesisstream.Stream
	day            string
	dryRun         bool
	stdout, stderr io.Writer
}

// An entry is what a reader sends: a message, or the end of an object.
type entry struct {
	message telemetryschema.Message
	object  *object // instead of a message: this object was read
}

// An object is an object of the bucket.
type object struct {
	key          string
	lastModified time.Time
	invalidBytes int64 // number of bytes that are no message
	err          error
}

func (r *replay) run(ctx context.Context) error {
	found, err := r.list(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		fmt.Fprintf(r.stdout,
			"nothing arrived on %s: the bucket %s has no objects below %s%[1]s/ and %[4]s%[1]s/\n",
			r.day, r.bucket, rawPrefix, rulePrefix)
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // stop the readers if put fails
	entries := make(chan entry, readers)
	group := new(errgroup.Group)
	group.SetLimit(readers)
	go func() {
		for _, o := range found {
			group.Go(func() error {
				o.err = r.read(ctx, o, func(message telemetryschema.Message) error {
					return send(ctx, entries, entry{message: message})
				})
				return send(ctx, entries, entry{object: o})
			})
		}
		_ = group.Wait() // each object has its own error
		close(entries)
	}()
	return r.put(ctx, entries, len(found))
}

func send(ctx context.Context, entries chan<- entry, e entry) error {
	select {
	case entries <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list returns the day's objects as they are now: replayed messages get raw copies too, maybe on
// the same day.
func (r *replay) list(ctx context.Context) ([]*object, error) {
	var found []*object
	for _, prefix := range []string{rawPrefix + r.day + "/", rulePrefix + r.day + "/"} {
		pages := s3.NewListObjectsV2Paginator(r.objects,
			&s3.ListObjectsV2Input{Bucket: &r.bucket, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list %s of the bucket %s: %w", prefix, r.bucket, err)
			}
			for _, o := range page.Contents {
				found = append(found, &object{key: *o.Key, lastModified: *o.LastModified})
			}
		}
	}
	return found, nil
}

// read calls take with each message of an object.
func (r *replay) read(
	ctx context.Context, o *object, take func(telemetryschema.Message) error,
) error {
	output, err := r.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: &o.key})
	if archived, ok := errors.AsType[*types.InvalidObjectState](err); ok {
		return fmt.Errorf("the object is archived (%s): restore it first with "+
			"aws s3api restore-object", archived.StorageClass)
	} else if err != nil {
		return err
	}
	defer func() { _ = output.Body.Close() }() // read only: no data can be lost
	if strings.HasPrefix(o.key, rulePrefix) {
		message, err := ruleErrorMessage(output.Body, aws.ToTime(output.LastModified))
		if err != nil {
			return err
		}
		return take(message)
	}
	raw, err := gzip.NewReader(output.Body)
	if err != nil {
		return err
	}
	o.invalidBytes, err = readMessages(raw, take)
	return err
}

// ruleErrorMessage returns the message that the rule would have made from the payload that it could
// not put into the stream: "Error action message format" in the AWS IoT Core Developer Guide. The
// document has no time; it was written at once, so its time of writing is used.
func ruleErrorMessage(document io.Reader, written time.Time) (telemetryschema.Message, error) {
	var failure struct {
		Topic                 string
		Base64OriginalPayload []byte
	}
	if err := json.NewDecoder(document).Decode(&failure); err != nil {
		return telemetryschema.Message{},
			fmt.Errorf("not a document of the rule's error action: %w", err)
	}
	if failure.Topic == "" { // a client's event has no topic; it does not pass the rule
		err := errors.New("not a document of the rule's error action: no topic")
		return telemetryschema.Message{}, err
	}
	return telemetryschema.Message{
		Topic: failure.Topic, ReceivedAt: written.UnixMilli(), Data: failure.Base64OriginalPayload,
	}, nil
}

// put puts messages into the stream as they arrive, and prints its progress.
func (r *replay) put(ctx context.Context, entries <-chan entry, objects int) error {
	var (
		pending                    [][]byte
		size, done, total, skipped int
		invalidBytes               int64
		failed                     []error
	)
	flush := func() error {
		if !r.dryRun {
			if left, err := r.stream.Put(ctx, pending); err != nil {
				total += len(pending) - len(left)
				return fmt.Errorf("stopped after %d messages; fix the cause, then replay the day "+
					"again (duplicates do no harm): %w", total, err)
			}
		}
		total += len(pending)
		pending, size = pending[:0], 0
		fmt.Fprintf(r.stdout, "%d of %d objects read, %d messages %s\n",
			done, objects, total, r.verb())
		return nil
	}
	for e := range entries {
		if o := e.object; o != nil {
			done++
			invalidBytes += o.invalidBytes
			if o.err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", o.key, o.err))
			}
			continue
		}
		if e.message.Replayed || e.message.Requeued > 0 {
			skipped++
			continue
		}
		e.message.Replayed = true
		record, err := json.Marshal(e.message)
		if err != nil {
			return err
		}
		size += len(record)
		if pending = append(pending, record); len(pending) == batchMessages || size >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped after %d messages; replay the day again "+
			"(duplicates do no harm): %w", total, err)
	}
	if err := flush(); err != nil {
		return err
	}
	fmt.Fprintf(r.stdout, "%d copies of requeued or replayed messages skipped\n", skipped)
	if invalidBytes > 0 {
		fmt.Fprintf(r.stderr, "replay: %d bytes of the raw copies are not messages; "+
			"the transform rejected them too\n", invalidBytes)
	}
	return errors.Join(failed...)
}

func (r *replay) verb() string {
	if r.dryRun {
		return "would be replayed"
	}
	return "replayed"
}
