// Command externalschema is a CloudFormation custom resource that creates an external schema in a
// data warehouse for the tables of a Glue Data Catalog database. CloudFormation has no resource for
// it, because only SQL can create it.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger()) // for the log and cfn packages too
	// More attempts than the default: a rollback takes longer than retries of Data API calls. The
	// default response timeout is enough, because no call waits for the warehouse to resume.
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithRetryMaxAttempts(6),
		config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{warehouse: redshiftdata.NewFromConfig(awsConfig)}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
