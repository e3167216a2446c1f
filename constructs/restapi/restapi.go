package restapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes the API. Zero values take the stated default.
type Props struct {
	// UserPool has the users who may call the methods that are not public. Required by such a
	// method.
	UserPool awscognito.IUserPool
	// Clients are the app clients of UserPool whose tokens the functions accept. Required by
	// AddRoutes for routes that are not public.
	Clients []awscognito.IUserPoolClient

	// AllowedOrigins are the web origins whose pages may call the API (CORS):
	// https://app.example.com. Default: none.
	AllowedOrigins []string
	// AllowedHeaders are request headers that these pages may send, besides Authorization and
	// Content-Type. Default: none.
	AllowedHeaders []string

	Version    string // the API's version, which names its stage; default: v1
	RateLimit  int    // steady-state requests a second of each method; default: 50
	BurstLimit int    // burst of requests of each method; default: 100
	// LogRetention applies to the access and execution logs. Default: the scope's (package
	// defaults).
	LogRetention time.Duration
	Disposable   bool // delete the logs with the stack
}

// An API is a REST API with one stage.
type API struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects
	RestAPI   awsapigateway.RestApi
	// Authorizer is nil until the first method that is not public.
	Authorizer awsapigateway.CognitoUserPoolsAuthorizer

	props     Props
	validator awsapigateway.RequestValidator
	methods   []Method
	settings  []any // of the stage's methods; the first applies to all
}

// New declares the API under scope. [API.AddRoutes] and [API.Handle] add its methods; it needs at
// least one.
func New(scope constructs.Construct, id string, props Props) *API {
	props = props.withDefaults()
	props.check(id)
	construct := node.New(scope, id)
	defaults.Override(construct, props.LogRetention, props.Disposable)
	accessLogs := loggroup.New(construct, "AccessLogs", "")
	apiProps := &awsapigateway.RestApiProps{
		// A dimension of the API's metrics, which APIs of the same name would share.
		RestApiName: awscdk.Names_UniqueResourceName(construct,
			&awscdk.UniqueResourceNameOptions{Separator: jsii.String("-")}),
		EndpointTypes: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_REGIONAL},
		// Logging is enabled for the account and region, not for the API. The role outlives the
		// stack, because other APIs may log with it.
		CloudWatchRole: jsii.Bool(true),
		DeployOptions: &awsapigateway.StageOptions{
			StageName:            jsii.String(props.Version),
			AccessLogDestination: awsapigateway.NewLogGroupLogDestination(accessLogs),
			AccessLogFormat: awsapigateway.AccessLogFormat_Custom(
				jsii.String(accessLogFormat())),
			TracingEnabled: jsii.Bool(true),
		},
	}
	if len(props.AllowedOrigins) > 0 {
		apiProps.DefaultCorsPreflightOptions = &awsapigateway.CorsOptions{
			AllowOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowMethods: awsapigateway.Cors_ALL_METHODS(),
			AllowHeaders: jsii.Strings(
				append([]string{"Authorization", "Content-Type"}, props.AllowedHeaders...)...),
			MaxAge: convert.Duration(time.Hour),
		}
	}
	api := awsapigateway.NewRestApi(construct, jsii.String("RestAPI"), apiProps)
	// Outputs are for the stack to declare.
	api.Node().TryRemoveChild(jsii.String("Endpoint"))
	// API Gateway would create this group itself, without expiry. It finds the group by this name.
	executionLogs := loggroup.New(construct, "ExecutionLogs",
		"API-Gateway-Execution-Logs_"+*api.RestApiId()+"/"+props.Version)
	api.DeploymentStage().Node().AddDependency(executionLogs)

	// Responses of the gateway itself have the shape of the functions' errors and, where the
	// functions have the same error, its code. They contain no data, so any origin may read them;
	// without the header, a browser would report a network error instead of the status.
	respond := func(id string, kind awsapigateway.ResponseType, status, code, message string) {
		options := &awsapigateway.GatewayResponseOptions{
			Type:            kind,
			ResponseHeaders: &map[string]*string{"Access-Control-Allow-Origin": jsii.String("'*'")},
			Templates: &map[string]*string{"application/json": jsii.String(
				`{"error":{"code":"` + code + `","message":` + message +
					`,"requestId":"$context.requestId"}}`)},
		}
		if status != "" { // otherwise the kind's default
			options.StatusCode = jsii.String(status)
		}
		api.AddGatewayResponse(jsii.String(id), options)
	}
	respond("Unauthorized", awsapigateway.ResponseType_UNAUTHORIZED(), "", "unauthenticated",
		`"Sign in and send the ID token in the Authorization header. `+
			`If you did, the token has expired: refresh it."`)
	// A path or method that does not exist is a missing token to the gateway, also with a token.
	respond("NotFound", awsapigateway.ResponseType_MISSING_AUTHENTICATION_TOKEN(), "404",
		"not_found",
		`"This path or method does not exist."`)
	respond("BadRequestBody", awsapigateway.ResponseType_BAD_REQUEST_BODY(), "", "invalid_request",
		`"The body does not match the schema: a field is missing, unknown, malformed or too long."`)
	respond("RequestTooLarge", awsapigateway.ResponseType_REQUEST_TOO_LARGE(), "", "body_too_large",
		`"The body is larger than 10 MB. Send a smaller one."`)
	respond("UnsupportedMediaType", awsapigateway.ResponseType_UNSUPPORTED_MEDIA_TYPE(), "",
		"unsupported_media_type", `"Send the body as application/json."`)
	respond("Throttled", awsapigateway.ResponseType_THROTTLED(), "", "throttled",
		`"Too many requests. Try again in a second."`)
	// All other errors: malformed requests and internal errors. messageString has its own quotes.
	respond("ClientErrors", awsapigateway.ResponseType_DEFAULT_4XX(), "",
		"$context.error.responseType", "$context.error.messageString")
	respond("ServerErrors", awsapigateway.ResponseType_DEFAULT_5XX(), "",
		"$context.error.responseType", "$context.error.messageString")
	a := &API{
		Construct: construct,
		RestAPI:   api,
		props:     props,
		validator: api.AddRequestValidator(jsii.String("Validator"),
			&awsapigateway.RequestValidatorOptions{
				ValidateRequestBody:       jsii.Bool(true),
				ValidateRequestParameters: jsii.Bool(true),
			}),
	}
	a.setMethod("*", "/*", props.RateLimit, props.BurstLimit)
	return a
}

