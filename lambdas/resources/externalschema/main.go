// Command externalschema is a CloudFormation custom resource that makes a schema in a data warehouse, through which it
// shows the tables of a database of the Glue Data Catalog. CloudFormation has no resource for what only SQL can make.
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
	slog.SetDefault(lambdacontext.NewLogger()) // the log package writes to it too, and so does cfn
	// A rollback takes longer than patience with the Data API. No call of it waits for the warehouse, which may have to
	// wake up.
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithRetryMaxAttempts(6), config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{warehouse: redshiftdata.NewFromConfig(awsConfig)}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
