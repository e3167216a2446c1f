package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestOnlySignedInUsersCallTheAPI(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		authorizer := only(t, stack, "AWS::ApiGateway::Authorizer", "")
		want(t, authorizer, "COGNITO_USER_POOLS", "Type")
		if pool := text(authorizer.At("ProviderARNs")); !strings.Contains(pool, "IdentityUserPool") {
			t.Errorf("the authoriser trusts %s, want the environment's own user pool", pool)
		}
		checked := 0
		for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
			if method.At("HttpMethod") == "OPTIONS" {
				want(t, method, "MOCK", "Integration", "Type") // a preflight has no token, and reaches no function
				continue
			}
			want(t, method, "COGNITO_USER_POOLS", "AuthorizationType")
			want(t, method, authorizer.ID, "AuthorizerId", "Ref")
			checked++
		}
		if checked == 0 {
			t.Error("there are no methods")
		}
	})
}

func TestABodyIsValidatedBeforeItReachesAFunction(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		validator := only(t, stack, "AWS::ApiGateway::RequestValidator", "")
		want(t, validator, true, "ValidateRequestBody")
		for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
			verb := method.At("HttpMethod")
			if verb == "OPTIONS" {
				continue
			}
			want(t, method, validator.ID, "RequestValidatorId", "Ref")
			model := assembly.Refers(method.At("RequestModels", "application/json"))
			if hasBody := verb != "GET" && verb != "DELETE"; hasBody != (model != "") {
				t.Errorf("%s has the model %q", method.ID, model)
			}
			if model != "" {
				want(t, stack.Template.Resources[model], false, "Schema", "additionalProperties")
				want(t, stack.Template.Resources[model], 80, "Schema", "properties", "displayName", "maxLength")
			}
		}
	})
}

func TestABrowserOfTheWebClientAndNoOtherMayCallTheAPI(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
		preflights := 0
		for _, method := range stack.Template.OfType("AWS::ApiGateway::Method") {
			if method.At("HttpMethod") != "OPTIONS" {
				continue
			}
			preflights++
			want(t, method, "'"+environment.WebOrigins[0]+"'", "Integration", "IntegrationResponses", 0, "ResponseParameters", "method.response.header.Access-Control-Allow-Origin")
		}
		if resources := len(stack.Template.OfType("AWS::ApiGateway::Resource")); preflights != resources+1 {
			t.Errorf("there are %d preflights, want one for each of the %d resources and the root", preflights, resources)
		}
		function := only(t, stack, "AWS::Lambda::Function", "Profile")
		want(t, function, strings.Join(environment.WebOrigins, ","), "Environment", "Variables", "ALLOWED_ORIGINS")
	})
}

func TestTheGatewaysOwnErrorsHaveOurShapeAndCORS(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		codes := map[any]string{}
		for _, response := range stack.Template.OfType("AWS::ApiGateway::GatewayResponse") {
			want(t, response, "'*'", "ResponseParameters", "gatewayresponse.header.Access-Control-Allow-Origin")
			body, _ := response.At("ResponseTemplates", "application/json").(string)
			body = strings.ReplaceAll(body, "$context.error.messageString", `"Unauthorized"`) // comes with its quotes
			var parsed struct {
				Error struct{ Code, Message, RequestID string }
			}
			if err := json.Unmarshal([]byte(body), &parsed); err != nil || parsed.Error.Code == "" || parsed.Error.Message == "" || parsed.Error.RequestID == "" {
				t.Errorf("%s: the body is %s (%v), want an error as the functions give", response.ID, body, err)
			}
			codes[response.At("ResponseType")] = parsed.Error.Code
		}
		for kind, code := range map[string]string{
			"DEFAULT_4XX": "$context.error.responseType", "DEFAULT_5XX": "$context.error.responseType", "UNAUTHORIZED": "unauthenticated",
			"EXPIRED_TOKEN": "unauthenticated", "BAD_REQUEST_BODY": "invalid_body", "REQUEST_TOO_LARGE": "body_too_large", "THROTTLED": "throttled",
		} {
			if codes[kind] != code {
				t.Errorf("%s has the code %q, want %q", kind, codes[kind], code)
			}
		}
	})
}

func TestTheStageIsThrottledTracedAndLoggedWithoutBodies(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		stage := only(t, stack, "AWS::ApiGateway::Stage", "")
		want(t, stage, "v1", "StageName")
		want(t, stage, true, "TracingEnabled")
		if settings := oneOrMore(stage.At("MethodSettings")); len(settings) != 1 {
			t.Errorf("there are settings %s, want one for all methods", text(settings))
		}
		for property, value := range map[string]any{
			"HttpMethod": "*", "ResourcePath": "/*", "DataTraceEnabled": false, "LoggingLevel": "ERROR",
			"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100,
		} {
			want(t, stage, value, "MethodSettings", 0, property)
		}
		format, _ := stage.At("AccessLogSetting", "Format").(string)
		var entry map[string]string
		if err := json.Unmarshal([]byte(format), &entry); err != nil || entry["requestId"] != "$context.requestId" || entry["status"] != "$context.status" {
			t.Errorf("the access log's format is %s (%v), want JSON with the request's id and status", format, err)
		}
		// The gateway writes to a group of this name, or makes one that never forgets.
		execution := only(t, stack, "AWS::Logs::LogGroup", "APIExecutionLogs")
		api := only(t, stack, "AWS::ApiGateway::RestApi", "")
		want(t, execution, []any{"", []any{"API-Gateway-Execution-Logs_", map[string]string{"Ref": api.ID}, "/v1"}}, "LogGroupName", "Fn::Join")
		if !strings.Contains(text(stage.DependsOn), execution.ID) {
			t.Errorf("the stage waits for %s, want %s too", text(stage.DependsOn), execution.ID)
		}
	})
}

func TestOnlyTheGatewayCallsTheFunction(t *testing.T) {
	inEvery(t, "API", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		permissions := stack.Template.OfType("AWS::Lambda::Permission")
		methods := slices.DeleteFunc(stack.Template.OfType("AWS::ApiGateway::Method"), func(m assembly.Resource) bool { return m.At("HttpMethod") == "OPTIONS" })
		if len(permissions) != len(methods) {
			t.Errorf("there are %d permissions, want one for each of the %d methods", len(permissions), len(methods))
		}
		for _, permission := range permissions {
			want(t, permission, "apigateway.amazonaws.com", "Principal")
			if source := text(permission.At("SourceArn")); strings.Contains(source, "*") {
				t.Errorf("%s lets %s in", permission.ID, source)
			}
		}
	})
}

func TestAnAPIThatCannotBeIsRefused(t *testing.T) {
	refused(t, func(stack awscdk.Stack) { restapi.New(stack, "API", restapi.Props{RateLimit: -1, BurstLimit: -1}) },
		"restapi: API: UserPool is required; pass identity.UserPool",
		"restapi: API: AllowedOrigins is required; pass the web client's origins",
		"restapi: API: RateLimit: -1, want at least 1",
		"restapi: API: BurstLimit: -1, want at least 1",
	)
}
