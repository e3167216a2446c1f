package s3test_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

func clientOf(server *s3test.Server, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &server.URL,
		Region:       lambdatest.Region,
		Credentials: credentials.NewStaticCredentialsProvider(lambdatest.AccessKeyID, secret,
			lambdatest.SessionToken),
		RetryMaxAttempts: 1,
	})
}

func TestServer_stores_objects_and_records_actions(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	client := clientOf(server, lambdatest.SecretAccessKey)
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("pictures"), Key: aws.String("temp/a b+ü.jpg"),
		Body: strings.NewReader("stone"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String("pictures"), Key: aws.String("copied"),
		CopySource: aws.String("pictures/temp%2Fa%20b%2B%C3%BC.jpg"),
	}); err != nil {
		t.Fatal(err)
	}
	found, err := client.GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("pictures"), Key: aws.String("copied")})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(found.Body); err != nil || string(content) != "stone" {
		t.Errorf("got %q, %v, want stone", content, err)
	}
	_, err = client.HeadObject(t.Context(),
		&s3.HeadObjectInput{Bucket: aws.String("pictures"), Key: aws.String("missing")})
	if _, ok := errors.AsType[*types.NotFound](err); !ok {
		t.Errorf("got %v, want not found", err)
	}
	want := []awstest.Call{
		{Action: "s3:PutObject", Resource: "arn:aws:s3:::pictures/temp/a b+ü.jpg"},
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::pictures/temp/a b+ü.jpg"},
		{Action: "s3:PutObject", Resource: "arn:aws:s3:::pictures/copied"},
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::pictures/copied"},
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::pictures/missing"},
		{Action: "s3:ListBucket", Resource: "arn:aws:s3:::pictures"},
	}
	if diff := cmp.Diff(want, server.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	diff := cmp.Diff([]string{"copied", "temp/a b+ü.jpg"}, server.Keys(t, "pictures"))
	if diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestServer_rejects_a_wrong_secret(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	_, err := clientOf(server, "wrong").GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("pictures"), Key: aws.String("k")})
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok || failure.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("got %v, want SignatureDoesNotMatch", err)
	}
}

func TestServer_SetFault_returns_S3_errors(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	server.SetFault(awstest.Fault{
		Status: http.StatusServiceUnavailable, Code: "SlowDown", Action: "s3:GetObject",
	})
	_, err := clientOf(server, lambdatest.SecretAccessKey).GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("pictures"), Key: aws.String("k")})
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok || failure.ErrorCode() != "SlowDown" {
		t.Errorf("got %v, want SlowDown", err)
	}
	if keys := server.Keys(t, "pictures"); len(keys) > 0 {
		t.Errorf("keys %v, want none", keys)
	}
}

func TestServer_SetFault_ends_after_Times(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	server.SetFault(
		awstest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", Times: 2})
	for _, want := range []string{"SlowDown", "SlowDown", "NoSuchKey"} {
		_, err := clientOf(server, lambdatest.SecretAccessKey).GetObject(t.Context(),
			&s3.GetObjectInput{Bucket: aws.String("pictures"), Key: aws.String("k")})
		if failure, ok := errors.AsType[smithy.APIError](err); !ok || failure.ErrorCode() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestServer_SetFault_cuts_a_response(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	client := clientOf(server, lambdatest.SecretAccessKey)
	put := &s3.PutObjectInput{
		Bucket: aws.String("pictures"), Key: aws.String("k"),
		Body: strings.NewReader(strings.Repeat("stone", 10_000)),
	}
	if _, err := client.PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	server.SetFault(awstest.Fault{TruncateResponse: true})
	found, err := client.GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: put.Bucket, Key: put.Key})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(found.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(content) == 0 || len(content) == 50_000 {
		t.Errorf("%d bytes, %v, want some and ErrUnexpectedEOF", len(content), err)
	}
}

// TestServer_enforces_the_policy_of_a_presigned_POST shows that the server does what tests of
// uploads rely on.
func TestServer_enforces_the_policy_of_a_presigned_POST(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	client := s3.NewPresignClient(clientOf(server, lambdatest.SecretAccessKey))
	presigned, err := client.PresignPostObject(t.Context(),
		&s3.PutObjectInput{Bucket: aws.String("pictures"), Key: aws.String("temp/a")},
		func(o *s3.PresignPostOptions) {
			o.Expires = time.Minute
			o.Conditions = []any{[]any{"content-length-range", 1, 5}}
		})
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]int{
		"stone": http.StatusNoContent, "stones": http.StatusBadRequest,
	} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for name, value := range presigned.Values {
			if err := form.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		file, err := form.CreateFormFile("file", "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := form.Close(); err != nil {
			t.Fatal(err)
		}
		answer, err := http.Post(presigned.URL, form.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		response, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d\n%s", content, answer.Status, want, response)
		}
	}
	if !slices.Equal(server.Keys(t, "pictures"), []string{"temp/a"}) {
		t.Errorf("keys %v, want temp/a", server.Keys(t, "pictures"))
	}
}

func TestServer_SetFault_applies_a_write_whose_response_is_cut(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "pictures")
	server.SetFault(awstest.Fault{TruncateResponse: true})
	put := &s3.PutObjectInput{
		Bucket: aws.String("pictures"), Key: aws.String("k"), Body: strings.NewReader("stone"),
	}
	_, err := clientOf(server, lambdatest.SecretAccessKey).PutObject(t.Context(), put)
	if err == nil {
		t.Error("the cut response arrived")
	}
	if !slices.Equal(server.Keys(t, "pictures"), []string{"k"}) {
		t.Errorf("keys %v, want k", server.Keys(t, "pictures"))
	}
}
