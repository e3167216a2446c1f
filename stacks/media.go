package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// NewMedia declares the stack of users' pictures: the buckets, the function that makes thumbnails,
// and the distribution. Signed-in clients may also upload with their own AWS credentials.
func NewMedia(
	stage awscdk.Stage, env environments.Environment, users *identity.Identity, website *Website,
) *media.Media {
	stack := newStack(stage, "Media", "Pictures: uploads, thumbnails and their delivery")
	media := media.New(stack, "Media", media.Props{
		AllowedOrigins:              website.Origins,
		Widths:                      pictures.Widths,
		MaxBytes:                    pictures.MaxBytes,
		MaxPixels:                   pictures.MaxPixels,
		TempPrefix:                  pictures.TempPrefix,
		PermanentPrefix:             pictures.PermanentPrefix,
		ProtectedPrefix:             pictures.ProtectedPrefix,
		PrivatePrefix:               pictures.PrivatePrefix,
		DisableTransferAcceleration: !env.TransferAcceleration,
	})
	users.GrantSignedInReadWrite(media.Originals)
	users.GrantSignedInRead(media.Thumbnails)
	output(stack, "MediaBucket", "Bucket that signed-in clients upload to",
		media.Originals.BucketName())
	output(stack, "MediaURL", "Base URL of thumbnails, without a slash at the end",
		jsii.String(media.URL()))
	outputDLQ(stack, "Thumbnails", media.OriginalEvents.DeadLetterQueue)
	outputDLQ(stack, "ThumbnailEvents", media.ThumbnailEventDLQ)
	return media
}
