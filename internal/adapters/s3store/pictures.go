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
	later "github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// PictureSettings configures a function that promotes or deletes pictures.
type PictureSettings struct {
	Bucket string `env:"ORIGINALS_BUCKET"` // of originals
}

// Pictures are the pictures of posts in the bucket of originals.
type Pictures struct {
	Settings PictureSettings
	API      interface {
		CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
		DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
	}
}

// maxConcurrentCopies is how many copies S3 makes for one save at a time. Each takes S3 a part of a second.
const maxConcurrentCopies = 10

// Copy is that of [pictures.Bucket]. A copy has its original's content type. That something is not there, S3 tells only
// those who may list the bucket: to others it denies the access, which is our mistake and not the author's.
func (p *Pictures) Copy(ctx context.Context, copies []pictures.Promotion) (missing []int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentCopies)
	var mu sync.Mutex
	for i, picture := range copies {
		group.Go(func() error {
			_, err := p.API.CopyObject(ctx, &s3.CopyObjectInput{
				Bucket:     &p.Settings.Bucket,
				Key:        aws.String(pictures.PermanentKey(picture.ID)),
				CopySource: aws.String(p.Settings.Bucket + "/" + picture.CopyFrom), // which has nothing to be escaped
			})
			if awsclient.Is(err, (&types.NoSuchKey{}).ErrorCode()) { // that of a copy has no type of its own
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, i)
				return nil // the others may be missing as well, of which the author hears at once
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

// Delete is that of [pictures.Bucket].
func (p *Pictures) Delete(ctx context.Context, ids []uuid.UUID) error {
	objects := make([]types.ObjectIdentifier, len(ids))
	for i, id := range ids {
		objects[i].Key = aws.String(pictures.PermanentKey(id))
	}
	answer, err := p.API.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &p.Settings.Bucket,
		Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}, // it answers what failed
	})
	if err != nil {
		return awsclient.Wrap("delete pictures", err)
	}
	if len(answer.Errors) == 0 {
		return nil
	}
	first := &smithy.GenericAPIError{Code: aws.ToString(answer.Errors[0].Code), Message: aws.ToString(answer.Errors[0].Message)}
	if first.Code == "InternalError" { // which the SDK knows by the status that an answer of its own would have
		return fmt.Errorf("delete pictures: %w: %w", later.ErrUnavailable, first)
	}
	return awsclient.Wrap("delete pictures", first)
}
