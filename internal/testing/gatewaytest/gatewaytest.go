// Package gatewaytest emulates an API Gateway method with an AWS service integration: it validates
// a request against the method's schema, renders the service's request with the mapping template,
// calls the service, and renders the response. Its input is the method as declared in the
// CloudFormation template. Apache Velocity renders the mapping templates.
package gatewaytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxBody is API Gateway's limit, in bytes: "Quotas for configuring and running a REST API" in the
// API Gateway Developer Guide.
const maxBody = 10 << 20

// A Method is a method with an AWS service integration. It is safe for concurrent use.
type Method struct {
	integration integration
	schema      *jsonschema.Schema
	operation   string // PutRecords
	signingName string // kinesis
	endpoint    string
}

// An integration is the integration of an AWS::ApiGateway::Method.
type integration struct {
	Type, IntegrationHttpMethod, URI, PassthroughBehavior string
	RequestParameters, RequestTemplates                   map[string]string
	IntegrationResponses                                  []integrationResponse
}

type integrationResponse struct {
	SelectionPattern                      string
	StatusCode                            int `json:",string"`
	ResponseParameters, ResponseTemplates map[string]string
}

// New returns a method of a template from the properties of its AWS::ApiGateway::Method and the
// schema of its AWS::ApiGateway::Model. The service is at endpoint. resolve returns the value of an
// intrinsic function other than Fn::Join, such as {"Fn::ImportValue": "…"}.
func New(
	properties, schema map[string]any, endpoint string,
	resolve func(function map[string]any) string,
) (*Method, error) {
	m := &Method{endpoint: endpoint}
	encoded, err := json.Marshal(resolved(properties["Integration"], resolve))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(encoded, &m.integration); err != nil {
		return nil, err
	}
	// arn:aws:apigateway:eu-central-1:kinesis:action/PutRecords
	parts := strings.SplitN(m.integration.URI, ":", 6)
	var ok bool
	if len(parts) == 6 {
		m.signingName = parts[4]
		m.operation, ok = strings.CutPrefix(parts[5], "action/")
	}
	if m.integration.Type != "AWS" || !ok {
		return nil, fmt.Errorf(
			"the integration has type %s and URI %s, want AWS and a service action",
			m.integration.Type, m.integration.URI)
	}
	if encoded, err = json.Marshal(schema); err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	const name = "body.json"
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	m.schema, err = compiler.Compile(name)
	return m, err
}

// resolved returns a value of a template with its intrinsic functions replaced by their values.
func resolved(value any, resolve func(map[string]any) string) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, each := range value {
			list[i] = resolved(each, resolve)
		}
		return list
	case map[string]any:
		if len(value) == 1 {
			for name := range value {
				switch {
				case name == "Fn::Join":
					var joined strings.Builder
					for _, part := range value[name].([]any)[1].([]any) {
						fmt.Fprint(&joined, resolved(part, resolve))
					}
					return joined.String()
				case name == "Ref" || strings.HasPrefix(name, "Fn::"):
					return resolve(value)
				}
			}
		}
		object := map[string]any{}
		for name, each := range value {
			object[name] = resolved(each, resolve)
		}
		return object
	default:
		return value
	}
}

// A Request is a client's request.
type Request struct {
	Body    string
	Headers map[string]string // default: Content-Type: application/json
}

// A Response is the response to a client. A response to a request that the gateway itself rejects
// has no body here.
type Response struct {
	Status  int
	Headers map[string]string
	Body    string
}

