package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ashlar-cdk/ashlar/rest"
)

// Bricks are the handlers of the routes and what they need.
type Bricks struct {
	stored map[string]Brick
}

// A Brick is the body of requests and responses.
type Brick struct {
	Name   string `json:"name" minLength:"1" maxLength:"20"`
	Weight int    `json:"weight,omitempty" minimum:"1" doc:"In grams"`
}

// BrickRoutes is the table of routes. The stack passes BrickRoutes.Operations() to the gateway, and
// the function's main passes it to NewHandler.
var BrickRoutes = rest.Table[*Bricks]{
	rest.Handle("GET", "/bricks/{name}", rest.Public, "Get a brick", (*Bricks).get),
	rest.Handle("PUT", "/bricks/{name}", rest.Authenticated, "Store a brick", (*Bricks).put),
}

func (b *Bricks) get(_ context.Context, in *struct {
	Name string `path:"name"`
}) (*struct{ Body Brick }, error) {
	brick, ok := b.stored[in.Name]
	if !ok {
		return nil, rest.NewError(http.StatusNotFound, "not_found", "There is no such brick.")
	}
	return &struct{ Body Brick }{brick}, nil
}

func (b *Bricks) put(ctx context.Context, in *struct {
	Name string `path:"name"`
	Body Brick
}) (*struct{ Body Brick }, error) {
	if in.Name != in.Body.Name {
		return nil, rest.Invalid(rest.Field{Name: "name", Problem: "is not that of the path"})
	}
	fmt.Println("stored by", rest.Caller(ctx).Subject)
	b.stored[in.Name] = in.Body
	return &struct{ Body Brick }{in.Body}, nil
}

// A function of the API: its main calls lambda.Start(handler.Handle) with the settings of the
// environment.
func Example() {
	settings := rest.Settings{
		AllowedOrigins: []string{"https://app.example.com"},
		ClientIDs:      []string{"web-client"},
	}
	bricks := &Bricks{stored: map[string]Brick{}}
	handler := rest.NewHandler(BrickRoutes, bricks, settings, slog.New(slog.DiscardHandler))

	// Requests, as API Gateway passes them to the function.
	send := func(method, body string) {
		request := events.APIGatewayProxyRequest{
			HTTPMethod: method, Resource: "/bricks/{name}", Body: body,
			PathParameters: map[string]string{"name": "red"},
			Headers: map[string]string{
				"Content-Type": "application/json", "Origin": "https://app.example.com",
			},
		}
		request.RequestContext.RequestID = "example"
		request.RequestContext.Authorizer = map[string]any{"claims": map[string]any{
			"token_use": "id", "aud": "web-client", "sub": "ada", "cognito:username": "ada",
		}}
		response, _ := handler.Handle(context.Background(), request) // never fails
		var failed struct{ Error rest.Error }
		if response.StatusCode < 400 {
			fmt.Println(method, response.StatusCode, response.Body)
		} else if err := json.Unmarshal([]byte(response.Body), &failed); err == nil {
			fmt.Println(method, response.StatusCode, failed.Error.Code, failed.Error.Message)
		}
	}
	send("GET", "")
	send("PUT", `{"name":"red","weight":0}`)
	send("PUT", `{"name":"red","weight":2500}`)
	send("GET", "")
	// Output:
	// GET 404 not_found There is no such brick.
	// PUT 400 invalid_request weight is invalid: expected number >= 1.
	// stored by ada
	// PUT 200 {"name":"red","weight":2500}
	// GET 200 {"name":"red","weight":2500}
}

// The OpenAPI document of an API, from the tables of all its functions.
func ExampleDocument() {
	document := rest.NewDocument("Bricks", "v1", "API of bricks")
	rest.Add(document, BrickRoutes)

	var parsed struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Summary  string
			Security []map[string][]string
		}
	}
	if err := json.Unmarshal(document.JSON(), &parsed); err != nil {
		panic(err)
	}
	for path, methods := range parsed.Paths {
		for _, method := range []string{"get", "put"} {
			fmt.Println(strings.ToUpper(method), path, methods[method].Summary,
				methods[method].Security)
		}
	}
	// Output:
	// GET /bricks/{name} Get a brick []
	// PUT /bricks/{name} Store a brick [map[UserPool:[]]]
}
