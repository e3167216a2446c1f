// Package restapi provisions a REST API on API Gateway: functions and AWS services behind a Cognito
// authorizer, with CORS, request validation, throttling, logs and traces.
package restapi

import (
	"cmp"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes the API. Zero values take the stated default.
type Props struct {
	UserPool       awscognito.IUserPool // its users may call the API; required
	AllowedOrigins []string             // web origins that may call it from a browser; required

	// AllowedHeaders are request headers that a browser may send, besides Authorization and
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
	RestAPI    awsapigateway.RestApi
	Authorizer awsapigateway.CognitoUserPoolsAuthorizer

	origins   []string
	validator awsapigateway.RequestValidator
	version   string
	rate      int
	burst     int
	settings  []any // of the stage's methods; the first applies to all
}

// New declares the API under scope. [API.Handle] adds its methods.
func New(scope constructs.Construct, id string, props Props) *API {
	props = props.withDefaults()
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	defaults.Override(construct, props.LogRetention, props.Disposable)
	accessLogs := loggroup.New(construct, "AccessLogs", "")
	api := awsapigateway.NewRestApi(construct, jsii.String("RestAPI"), &awsapigateway.RestApiProps{
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
		DefaultCorsPreflightOptions: &awsapigateway.CorsOptions{
			AllowOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowMethods: awsapigateway.Cors_ALL_METHODS(),
			AllowHeaders: jsii.Strings(
				append([]string{"Authorization", "Content-Type"}, props.AllowedHeaders...)...),
			MaxAge: convert.Duration(time.Hour),
		},
	})
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
		RestAPI: api,
		Authorizer: awsapigateway.NewCognitoUserPoolsAuthorizer(
			construct, jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
				CognitoUserPools: &[]awscognito.IUserPool{props.UserPool},
			}),
		validator: api.AddRequestValidator(jsii.String("Validator"),
			&awsapigateway.RequestValidatorOptions{
				ValidateRequestBody:       jsii.Bool(true),
				ValidateRequestParameters: jsii.Bool(true),
			}),
		origins: props.AllowedOrigins,
		version: props.Version,
		rate:    props.RateLimit,
		burst:   props.BurstLimit,
	}
	a.setMethod("*", "/*", props.RateLimit, props.BurstLimit)
	return a
}

// URL returns the base URL of the API, with a slash at the end. Unlike the CDK's, it does not refer
// to the stage, which depends on the functions, so it can be passed to a function of the API.
func (a *API) URL() string {
	stack := awscdk.Stack_Of(a.RestAPI)
	host := *a.RestAPI.RestApiId() + ".execute-api." + *stack.Region() + "." + *stack.UrlSuffix()
	return "https://" + host + "/" + a.version + "/"
}

// A Method is an HTTP method of a path, integrated with a function or an AWS service.
type Method struct {
	HTTPMethod string // GET; required
	Path       string // /posts/{postId}; required
	Public     bool   // callable without a token

	// The integration; one of them is required.
	Function *gofunction.Function
	Service  *Service

	RateLimit  int // steady-state requests a second; default: the API's
	BurstLimit int // burst of requests; default: the API's

	// Optional parameters, for the gateway's documentation and cache. The gateway passes all others
	// on too.
	QueryParameters, Headers []string
	// Body is the JSON schema, draft 4, of the request's body. Nil means that the method has no
	// body.
	Body map[string]any
}

// Handle adds a method that a function or a service handles. A request whose body does not match
// the schema is rejected before it reaches either.
//
// The gateway validates only bodies with the content type application/json. It passes other content
// to a function, which must validate it itself, and rejects it for a service.
func (a *API) Handle(method Method) {
	method.check()
	options := &awsapigateway.MethodOptions{
		AuthorizationType: awsapigateway.AuthorizationType_COGNITO,
		Authorizer:        a.Authorizer,
		RequestValidator:  a.validator,
		RequestParameters: &map[string]*bool{},
	}
	if method.Public {
		options.AuthorizationType, options.Authorizer = awsapigateway.AuthorizationType_NONE, nil
	}
	for _, name := range method.QueryParameters {
		(*options.RequestParameters)["method.request.querystring."+name] = jsii.Bool(false)
	}
	for _, name := range method.Headers {
		(*options.RequestParameters)["method.request.header."+name] = jsii.Bool(false)
	}
	if method.Body != nil {
		model := a.newModel(modelID(method.HTTPMethod, method.Path), method.Body)
		options.RequestModels = &map[string]awsapigateway.IModel{"application/json": model}
	}
	resource := a.RestAPI.Root().ResourceForPath(jsii.String(method.Path))
	var integration awsapigateway.Integration
	if method.Service != nil {
		integration, options.MethodResponses = a.integrate(*method.Service)
	} else {
		integration = awsapigateway.NewLambdaIntegration(method.Function.Function,
			&awsapigateway.LambdaIntegrationOptions{
				AllowTestInvoke: jsii.Bool(false),
			})
	}
	resource.AddMethod(jsii.String(method.HTTPMethod), integration, options)
	if method.RateLimit > 0 || method.BurstLimit > 0 {
		// Slashes are escaped: MethodSetting of AWS::ApiGateway::Stage in the AWS CloudFormation
		// documentation.
		path := "/" + strings.ReplaceAll(strings.TrimSuffix(method.Path, "/"), "/", "~1")
		a.setMethod(method.HTTPMethod, path, cmp.Or(method.RateLimit, a.rate),
			cmp.Or(method.BurstLimit, a.burst))
	}
}

