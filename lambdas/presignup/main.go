// Command presignup is a user pool's pre sign-up trigger: it links a social sign-in to the user who has the same e-mail
// address, where both have verified it, so that one person is one user.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{users: cognitoidentityprovider.NewFromConfig(awsConfig), logger: logger}
	lambda.Start(h.Handle)
}
