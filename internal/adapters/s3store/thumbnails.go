// Package s3store stores pictures and reports in S3.
package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
)

// Originals reads originals from any bucket.
type Originals struct {
	API interface {
		GetObject(
			context.Context, *s3.GetObjectInput, ...func(*s3.Options),
		) (*s3.GetObjectOutput, error)
		HeadObject(
			context.Context, *s3.HeadObjectInput, ...func(*s3.Options),
		) (*s3.HeadObjectOutput, error)
	}
}

// Get implements [thumbnails.Originals]. The SDK retries what fails before the first byte; a
// response that is cut off later is an error.
func (o *Originals) Get(
	ctx context.Context, bucket, key string, maxBytes int64,
) (thumbnails.Original, error) {
	object, err := o.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return thumbnails.Original{}, failure("read the original", err)
	}
	defer func() { _ = object.Body.Close() }() // ReadFrom reports incomplete content
	if object.ContentLength == nil {
		return thumbnails.Original{}, errors.New("read the original: S3 returned no content length")
	}
	original := thumbnails.Original{ETag: plain(object.ETag), Size: *object.ContentLength}
	if original.Size > maxBytes {
		return original, nil
	}
	// The transport ends the body at its content length, and the SDK verifies its checksum at the
	// end. A buffer of the final size avoids a second copy.
	content := bytes.NewBuffer(make([]byte, 0, original.Size+bytes.MinRead))
	if _, err := content.ReadFrom(object.Body); err != nil {
		return thumbnails.Original{}, fmt.Errorf("read the original: %w", err)
	}
	original.Content = content.Bytes()
	return original, nil
}

// ETag implements [thumbnails.Originals].
func (o *Originals) ETag(ctx context.Context, bucket, key string) (string, error) {
	object, err := o.API.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", failure("read the original's ETag", err)
	}
	return plain(object.ETag), nil
}

// plain returns an ETag as in S3's events, without the quotes of HTTP.
func plain(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// failure wraps an error with the action that failed. It removes the URL, which contains the key:
// users name their files as they like.
func failure(action string, err error) error {
	_, noKey := errors.AsType[*types.NoSuchKey](err)
	// The response to HEAD has no body with an error code.
	_, notFound := errors.AsType[*types.NotFound](err)
	if noKey || notFound {
		return fmt.Errorf("%s: %w", action, thumbnails.ErrNotFound)
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	return fmt.Errorf("%s: %w", action, err)
}

// Thumbnails writes thumbnails to one bucket.
type Thumbnails struct {
	Bucket string
	API    interface {
		PutObject(
			context.Context, *s3.PutObjectInput, ...func(*s3.Options),
		) (*s3.PutObjectOutput, error)
		DeleteObject(
			context.Context, *s3.DeleteObjectInput, ...func(*s3.Options),
		) (*s3.DeleteObjectOutput, error)
	}
}

// Put implements [thumbnails.Thumbnails].
func (t *Thumbnails) Put(ctx context.Context, key string, jpeg []byte, cacheControl string) error {
	_, err := t.API.PutObject(ctx, &s3.PutObjectInput{
		Bucket:       &t.Bucket,
		Key:          &key,
		Body:         bytes.NewReader(jpeg),
		ContentType:  aws.String("image/jpeg"),
		CacheControl: &cacheControl,
	})
	if err != nil {
		return failure("write a thumbnail", err)
	}
	return nil
}

// Delete implements [thumbnails.Thumbnails].
func (t *Thumbnails) Delete(ctx context.Context, key string) error {
	input := &s3.DeleteObjectInput{Bucket: &t.Bucket, Key: &key}
	if _, err := t.API.DeleteObject(ctx, input); err != nil {
		return failure("delete a thumbnail", err)
	}
	return nil
}
