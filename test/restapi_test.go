package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/eventsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/openapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/rest"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// public lists the methods that do not require a token. Every new public method is added here.
var public = []string{
	"GET /notification-settings/{token}",
	"GET /confirmations/{token}",
	"GET /posts",
	"GET /posts/{postId}",
	"GET /posts/{postId}/comments",
	"GET /posts/{postId}/comments/{commentId}",
	"GET /subscriptions/{token}",
	"POST /notification-settings/{token}",
	"POST /confirmations/{token}",
	"POST /events",
	"POST /subscriptions",
	"POST /subscriptions/{token}",
	"DELETE /subscriptions/{token}",
}

// routes returns the routes of all route tables, by method and path.
func routes() map[string]rest.Operation {
	found := map[string]rest.Operation{}
	for _, route := range slices.Concat(
		accountsapi.Routes.Operations(), eventsapi.Routes.Operations(),
		postsapi.Routes.Operations(), subscriptionsapi.Routes.Operations(),
		uploadsapi.Routes.Operations(),
	) {
		found[route.Method+" "+route.Path] = route
	}
	return found
}

// methods returns the API's methods that call a function or a service, by method and path.
func methods(t *testing.T, stack assembly.Stack) map[string]assembly.Resource {
	t.Helper()
	found := map[string]assembly.Resource{}
	for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
		if method.At("HttpMethod") == "OPTIONS" {
			continue
		}
		path := ""
		for id := assembly.Refers(method.At("ResourceId")); id != ""; {
			resource := stack.Template.Resources[id]
			path = fmt.Sprintf("/%s%s", resource.At("PathPart"), path)
			id = assembly.Refers(resource.At("ParentId"))
			if stack.Template.Resources[id].Type != "AWS::ApiGateway::Resource" {
				break // the root
			}
		}
		found[fmt.Sprintf("%s %s", method.At("HttpMethod"), path)] = method
	}
	return found
}

func TestTheGatewayHasTheRoutesOfTheRouteTables(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		want, got := slices.Sorted(maps.Keys(routes())), slices.Sorted(maps.Keys(methods(t, stack)))
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	})
}

func TestTheDocumentHasTheRoutesOfTheGateway(t *testing.T) {
	var document struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(openapi.Document(), &document); err != nil {
		t.Fatal(err)
	}
	var documented []string
	for path, operations := range document.Paths {
		for method := range operations {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(documented)
	diff := cmp.Diff(slices.Sorted(maps.Keys(methods(t, platforms["Prod"]["API"]))), documented)
	if diff != "" {
		t.Errorf("routes (-gateway +docs/openapi.json):\n%s", diff)
	}
}

func TestRoutesThatAreNotPublicRequireAToken(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		authorizer := only(t, stack, "AWS::ApiGateway::Authorizer", "")
		want(t, authorizer, "COGNITO_USER_POOLS", "Type")
		pool := text(authorizer.At("ProviderARNs"))
		if !strings.Contains(pool, "IdentityUserPool") {
			t.Errorf("the authorizer trusts %s, want the environment's own user pool", pool)
		}
		found := methods(t, stack)
		for route, method := range found {
			if slices.Contains(public, route) {
				want(t, method, "NONE", "AuthorizationType")
				continue
			}
			want(t, method, "COGNITO_USER_POOLS", "AuthorizationType")
			want(t, method, authorizer.ID, "AuthorizerId", "Ref")
		}
		for _, route := range public {
			if found[route].ID == "" {
				t.Errorf("there is no %s; remove it from public", route)
			}
		}
		for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
			if method.At("HttpMethod") == "OPTIONS" {
				// A preflight has no token, and calls no function.
				want(t, method, "MOCK", "Integration", "Type")
			}
		}
	})
}

func TestFunctionsAcceptTokensOfBothClientsAndAllowTheirOrigins(t *testing.T) {
	forEachEnvironment(t, "API",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			var origins []any
			for i, origin := range ownOrigins(t, environment) {
				if i > 0 {
					origins = append(origins, ",")
				}
				origins = append(origins, origin...)
			}
			for _, name := range []string{"Accounts", "Posts", "Uploads", "Subscriptions"} {
				function := only(t, stack, "AWS::Lambda::Function", name)
				want(t, function, fnJoin(origins...), "Environment", "Variables", "ALLOWED_ORIGINS")
				clients := text(function.At("Environment", "Variables", "CLIENT_IDS"))
				if !strings.Contains(clients, "IdentityUserPoolWeb") ||
					!strings.Contains(clients, "IdentityUserPoolMobile") {
					t.Errorf(
						"%s accepts tokens of %s, want those of the web client and the mobile "+
							"client",
						name, clients)
				}
			}
		})
}

