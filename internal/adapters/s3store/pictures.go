package s3store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// Pictures is the part of the bucket of originals that has the pictures of posts.
type Pictures struct {
	Bucket string // of originals
	API    interface {
		CopyObject(
			context.Context, *s3.CopyObjectInput, ...func(*s3.Options),
		) (*s3.CopyObjectOutput, error)
		DeleteObjects(
			context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options),
		) (*s3.DeleteObjectsOutput, error)
	}
}

// maxConcurrentCopies is how many copies S3 makes for one request at a time. Each takes S3 a
// fraction of a second.
const maxConcurrentCopies = 10

// Copy implements [pictures.Bucket]. A copy has its original's content type. S3 reports a missing
// object only to callers that may list the bucket: others get AccessDenied, which is a
// configuration error and not the author's mistake.
func (p *Pictures) Copy(
	ctx context.Context, copies []pictures.Promotion,
) (missing []int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentCopies)
	var mu sync.Mutex
	for i, picture := range copies {
		group.Go(func() error {
			_, err := p.API.CopyObject(ctx, &s3.CopyObjectInput{
				Bucket: &p.Bucket,
				Key:    aws.String(pictures.PermanentKey(picture.ID)),
				// Keys of uploads need no escaping.
				CopySource: aws.String(p.Bucket + "/" + picture.CopyFrom),
			})
			// CopyObject has no type of its own for this error.
			if awsclient.Is(err, (&types.NoSuchKey{}).ErrorCode()) {
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, i)
				return nil // the author gets all missing ones in one response
			}
			return awsclient.Wrap("copy a picture", err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(missing)
	return missing, nil
}

// Delete implements [pictures.Bucket].
func (p *Pictures) Delete(ctx context.Context, ids []uuid.UUID) error {
	objects := make([]types.ObjectIdentifier, len(ids))
	for i, id := range ids {
		objects[i].Key = aws.String(pictures.PermanentKey(id))
	}
	output, err := p.API.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &p.Bucket,
		// With Quiet, the response lists only failures.
		Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return awsclient.Wrap("delete pictures", err)
	}
	if len(output.Errors) == 0 {
		return nil
	}
	first := &smithy.GenericAPIError{
		Code: aws.ToString(output.Errors[0].Code), Message: aws.ToString(output.Errors[0].Message),
	}
	// The SDK detects this error by its status, but the status of the response is 200.
	if first.Code == "InternalError" {
		return fmt.Errorf("delete pictures: %w: %w", retry.ErrUnavailable, first)
	}
	return awsclient.Wrap("delete pictures", first)
}
