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
	"github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite/contract"
)

// edges is the part of Amazon CloudFront that forgets.
type edges interface {
	CreateInvalidation(context.Context, *cloudfront.CreateInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.CreateInvalidationOutput, error)
	GetInvalidation(context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.GetInvalidationOutput, error)
}

const (
	// maxPaths is how many paths an invalidation names one by one. Beyond, one for all is cheaper than what would be kept is
	// worth: an account's first 1,000 paths a month are free, and the wildcard counts as one ("Pay for file invalidation" in
	// the Amazon CloudFront Developer Guide).
	maxPaths = 100
	// patience is how long a deployment waits for an invalidation, which takes a minute or two. One that takes longer is
	// not taken back by failing: that would be one more.
	patience = 10 * time.Minute
	pause    = 2 * time.Second // between two looks
)

// everything is what is forgotten where nobody knows what has changed.
var everything = []string{"/*"}

// changes lists the paths at which CloudFront may hold something of former's that is not content's, in their order. What
// is new has not been delivered yet, and hashed files that are gone still are.
func changes(former, content *archive) []string {
	var paths []string
	for name, was := range former.files {
		is := content.files[name]
		if is == nil && isHashed(name) || is != nil && is.CRC32 == was.CRC32 && is.UncompressedSize64 == was.UncompressedSize64 {
			continue
		}
		paths = append(paths, pathOf(name))
		if name == contract.Index {
			paths = append(paths, "/")
		}
	}
	if len(paths) > maxPaths {
		return everything
	}
	slices.Sort(paths)
	return paths
}

// pathOf is the path of a file as an invalidation has it: only what RFC 1738 calls unsafe is encoded, or CloudFront takes it
// for another path ("Invalidation paths" in the Amazon CloudFront Developer Guide).
func pathOf(name string) string {
	const unsafe = " <>\"#%{}|\\^~[]`" + "?" // the last would end the path
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

// invalidate has CloudFront forget the paths, and waits until it has. reference is the same when the event comes again, and
// CloudFront then answers with the invalidation that it has made already.
func (h *handler) invalidate(ctx context.Context, distribution, reference string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	input := &cloudfront.CreateInvalidationInput{
		DistributionId: &distribution,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference,
			Paths:           &types.Paths{Items: paths, Quantity: aws.Int32(int32(len(paths)))}, //nolint:gosec // maxPaths at most
		},
	}
	created, err := h.edges.CreateInvalidation(ctx, input)
	for awsclient.Is(err, "TooManyInvalidationsInProgress") && rest(ctx) == nil {
		created, err = h.edges.CreateInvalidation(ctx, input)
	}
	if err != nil {
		// Not the paths, which are logged: CloudFormation takes no answer of more than 4,096 bytes ("Custom resource response
		// objects" in the AWS CloudFormation User Guide).
		return fmt.Errorf("invalidate %d paths of %s: %w", len(paths), distribution, err)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for aws.ToString(created.Invalidation.Status) != "Completed" {
		if rest(waiting) != nil {
			slog.WarnContext(ctx, "CloudFront shows the former content in places still", "invalidation", *created.Invalidation.Id)
			return nil
		}
		found, err := h.edges.GetInvalidation(waiting, &cloudfront.GetInvalidationInput{DistributionId: &distribution, Id: created.Invalidation.Id})
		if err != nil { // all is done but for knowing it, which is no reason to take it back
			slog.WarnContext(ctx, "CloudFront does not say whether it shows the former content still", "invalidation", *created.Invalidation.Id, "error", err)
			return nil
		}
		created.Invalidation = found.Invalidation
	}
	return nil
}

// rest waits for a moment, or until there is no more time.
func rest(ctx context.Context) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
