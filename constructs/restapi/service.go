package restapi

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// A Service is an action of an AWS service that handles a method, without a function. Requests and
// responses are JSON.
//
// Request and Response are mapping templates: "Mapping templates for REST APIs" in the API Gateway
// Developer Guide. Responses have the same headers as those of the functions: CORS for the allowed
// origins, and no-store.
type Service struct {
	Name        string       // of the service's endpoint: kinesis; required
	Action      string       // PutRecords; required
	Role        awsiam.IRole // that the gateway assumes for the call; required
	ContentType string       // of the service's requests: application/x-amz-json-1.1; required
	Request     string       // renders the service's request from the client's; required

	// Response renders the client's response from any response of the service; required. The status
	// is 503 unless the template overrides it, so that only a confirmed success counts as one.
	Response string
}

// defaultStatus is the status of a response unless its template overrides it.
const defaultStatus = "503"

// responseHeaders are the headers that a service's responses may have, besides those of the
// content.
var responseHeaders = []string{
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Retry-After",
	"Vary",
}

// integrate returns the integration with a service, and the responses that its method must declare.
func (a *API) integrate(service Service) (
	awsapigateway.Integration, *[]*awsapigateway.MethodResponse,
) {
	declared := map[string]*bool{}
	for _, name := range responseHeaders {
		declared["method.response.header."+name] = jsii.Bool(true)
	}
	responses := &[]*awsapigateway.MethodResponse{
		{StatusCode: jsii.String(defaultStatus), ResponseParameters: &declared},
	}
	integration := awsapigateway.NewAwsIntegration(&awsapigateway.AwsIntegrationProps{
		Service: jsii.String(service.Name),
		Action:  jsii.String(service.Action),
		Options: &awsapigateway.IntegrationOptions{
			CredentialsRole: service.Role,
			// Content other than JSON is not validated, so it is rejected with 415 and never passed
			// on.
			PassthroughBehavior: awsapigateway.PassthroughBehavior_NEVER,
			RequestParameters: &map[string]*string{
				"integration.request.header.Content-Type": jsii.String(
					"'" + service.ContentType + "'"),
			},
			RequestTemplates: &map[string]*string{"application/json": jsii.String(service.Request)},
			// It has no pattern, so it is for any status.
			IntegrationResponses: &[]*awsapigateway.IntegrationResponse{{
				StatusCode: jsii.String(defaultStatus),
				ResponseParameters: &map[string]*string{
					"method.response.header.Cache-Control": jsii.String("'no-store'"),
					"method.response.header.Vary":          jsii.String("'Origin'"),
				},
				ResponseTemplates: &map[string]*string{
					"application/json": jsii.String(a.corsTemplate() + service.Response),
				},
			}},
		},
	})
	return integration, responses
}

// corsTemplate returns the beginning of a response template. It lets pages of the allowed origins
// read the response and the header Retry-After, which browsers hide by default.
func (a *API) corsTemplate() string {
	if len(a.props.AllowedOrigins) == 0 {
		return ""
	}
	comparisons := make([]string, len(a.props.AllowedOrigins))
	for i, origin := range a.props.AllowedOrigins {
		comparisons[i] = "$origin == '" + origin + "'"
	}
	return `#set($origin = $input.params().header.get('Origin'))
#if(!$origin)#set($origin = $input.params().header.get('origin'))#end
#if(` + strings.Join(comparisons, " || ") + `)
#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)
#set($context.responseOverride.header.Access-Control-Expose-Headers = 'Retry-After')
#end
`
}
