// Command restrictdefaultsecuritygroup is a CloudFormation custom resource that takes the rules out of a VPC's default
// security group, so that whatever is launched without a group of its own reaches nothing and is reached by nothing.
//
// The CDK's restrictDefaultSecurityGroup does the same with a function in Node.js. This one is in Go so that all
// functions of the platform have one runtime, one architecture and one toolchain to keep up to date.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/resources/restrictdefaultsecuritygroup/contract"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger()) // the log package writes to it too, and so does cfn
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{groups: &queryAPI{
		endpoint:      settings.Endpoint,
		region:        awsConfig.Region,
		credentials:   awsConfig.Credentials,
		client:        &http.Client{Timeout: 10 * time.Second}, // of the minute that the function has
		firstInterval: 500 * time.Millisecond,
	}}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
