package test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestUploadsThatNobodyKeepsAreForgottenAfterADay(t *testing.T) {
	inEvery(t, "Media", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		bucket := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		want(t, bucket, []any{
			map[string]any{"Id": "ForgetWhatNobodyKept", "Status": "Enabled", "Prefix": "temp/", "ExpirationInDays": 1},
			map[string]any{"Id": "AbortUnfinishedUploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1}},
		}, "LifecycleConfiguration", "Rules")
	})
}

func TestPicturesAreEncryptedByTheKeyThatS3Manages(t *testing.T) {
	inEvery(t, "Media", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		bucket := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		want(t, bucket, []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}},
			"BucketEncryption", "ServerSideEncryptionConfiguration")
	})
}

func TestOnlyTheEnvironmentsOwnPagesReachTheMediaBucket(t *testing.T) {
	inEvery(t, "Media", func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
		bucket := only(t, stack, "AWS::S3::Bucket", "MediaOriginals")
		want(t, bucket, []any{map[string]any{
			"AllowedOrigins": environment.WebOrigins,
			"AllowedMethods": []string{"GET", "HEAD", "PUT", "POST", "DELETE"},
			"AllowedHeaders": []string{"*"},
			"ExposedHeaders": []string{"ETag"},
			"MaxAge":         3600,
		}}, "CorsConfiguration", "CorsRules")
	})
}

func TestMediaThatCannotBeIsRefused(t *testing.T) {
	refused(t, func(stack awscdk.Stack) { media.New(stack, "Media", media.Props{}) },
		"media: Media: AllowedOrigins is required; pass the web client's origins")
	refused(t, func(stack awscdk.Stack) {
		media.New(stack, "Media", media.Props{AllowedOrigins: []string{"https://app.example.com", "*"}})
	}, "media: Media: AllowedOrigins[1]: *, want an origin without *")
}
