package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket/contract"
)

const bucketName = "dev-media-mediaoriginals-0123456789ab"

// A fakeBucket is a fake of S3 with one bucket and pages of three.
type fakeBucket struct {
	tags      []types.Tag
	tagsErr   error
	versions  []string // key@version; a version that begins with "-" is a delete marker
	uploads   []string
	denied    []string // keys that cannot be deleted
	completed []string // uploads that are completed before they are aborted
	onDelete  func()   // called before each page is deleted
	onList    func()   // called after each page is listed
}

func (f *fakeBucket) GetBucketTagging(
	context.Context, *s3.GetBucketTaggingInput, ...func(*s3.Options),
) (*s3.GetBucketTaggingOutput, error) {
	return &s3.GetBucketTaggingOutput{TagSet: f.tags}, f.tagsErr
}

func (f *fakeBucket) ListObjectVersions(
	ctx context.Context, input *s3.ListObjectVersionsInput, _ ...func(*s3.Options),
) (*s3.ListObjectVersionsOutput, error) {
	if *input.Bucket != bucketName {
		panic(*input.Bucket)
	}
	if f.onList != nil {
		defer f.onList()
	}
	page := &s3.ListObjectVersionsOutput{}
	for _, each := range f.versions[:min(3, len(f.versions))] {
		key, version, _ := strings.Cut(each, "@")
		if strings.HasPrefix(version, "-") {
			marker := types.DeleteMarkerEntry{Key: &key, VersionId: &version}
			page.DeleteMarkers = append(page.DeleteMarkers, marker)
		} else {
			object := types.ObjectVersion{Key: &key, VersionId: &version}
			page.Versions = append(page.Versions, object)
		}
	}
	return page, ctx.Err()
}

func (f *fakeBucket) DeleteObjects(
	_ context.Context, input *s3.DeleteObjectsInput, _ ...func(*s3.Options),
) (*s3.DeleteObjectsOutput, error) {
	if f.onDelete != nil {
		f.onDelete()
	}
	result := &s3.DeleteObjectsOutput{}
	for _, object := range input.Delete.Objects {
		if slices.Contains(f.denied, *object.Key) {
			result.Errors = append(result.Errors, types.Error{
				Key:     object.Key,
				Code:    aws.String("AccessDenied"),
				Message: aws.String("Access Denied"),
			})
			continue
		}
		deleted := func(each string) bool { return each == *object.Key+"@"+*object.VersionId }
		f.versions = slices.DeleteFunc(f.versions, deleted)
	}
	return result, nil
}

func (f *fakeBucket) ListMultipartUploads(
	context.Context, *s3.ListMultipartUploadsInput, ...func(*s3.Options),
) (*s3.ListMultipartUploadsOutput, error) {
	page := &s3.ListMultipartUploadsOutput{}
	for _, upload := range f.uploads[:min(3, len(f.uploads))] {
		page.Uploads = append(page.Uploads, types.MultipartUpload{Key: &upload, UploadId: &upload})
	}
	return page, nil
}

func (f *fakeBucket) AbortMultipartUpload(
	_ context.Context, input *s3.AbortMultipartUploadInput, _ ...func(*s3.Options),
) (*s3.AbortMultipartUploadOutput, error) {
	aborted := func(upload string) bool { return upload == *input.UploadId }
	f.uploads = slices.DeleteFunc(f.uploads, aborted)
	if slices.Contains(f.completed, *input.UploadId) {
		return nil, &smithy.GenericAPIError{
			Code: "NoSuchUpload", Message: "The specified multipart upload does not exist.",
		}
	}
	return &s3.AbortMultipartUploadOutput{}, nil
}

// tagged returns the tags of a bucket that is deleted with its stack.
func tagged() []types.Tag {
	return []types.Tag{
		{Key: aws.String("Environment"), Value: aws.String("Dev")},
		{Key: aws.String(contract.Tag), Value: aws.String("true")},
	}
}

func deletion() cfn.Event {
	return cfn.Event{
		RequestType: cfn.RequestDelete, PhysicalResourceID: bucketName,
		ResourceProperties: map[string]any{contract.BucketName: bucketName},
	}
}

