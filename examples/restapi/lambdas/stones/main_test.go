package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/stones/stones"

	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
)

// TestStones runs the built function like Lambda. It rejects an invalid request before it needs the
// database.
func TestStones(t *testing.T) {
	environment, err := lambdaenv.Encode(stones.Settings{
		API: rest.Settings{ClientIDs: []string{"web"}},
		Database: mysqlconn.Settings{
			SecretARN: "arn:aws:secretsmanager:eu-central-1:111111111111:secret:app-abcdef",
			Name:      "app", WriterHost: "database.example.com", Port: 3306,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	fn := lambdatest.New(t, lambdatest.Build(t, "example.com/stones/lambdas/stones"), environment)
	request, err := json.Marshal(events.APIGatewayProxyRequest{
		HTTPMethod: "POST", Resource: "/stones", Body: `{"name":"ashlar","weight":-1}`,
		Headers: map[string]string{"Content-Type": "application/json"},
		RequestContext: events.APIGatewayProxyRequestContext{
			Authorizer: map[string]any{"claims": map[string]string{
				"token_use": "id", "aud": "web", "sub": "1", "cognito:username": "1",
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := fn.Invoke(t.Context(), request, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(response), `"statusCode":400`) ||
		!strings.Contains(string(response), "weight") {
		t.Errorf("response %s, want an error about the weight", response)
	}
}