// setMethod adds the stage's settings for a method. They are complete: a setting that a method's
// own omit would have the service's default, not the value for all methods.
func (a *API) setMethod(httpMethod, path string, rate, burst int) {
	a.settings = append(a.settings, &awsapigateway.CfnStage_MethodSettingProperty{
		HttpMethod:           jsii.String(httpMethod),
		ResourcePath:         jsii.String(path),
		ThrottlingRateLimit:  jsii.Number(rate),
		ThrottlingBurstLimit: jsii.Number(burst),
		LoggingLevel:         jsii.String("ERROR"),
		DataTraceEnabled:     jsii.Bool(false), // would log bodies and tokens
		MetricsEnabled:       jsii.Bool(true),
	})
	a.RestAPI.DeploymentStage().Node().DefaultChild().(awsapigateway.CfnStage).SetMethodSettings(
		&a.settings)
}

// newModel declares the model of a schema. The CDK's Model construct wants each keyword as a
// property.
func (a *API) newModel(id string, schema map[string]any) awsapigateway.IModel {
	schema = maps.Clone(schema)
	schema["$schema"] = "http://json-schema.org/draft-04/schema#"
	model := awsapigateway.NewCfnModel(a.RestAPI, jsii.String(id), &awsapigateway.CfnModelProps{
		RestApiId:   a.RestAPI.RestApiId(),
		ContentType: jsii.String("application/json"),
		Schema:      schema,
	})
	deployment := a.RestAPI.LatestDeployment()
	deployment.Node().AddDependency(model)
	deployment.AddToLogicalId(schema) // a new schema needs a new deployment
	return awsapigateway.Model_FromModelName(model, jsii.String("Model"), model.Ref())
}

// modelID returns the construct id of a body's model: PutProfileBody for PUT /profile.
func modelID(method, path string) string {
	id := strings.ToUpper(method[:1]) + strings.ToLower(method[1:])
	for segment := range strings.SplitSeq(path, "/") {
		if segment = strings.Trim(segment, "{}+"); segment != "" {
			id += strings.ToUpper(segment[:1]) + segment[1:]
		}
	}
	return id + "Body"
}

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

func (p Props) check(id string) {
	check.Props("restapi", id,
		check.Required("UserPool", p.UserPool != nil, "pass identity.UserPool"),
		check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0,
			"pass the web client's origins"),
		check.That("RateLimit", p.RateLimit, p.RateLimit >= 1, "at least 1"),
		check.That("BurstLimit", p.BurstLimit, p.BurstLimit >= 1, "at least 1"),
	)
}

func (m Method) check() {
	problems := []error{
		check.Required("HTTPMethod", m.HTTPMethod != "", "pass an HTTP method such as GET"),
		check.Required("Path", strings.HasPrefix(m.Path, "/"), "pass a path that begins with /"),
		check.Required("Function", m.Function != nil || m.Service != nil,
			"pass a Function or a Service"),
		check.That("RateLimit", m.RateLimit, m.RateLimit >= 0, "at least 1, or 0 for the API's"),
		check.That("BurstLimit", m.BurstLimit, m.BurstLimit >= 0, "at least 1, or 0 for the API's"),
	}
	if m.Service != nil {
		problems = append(problems,
			check.That("Function", "set together with Service", m.Function == nil, "one of them"),
			check.Required("Service.Name", m.Service.Name != "", "pass a service such as kinesis"),
			check.Required("Service.Action", m.Service.Action != "",
				"pass an action such as PutRecords"),
			check.Required("Service.Role", m.Service.Role != nil,
				"pass a role that API Gateway may assume"),
			check.Required("Service.ContentType", m.Service.ContentType != "",
				"pass a content type such as application/x-amz-json-1.1"),
			check.Required("Service.Request", m.Service.Request != "", "pass a mapping template"),
			check.Required("Service.Response", m.Service.Response != "", "pass a mapping template"),
		)
	}
	check.Props("restapi", strings.TrimSpace(m.HTTPMethod+" "+m.Path), problems...)
}
