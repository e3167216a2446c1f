package s3store_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/s3test"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

const reportKey = "csv/funnel/day=2026-11-20/funnel.csv"

func newReports(t *testing.T) (*s3test.Server, *s3store.Reports) {
	t.Helper()
	server := s3test.Start(t)
	server.Bucket(t, "reports")
	return server, &s3store.Reports{Bucket: "reports", API: s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: lambdatest.Region,
		Credentials: server.Client.Options().Credentials, UsePathStyle: true, RetryMaxAttempts: 1,
	})}
}

func reportFile(content string, asOf time.Time) reports.File {
	return reports.File{
		Key: reportKey, ContentType: "text/csv", Content: []byte(content), AsOf: asOf,
	}
}

func TestReports_Replace_replaces_only_the_version_that_was_read(t *testing.T) {
	server, files := newReports(t)
	ctx := t.Context()
	asOf := time.Date(2026, 11, 21, 12, 0, 0, 123_000_000, time.UTC)
	missing, err := files.Version(ctx, reportKey)
	if err != nil || missing != (reports.Version{}) {
		t.Fatalf("found %+v, %v, want none", missing, err)
	}
	if err := files.Replace(ctx, missing, reportFile("one", asOf)); err != nil {
		t.Fatal(err)
	}
	first, err := files.Version(ctx, reportKey)
	if err != nil || first.ETag == "" || !first.AsOf.Equal(asOf) {
		t.Fatalf("found %+v, %v", first, err)
	}
	err = files.Replace(ctx, missing, reportFile("two", asOf))
	if !errors.Is(err, reports.ErrConflict) {
		t.Errorf("an existing file was created: %v", err)
	}
	if err := files.Replace(ctx, first, reportFile("three", asOf.Add(time.Second))); err != nil {
		t.Fatal(err)
	}
	err = files.Replace(ctx, first, reportFile("four", asOf))
	if !errors.Is(err, reports.ErrConflict) {
		t.Errorf("a changed file was replaced: %v", err)
	}
	found, err := server.Client.GetObject(ctx,
		&s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String(reportKey)})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(found.Body)
	if err != nil || string(content) != "three" || aws.ToString(found.ContentType) != "text/csv" {
		t.Errorf("%s: %q, %v", aws.ToString(found.ContentType), content, err)
	}
	third, err := files.Version(ctx, reportKey)
	if err != nil || !third.AsOf.Equal(asOf.Add(time.Second)) {
		t.Errorf("found %+v, %v", third, err)
	}
	_, err = server.Client.DeleteObject(ctx,
		&s3.DeleteObjectInput{Bucket: aws.String("reports"), Key: aws.String(reportKey)})
	if err != nil {
		t.Fatal(err)
	}
	err = files.Replace(ctx, third, reportFile("five", asOf))
	if !errors.Is(err, reports.ErrConflict) {
		t.Errorf("a deleted file was replaced: %v", err)
	}
}

func TestReports_Replace_succeeds_for_one_concurrent_writer(t *testing.T) {
	_, files := newReports(t)
	for round := range 10 {
		version, err := files.Version(t.Context(), reportKey)
		if err != nil {
			t.Fatal(err)
		}
		failures := make([]error, 8)
		var group errgroup.Group
		for i := range failures {
			group.Go(func() error {
				failures[i] = files.Replace(t.Context(), version,
					reportFile(fmt.Sprint(round, i), time.Unix(int64(round), 0)))
				return nil
			})
		}
		_ = group.Wait() // never fails
		written := slices.DeleteFunc(slices.Clone(failures), func(err error) bool {
			return errors.Is(err, reports.ErrConflict)
		})
		if len(written) != 1 || written[0] != nil {
			t.Fatalf("round %d: %v, want one nil and ErrConflict for all others", round, failures)
		}
	}
}

func TestReports_Version_without_metadata_is_older_than_any(t *testing.T) {
	server, files := newReports(t)
	put := &s3.PutObjectInput{Bucket: aws.String("reports"), Key: aws.String(reportKey)}
	if _, err := server.Client.PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	found, err := files.Version(t.Context(), reportKey)
	if err != nil || !found.AsOf.IsZero() || found.ETag == "" {
		t.Errorf("found %+v, %v", found, err)
	}
	put.Metadata = map[string]string{"as-of": "yesterday"}
	if _, err := server.Client.PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	if found, err := files.Version(t.Context(), reportKey); err == nil {
		t.Errorf("found %+v, want an error", found)
	}
}

func TestReports_failures(t *testing.T) {
	server, files := newReports(t)
	for code, status := range map[string]int{
		"ConditionalRequestConflict": http.StatusConflict,
		"SlowDown":                   http.StatusServiceUnavailable,
		"AccessDenied":               http.StatusForbidden,
	} {
		server.SetFault(awstest.Fault{Status: status, Code: code})
		err := files.Replace(t.Context(), reports.Version{}, reportFile("", time.Now()))
		got := []bool{
			errors.Is(err, reports.ErrConflict), errors.Is(err, retry.ErrUnavailable),
			awsclient.Is(err, "AccessDenied"),
		}
		want := []bool{
			code == "ConditionalRequestConflict", code == "SlowDown", code == "AccessDenied",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %v", code, err)
		}
		_, err = files.Version(t.Context(), reportKey)
		if err == nil || errors.As(err, new(*types.NotFound)) ||
			errors.Is(err, retry.ErrUnavailable) != (code == "SlowDown") {
			t.Errorf("%s: Version: %v", code, err)
		}
	}
}
