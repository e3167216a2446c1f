package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/emptybucket/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// TestBootstrap sends CloudFormation's events to the built function, for a versioned bucket.
func TestBootstrap(t *testing.T) {
	server := s3test.Start(t)
	environment := map[string]string{"AWS_ENDPOINT_URL_S3": server.URL}
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), environment)
	cloudFormation := awstest.StartCloudFormation(t)
	send := func(t *testing.T, file string) awstest.CustomResourceResponse {
		t.Helper()
		event := cloudFormation.Event(t, "testdata/"+file)
		if _, err := fn.Invoke(t.Context(), event, time.Minute); err != nil {
			t.Fatalf("%v\n%s", err, fn.Logs())
		}
		return cloudFormation.Response(t)
	}
	success := awstest.CustomResourceResponse{
		Status:             "SUCCESS",
		PhysicalResourceID: bucketName,
		StackID: "arn:aws:cloudformation:eu-central-1:111111111111:" +
			"stack/Dev-Media/00000000-0000-4000-8000-0000000000aa",
		RequestID:         "00000000-0000-4000-8000-0000000000bb",
		LogicalResourceID: "MediaOriginalsEmptyOnDelete",
	}
	put := func(t *testing.T, key string) {
		t.Helper()
		if _, err := server.Client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucketName), Key: &key, Body: strings.NewReader(key),
		}); err != nil {
			t.Fatal(err)
		}
	}
	left := func(t *testing.T) int {
		t.Helper()
		listVersions := &s3.ListObjectVersionsInput{Bucket: aws.String(bucketName)}
		found, err := server.Client.ListObjectVersions(t.Context(), listVersions)
		if err != nil {
			t.Fatal(err)
		}
		listUploads := &s3.ListMultipartUploadsInput{Bucket: aws.String(bucketName)}
		uploads, err := server.Client.ListMultipartUploads(t.Context(), listUploads)
		if err != nil {
			t.Fatal(err)
		}
		return len(found.Versions) + len(found.DeleteMarkers) + len(uploads.Uploads)
	}

	t.Run("delete of a missing bucket succeeds", func(t *testing.T) {
		if diff := cmp.Diff(success, send(t, "delete.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
	})

	server.Bucket(t, bucketName)
	if _, err := server.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(bucketName),
		VersioningConfiguration: &types.VersioningConfiguration{
			Status: types.BucketVersioningStatusEnabled,
		},
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 1003 { // a page of S3 has a thousand versions
		put(t, fmt.Sprintf("temp/%04d", i))
	}
	for _, key := range []string{"a b+ü.jpg", "a b+ü.jpg", "deleted.jpg"} {
		put(t, key)
	}
	if _, err := server.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucketName), Key: aws.String("deleted.jpg"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucketName), Key: aws.String("unfinished.jpg"),
	}); err != nil {
		t.Fatal(err)
	}

	t.Run("a bucket without the tag keeps all objects", func(t *testing.T) {
		before := left(t)
		for _, file := range []string{"create.json", "update.json", "delete.json"} {
			if diff := cmp.Diff(success, send(t, file)); diff != "" {
				t.Errorf("%s: response (-want +got):\n%s", file, diff)
			}
		}
		if after := left(t); after != before {
			t.Errorf("%d versions left of %d", after, before)
		}
	})

	if _, err := server.Client.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{
		Bucket: aws.String(bucketName), Tagging: &types.Tagging{TagSet: tagged()},
	}); err != nil {
		t.Fatal(err)
	}
	t.Run("an error of S3 fails the deletion and is reported", func(t *testing.T) {
		server.SetFault(awstest.Fault{
			Status: http.StatusForbidden, Code: "AccessDenied", Action: "s3:DeleteObject",
		})
		defer server.SetFault(awstest.Fault{})
		got := send(t, "delete.json")
		if got.Status != "FAILED" || !strings.Contains(got.Reason, "AccessDenied") ||
			got.PhysicalResourceID != bucketName {
			t.Errorf("response %+v, want FAILED for AccessDenied", got)
		}
	})
	t.Run("throttled deletions are retried", func(t *testing.T) {
		busy := 2
		server.Intercept(func(call awstest.Call) awstest.Fault {
			if call.Action == "s3:DeleteObject" && busy > 0 {
				busy--
				return awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
			}
			return awstest.Fault{}
		})
		defer server.Intercept(nil)
		if diff := cmp.Diff(success, send(t, "delete.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s\n%s", diff, fn.Logs())
		}
		if n := left(t); n > 0 || busy > 0 {
			t.Errorf("%d versions, markers and uploads left", n)
		}
	})
	t.Run("delete of an empty bucket succeeds", func(t *testing.T) {
		if diff := cmp.Diff(success, send(t, "delete.json")); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
	})

	awstest.CheckActions(t, "calls.txt", server.Calls())
}