// Do sends a request. An error comes from the gateway's configuration or from the fake service: on
// AWS, the client would receive a 500.
func (m *Method) Do(ctx context.Context, request Request) (Response, error) {
	if len(request.Body) > maxBody {
		return Response{Status: http.StatusRequestEntityTooLarge}, nil
	}
	template, ok := m.integration.RequestTemplates[contentType(request)]
	if !ok {
		if m.integration.PassthroughBehavior != "NEVER" {
			return Response{}, errors.New(
				"the body would be passed to the service without validation; " +
					"set PassthroughBehavior to NEVER")
		}
		return Response{Status: http.StatusUnsupportedMediaType}, nil
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(request.Body))
	if err != nil || m.schema.Validate(body) != nil {
		return Response{Status: http.StatusBadRequest}, nil //nolint:nilerr // the client's error
	}
	headers := map[string]string{}
	maps.Copy(headers, request.Headers)
	variables := map[string]any{
		"requestId": uuid.NewString(), "requestTimeEpoch": time.Now().UnixMilli(),
	}
	input, err := renderRequest{
		Template: template, Body: request.Body, Headers: headers, Context: variables,
	}.render(ctx)
	if err != nil {
		return Response{}, fmt.Errorf("request template: %w", err)
	}
	status, result, err := m.call(ctx, input.Output)
	if err != nil {
		return Response{}, err
	}
	mapping, err := m.integration.response(status)
	if err != nil {
		return Response{}, err
	}
	output, err := renderRequest{
		Template: mapping.ResponseTemplates["application/json"],
		Body:     result, Headers: headers, Context: variables,
	}.render(ctx)
	if err != nil {
		return Response{}, fmt.Errorf("response template: %w", err)
	}
	response := Response{
		Status:  output.Override.Status,
		Headers: map[string]string{"Content-Type": "application/json"},
		Body:    strings.TrimSpace(output.Output),
	}
	if response.Status == 0 {
		response.Status = mapping.StatusCode
	}
	for name, value := range mapping.ResponseParameters {
		name = strings.TrimPrefix(name, "method.response.header.")
		response.Headers[name] = strings.Trim(value, "'")
	}
	maps.Copy(response.Headers, output.Override.Header)
	return response, nil
}

// response returns the integration response for the status of the service's response. The one
// without a selection pattern is the default.
func (i integration) response(status int) (integrationResponse, error) {
	var byDefault *integrationResponse
	for _, candidate := range i.IntegrationResponses {
		if candidate.SelectionPattern == "" {
			byDefault = &candidate
			continue
		}
		pattern := "^(" + candidate.SelectionPattern + ")$"
		matches, err := regexp.MatchString(pattern, strconv.Itoa(status))
		if matches || err != nil {
			return candidate, err
		}
	}
	if byDefault == nil {
		return integrationResponse{},
			fmt.Errorf("no integration response matches status %d", status)
	}
	return *byDefault, nil
}

// contentType returns the media type by which the gateway selects a template.
func contentType(request Request) string {
	for name, value := range request.Headers {
		if strings.EqualFold(name, "Content-Type") {
			value, _, _ = strings.Cut(value, ";")
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return "application/json"
}

// call sends a signed request to the service in its wire format and returns the status and the body
// of the response.
func (m *Method) call(ctx context.Context, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, m.integration.IntegrationHttpMethod, m.endpoint,
		strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	target, ok := map[string]string{"kinesis": "Kinesis_20131202."}[m.signingName]
	if !ok {
		return 0, "", fmt.Errorf("gatewaytest does not know the X-Amz-Target of %s for %s",
			m.signingName, m.operation)
	}
	request.Header.Set("X-Amz-Target", target+m.operation)
	for name, value := range m.integration.RequestParameters {
		name = strings.TrimPrefix(name, "integration.request.header.")
		request.Header.Set(name, strings.Trim(value, "'"))
	}
	hash := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{
		AccessKeyID: "EXAMPLE", SecretAccessKey: "example-secret-access-key",
	}
	err = v4.NewSigner().SignHTTP(ctx, credentials, request,
		hex.EncodeToString(hash[:]), m.signingName, "eu-central-1", time.Now())
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	result, err := io.ReadAll(response.Body)
	return response.StatusCode, string(result), errors.Join(err, response.Body.Close())
}