func TestHandler_Handle_deletes_all_versions_and_uploads(t *testing.T) {
	bucket := &fakeBucket{
		tags:      tagged(),
		versions:  []string{"a@1", "a@2", "a@-3", "b@null", "c@1", "c@-2", "d@1"},
		uploads:   []string{"1", "2", "3", "4"},
		completed: []string{"2"},
	}
	written := false
	bucket.onDelete = func() {
		if !written {
			bucket.versions = append(bucket.versions, "late@1") // another client writes meanwhile
			written = true
		}
	}
	id, _, err := (&handler{objects: bucket}).Handle(t.Context(), deletion())
	if err != nil || id != bucketName {
		t.Errorf("id %q, error %v", id, err)
	}
	if len(bucket.versions) > 0 || len(bucket.uploads) > 0 {
		t.Errorf("left: versions %q, uploads %q", bucket.versions, bucket.uploads)
	}
}

// When an environment stops being disposable, only the custom resource is deleted.
func TestHandler_Handle_deletes_nothing_without_the_tag(t *testing.T) {
	noTags := &smithy.GenericAPIError{Code: "NoSuchTagSet", Message: "The TagSet does not exist"}
	for name, bucket := range map[string]*fakeBucket{
		"other tags": {tags: tagged()[:1]},
		"no tags":    {tagsErr: noTags},
	} {
		t.Run(name, func(t *testing.T) {
			bucket.versions, bucket.uploads = []string{"a@1"}, []string{"1"}
			_, _, err := (&handler{objects: bucket}).Handle(t.Context(), deletion())
			if err != nil {
				t.Error(err)
			}
			if len(bucket.versions) != 1 || len(bucket.uploads) != 1 {
				t.Errorf("left: versions %q, uploads %q, want all", bucket.versions, bucket.uploads)
			}
		})
	}
}

func TestHandler_Handle_deletes_nothing_when_tags_cannot_be_read(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied"}
	bucket := &fakeBucket{tags: tagged(), tagsErr: denied, versions: []string{"a@1"}}
	_, _, err := (&handler{objects: bucket}).Handle(t.Context(), deletion())
	if err == nil || len(bucket.versions) != 1 {
		t.Errorf("error %v, left %q", err, bucket.versions)
	}
}

func TestHandler_Handle_succeeds_when_the_bucket_does_not_exist(t *testing.T) {
	bucket := &fakeBucket{tagsErr: &smithy.GenericAPIError{
		Code: "NoSuchBucket", Message: "The specified bucket does not exist",
	}}
	if _, _, err := (&handler{objects: bucket}).Handle(t.Context(), deletion()); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_does_nothing_on_create_and_update(t *testing.T) {
	for _, requestType := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		event := deletion()
		event.RequestType, event.PhysicalResourceID = requestType, "another-bucket"
		h := &handler{} // a call would panic
		if id, _, err := h.Handle(t.Context(), event); err != nil || id != bucketName {
			t.Errorf("%s: id %q, error %v, want %s", requestType, id, err, bucketName)
		}
	}
}

func TestHandler_Handle_requires_a_bucket(t *testing.T) {
	for _, properties := range []map[string]any{
		nil, {contract.BucketName: ""}, {contract.BucketName: 7.0},
	} {
		event := deletion()
		event.ResourceProperties = properties
		h := &handler{} // a call would panic
		_, _, err := h.Handle(t.Context(), event)
		if err == nil || !strings.Contains(err.Error(), "BucketName is required") {
			t.Errorf("error %v", err)
		}
	}
}

func TestHandler_Handle_reports_failed_objects_and_deletes_the_others(t *testing.T) {
	bucket := &fakeBucket{
		tags: tagged(), versions: []string{"a@1", "b@1", "c@1", "d@1"}, denied: []string{"b"},
	}
	_, _, err := (&handler{objects: bucket}).Handle(t.Context(), deletion())
	want := fmt.Sprintf("delete objects in %s: 1 failed, first b: AccessDenied: Access Denied",
		bucketName)
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if len(bucket.versions) != 1 {
		t.Errorf("left: %q, want b", bucket.versions)
	}
}

func TestHandler_Handle_succeeds_when_the_bucket_is_empty_at_the_deadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	bucket := &fakeBucket{tags: tagged(), onList: cancel}
	if _, _, err := (&handler{objects: bucket}).Handle(ctx, deletion()); err != nil {
		t.Error(err)
	}
}

func TestHandler_Handle_reports_a_timeout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	bucket := &fakeBucket{
		tags: tagged(), versions: []string{"a@1", "b@1", "c@1", "d@1"}, onDelete: cancel,
	}
	_, _, err := (&handler{objects: bucket}).Handle(ctx, deletion())
	const want = "delete the stack again to delete the remaining objects"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
