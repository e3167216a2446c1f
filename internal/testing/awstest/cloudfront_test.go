package awstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
)

func TestCloudFront(t *testing.T) {
	const distribution = "E1EXAMPLE"
	cloudFront := awstest.StartCloudFront(t, distribution)
	client := cloudfront.New(cloudfront.Options{
		Region:       "us-east-1",
		BaseEndpoint: &cloudFront.URL,
		Retryer:      aws.NopRetryer{},
		Credentials:  fakeCredentials,
	})
	create := func(
		distribution, reference string, quantity int32, paths ...string,
	) (*types.Invalidation, string) {
		output, err := client.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{
			DistributionId: &distribution,
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: &reference, Paths: &types.Paths{Items: paths, Quantity: &quantity},
			},
		})
		if code := code(err); code != "" {
			return nil, code
		}
		if err != nil {
			t.Fatal(err)
		}
		return output.Invalidation, ""
	}

	cloudFront.SetPollsUntilCompleted(2)
	created, code := create(distribution, "first", 2, "/", "/index.html")
	if code != "" || *created.Status != "InProgress" {
		t.Fatalf("%+v, %s", created, code)
	}
	again, code := create(distribution, "first", 2, "/", "/index.html")
	if code != "" || *again.Id != *created.Id {
		t.Errorf("a repeated request: %+v, %s", again, code)
	}
	for want, create := range map[string]func() (*types.Invalidation, string){
		"InvalidArgument": func() (*types.Invalidation, string) {
			return create(distribution, "first", 1, "/*")
		},
		"InconsistentQuantities": func() (*types.Invalidation, string) {
			return create(distribution, "second", 2, "/*")
		},
		"NoSuchDistribution": func() (*types.Invalidation, string) {
			return create("E2EXAMPLE", "second", 1, "/*")
		},
		"TooManyInvalidationsInProgress": func() (*types.Invalidation, string) {
			cloudFront.SetThrottledRequests(1)
			return create(distribution, "second", 1, "/*")
		},
	} {
		if _, code := create(); code != want {
			t.Errorf("code %q, want %s", code, want)
		}
	}
	var statuses []string
	for range 2 {
		found, err := client.GetInvalidation(t.Context(),
			&cloudfront.GetInvalidationInput{
				DistributionId: aws.String(distribution), Id: created.Id,
			})
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, *found.Invalidation.Status)
	}
	if diff := cmp.Diff([]string{"InProgress", "Completed"}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	want := []awstest.Invalidation{{Reference: "first", Paths: []string{"/", "/index.html"}}}
	if diff := cmp.Diff(want, cloudFront.Invalidations(distribution),
		cmpopts.IgnoreUnexported(awstest.Invalidation{})); diff != "" {
		t.Errorf("invalidations (-want +got):\n%s", diff)
	}
}
