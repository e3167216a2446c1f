package restapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/rest"
)

// A Method is an HTTP method of a path, integrated with a function or an AWS service.
type Method struct {
	HTTPMethod string // GET, or ANY for all methods that the path does not have; required
	Path       string // /posts/{postId}; required
	Public     bool   // callable without a token

	// The integration; one of them is required.
	Function awslambda.IFunction
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

// NewMethod returns the method of a route, without its integration.
func NewMethod(route rest.Operation) Method {
	return Method{
		HTTPMethod:      route.Method,
		Path:            route.Path,
		Public:          route.Access == rest.Public,
		RateLimit:       route.RateLimit,
		BurstLimit:      route.BurstLimit,
		QueryParameters: route.Query,
		Headers:         route.Headers,
		Body:            route.Body,
	}
}

// AddRoutes adds the methods of a table of routes (package rest), which function handles. It fills
// the rest.Settings of the function's settings with the API's origins and clients.
//
//	api.AddRoutes(fn, stones.Routes.Operations())
func (a *API) AddRoutes(function *gofunction.Function, routes []rest.Operation) {
	problems := []error{
		check.NotNil("function", function, "pass the function that handles the routes"),
		check.Required("routes", len(routes) > 0, "pass the Operations of a table of routes"),
	}
	var methods []Method
	for _, route := range routes {
		method := NewMethod(route)
		found := named(method, append(a.check(method, methods),
			check.Required("Props.Clients", method.Public || len(a.props.Clients) > 0,
				"pass the app clients of UserPool, or make the route public")))
		if problems = append(problems, found...); len(found) == 0 {
			methods = append(methods, method)
		}
	}
	check.Call("restapi", a.path(), "AddRoutes", problems...)
	settings := rest.Settings{AllowedOrigins: a.props.AllowedOrigins}
	for _, client := range a.props.Clients {
		settings.ClientIDs = append(settings.ClientIDs, *client.UserPoolClientId())
	}
	function.AddSettings(settings)
	for _, method := range methods {
		method.Function = function.Function
		a.add(method)
	}
}

// Handle adds a method that a function or a service handles. A request whose body does not match
// the schema is rejected before it reaches either.
//
// The gateway validates only bodies with the content type application/json. It passes other content
// to a function, which must validate it itself, and rejects it for a service.
func (a *API) Handle(method Method) {
	problems := append(a.check(method, nil), method.checkIntegration()...)
	check.Call("restapi", a.path(), "Handle", named(method, problems)...)
	a.add(method)
}

func (a *API) add(method Method) {
	options := &awsapigateway.MethodOptions{
		AuthorizationType: awsapigateway.AuthorizationType_NONE,
		RequestValidator:  a.validator,
		RequestParameters: &map[string]*bool{},
	}
	if !method.Public {
		options.AuthorizationType = awsapigateway.AuthorizationType_COGNITO
		options.Authorizer = a.authorizer()
	}
	for _, name := range method.QueryParameters {
		(*options.RequestParameters)["method.request.querystring."+name] = jsii.Bool(false)
	}
	for _, name := range method.Headers {
		(*options.RequestParameters)["method.request.header."+name] = jsii.Bool(false)
	}
	resource := a.RestAPI.Root().ResourceForPath(jsii.String(method.Path))
	if method.Body != nil {
		model := a.newModel(resource, method)
		options.RequestModels = &map[string]awsapigateway.IModel{"application/json": model}
	}
	var integration awsapigateway.Integration
	if method.Service != nil {
		integration, options.MethodResponses = a.integrate(*method.Service)
	} else {
		integration = awsapigateway.NewLambdaIntegration(method.Function,
			&awsapigateway.LambdaIntegrationOptions{
				AllowTestInvoke: jsii.Bool(false),
			})
	}
	resource.AddMethod(jsii.String(method.HTTPMethod), integration, options)
	a.methods = append(a.methods, method)
	if method.RateLimit > 0 || method.BurstLimit > 0 {
		// Slashes are escaped: MethodSetting of AWS::ApiGateway::Stage in the AWS CloudFormation
		// documentation.
		path := "/" + strings.ReplaceAll(strings.TrimSuffix(method.Path, "/"), "/", "~1")
		a.setMethod(method.HTTPMethod, path, cmp.Or(method.RateLimit, a.props.RateLimit),
			cmp.Or(method.BurstLimit, a.props.BurstLimit))
	}
}

// authorizer returns the authorizer of all methods that are not public. The CDK rejects one without
// a method, so the first such method declares it.
func (a *API) authorizer() awsapigateway.CognitoUserPoolsAuthorizer {
	if a.Authorizer == nil {
		a.Authorizer = awsapigateway.NewCognitoUserPoolsAuthorizer(a.Construct,
			jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
				CognitoUserPools: &[]awscognito.IUserPool{a.props.UserPool},
			})
	}
	return a.Authorizer
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

// newModel declares the model of a method's body. The CDK's Model construct wants each keyword as a
// property.
func (a *API) newModel(resource awsapigateway.Resource, method Method) awsapigateway.IModel {
	schema := maps.Clone(method.Body)
	schema["$schema"] = "http://json-schema.org/draft-04/schema#"
	id := method.HTTPMethod[:1] + strings.ToLower(method.HTTPMethod[1:]) + "Body" // PostBody
	model := awsapigateway.NewCfnModel(resource, jsii.String(id), &awsapigateway.CfnModelProps{
		RestApiId:   a.RestAPI.RestApiId(),
		ContentType: jsii.String("application/json"),
		Schema:      schema,
	})
	deployment := a.RestAPI.LatestDeployment()
	deployment.Node().AddDependency(model)
	deployment.AddToLogicalId(schema) // a new schema needs a new deployment
	return awsapigateway.Model_FromModelName(model, jsii.String("Model"), model.Ref())
}

// check returns the problems of a method beside the API's methods and others, except those of its
// integration.
func (a *API) check(m Method, others []Method) []error {
	var paths []string
	twice, hasPool := false, check.NotNil("UserPool", a.props.UserPool, "") == nil
	for _, other := range slices.Concat(a.methods, others) {
		paths = append(paths, other.Path)
		twice = twice || other.HTTPMethod == m.HTTPMethod && other.Path == m.Path
	}
	return slices.Concat([]error{
		check.HTTPMethod("HTTPMethod", m.HTTPMethod),
		check.That("HTTPMethod", m.HTTPMethod, !twice,
			"each method of a path once; the API has this one already"),
		check.That("HTTPMethod", m.HTTPMethod,
			m.HTTPMethod != "OPTIONS" || len(a.props.AllowedOrigins) == 0,
			"another; the API responds to OPTIONS itself (CORS)"),
		check.Path("Path", m.Path),
		check.PathVariables("Path", m.Path, paths),
		check.Required("Props.UserPool", m.Public || hasPool,
			"pass the user pool of the callers, or make the method public"),
		check.That("RateLimit", m.RateLimit, m.RateLimit >= 0, "at least 1, or 0 for the API's"),
		check.That("BurstLimit", m.BurstLimit, m.BurstLimit >= 0, "at least 1, or 0 for the API's"),
		// The stage's settings have no key for ANY.
		check.That("HTTPMethod", m.HTTPMethod,
			m.HTTPMethod != "ANY" || m.RateLimit <= 0 && m.BurstLimit <= 0,
			"one method, such as GET, with a RateLimit or a BurstLimit"),
		check.Each("QueryParameters", m.QueryParameters, checkName),
		check.NoDuplicates("QueryParameters", m.QueryParameters),
		check.Each("Headers", m.Headers, checkName),
		check.NoDuplicates("Headers", m.Headers),
	}, checkBody(m.Body))
}

func (m Method) checkIntegration() []error {
	hasFunction := check.NotNil("Function", m.Function, "") == nil
	if m.Service == nil {
		return []error{
			check.Required("Function", hasFunction, "pass a Function or a Service"),
		}
	}
	return []error{
		check.That("Function", "set together with Service", !hasFunction, "one of them"),
		check.Required("Service.Name", m.Service.Name != "", "pass a service such as kinesis"),
		check.Required("Service.Action", m.Service.Action != "",
			"pass an action such as PutRecords"),
		check.NotNil("Service.Role", m.Service.Role, "pass a role that API Gateway may assume"),
		check.Required("Service.ContentType", m.Service.ContentType != "",
			"pass a content type such as application/x-amz-json-1.1"),
		check.That("Service.ContentType", m.Service.ContentType,
			!strings.ContainsAny(m.Service.ContentType, "'\r\n"), "no quotes and line feeds"),
		check.Required("Service.Request", m.Service.Request != "", "pass a mapping template"),
		check.Required("Service.Response", m.Service.Response != "", "pass a mapping template"),
	}
}

// The keywords of JSON schema, draft 4, that contain schemas: "JSON Schema: interactive and non
// interactive validation", section 5.
var (
	schemaKeywords     = []string{"additionalItems", "additionalProperties", "items", "not"}
	schemaListKeywords = []string{"allOf", "anyOf", "items", "oneOf"}
	schemaMapKeywords  = []string{"definitions", "patternProperties", "properties"}
)

// checkBody returns the problems of a body's schema, which API Gateway would report only in the
// deployment.
func checkBody(body map[string]any) []error {
	if body == nil {
		return nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return []error{check.That("Body", err, false, "a JSON schema")}
	}
	var schema any
	if err := json.Unmarshal(encoded, &schema); err != nil {
		panic(err) // cannot happen: it was encoded
	}
	return checkSchema("Body", schema)
}

// checkSchema returns the problems of a schema and of the schemas in it.
func checkSchema(prop string, value any) []error {
	schema, ok := value.(map[string]any)
	if !ok {
		return []error{check.That(prop, value, false, "a schema, which is an object")}
	}
	var problems []error
	checkType := func(prop string, name any) {
		problems = append(problems, check.JSONSchemaType(prop, fmt.Sprint(name)))
	}
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		name := prop + "." + keyword
		items, isList := schema[keyword].([]any)
		nested, isObject := schema[keyword].(map[string]any)
		_, isBool := schema[keyword].(bool)
		switch {
		case keyword == "type" && isList:
			for i, item := range items {
				checkType(fmt.Sprintf("%s[%d]", name, i), item)
			}
		case keyword == "type":
			checkType(name, schema[keyword])
		case slices.Contains(schemaListKeywords, keyword) && isList:
			for i, item := range items {
				problems = append(problems, checkSchema(fmt.Sprintf("%s[%d]", name, i), item)...)
			}
		case slices.Contains(schemaMapKeywords, keyword) && isObject:
			for _, property := range slices.Sorted(maps.Keys(nested)) {
				problems = append(problems, checkSchema(name+"."+property, nested[property])...)
			}
		case slices.Contains(schemaKeywords, keyword) && !isBool,
			slices.Contains(schemaListKeywords, keyword),
			slices.Contains(schemaMapKeywords, keyword):
			problems = append(problems, checkSchema(name, schema[keyword])...)
		}
	}
	return problems
}

// named returns problems with the method that has them: GET /posts: RateLimit.
func named(m Method, problems []error) []error {
	name := strings.TrimSpace(m.HTTPMethod + " " + m.Path)
	if name == "" {
		return problems
	}
	return check.Named(name, problems...)
}
