// Package restapi provisions a REST API on API Gateway: functions, and services of AWS, behind a Cognito authoriser, with CORS,
// request validation, throttling, logs and traces.
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
)

// Props describes the API. Zero values take the stated default.
type Props struct {
	UserPool       awscognito.IUserPool // whose users may call the API; required
	AllowedOrigins []string             // the web origins that may call it from a browser; required

	AllowedHeaders []string // that a browser may send besides Authorization and Content-Type; default: none

	Version      string        // the API's version, which is its stage; default: v1
	RateLimit    int           // requests a second that every method takes in the long run; default: 50
	BurstLimit   int           // requests that may come at once; default: 100
	LogRetention time.Duration // of the access and execution logs; default: the scope's (package defaults)
	Disposable   bool          // delete the logs with the stack
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
	settings  []any // of the stage's methods; the first is for all
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
		// Logging is switched on for the account and region as a whole, not for the API: the role outlives the stack,
		// because other APIs may log by it.
		CloudWatchRole: jsii.Bool(true),
		DeployOptions: &awsapigateway.StageOptions{
			StageName:            jsii.String(props.Version),
			AccessLogDestination: awsapigateway.NewLogGroupLogDestination(accessLogs),
			AccessLogFormat:      awsapigateway.AccessLogFormat_Custom(jsii.String(accessLogFormat())),
			TracingEnabled:       jsii.Bool(true),
		},
		DefaultCorsPreflightOptions: &awsapigateway.CorsOptions{
			AllowOrigins: jsii.Strings(props.AllowedOrigins...),
			AllowMethods: awsapigateway.Cors_ALL_METHODS(),
			AllowHeaders: jsii.Strings(append([]string{"Authorization", "Content-Type"}, props.AllowedHeaders...)...),
			MaxAge:       convert.Duration(time.Hour),
		},
	})
	api.Node().TryRemoveChild(jsii.String("Endpoint")) // the CDK's own output: which there are is the stack's affair
	// The service would make this group itself and keep it for ever; the name is what it looks for.
	executionLogs := loggroup.New(construct, "ExecutionLogs", "API-Gateway-Execution-Logs_"+*api.RestApiId()+"/"+props.Version)
	api.DeploymentStage().Node().AddDependency(executionLogs)

	// What the gateway answers by itself has the shape and, where the functions have one too, the code of their errors.
	// It holds no data, so any origin may read it; without the header a browser would show its client a network error
	// instead of the status.
	respond := func(id string, kind awsapigateway.ResponseType, status, code, message string) {
		options := &awsapigateway.GatewayResponseOptions{
			Type:            kind,
			ResponseHeaders: &map[string]*string{"Access-Control-Allow-Origin": jsii.String("'*'")},
			Templates: &map[string]*string{"application/json": jsii.String(
				`{"error":{"code":"` + code + `","message":` + message + `,"requestId":"$context.requestId"}}`)},
		}
		if status != "" { // otherwise the kind's own
			options.StatusCode = jsii.String(status)
		}
		api.AddGatewayResponse(jsii.String(id), options)
	}
	respond("Unauthorized", awsapigateway.ResponseType_UNAUTHORIZED(), "", "unauthenticated", `"Sign in and send your ID token in the Authorization header; if you did, it has expired: refresh it."`)
	// What the gateway calls a missing token is a path or a method that it does not know, whoever asks.
	respond("NotFound", awsapigateway.ResponseType_MISSING_AUTHENTICATION_TOKEN(), "404", "not_found", `"There is nothing here."`)
	respond("BadRequestBody", awsapigateway.ResponseType_BAD_REQUEST_BODY(), "", "invalid_request", `"The body does not have the fields that it should have, or one is too long."`)
	respond("RequestTooLarge", awsapigateway.ResponseType_REQUEST_TOO_LARGE(), "", "body_too_large", `"The body is larger than 10 MB; shorten it."`)
	respond("UnsupportedMediaType", awsapigateway.ResponseType_UNSUPPORTED_MEDIA_TYPE(), "", "unsupported_media_type", `"Send the body as application/json."`)
	respond("Throttled", awsapigateway.ResponseType_THROTTLED(), "", "throttled", `"Too many requests at once; try again in a second."`)
	// The rest are mistakes in the request's form or ours. messageString comes with its quotes.
	respond("ClientErrors", awsapigateway.ResponseType_DEFAULT_4XX(), "", "$context.error.responseType", "$context.error.messageString")
	respond("ServerErrors", awsapigateway.ResponseType_DEFAULT_5XX(), "", "$context.error.responseType", "$context.error.messageString")
	a := &API{
		RestAPI: api,
		Authorizer: awsapigateway.NewCognitoUserPoolsAuthorizer(construct, jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
			CognitoUserPools: &[]awscognito.IUserPool{props.UserPool},
		}),
		validator: api.AddRequestValidator(jsii.String("Validator"), &awsapigateway.RequestValidatorOptions{
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

// URL is where clients call the API, with a slash at the end. Other than the CDK's own, it does not refer to the stage,
// which comes after the functions: so a function that the API calls may be told it.
func (a *API) URL() string {
	stack := awscdk.Stack_Of(a.RestAPI)
	return "https://" + *a.RestAPI.RestApiId() + ".execute-api." + *stack.Region() + "." + *stack.UrlSuffix() + "/" + a.version + "/"
}

// A Method is what a function answers, or a service of AWS.
type Method struct {
	HTTPMethod string // GET; required
	Path       string // /posts/{postId}; required
	Public     bool   // anybody may call it, without a token

	// What answers; one of them is required.
	Function *gofunction.Function
	Service  *Service

	RateLimit  int // requests a second that it takes in the long run; default: the API's
	BurstLimit int // requests that may come at once; default: the API's

	// What a request may have, for the gateway's documentation and cache: it lets others through.
	QueryParameters, Headers []string
	// Body is the JSON schema, draft 4, that a request's body has to fit. Nil means that the method takes no body.
	Body map[string]any
}

// Handle lets a function or a service answer a method. A request whose body does not fit the schema is refused before it
// reaches either.
//
// The gateway validates what a request declares to be application/json. It lets other content through to a function, which must
// not rely on it, and to no service.
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
		options.RequestModels = &map[string]awsapigateway.IModel{"application/json": a.model(modelID(method.HTTPMethod, method.Path), method.Body)}
	}
	resource := a.RestAPI.Root().ResourceForPath(jsii.String(method.Path))
	var integration awsapigateway.Integration
	if method.Service != nil {
		integration, options.MethodResponses = a.integrate(*method.Service)
	} else {
		integration = awsapigateway.NewLambdaIntegration(method.Function.Function, &awsapigateway.LambdaIntegrationOptions{
			AllowTestInvoke: jsii.Bool(false),
		})
	}
	resource.AddMethod(jsii.String(method.HTTPMethod), integration, options)
	if method.RateLimit > 0 || method.BurstLimit > 0 {
		// Slashes are escaped: MethodSetting of AWS::ApiGateway::Stage in the AWS CloudFormation documentation.
		path := "/" + strings.ReplaceAll(strings.TrimSuffix(method.Path, "/"), "/", "~1")
		a.setMethod(method.HTTPMethod, path, cmp.Or(method.RateLimit, a.rate), cmp.Or(method.BurstLimit, a.burst))
	}
}

