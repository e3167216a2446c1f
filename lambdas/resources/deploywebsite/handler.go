package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/deadline"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// objects is the part of Amazon S3 that stores the website.
type objects interface {
	GetObject(
		context.Context, *s3.GetObjectInput, ...func(*s3.Options),
	) (*s3.GetObjectOutput, error)
	PutObject(
		context.Context, *s3.PutObjectInput, ...func(*s3.Options),
	) (*s3.PutObjectOutput, error)
	ListObjectsV2(
		context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options),
	) (*s3.ListObjectsV2Output, error)
	GetObjectTagging(
		context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options),
	) (*s3.GetObjectTaggingOutput, error)
	CopyObject(
		context.Context, *s3.CopyObjectInput, ...func(*s3.Options),
	) (*s3.CopyObjectOutput, error)
	DeleteObject(
		context.Context, *s3.DeleteObjectInput, ...func(*s3.Options),
	) (*s3.DeleteObjectOutput, error)
}

// A handler deploys websites.
type handler struct {
	objects       objects
	invalidations invalidations
}

// uploadConcurrency limits concurrent uploads, because each file is in memory meanwhile.
const uploadConcurrency = 8

// Handle replaces the content of the bucket and returns when CloudFront delivers the new content.
// Deleting the resource does not delete the content: the bucket is retained, or its own resource
// empties it, or it is the old bucket of a resource that has a new one.
func (h *handler) Handle(
	ctx context.Context, event cfn.Event,
) (physicalResourceID string, data map[string]any, err error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	ctx, cancel := deadline.WithMargin(ctx)
	defer cancel()
	to, err := properties(event.ResourceProperties)
	if err != nil {
		return event.PhysicalResourceID, nil, err
	}
	if err := h.deploy(ctx, event, to); err != nil {
		slog.ErrorContext(ctx, "deployment failed", "error", err)
		return to.BucketName, nil, err
	}
	return to.BucketName, nil, nil
}

func (h *handler) deploy(ctx context.Context, event cfn.Event, to contract.Properties) error {
	file, err := h.download(ctx, to)
	if err != nil {
		return fmt.Errorf("content of the website: %w", err)
	}
	defer removeTemp(ctx, file)
	content, err := newArchive(file)
	if err != nil {
		return fmt.Errorf("content of the website: %w", err)
	}
	if err := content.check(); err != nil {
		return fmt.Errorf("content of the website: %w", err)
	}
	paths, err := h.pathsToInvalidate(ctx, event, to, content)
	if err != nil {
		return fmt.Errorf("previous content of the website: %w", err)
	}
	if err := h.upload(ctx, to.BucketName, content); err != nil {
		return err
	}
	if err := h.prune(ctx, to.BucketName, content); err != nil {
		return err
	}
	slog.InfoContext(ctx, "content deployed", "files", len(content.files), "invalidated", paths)
	return h.invalidate(ctx, to.DistributionID, event.RequestID, paths)
}

// properties decodes a resource's properties from CloudFormation's map.
func properties(from map[string]any) (contract.Properties, error) {
	var p contract.Properties
	encoded, err := json.Marshal(from)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(encoded, &p); err != nil {
		return p, fmt.Errorf("properties: %w", err)
	}
	required := map[string]string{
		"BucketName": p.BucketName, "DistributionID": p.DistributionID,
		"AssetBucket": p.AssetBucket, "AssetKey": p.AssetKey,
	}
	for name, value := range required {
		if value == "" {
			return p, fmt.Errorf("%s is required", name)
		}
	}
	return p, nil
}

