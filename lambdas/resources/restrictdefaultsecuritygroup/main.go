// Command restrictdefaultsecuritygroup is a CloudFormation custom resource that revokes the rules
// of a VPC's default security group. Resources that are launched without their own security group
// then have no network access.
//
// The CDK's restrictDefaultSecurityGroup does the same with a function in Node.js. This one is in
// Go so that all functions of the platform have one runtime, one architecture and one toolchain to
// update.
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
	slog.SetDefault(lambdacontext.NewLogger()) // for the log and cfn packages too
	settings := lambdaenv.MustLoad[contract.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{groups: &queryAPI{
		endpoint:      settings.Endpoint,
		region:        awsConfig.Region,
		credentials:   awsConfig.Credentials,
		client:        &http.Client{Timeout: 10 * time.Second}, // the function has a minute
		firstInterval: 500 * time.Millisecond,
	}}
	lambda.Start(cfn.LambdaWrap(h.Handle))
}