// URL returns the base URL of the API, with a slash at the end. Unlike the CDK's, it does not refer
// to the stage, which depends on the functions, so it can be passed to a function of the API.
func (a *API) URL() string {
	stack := awscdk.Stack_Of(a.RestAPI)
	host := *a.RestAPI.RestApiId() + ".execute-api." + *stack.Region() + "." + *stack.UrlSuffix()
	return "https://" + host + "/" + a.props.Version + "/"
}

// path returns the construct's path, for messages: Dev/API/API.
func (a *API) path() string { return *a.Construct.Node().Path() }

// accessLogFormat returns the format of access logs: one JSON object per request, without bodies
// and tokens.
func accessLogFormat() string {
	format, err := json.Marshal(map[string]string{
		"requestId":          "$context.requestId",
		"extendedRequestId":  "$context.extendedRequestId",
		"traceId":            "$context.xrayTraceId",
		"time":               "$context.requestTime",
		"sourceIp":           "$context.identity.sourceIp",
		"userAgent":          "$context.identity.userAgent",
		"subject":            "$context.authorizer.claims.sub",
		"method":             "$context.httpMethod",
		"resource":           "$context.resourcePath",
		"status":             "$context.status",
		"responseLength":     "$context.responseLength",
		"responseLatency":    "$context.responseLatency",
		"integrationLatency": "$context.integrationLatency",
		"integrationStatus":  "$context.integrationStatus",
		"error":              "$context.error.responseType",
	})
	if err != nil {
		panic(err) // a map of strings always has an encoding
	}
	return string(format)
}

func (p Props) withDefaults() Props {
	if p.Version == "" {
		p.Version = "v1"
	}
	if p.RateLimit == 0 {
		p.RateLimit = 50
	}
	if p.BurstLimit == 0 {
		p.BurstLimit = 100
	}
	return p
}

// namePattern matches the name of a header or a parameter. It has no quotes, which would end the
// text that it is part of.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9._$-]+$`)

func checkName(prop, name string) error {
	return check.That(prop, fmt.Sprintf("%q", name), namePattern.MatchString(name),
		"letters, digits and . _ $ -")
}

func (p Props) check(id string) {
	hasPool := check.NotNil("UserPool", p.UserPool, "") == nil
	problems := []error{
		check.Required("UserPool", hasPool || len(p.Clients) == 0, "pass the user pool of Clients"),
		check.Each("AllowedOrigins", p.AllowedOrigins, check.Origin),
		check.NoDuplicates("AllowedOrigins", p.AllowedOrigins),
		check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0 || len(p.AllowedHeaders) == 0,
			"pass the web origins that may send AllowedHeaders"),
		check.Each("AllowedHeaders", p.AllowedHeaders, checkName),
		check.NoDuplicates("AllowedHeaders", p.AllowedHeaders),
		check.StageName("Version", p.Version),
		check.That("RateLimit", p.RateLimit, p.RateLimit >= 1, "at least 1"),
		check.That("BurstLimit", p.BurstLimit, p.BurstLimit >= 1, "at least 1"),
		check.IfSet("LogRetention", p.LogRetention, check.LogRetention),
	}
	for i, client := range p.Clients {
		problems = append(problems, check.NotNil(fmt.Sprintf("Clients[%d]", i), client,
			"pass an app client of the user pool"))
	}
	check.Props("restapi", id, problems...)
}
