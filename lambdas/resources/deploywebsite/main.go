// Command deploywebsite is a CloudFormation custom resource that uploads the content of a website
// to its bucket and invalidates changed files in CloudFront.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger()) // for the log and cfn packages too
	// More attempts than the default: a rollback takes longer than retries of S3 calls.
	awsConfig, err := config.LoadDefaultConfig(context.Background(), config.WithRetryMaxAttempts(6))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{
		objects:       s3.NewFromConfig(awsConfig),
		invalidations: cloudfront.NewFromConfig(awsConfig),
	}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
