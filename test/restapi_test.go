package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
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
		api.Handle(restapi.Method{HTTPMethod: "GET", Path: "/posts", Function: fn})
		api.Handle(
			restapi.Method{HTTPMethod: "GET", Path: "/posts/{postId}", Function: fn, RateLimit: 7})
		api.Handle(restapi.Method{HTTPMethod: "GET", Path: "/", Function: fn, BurstLimit: 8})
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
		restapi.New(stack, "API", restapi.Props{RateLimit: -1, BurstLimit: -1})
	},
		"restapi: API: UserPool is required; pass identity.UserPool",
		"restapi: API: AllowedOrigins is required; pass the web client's origins",
		"restapi: API: RateLimit: -1, want at least 1",
		"restapi: API: BurstLimit: -1, want at least 1",
	)
	wantPanic(t, func(awscdk.Stack) {
		new(restapi.API).Handle(restapi.Method{Path: "posts", RateLimit: -1, BurstLimit: -1})
	},
		"restapi: posts: HTTPMethod is required; pass an HTTP method such as GET",
		"restapi: posts: Path is required; pass a path that begins with /",
		"restapi: posts: Function is required; pass a Function or a Service",
		"restapi: posts: RateLimit: -1, want at least 1, or 0 for the API's",
		"restapi: posts: BurstLimit: -1, want at least 1, or 0 for the API's",
	)
	wantPanic(t, func(awscdk.Stack) {
		new(restapi.API).Handle(restapi.Method{
			HTTPMethod: "POST", Path: "/events", Service: &restapi.Service{},
			Function: new(gofunction.Function),
		})
	},
		"restapi: POST /events: Function: set together with Service, want one of them",
		"restapi: POST /events: Service.Name is required; pass a service such as kinesis",
		"restapi: POST /events: Service.Action is required; pass an action such as PutRecords",
		"restapi: POST /events: Service.Role is required; pass a role that API Gateway may assume",
		"restapi: POST /events: Service.ContentType is required; pass a content type such as "+
			"application/x-amz-json-1.1",
		"restapi: POST /events: Service.Request is required; pass a mapping template",
		"restapi: POST /events: Service.Response is required; pass a mapping template",
	)
}
