package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// Media is the stack of users' pictures.
type Media struct {
	Media *media.Media
}

// NewMedia declares the stack of users' pictures: the buckets, the function that makes thumbnails, and their delivery.
// Signed-in clients may also upload by themselves.
func NewMedia(stage awscdk.Stage, env environments.Environment, identity *Identity, website *Website) *Media {
	stack := newStack(stage, "Media", "Pictures: uploads, thumbnails and their delivery", env)
	media := media.New(stack, "Media", media.Props{
		AllowedOrigins:              website.Origins(env),
		Widths:                      pictures.Widths,
		MaxBytes:                    pictures.MaxBytes,
		MaxPixels:                   pictures.MaxPixels,
		DisableTransferAcceleration: !env.TransferAcceleration,
		LogRetention:                env.LogRetention,
		Disposable:                  env.Disposable,
	})
	identity.Identity.AllowUploads(media.Originals)
	identity.Identity.AllowReadingThumbnails(media.Thumbnails)
	output(stack, "MediaBucket", "Bucket that signed-in clients upload to", media.Originals.BucketName())
	output(stack, "MediaURL", "Where thumbnails are delivered; without a slash at the end", jsii.String(media.URL()))
	deadLetters(stack, "Thumbnails", media.Events.DeadLetterQueue)
	deadLetters(stack, "FinishedPictures", media.DeadFinishedPictures)
	return &Media{Media: media}
}
