package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// Reports stores the files of reports in one bucket.
type Reports struct {
	Bucket string
	API    interface {
		HeadObject(
			context.Context, *s3.HeadObjectInput, ...func(*s3.Options),
		) (*s3.HeadObjectOutput, error)
		PutObject(
			context.Context, *s3.PutObjectInput, ...func(*s3.Options),
		) (*s3.PutObjectOutput, error)
	}
}

// asOf is the metadata that stores a file's AsOf, in RFC 3339: the header x-amz-meta-as-of.
const asOf = "as-of"

// Version implements [reports.Files]. S3 reports a missing file only to callers that may list the
// bucket.
func (r *Reports) Version(ctx context.Context, key string) (reports.Version, error) {
	object, err := r.API.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.Bucket, Key: &key})
	if _, missing := errors.AsType[*types.NotFound](err); missing {
		return reports.Version{}, nil
	}
	if err != nil {
		return reports.Version{}, awsclient.Wrap("read a report's version", err)
	}
	version := reports.Version{ETag: aws.ToString(object.ETag)}
	if value, ok := object.Metadata[asOf]; ok {
		if version.AsOf, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return reports.Version{},
				fmt.Errorf("read a report's version: metadata %s: %w", asOf, err)
		}
	}
	return version, nil
}

// conflicts are S3's error codes for a conditional write whose condition does not hold, or that
// conflicts with another write in progress: "Conditional writes" in the Amazon S3 User Guide.
var conflicts = []string{"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}

// Replace implements [reports.Files].
func (r *Reports) Replace(ctx context.Context, replaced reports.Version, file reports.File) error {
	input := &s3.PutObjectInput{
		Bucket:      &r.Bucket,
		Key:         &file.Key,
		Body:        bytes.NewReader(file.Content),
		ContentType: &file.ContentType,
		Metadata:    map[string]string{asOf: file.AsOf.UTC().Format(time.RFC3339Nano)},
	}
	if replaced.ETag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &replaced.ETag
	}
	_, err := r.API.PutObject(ctx, input)
	for _, code := range conflicts {
		if awsclient.Is(err, code) {
			return fmt.Errorf("write a report: %w", reports.ErrConflict)
		}
	}
	return awsclient.Wrap("write a report", err)
}