// setMethod gives the stage's settings for a method. They are said in full: what a method's own leave out would be the
// service's default, and not what is said for all.
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
	a.RestAPI.DeploymentStage().Node().DefaultChild().(awsapigateway.CfnStage).SetMethodSettings(&a.settings)
}

// model declares a schema. The CDK's own Model wants its keywords one by one.
func (a *API) model(id string, schema map[string]any) awsapigateway.IModel {
	schema = maps.Clone(schema)
	schema["$schema"] = "http://json-schema.org/draft-04/schema#"
	model := awsapigateway.NewCfnModel(a.RestAPI, jsii.String(id), &awsapigateway.CfnModelProps{
		RestApiId:   a.RestAPI.RestApiId(),
		ContentType: jsii.String("application/json"),
		Schema:      schema,
	})
	deployment := a.RestAPI.LatestDeployment()
	deployment.Node().AddDependency(model)
	deployment.AddToLogicalId(schema) // a stage serves the schemas of its deployment
	return awsapigateway.Model_FromModelName(model, jsii.String("Model"), model.Ref())
}

// modelID names the body of PUT /profile PutProfileBody.
func modelID(method, path string) string {
	id := strings.ToUpper(method[:1]) + strings.ToLower(method[1:])
	for segment := range strings.SplitSeq(path, "/") {
		if segment = strings.Trim(segment, "{}+"); segment != "" {
			id += strings.ToUpper(segment[:1]) + segment[1:]
		}
	}
	return id + "Body"
}

// accessLogFormat is one JSON object a request, without bodies and tokens.
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
		panic(err) // a map of strings has no other encoding
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
		check.Required("AllowedOrigins", len(p.AllowedOrigins) > 0, "pass the web client's origins"),
		check.That("RateLimit", p.RateLimit, p.RateLimit >= 1, "at least 1"),
		check.That("BurstLimit", p.BurstLimit, p.BurstLimit >= 1, "at least 1"),
	)
}

func (m Method) check() {
	problems := []error{
		check.Required("HTTPMethod", m.HTTPMethod != "", "pass GET, say"),
		check.Required("Path", strings.HasPrefix(m.Path, "/"), "pass a path that begins with /"),
		check.Required("Function", m.Function != nil || m.Service != nil, "pass the function that answers, or a Service"),
		check.That("RateLimit", m.RateLimit, m.RateLimit >= 0, "at least 1, or 0 for the API's"),
		check.That("BurstLimit", m.BurstLimit, m.BurstLimit >= 0, "at least 1, or 0 for the API's"),
	}
	if m.Service != nil {
		problems = append(problems,
			check.That("Function", "given beside Service", m.Function == nil, "one of both"),
			check.Required("Service.Name", m.Service.Name != "", "pass kinesis, say"),
			check.Required("Service.Action", m.Service.Action != "", "pass PutRecords, say"),
			check.Required("Service.Role", m.Service.Role != nil, "pass a role that API Gateway may take"),
			check.Required("Service.ContentType", m.Service.ContentType != "", "pass application/x-amz-json-1.1, say"),
			check.Required("Service.Request", m.Service.Request != "", "pass a mapping template"),
			check.Required("Service.Response", m.Service.Response != "", "pass a mapping template"),
		)
	}
	check.Props("restapi", strings.TrimSpace(m.HTTPMethod+" "+m.Path), problems...)
}
