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

// NewMedia declares the stack of what users upload: the bucket, to which signed-in clients upload by themselves.
func NewMedia(stage awscdk.Stage, env environments.Environment, identity *Identity) *Media {
	stack := newStack(stage, "Media", "Bucket for uploads", env)
	pictures := media.New(stack, "Media", media.Props{
		AllowedOrigins: env.WebOrigins,
		LogRetention:   env.LogRetention,
		Disposable:     env.Disposable,
	})
	output(stack, "MediaBucket", "Bucket that signed-in clients upload to", pictures.Originals.BucketName())
	identity.Identity.AllowUploads(pictures.Originals)
	return &Media{Media: pictures}
}
