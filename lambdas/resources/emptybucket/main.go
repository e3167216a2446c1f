// Command emptybucket is a CloudFormation custom resource that empties a bucket before
// CloudFormation deletes it. CloudFormation deletes only empty buckets.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger()) // for the log and cfn packages too
	// S3 counts each key of a page towards its limit of 3,500 deletions a second, so it throttles
	// the deletion of many objects with "SlowDown".
	awsConfig, err := config.LoadDefaultConfig(context.Background(), config.WithRetryMaxAttempts(8))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{objects: s3.NewFromConfig(awsConfig)}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
