package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// invalidations is the part of Amazon CloudFront that invalidates cached files.
type invalidations interface {
	CreateInvalidation(
		context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options),
	) (*cloudfront.CreateInvalidationOutput, error)
	GetInvalidation(
		context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options),
	) (*cloudfront.GetInvalidationOutput, error)
}

const (
	// maxPaths is the maximum number of paths in an invalidation. Above it, one wildcard is cheaper
	// than the cached files are worth: an account's first 1,000 paths a month are free, and the
	// wildcard counts as one ("Pay for file invalidation" in the Amazon CloudFront Developer
	// Guide).
	maxPaths = 100
	// invalidationTimeout is how long a deployment waits for an invalidation, which takes a minute
	// or two. A slower one does not fail the deployment: the rollback would need another one.
	invalidationTimeout = 10 * time.Minute
	pollInterval        = 2 * time.Second
	maxRetryInterval    = 10 * time.Second // while too many other invalidations are in progress
)

// allPaths is the wildcard, for when the changed files are not known.
var allPaths = []string{"/*"}

// changedPaths returns the paths, sorted, at which CloudFront may have cached a file that differs
// now. New files have not been delivered yet, and removed hashed files are still delivered.
func changedPaths(previous, content *archive) []string {
	var paths []string
	for name, was := range previous.files {
		is := content.files[name]
		same := is != nil && is.CRC32 == was.CRC32 &&
			is.UncompressedSize64 == was.UncompressedSize64
		if same || is == nil && isHashed(name) {
			continue
		}
		paths = append(paths, invalidationPath(name))
		if name == contract.Index {
			paths = append(paths, "/")
		}
	}
	if len(paths) > maxPaths {
		return allPaths
	}
	slices.Sort(paths)
	return paths
}

// invalidationPath returns the path of a file in an invalidation. It encodes only characters that
// RFC 1738 calls unsafe; otherwise CloudFront would invalidate another path ("Invalidation paths"
// in the Amazon CloudFront Developer Guide).
func invalidationPath(name string) string {
	const unsafe = " <>\"#%{}|\\^~[]`" + "?" // a question mark would end the path
	var encoded strings.Builder
	encoded.WriteByte('/')
	for _, b := range []byte(name) {
		if b <= ' ' || b >= 0x7f || strings.IndexByte(unsafe, b) >= 0 {
			fmt.Fprintf(&encoded, "%%%02X", b)
		} else {
			encoded.WriteByte(b)
		}
	}
	return encoded.String()
}

// invalidate creates an invalidation of the paths and waits until it is completed. A redelivered
// event has the same reference, for which CloudFront returns the existing invalidation.
func (h *handler) invalidate(
	ctx context.Context, distribution, reference string, paths []string,
) error {
	if len(paths) == 0 {
		return nil
	}
	var created *cloudfront.CreateInvalidationOutput
	err := retry.Do(ctx, func() (err error) {
		created, err = h.invalidations.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: &distribution,
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: &reference,
				Paths: &types.Paths{
					Items:    paths,
					Quantity: aws.Int32(int32(len(paths))), //nolint:gosec // maxPaths at most
				},
			},
		})
		return err
	}, retry.If(tooManyInProgress), retry.Intervals(pollInterval, maxRetryInterval))
	if err != nil {
		// The error omits the paths, which are logged: CloudFormation accepts no response of more
		// than 4,096 bytes ("Custom resource response objects" in the AWS CloudFormation User
		// Guide).
		return fmt.Errorf("invalidate %d paths of %s: %w", len(paths), distribution, err)
	}
	if err := h.waitFor(ctx, distribution, created.Invalidation); err != nil {
		// The content is deployed. An error would make CloudFormation roll it back.
		slog.WarnContext(ctx,
			"invalidation not confirmed; CloudFront may still deliver previous content",
			"invalidation", *created.Invalidation.Id, "error", err)
	}
	return nil
}

// tooManyInProgress reports whether CloudFront's quota of concurrent invalidations is exceeded,
// which is temporary.
func tooManyInProgress(err error) bool {
	return awsclient.Is(err, "TooManyInvalidationsInProgress")
}

// waitFor polls the invalidation until it is completed, for [invalidationTimeout] at most.
func (h *handler) waitFor(
	ctx context.Context, distribution string, invalidation *types.Invalidation,
) error {
	ctx, cancel := context.WithTimeout(ctx, invalidationTimeout)
	defer cancel()
	for aws.ToString(invalidation.Status) != "Completed" {
		if err := retry.Wait(ctx, pollInterval); err != nil {
			return err
		}
		found, err := h.invalidations.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{
			DistributionId: &distribution, Id: invalidation.Id,
		})
		if err != nil {
			return err
		}
		invalidation = found.Invalidation
	}
	return nil
}
