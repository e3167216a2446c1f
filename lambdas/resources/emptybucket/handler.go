package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket/contract"
)

// objects is the part of Amazon S3 that empties a bucket.
type objects interface {
	GetBucketTagging(
		context.Context, *s3.GetBucketTaggingInput, ...func(*s3.Options),
	) (*s3.GetBucketTaggingOutput, error)
	ListObjectVersions(
		context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options),
	) (*s3.ListObjectVersionsOutput, error)
	DeleteObjects(
		context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options),
	) (*s3.DeleteObjectsOutput, error)
	ListMultipartUploads(
		context.Context, *s3.ListMultipartUploadsInput, ...func(*s3.Options),
	) (*s3.ListMultipartUploadsOutput, error)
	AbortMultipartUpload(
		context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options),
	) (*s3.AbortMultipartUploadOutput, error)
}

// A handler empties buckets.
type handler struct {
	objects objects
}

// Handle empties the resource's bucket if the resource is deleted and the bucket is deleted with
// its stack. Otherwise it does nothing. The bucket's name is the physical id.
func (h *handler) Handle(
	ctx context.Context, event cfn.Event,
) (physicalResourceID string, data map[string]any, err error) {
	bucket, _ := event.ResourceProperties[contract.BucketName].(string)
	if bucket == "" {
		err := fmt.Errorf("%s is required; pass the name of the bucket", contract.BucketName)
		return event.PhysicalResourceID, nil, err
	}
	if event.RequestType != cfn.RequestDelete {
		return bucket, nil, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	err = h.empty(ctx, bucket)
	switch {
	case awsclient.Is(err, "NoSuchBucket"):
		err = nil
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("function timed out before bucket %s was empty; "+
			"delete the stack again to delete the remaining objects: %w", bucket, err)
	}
	return event.PhysicalResourceID, nil, err
}

// empty aborts all uploads and deletes all versions in the bucket, if it has the tag.
func (h *handler) empty(ctx context.Context, bucket string) error {
	deleted, err := h.isDeletedWithStack(ctx, bucket)
	if err != nil {
		return fmt.Errorf("tags of %s: %w", bucket, err)
	}
	if !deleted {
		slog.InfoContext(ctx, "bucket retained, objects not deleted", "bucket", bucket)
		return nil
	}
	if err := h.abortUploads(ctx, bucket); err != nil {
		return err
	}
	return h.deleteVersions(ctx, bucket)
}

// abortUploads aborts all unfinished uploads. It lists the first page until it is empty, so that
// uploads which begin meanwhile are aborted too.
func (h *handler) abortUploads(ctx context.Context, bucket string) error {
	for {
		input := &s3.ListMultipartUploadsInput{Bucket: &bucket}
		page, err := h.objects.ListMultipartUploads(ctx, input)
		if err != nil {
			return fmt.Errorf("list uploads to %s: %w", bucket, err)
		}
		if len(page.Uploads) == 0 {
			return nil
		}
		for _, upload := range page.Uploads {
			_, err := h.objects.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
				Bucket: &bucket, Key: upload.Key, UploadId: upload.UploadId,
			})
			if err != nil && !awsclient.Is(err, "NoSuchUpload") {
				return fmt.Errorf("abort the upload of %s: %w", *upload.Key, err)
			}
		}
	}
}

// deleteVersions deletes all versions and delete markers. It lists the first page until it is
// empty, so that objects which are written meanwhile are deleted too.
func (h *handler) deleteVersions(ctx context.Context, bucket string) error {
	for deleted := 0; ; {
		page, err := h.objects.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
		if err != nil {
			return fmt.Errorf("list objects in %s: %w", bucket, err)
		}
		var found []types.ObjectIdentifier
		for _, version := range page.Versions {
			found = append(found, types.ObjectIdentifier{
				Key: version.Key, VersionId: version.VersionId,
			})
		}
		for _, marker := range page.DeleteMarkers {
			found = append(found, types.ObjectIdentifier{
				Key: marker.Key, VersionId: marker.VersionId,
			})
		}
		if len(found) == 0 {
			slog.InfoContext(ctx, "bucket emptied", "bucket", bucket, "deleted", deleted)
			return nil
		}
		result, err := h.objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &bucket,
			Delete: &types.Delete{Objects: found, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("delete objects in %s: %w", bucket, err)
		}
		// The next page lists failed objects again, so only a page of failures is an error.
		if failed := len(result.Errors); failed == len(found) {
			first := result.Errors[0]
			return fmt.Errorf("delete objects in %s: %d failed, first %s: %s: %s", bucket, failed,
				aws.ToString(first.Key), aws.ToString(first.Code), aws.ToString(first.Message))
		}
		deleted += len(found) - len(result.Errors)
	}
}

// isDeletedWithStack reports whether the bucket has the tag.
func (h *handler) isDeletedWithStack(ctx context.Context, bucket string) (bool, error) {
	tagging, err := h.objects.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &bucket})
	if awsclient.Is(err, "NoSuchTagSet") {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, tag := range tagging.TagSet {
		if aws.ToString(tag.Key) == contract.Tag {
			return true, nil
		}
	}
	return false, nil
}