func TestABodyIsValidatedBeforeItReachesAFunctionOrAService(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		validator := only(t, stack, "AWS::ApiGateway::RequestValidator", "")
		want(t, validator, true, "ValidateRequestBody")
		want(t, validator, true, "ValidateRequestParameters")
		declared := routes()
		for route, method := range methods(t, stack) {
			want(t, method, validator.ID, "RequestValidatorId", "Ref")
			model := assembly.Refers(method.At("RequestModels", "application/json"))
			if hasBody := declared[route].Body != nil; hasBody != (model != "") {
				t.Errorf("%s has the model %q", route, model)
			}
			if model == "" {
				continue
			}
			schema := stack.Template.Resources[model]
			want(t, schema, "http://json-schema.org/draft-04/schema#", "Schema", "$schema")
			want(t, schema, "object", "Schema", "type")
			want(t, schema, false, "Schema", "additionalProperties")
			want(t, schema, declared[route].Body["properties"], "Schema", "properties")
			want(t, schema, declared[route].Body["required"], "Schema", "required")
			for _, unbounded := range unbounded(schema.At("Schema")) {
				t.Errorf("%s: the length of the body%s is not limited", route, unbounded)
			}
		}
		want(t, stack.Template.Resources[assembly.Refers(
			methods(t, stack)["POST /posts"].At("RequestModels", "application/json"),
		)], 200, "Schema", "properties", "title", "maxLength")
	})
}

// unbounded returns the strings and lists of a schema without a maximum length. It does not check
// fields that the schema does not name.
func unbounded(schema any) []string {
	var found []string
	switch has := func(keyword string) bool {
		return assembly.At(schema, keyword) != nil
	}; assembly.At(schema, "type") {
	case "string":
		if !has("maxLength") && !has("enum") {
			return []string{""}
		}
	case "array":
		if !has("maxItems") {
			found = append(found, "")
		}
		for _, below := range unbounded(assembly.At(schema, "items")) {
			found = append(found, "[]"+below)
		}
	case "object":
		for name, property := range assembly.At(schema, "properties").(map[string]any) {
			for _, below := range unbounded(property) {
				found = append(found, "."+name+below)
			}
		}
	}
	return found
}

func TestTheGatewayDeclaresRequestParameters(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		found := methods(t, stack)
		want(t, found["GET /posts"], map[string]bool{
			"method.request.querystring.cursor": false, "method.request.querystring.limit": false,
		}, "RequestParameters")
		want(t, found["POST /posts"],
			map[string]bool{"method.request.header.Idempotency-Key": false}, "RequestParameters")
	})
}

func TestOnlyTheWebClientsOriginsMayCallTheAPI(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		origins := ownOrigins(t, environment)
		first := fnJoin(slices.Concat([]any{"'"}, origins[0], []any{"'"})...)
		preflights := 0
		for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
			if method.At("HttpMethod") != "OPTIONS" {
				continue
			}
			preflights++
			want(t, method, first, "Integration", "IntegrationResponses", 0, "ResponseParameters",
				"method.response.header.Access-Control-Allow-Origin")
			others := text(method.At("Integration", "IntegrationResponses", 0, "ResponseTemplates",
				"application/json"))
			for _, origin := range origins[1:] {
				comparison := text("$origin == " + text(fnJoin(origin...)))
				if !strings.Contains(others, strings.Trim(comparison, `"`)) {
					t.Errorf("%s: %s does not compare the origin with %s", method.ID, others,
						text(origin))
				}
			}
			want(t, method, "'Authorization,Content-Type,Idempotency-Key'", "Integration",
				"IntegrationResponses", 0, "ResponseParameters",
				"method.response.header.Access-Control-Allow-Headers")
		}
		resources := len(stack.Template.OfType("AWS::ApiGateway::Resource"))
		if preflights != resources+1 {
			t.Errorf("there are %d preflights, want one for each of the %d resources and the root",
				preflights, resources)
		}
	})
}

