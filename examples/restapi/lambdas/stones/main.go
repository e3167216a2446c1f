// Command stones is the function of the API.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/stones/stones"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

func main() {
	settings := lambdaenv.MustLoad[stones.Settings]()
	awsConfig, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	databases, err := mysqlconn.Open(settings.Database, secretsmanager.NewFromConfig(awsConfig))
	if err != nil {
		panic(err)
	}
	handlers := &stones.Handlers{Databases: databases}
	lambda.Start(rest.NewHandler(stones.Routes, handlers, settings.API,
		lambdacontext.NewLogger()).Handle)
}
