// Package s3store keeps pictures and reports in S3.
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

// Originals are those of any bucket.
type Originals struct {
	API interface {
		GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
		HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	}
}

// Get is that of [thumbnails.Originals]. The SDK tries again what fails before the first byte; an answer that breaks off
// later is an error.
func (o *Originals) Get(ctx context.Context, bucket, key string, maxBytes int64) (thumbnails.Original, error) {
	object, err := o.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return thumbnails.Original{}, failure("read the original", err)
	}
	defer func() { _ = object.Body.Close() }() // what was read is whole, or the error says so
	if object.ContentLength == nil {
		return thumbnails.Original{}, errors.New("read the original: S3 does not say how long it is")
	}
	original := thumbnails.Original{ETag: plain(object.ETag), Size: *object.ContentLength}
	if original.Size > maxBytes {
		return original, nil
	}
	// The transport ends an answer at the length that it has said, and the SDK holds it against its checksum at the end. A
	// buffer that need not grow keeps one copy.
	content := bytes.NewBuffer(make([]byte, 0, original.Size+bytes.MinRead))
	if _, err := content.ReadFrom(object.Body); err != nil {
		return thumbnails.Original{}, fmt.Errorf("read the original: %w", err)
	}
	original.Content = content.Bytes()
	return original, nil
}

// ETag is that of [thumbnails.Originals].
func (o *Originals) ETag(ctx context.Context, bucket, key string) (string, error) {
	object, err := o.API.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", failure("look at the original", err)
	}
	return plain(object.ETag), nil
}

// plain is an ETag as S3's events have it, without the quotes of HTTP.
func plain(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// failure says what has failed, and does not tell the key: a URL has it, and users name their files as they like.
func failure(what string, err error) error {
	_, noKey := errors.AsType[*types.NoSuchKey](err)
	_, notFound := errors.AsType[*types.NotFound](err) // what HEAD has for it: an answer without a body
	if noKey || notFound {
		return fmt.Errorf("%s: %w", what, thumbnails.ErrNotFound)
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Thumbnails are those in one bucket.
type Thumbnails struct {
	Bucket string
	API    interface {
		PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
		DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	}
}

// Put is that of [thumbnails.Thumbnails].
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

// Delete is that of [thumbnails.Thumbnails].
func (t *Thumbnails) Delete(ctx context.Context, key string) error {
	if _, err := t.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.Bucket, Key: &key}); err != nil {
		return failure("delete a thumbnail", err)
	}
	return nil
}
