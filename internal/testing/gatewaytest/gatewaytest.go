// Package gatewaytest does what API Gateway does for a method that a service of AWS answers: it validates a request by the
// method's schema, makes the service's request by the mapping template, calls the service, and makes the answer. What it goes
// by is the method as CloudFormation gets it; the templates are rendered by Apache Velocity.
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

// maxBody is what API Gateway takes: "Quotas for configuring and running a REST API" in the API Gateway Developer Guide.
const maxBody = 10 << 20

// A Method is one that a service answers. Several requests may be made of it at a time.
type Method struct {
	integration integration
	schema      *jsonschema.Schema
	operation   string // PutRecords
	signingName string // kinesis
	endpoint    string
}

// An integration is that of an AWS::ApiGateway::Method.
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

// New returns a method of a template: of the properties of its AWS::ApiGateway::Method, and of the schema of its
// AWS::ApiGateway::Model. The service is at endpoint. resolve says what an intrinsic function other than Fn::Join stands for,
// such as {"Fn::ImportValue": "…"}.
func New(properties, schema map[string]any, endpoint string, resolve func(function map[string]any) string) (*Method, error) {
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
		return nil, fmt.Errorf("the integration is %s of %s, want one of an action of a service", m.integration.Type, m.integration.URI)
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

// resolved is a value of a template without its intrinsic functions.
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

// A Request is what a client sends.
type Request struct {
	Body    string
	Headers map[string]string // default: Content-Type: application/json
}

// A Response is what it is answered. What the gateway refuses by itself has no body here.
type Response struct {
	Status  int
	Headers map[string]string
	Body    string
}

// Do makes a request. Its error is the gateway's configuration's, or that of who plays the service: on AWS, the client would
// be answered 500.
func (m *Method) Do(ctx context.Context, request Request) (Response, error) {
	if len(request.Body) > maxBody {
		return Response{Status: http.StatusRequestEntityTooLarge}, nil
	}
	template, ok := m.integration.RequestTemplates[contentType(request)]
	if !ok {
		if m.integration.PassthroughBehavior != "NEVER" {
			return Response{}, errors.New("the body would be passed to the service as it is, without validation")
		}
		return Response{Status: http.StatusUnsupportedMediaType}, nil
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(request.Body))
	if err != nil || m.schema.Validate(body) != nil {
		return Response{Status: http.StatusBadRequest}, nil //nolint:nilerr // it is the client's
	}
	headers := map[string]string{}
	maps.Copy(headers, request.Headers)
	variables := map[string]any{"requestId": uuid.NewString(), "requestTimeEpoch": time.Now().UnixMilli()}
	asked, err := renderRequest{Template: template, Body: request.Body, Headers: headers, Context: variables}.render(ctx)
	if err != nil {
		return Response{}, fmt.Errorf("request template: %w", err)
	}
	status, said, err := m.call(ctx, asked.Output)
	if err != nil {
		return Response{}, err
	}
	answer, err := m.integration.response(status)
	if err != nil {
		return Response{}, err
	}
	made, err := renderRequest{Template: answer.ResponseTemplates["application/json"], Body: said, Headers: headers, Context: variables}.render(ctx)
	if err != nil {
		return Response{}, fmt.Errorf("response template: %w", err)
	}
	response := Response{Status: made.Override.Status, Headers: map[string]string{"Content-Type": "application/json"}, Body: strings.TrimSpace(made.Output)}
	if response.Status == 0 {
		response.Status = answer.StatusCode
	}
	for name, value := range answer.ResponseParameters {
		response.Headers[strings.TrimPrefix(name, "method.response.header.")] = strings.Trim(value, "'")
	}
	maps.Copy(response.Headers, made.Override.Header)
	return response, nil
}

// response chooses what is said about an answer of the service by its status: what has no pattern is about all others.
func (i integration) response(status int) (integrationResponse, error) {
	var others *integrationResponse
	for _, answer := range i.IntegrationResponses {
		if answer.SelectionPattern == "" {
			others = &answer
			continue
		}
		if matches, err := regexp.MatchString("^("+answer.SelectionPattern+")$", strconv.Itoa(status)); matches || err != nil {
			return answer, err
		}
	}
	if others == nil {
		return integrationResponse{}, fmt.Errorf("nothing is said about an answer of status %d", status)
	}
	return *others, nil
}

// contentType is what the gateway chooses a template by.
func contentType(request Request) string {
	for name, value := range request.Headers {
		if strings.EqualFold(name, "Content-Type") {
			value, _, _ = strings.Cut(value, ";")
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return "application/json"
}

// call sends the service a request in its wire format, signed, and returns the status and the body of the answer.
func (m *Method) call(ctx context.Context, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, m.integration.IntegrationHttpMethod, m.endpoint, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	target, ok := map[string]string{"kinesis": "Kinesis_20131202."}[m.signingName]
	if !ok {
		return 0, "", fmt.Errorf("how is %s asked for %s?", m.signingName, m.operation)
	}
	request.Header.Set("X-Amz-Target", target+m.operation)
	for name, value := range m.integration.RequestParameters {
		request.Header.Set(strings.TrimPrefix(name, "integration.request.header."), strings.Trim(value, "'"))
	}
	hash := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: "EXAMPLE", SecretAccessKey: "example-secret-access-key"}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), m.signingName, "eu-central-1", time.Now()); err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	said, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(said), errors.Join(err, answer.Body.Close())
}