// pathsToInvalidate returns the paths that CloudFront has to invalidate. They depend only on the
// event, so a redelivered event has the same paths.
func (h *handler) pathsToInvalidate(
	ctx context.Context, event cfn.Event, to contract.Properties, content *archive,
) ([]string, error) {
	if event.RequestType != cfn.RequestUpdate {
		return allPaths, nil
	}
	from, err := properties(event.OldResourceProperties)
	// Another version of the construct wrote the properties, or they caused this rollback.
	if err != nil {
		slog.WarnContext(ctx, "previous properties not readable", "error", err)
		return allPaths, nil
	}
	if from.AssetBucket != to.AssetBucket {
		return allPaths, nil // the function has read access to one asset bucket only
	}
	file, err := h.download(ctx, from)
	if awsclient.Is(err, "NoSuchKey") { // cdk gc deletes assets that no template uses any more
		return allPaths, nil
	}
	if err != nil {
		return nil, err
	}
	defer removeTemp(ctx, file)
	previous, err := newArchive(file)
	if err != nil {
		slog.WarnContext(ctx, "previous content not readable", "error", err)
		return allPaths, nil
	}
	return changedPaths(previous, content), nil
}

// upload puts all files into the bucket, including unchanged ones: a superseded file that is part
// of the website again loses its tag. The page comes last: a browser that loads it meanwhile gets
// the old page or the new one, and all files that it needs.
func (h *handler) upload(ctx context.Context, bucket string, content *archive) error {
	for _, inBatch := range []func(name string) bool{
		isHashed,
		func(name string) bool { return !isHashed(name) && name != contract.Index },
		func(name string) bool { return name == contract.Index },
	} {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(uploadConcurrency)
		for name := range content.files {
			if inBatch(name) {
				group.Go(func() error { return h.put(ctx, bucket, content, name) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (h *handler) put(ctx context.Context, bucket string, content *archive, name string) error {
	body, err := content.read(name)
	if err != nil {
		return err
	}
	checksum := binary.BigEndian.AppendUint32(nil, content.files[name].CRC32)
	_, err = h.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &name, Body: bytes.NewReader(body),
		ContentType: aws.String(contentType(name)), CacheControl: aws.String(cacheControl(name)),
		// The checksum of the file that the CDK zipped: S3 rejects any other content.
		ChecksumCRC32: aws.String(base64.StdEncoding.EncodeToString(checksum)),
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// prune deletes files that are no longer part of the website. It tags hashed files instead, so that
// the bucket's lifecycle rule expires them later.
func (h *handler) prune(ctx context.Context, bucket string, content *archive) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploadConcurrency)
	pages := s3.NewListObjectsV2Paginator(h.objects, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(fmt.Errorf("list %s: %w", bucket, err), group.Wait())
		}
		for _, object := range page.Contents {
			name := *object.Key
			switch {
			case content.files[name] != nil:
			case isHashed(name):
				group.Go(func() error { return h.supersede(ctx, bucket, name) })
			default:
				group.Go(func() error {
					input := &s3.DeleteObjectInput{Bucket: &bucket, Key: &name}
					if _, err := h.objects.DeleteObject(ctx, input); err != nil {
						return fmt.Errorf("delete %s: %w", name, err)
					}
					return nil
				})
			}
		}
	}
	return group.Wait()
}

// supersede tags a file, once. It copies the file onto itself, because the bucket's lifecycle rule
// counts from an object's creation.
func (h *handler) supersede(ctx context.Context, bucket, name string) error {
	input := &s3.GetObjectTaggingInput{Bucket: &bucket, Key: &name}
	tagging, err := h.objects.GetObjectTagging(ctx, input)
	if awsclient.Is(err, "NoSuchKey") { // the lifecycle rule has deleted it meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("tags of %s: %w", name, err)
	}
	for _, tag := range tagging.TagSet {
		if aws.ToString(tag.Key) == contract.Superseded {
			return nil
		}
	}
	_, err = h.objects.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &bucket, Key: &name, CopySource: aws.String(url.PathEscape(bucket + "/" + name)),
		TaggingDirective: types.TaggingDirectiveReplace,
		Tagging:          aws.String(contract.Superseded + "=true"),
		// S3 rejects a copy onto itself that changes only tags.
		MetadataDirective: types.MetadataDirectiveReplace,
		ContentType:       aws.String(contentType(name)),
		CacheControl:      aws.String(cacheControl(name)),
	})
	if err != nil && !awsclient.Is(err, "NoSuchKey") {
		return fmt.Errorf("supersede %s: %w", name, err)
	}
	return nil
}

func isHashed(name string) bool { return strings.HasPrefix(name, contract.HashedPrefix) }
