package restapi

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// A Service is an action of an AWS service that answers a method, without a function. What is sent and what is answered is JSON.
//
// Request and Response are mapping templates: "Mapping templates for REST APIs" in the API Gateway Developer Guide. Answers
// have the headers of those of the functions: which origins may read them, and that they are not to be stored.
type Service struct {
	Name        string       // as the service's endpoint calls it: kinesis; required
	Action      string       // PutRecords; required
	Role        awsiam.IRole // that the gateway takes for the call; required
	ContentType string       // that the service speaks: application/x-amz-json-1.1; required
	Request     string       // makes the service's request of the client's; required

	// Response makes the answer to the client of whatever the service has answered; required. Its status is 503 unless the
	// template overrides it: what is not known to have succeeded has not.
	Response string
}

// defaultStatus is the status of a service's answer unless its template says another one.
const defaultStatus = "503"

// responseHeaders are those that a service's answers may have, besides the content's.
var responseHeaders = []string{"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Retry-After", "Vary"}

// integrate has the gateway call a service, and returns what the method has to declare of the answers.
func (a *API) integrate(service Service) (awsapigateway.Integration, *[]*awsapigateway.MethodResponse) {
	declared := map[string]*bool{}
	for _, name := range responseHeaders {
		declared["method.response.header."+name] = jsii.Bool(true)
	}
	responses := &[]*awsapigateway.MethodResponse{{StatusCode: jsii.String(defaultStatus), ResponseParameters: &declared}}
	integration := awsapigateway.NewAwsIntegration(&awsapigateway.AwsIntegrationProps{
		Service: jsii.String(service.Name),
		Action:  jsii.String(service.Action),
		Options: &awsapigateway.IntegrationOptions{
			CredentialsRole: service.Role,
			// What is not JSON has not been validated: it is refused, with 415, and never handed on.
			PassthroughBehavior: awsapigateway.PassthroughBehavior_NEVER,
			RequestParameters:   &map[string]*string{"integration.request.header.Content-Type": jsii.String("'" + service.ContentType + "'")},
			RequestTemplates:    &map[string]*string{"application/json": jsii.String(service.Request)},
			IntegrationResponses: &[]*awsapigateway.IntegrationResponse{{ // of every status, since it has no pattern
				StatusCode: jsii.String(defaultStatus),
				ResponseParameters: &map[string]*string{
					"method.response.header.Cache-Control": jsii.String("'no-store'"),
					"method.response.header.Vary":          jsii.String("'Origin'"),
				},
				ResponseTemplates: &map[string]*string{"application/json": jsii.String(a.corsTemplate() + service.Response)},
			}},
		},
	})
	return integration, responses
}

// corsTemplate is the beginning of a response template: it lets pages of the allowed origins read the answer, and Retry-After,
// which a browser would keep from them.
func (a *API) corsTemplate() string {
	comparisons := make([]string, len(a.origins))
	for i, origin := range a.origins {
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