func TestTheGatewaysOwnErrorsHaveOurShapeAndCORS(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		codes := map[any]string{}
		for _, response := range stack.Template.OfType("AWS::ApiGateway::GatewayResponse") {
			want(t, response, "'*'", "ResponseParameters",
				"gatewayresponse.header.Access-Control-Allow-Origin")
			body, _ := response.At("ResponseTemplates", "application/json").(string)
			// The variable is replaced with its quotes.
			body = strings.ReplaceAll(body, "$context.error.messageString", `"Unauthorized"`)
			var parsed struct {
				Error struct{ Code, Message, RequestID string }
			}
			if err := json.Unmarshal([]byte(body), &parsed); err != nil ||
				parsed.Error.Code == "" || parsed.Error.Message == "" ||
				parsed.Error.RequestID == "" {
				t.Errorf("%s: the body is %s (%v), want the functions' form of an error",
					response.ID, body, err)
			}
			codes[response.At("ResponseType")] = parsed.Error.Code
			if response.At("ResponseType") == "MISSING_AUTHENTICATION_TOKEN" { // an unknown route
				want(t, response, "404", "StatusCode")
			}
		}
		for kind, code := range map[string]string{
			"DEFAULT_4XX": "$context.error.responseType",
			"DEFAULT_5XX": "$context.error.responseType", "UNAUTHORIZED": "unauthenticated",
			"MISSING_AUTHENTICATION_TOKEN": "not_found", "BAD_REQUEST_BODY": "invalid_request",
			"REQUEST_TOO_LARGE":      "body_too_large",
			"UNSUPPORTED_MEDIA_TYPE": "unsupported_media_type", "THROTTLED": "throttled",
		} {
			if codes[kind] != code {
				t.Errorf("%s has the code %q, want %q", kind, codes[kind], code)
			}
		}
	})
}

func TestTheStageIsThrottledTracedAndLoggedWithoutBodies(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		stage := only(t, stack, "AWS::ApiGateway::Stage", "")
		want(t, stage, "v1", "StageName")
		want(t, stage, true, "TracingEnabled")
		settings := func(method, path string, rate, burst int) any {
			return map[string]any{
				"HttpMethod": method, "ResourcePath": path, "ThrottlingRateLimit": rate,
				"ThrottlingBurstLimit": burst,
				// Methods do not inherit these.
				"DataTraceEnabled": false, "LoggingLevel": "ERROR", "MetricsEnabled": true,
			}
		}
		want(t, stage, []any{
			settings("*", "/*", 50, 100), settings("POST", "/~1subscriptions", 5, 10),
			settings("POST", "/~1events", 20, 40),
		}, "MethodSettings")
		format, _ := stage.At("AccessLogSetting", "Format").(string)
		var entry map[string]string
		if err := json.Unmarshal([]byte(format), &entry); err != nil ||
			entry["requestId"] != "$context.requestId" || entry["status"] != "$context.status" {
			t.Errorf("the access log's format is %s (%v), want JSON with the request's id and "+
				"status",
				format, err)
		}
		// The gateway writes to a group with this name, or creates one without retention.
		execution := only(t, stack, "AWS::Logs::LogGroup", "APIExecutionLogs")
		api := only(t, stack, "AWS::ApiGateway::RestApi", "")
		want(t, execution,
			[]any{
				"", []any{"API-Gateway-Execution-Logs_", map[string]string{"Ref": api.ID}, "/v1"},
			},
			"LogGroupName", "Fn::Join")
		if !strings.Contains(text(stage.DependsOn), execution.ID) {
			t.Errorf("the stage depends on %s, want %s too", text(stage.DependsOn), execution.ID)
		}
	})
}

