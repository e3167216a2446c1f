// Function executes the action that its event names, for the tests of lambdatest.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

type response struct {
	Text        string   `json:"text"`
	RequestID   string   `json:"requestId"`
	FunctionARN string   `json:"functionArn"`
	Remaining   string   `json:"remaining"`
	Invocation  int      `json:"invocation"`
	Environment []string `json:"environment"`
}

func main() {
	switch os.Getenv("INIT") {
	case "crash":
		fmt.Fprintln(os.Stderr, "no settings, no start")
		os.Exit(3)
	case "error":
		url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
		body := strings.NewReader(
			`{"errorType":"Init.NoSettings","errorMessage":"SENDER is missing"}`)
		if _, err := http.Post(url, "application/json", body); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	invocations := 0
	lambda.Start(func(ctx context.Context, event event) (response, error) {
		invocations++
		fmt.Printf("doing %q\n", event.Do)
		switch event.Do {
		case "fail":
			return response{}, errors.New(event.Text)
		case "panic":
			panic(event.Text)
		case "crash":
			fmt.Fprintln(os.Stderr, event.Text)
			os.Exit(4)
		case "hang":
			select {}
		}
		invoked, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return response{
			Text:        event.Text,
			RequestID:   invoked.AwsRequestID,
			FunctionARN: invoked.InvokedFunctionArn,
			Remaining:   time.Until(deadline).String(),
			Invocation:  invocations,
			Environment: os.Environ(),
		}, nil
	})
}
