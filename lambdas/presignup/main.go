// Command presignup is a user pool's pre sign-up trigger: it links a social sign-in to the user who
// has the same e-mail address, where both have verified it, so that one person is one user.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	retryer := retry.NewStandard(func(standard *retry.StandardOptions) {
		first := []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(limitIsNotRetryable)}
		standard.Retryables = append(first, standard.Retryables...)
	})
	client := cognitoidentityprovider.NewFromConfig(awsConfig,
		func(options *cognitoidentityprovider.Options) { options.Retryer = retryer })
	h := &handler{users: client, logger: logger}
	lambda.Start(h.Handle)
}

// limitIsNotRetryable stops the SDK from retrying when a user already has as many linked sign-ins
// as Cognito allows: the SDK takes the error for throttling because of its name.
func limitIsNotRetryable(err error) aws.Ternary {
	if isA[*types.LimitExceededException](err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}