func TestOnlyTheGatewayCallsTheFunctions(t *testing.T) {
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		var want, got []string
		for route, integrated := range methods(t, stack) {
			if integrated.At("Integration", "Type") != "AWS_PROXY" {
				continue // integrated with a service
			}
			method, path, _ := strings.Cut(route, " ")
			want = append(want, "/"+method+parameter.ReplaceAllString(path, "*"))
		}
		stage := only(t, stack, "AWS::ApiGateway::Stage", "").ID
		for _, permission := range stack.Template.OfType("AWS::Lambda::Permission") {
			if permission.At("Principal") != "apigateway.amazonaws.com" {
				t.Errorf("%s may call %s", text(permission.At("Principal")),
					text(permission.At("FunctionName")))
			}
			arn := oneOrMore(permission.At("SourceArn", "Fn::Join", 1))
			if len(arn) < 3 || assembly.Refers(arn[len(arn)-2]) != stage {
				t.Fatalf("%s allows %s, want methods of the stage", permission.ID, text(arn))
			}
			got = append(got, fmt.Sprint(arn[len(arn)-1]))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("methods that may call a function (-want +got):\n%s", diff)
		}
	})
}

func TestFunctionsGetTheURLThatClientsCall(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		api := only(t, stack, "AWS::ApiGateway::RestApi", "")
		address := address(stack, ref(api))
		if got := stack.Template.Outputs["APIEndpoint"]["Value"]; text(got) != text(address) {
			t.Errorf("APIEndpoint is %s, want %s", text(got), text(address))
		}
		// The last part of the URL.
		want(t, only(t, stack, "AWS::ApiGateway::Stage", ""), "v1", "StageName")
		want(t, only(t, stack, "AWS::Lambda::Function", "Subscriptions"), address, "Environment",
			"Variables", "API_ENDPOINT")
	})
	forEachEnvironment(t, "Notifications",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			api := importOf(t, environment.Name, "API",
				only(t, platforms[environment.Name]["API"], "AWS::ApiGateway::RestApi", ""), "")
			want(t, only(t, stack, "AWS::Lambda::Function", "Notifications"), address(stack, api),
				"Environment", "Variables", "API_ENDPOINT")
		})
}

// address returns the URL of a REST API, as in templates.
func address(stack assembly.Stack, api any) any {
	region := any(map[string]any{"Ref": "AWS::Region"})
	for _, environment := range environments.All() {
		if environment.Name == stack.Environment && environment.Region != "" {
			region = environment.Region
		}
	}
	return fnJoin("https://", api, ".execute-api.", region, ".",
		map[string]any{"Ref": "AWS::URLSuffix"}, "/v1/")
}

func TestMethodsCanBeThrottled(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		api := restapi.New(stack, "API", restapi.Props{
			UserPool:       awscognito.NewUserPool(stack, jsii.String("UserPool"), nil),
			AllowedOrigins: []string{"https://app.example.com"}, Version: "v2",
		})
		fn := gofunction.New(stack, "Function",
			gofunction.Props{Package: "example.com/fn", Settings: struct {
				Endpoint string `env:"ENDPOINT"`
			}{api.URL()}})
		api.Handle(restapi.Method{HTTPMethod: "GET", Path: "/posts", Function: fn.Function})
		api.Handle(
			restapi.Method{
				HTTPMethod: "GET", Path: "/posts/{postId}", Function: fn.Function, RateLimit: 7,
			})
		api.Handle(
			restapi.Method{HTTPMethod: "GET", Path: "/", Function: fn.Function, BurstLimit: 8})
	})
	var got []string
	for _, settings := range oneOrMore(
		only(t, stack, "AWS::ApiGateway::Stage", "").At("MethodSettings")) {
		got = append(got, fmt.Sprint(assembly.At(settings, "ResourcePath"), " ",
			assembly.At(settings, "ThrottlingRateLimit"), " ",
			assembly.At(settings, "ThrottlingBurstLimit")))
	}
	diff := cmp.Diff([]string{"/* 50 100", "/~1posts~1{postId} 7 100", "/ 50 8"}, got)
	if diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	endpoint := text(
		only(t, stack, "AWS::Lambda::Function", "").At("Environment", "Variables", "ENDPOINT"))
	if !strings.Contains(endpoint, "/v2/") {
		t.Errorf("ENDPOINT is %s, want the URL of the stage v2", endpoint)
	}
}

func TestAPIPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		restapi.New(stack, "API", restapi.Props{
			Clients:        []awscognito.IUserPoolClient{nil},
			AllowedHeaders: []string{"X-Brick", "X'Brick", "X-Brick"}, Version: "v1/x",
			RateLimit: -1, BurstLimit: -1, LogRetention: time.Hour,
		})
	},
		"restapi: API: UserPool is required; pass the user pool of Clients",
		"restapi: API: AllowedOrigins is required; pass the web origins that may send "+
			"AllowedHeaders",
		`restapi: API: AllowedHeaders[1]: "X'Brick", want letters, digits and . _ $ -`,
		`restapi: API: AllowedHeaders[2]: "X-Brick", want no duplicates`,
		`restapi: API: Version: "v1/x", want 1 to 128 letters, digits, hyphens and underscores, `+
			"such as v1",
		"restapi: API: RateLimit: -1, want at least 1",
		"restapi: API: BurstLimit: -1, want at least 1",
		"restapi: API: "+check.LogRetention("LogRetention", time.Hour).Error(),
		"restapi: API: Clients[0] is required; pass an app client of the user pool",
	)
	// In a mapping template, a quote would end the text of the origin.
	for _, origin := range []string{
		"https://app.example.com' || true || '", "https://app.example.com/", "*", "app.example.com",
		"http://app.example.com", "",
	} {
		wantPanic(t, func(stack awscdk.Stack) {
			restapi.New(stack, "API", restapi.Props{AllowedOrigins: []string{origin}})
		}, fmt.Sprintf("restapi: API: AllowedOrigins[0]: %q, want an https origin without a path "+
			"(http for localhost only): https://app.example.com", origin))
	}
}

// wantPanicOfAPI fails the test unless declare, for an API with GET /posts/{postId}, panics with an
// error of exactly these lines, before it declares a construct.
func wantPanicOfAPI(
	t *testing.T, props restapi.Props, declare func(api *restapi.API, fn *gofunction.Function),
	lines ...string,
) {
	t.Helper()
	stack := awscdk.NewStack(newApp(), jsii.String("Stack"), nil)
	fn := gofunction.New(stack, "Function", gofunction.Props{Package: "example.com/fn"})
	api := restapi.New(stack, "API", props)
	api.Handle(restapi.Method{
		HTTPMethod: "GET", Path: "/posts/{postId}", Public: true, Function: fn.Function,
	})
	before := len(*stack.Node().FindAll(""))
	got := panicMessage(func() { declare(api, fn) })
	if want := strings.Join(lines, "\n"); got != want {
		t.Errorf("panics with\n%s\nwant\n%s", got, want)
	}
	if after := len(*stack.Node().FindAll("")); after != before {
		t.Errorf("%d constructs were declared before the panic", after-before)
	}
}

