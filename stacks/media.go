package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
)

// Media is the stack of what users upload.
type Media struct {
	Media *media.Media
}

// NewMedia declares the bucket for uploads.
func NewMedia(stage awscdk.Stage, env environments.Environment) *Media {
	stack := newStack(stage, "Media", "Bucket for uploads", env)
	pictures := media.New(stack, "Media", media.Props{AllowedOrigins: env.WebOrigins, Disposable: env.Disposable})
	output(stack, "MediaBucket", "Bucket that signed-in clients upload to", pictures.Originals.BucketName())
	return &Media{Media: pictures}
}
