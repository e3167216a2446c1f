package restapi_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/rest"
)

// These are the table of routes and the settings of the function: package rest shows its handlers.

type bricks struct{}

type settings struct {
	API rest.Settings
}

var routes = rest.Table[bricks]{
	rest.Handle("GET", "/bricks", rest.Public, "List bricks", handle),
	rest.Handle("POST", "/bricks", rest.Authenticated, "Make a brick", handle).WithThrottle(5, 10),
}

func handle(bricks, context.Context, *struct{}) (*struct{}, error) { return nil, nil }

func Example() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"aws:cdk:bundling-stacks": []string{}, // this example builds no functions
	}})
	stack := awscdk.NewStack(app, jsii.String("Bricks"), nil)

	users := awscognito.NewUserPool(stack, jsii.String("Users"), nil)
	api := restapi.New(stack, "API", restapi.Props{
		UserPool:       users,
		Clients:        []awscognito.IUserPoolClient{users.AddClient(jsii.String("Web"), nil)},
		AllowedOrigins: []string{"https://app.example.com"},
	})
	fn := gofunction.New(stack, "Bricks", gofunction.Props{
		Package: "example.com/bricks/lambdas/bricks", Settings: settings{},
	})
	api.AddRoutes(fn, routes.Operations())

	app.Synth(nil)
	for _, method := range *api.RestAPI.Methods() {
		fmt.Println(*method.HttpMethod(), *method.Resource().Path())
	}
	// Output:
	// OPTIONS /
	// OPTIONS /bricks
	// GET /bricks
	// POST /bricks
}