func TestMethodsAreValidated(t *testing.T) {
	browsers := restapi.Props{AllowedOrigins: []string{"https://app.example.com"}}
	type method = restapi.Method
	schema := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	for _, test := range []struct {
		method restapi.Method
		lines  []string
	}{
		{method{}, []string{
			`HTTPMethod: "", want one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, ANY`,
			`Path: "", want a path such as /posts/{id}: letters, digits, - _ . : $, each ` +
				"variable once, {name+} last",
			"Props.UserPool is required; pass the user pool of the callers, or make the method " +
				"public",
			"Function is required; pass a Function or a Service",
		}},
		{
			method{HTTPMethod: "get", Path: "/posts", RateLimit: -1, BurstLimit: -1},
			[]string{
				`get /posts: HTTPMethod: "get", want GET`,
				"get /posts: RateLimit: -1, want at least 1, or 0 for the API's",
				"get /posts: BurstLimit: -1, want at least 1, or 0 for the API's",
			},
		},
		{method{HTTPMethod: "GET", Path: "/posts/{postId}"}, []string{
			"GET /posts/{postId}: HTTPMethod: GET, want each method of a path once; " +
				"the API has this one already",
		}},
		{method{HTTPMethod: "GET", Path: "/posts/{id}/comments"}, []string{
			`GET /posts/{id}/comments: Path: "/posts/{id}/comments", want the variable {postId}, ` +
				`as in "/posts/{postId}"`,
		}},
		{method{HTTPMethod: "OPTIONS", Path: "/posts"}, []string{
			"OPTIONS /posts: HTTPMethod: OPTIONS, want another; " +
				"the API responds to OPTIONS itself (CORS)",
		}},
		{method{HTTPMethod: "ANY", Path: "/posts", RateLimit: 5}, []string{
			"ANY /posts: HTTPMethod: ANY, want one method, such as GET, with a RateLimit or a " +
				"BurstLimit",
		}},
		{
			method{
				HTTPMethod: "GET", Path: "/posts",
				QueryParameters: []string{"limit", "limit"}, Headers: []string{"X Y"},
			},
			[]string{
				`GET /posts: QueryParameters[1]: "limit", want no duplicates`,
				`GET /posts: Headers[0]: "X Y", want letters, digits and . _ $ -`,
			},
		},
		{
			method{
				HTTPMethod: "PUT", Path: "/posts", Body: schema(map[string]any{
					"type":  map[string]any{"type": []string{"string", "nil"}},
					"title": map[string]any{"type": "thing"},
					"faces": map[string]any{
						"type": "array", "items": map[string]any{"type": "int"},
					},
					"size": map[string]any{"anyOf": []any{map[string]any{"type": 7}, "integer"}},
					"text": "string",
				}),
			},
			[]string{
				`PUT /posts: Body.properties.faces.items.type: "int", want ` + schemaTypes,
				`PUT /posts: Body.properties.size.anyOf[0].type: "7", want ` + schemaTypes,
				"PUT /posts: Body.properties.size.anyOf[1]: integer, want a schema, which is an " +
					"object",
				"PUT /posts: Body.properties.text: string, want a schema, which is an object",
				`PUT /posts: Body.properties.title.type: "thing", want ` + schemaTypes,
				`PUT /posts: Body.properties.type.type[1]: "nil", want ` + schemaTypes,
			},
		},
	} {
		var lines []string
		for _, line := range test.lines {
			lines = append(lines, "restapi: Stack/API.Handle: "+line)
		}
		wantPanicOfAPI(t, browsers, func(api *restapi.API, fn *gofunction.Function) {
			if test.method.Path != "" {
				test.method.Public, test.method.Function = true, fn.Function
			}
			api.Handle(test.method)
		}, lines...)
	}
	wantPanicOfAPI(t, restapi.Props{}, func(api *restapi.API, fn *gofunction.Function) {
		api.Handle(restapi.Method{
			HTTPMethod: "POST", Path: "/events", Public: true, Service: &restapi.Service{},
			Function: fn.Function,
		})
	},
		"restapi: Stack/API.Handle: POST /events: Function: set together with Service, want one "+
			"of "+
			"them",
		"restapi: Stack/API.Handle: POST /events: Service.Name is required; pass a service such "+
			"as "+
			"kinesis",
		"restapi: Stack/API.Handle: POST /events: Service.Action is required; pass an action such "+
			"as PutRecords",
		"restapi: Stack/API.Handle: POST /events: Service.Role is required; pass a role that API "+
			"Gateway may assume",
		"restapi: Stack/API.Handle: POST /events: Service.ContentType is required; pass a content "+
			"type such as application/x-amz-json-1.1",
		"restapi: Stack/API.Handle: POST /events: Service.Request is required; pass a mapping "+
			"template",
		"restapi: Stack/API.Handle: POST /events: Service.Response is required; pass a mapping "+
			"template",
	)
}

const schemaTypes = "one of array, boolean, integer, null, number, object, string"

func TestRoutesAreValidated(t *testing.T) {
	wantPanicOfAPI(t, restapi.Props{}, func(api *restapi.API, _ *gofunction.Function) {
		api.AddRoutes(nil, nil)
	},
		"restapi: Stack/API.AddRoutes: function is required; pass the function that handles the "+
			"routes",
		"restapi: Stack/API.AddRoutes: routes is required; pass the Operations of a table of "+
			"routes",
	)
	wantPanicOfAPI(t, restapi.Props{}, func(api *restapi.API, fn *gofunction.Function) {
		api.AddRoutes(fn, []rest.Operation{
			{Method: "GET", Path: "/stones/{id}", Access: rest.Public},
			{Method: "GET", Path: "/stones/{name}/faces", Access: rest.Public},
			{Method: "PUT", Path: "/stones/{id}", Access: rest.Authenticated},
		})
	},
		`restapi: Stack/API.AddRoutes: GET /stones/{name}/faces: Path: "/stones/{name}/faces", `+
			`want the variable {id}, as in "/stones/{id}"`,
		"restapi: Stack/API.AddRoutes: PUT /stones/{id}: Props.UserPool is required; pass the "+
			"user "+
			"pool of the callers, or make the method public",
		"restapi: Stack/API.AddRoutes: PUT /stones/{id}: Props.Clients is required; pass the app "+
			"clients of UserPool, or make the route public",
	)
}

// TestAnAPIWithPublicMethodsOnlyNeedsNoUserPool is about an API for machines: it has no web origins
// either. Its methods call any function, also one that is not built from Go.
func TestAnAPIWithPublicMethodsOnlyNeedsNoUserPool(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		api := restapi.New(stack, "API", restapi.Props{})
		imported := awslambda.Function_FromFunctionAttributes(stack, jsii.String("Imported"),
			&awslambda.FunctionAttributes{
				FunctionArn: jsii.String(
					"arn:aws:lambda:eu-central-1:111111111111:function:imported"),
				SameEnvironment: jsii.Bool(true),
			})
		body := map[string]any{"type": "object"}
		for _, path := range []string{"/a/bC", "/aB/c", "/{a}/bC"} {
			api.Handle(restapi.Method{
				HTTPMethod: "POST", Path: path, Public: true, Function: imported, Body: body,
			})
		}
		fn := gofunction.New(stack, "Function", gofunction.Props{
			Package: "example.com/fn", Settings: rest.Settings{},
		})
		api.AddRoutes(fn, []rest.Operation{{
			Method: "GET", Path: "/", Access: rest.Public, RateLimit: 3, BurstLimit: 4,
		}})
	})
	for _, kind := range []string{"AWS::ApiGateway::Authorizer", "AWS::Cognito::UserPool"} {
		if found := stack.Template.OfType(kind); len(found) > 0 {
			t.Errorf("there are %d resources %s, want none", len(found), kind)
		}
	}
	if found := stack.Template.OfType("AWS::ApiGateway::Method"); len(found) != 4 {
		t.Errorf("there are %d methods, want 4: without origins, there are no preflights",
			len(found))
	}
	if found := stack.Template.OfType("AWS::ApiGateway::Model"); len(found) != 3 {
		t.Errorf("there are %d models, want one for each body", len(found))
	}
	settings := only(t, stack, "AWS::ApiGateway::Stage", "").At("MethodSettings", 1)
	if assembly.At(settings, "ThrottlingRateLimit") != 3. ||
		assembly.At(settings, "ThrottlingBurstLimit") != 4. {
		t.Errorf("settings of the route %s, want its throttle", text(settings))
	}
}

func TestRoutesFillTheSettingsOfTheirFunction(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		users := awscognito.NewUserPool(stack, jsii.String("Users"), nil)
		api := restapi.New(stack, "API", restapi.Props{
			UserPool: users,
			Clients: []awscognito.IUserPoolClient{
				users.AddClient(jsii.String("Web"), nil),
				awscognito.UserPoolClient_FromUserPoolClientId(stack, jsii.String("App"),
					jsii.String("imported")),
			},
			AllowedOrigins: []string{"https://a.example.com", "https://b.example.com"},
		})
		fn := gofunction.New(stack, "Function", gofunction.Props{
			Package: "example.com/fn", Settings: rest.Settings{},
		})
		api.AddRoutes(fn, []rest.Operation{
			{Method: "GET", Path: "/a", Access: rest.Authenticated},
		})
		api.AddRoutes(fn, []rest.Operation{{Method: "GET", Path: "/b", Access: rest.Public}})
	})
	variables := only(t, stack, "AWS::Lambda::Function", "").At("Environment", "Variables")
	origins := assembly.At(variables, "ALLOWED_ORIGINS")
	if origins != "https://a.example.com,https://b.example.com" {
		t.Errorf("ALLOWED_ORIGINS is %s", text(origins))
	}
	clients := text(assembly.At(variables, "CLIENT_IDS"))
	if !strings.Contains(clients, "UsersWeb") || !strings.Contains(clients, ",imported") {
		t.Errorf("CLIENT_IDS is %s, want both clients", clients)
	}
	methods := methods(t, stack)
	want(t, methods["GET /a"], "COGNITO_USER_POOLS", "AuthorizationType")
	want(t, methods["GET /b"], "NONE", "AuthorizationType")
}
