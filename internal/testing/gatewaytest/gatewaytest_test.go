package gatewaytest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/gatewaytest"
)

// method returns a method whose service responds with a status and a body, and the service's
// requests.
func method(
	t *testing.T, request, response string, status int, body string,
) (*gatewaytest.Method, *[]string) {
	t.Helper()
	var requests []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		target, contentType := r.Header.Get("X-Amz-Target"), r.Header.Get("Content-Type")
		requests = append(requests, target+" "+contentType+" "+string(sent))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(service.Close)
	var properties map[string]any
	if err := json.Unmarshal(fmt.Appendf(nil, `{"Integration": {
		"Type": "AWS", "IntegrationHttpMethod": "POST", "PassthroughBehavior": "NEVER",
		"Uri": {"Fn::Join": ["", [
			"arn:", {"Ref": "AWS::Partition"},
			":apigateway:eu-central-1:kinesis:action/PutRecord"]]},
		"RequestParameters": {
			"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
		"RequestTemplates": {"application/json": %s},
		"IntegrationResponses": [
			{"StatusCode": "500", "ResponseTemplates": {"application/json": %[2]s}},
			{"SelectionPattern": "2\\d{2}", "StatusCode": "200",
				"ResponseTemplates": {"application/json": %[2]s},
				"ResponseParameters": {"method.response.header.Cache-Control": "'no-store'"}}
		]
	}}`, quoted(t, request), quoted(t, response)), &properties); err != nil {
		t.Fatal(err)
	}
	schema := map[string]any{
		"$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
		"required": []any{"a"},
	}
	m, err := gatewaytest.New(properties, schema, service.URL, func(map[string]any) string {
		return "aws"
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, &requests
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestMethod_Do(t *testing.T) {
	m, requests := method(t,
		`$input.json('$.a') $util.base64Encode("$input.path('$.a[1]')") `+
			`$input.params().header.get('Origin')`,
		`$input.json('$.said')`, 201, `{"said":"é"}`)
	response, err := m.Do(t.Context(), gatewaytest.Request{
		Body: `{"a":[1,"é"]}`, Headers: map[string]string{"Origin": "https://app.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantRequests := []string{
		`Kinesis_20131202.PutRecord application/x-amz-json-1.1 ` +
			`[1,"é"] w6k= https://app.example.com`,
	}
	if diff := cmp.Diff(wantRequests, *requests); diff != "" {
		t.Errorf("requests to the service (-want +got):\n%s", diff)
	}
	want := gatewaytest.Response{
		Status:  200,
		Headers: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"},
		Body:    `"é"`,
	}
	if diff := cmp.Diff(want, response); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMethod_Do_overrides_status_and_headers(t *testing.T) {
	const template = `#set($context.responseOverride.status = 202)` +
		`#set($context.responseOverride.header.Retry-After = '5')` +
		`#set($context.responseOverride.header.Cache-Control = 'no-cache')`
	m, _ := method(t, `{}`, template, 200, `{}`)
	response, err := m.Do(t.Context(), gatewaytest.Request{Body: `{"a":1}`})
	want := gatewaytest.Response{Status: 202, Headers: map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-cache", "Retry-After": "5",
	}}
	if diff := cmp.Diff(want, response); diff != "" || err != nil {
		t.Errorf("%v; -want +got:\n%s", err, diff)
	}
}

func TestMethod_Do_default_integration_response(t *testing.T) {
	m, _ := method(t, `{}`, `$input.json('$')`, 404, `{}`)
	response, err := m.Do(t.Context(), gatewaytest.Request{Body: `{"a":1}`})
	if err != nil || response.Status != 500 || response.Headers["Cache-Control"] != "" {
		t.Errorf("%v %+v, want the default integration response", err, response)
	}
}

func TestMethod_Do_rejects_invalid_requests(t *testing.T) {
	m, requests := method(t, `{}`, `{}`, 200, `{}`)
	for status, request := range map[int]gatewaytest.Request{
		400: {Body: `{"b":1}`},
		413: {Body: `{"a":"` + strings.Repeat("x", 10<<20) + `"}`},
		415: {Body: `{"a":1}`, Headers: map[string]string{"content-type": "text/plain"}},
	} {
		if response, err := m.Do(t.Context(), request); err != nil || response.Status != status {
			t.Errorf("%v %+v, want %d", err, response, status)
		}
	}
	if len(*requests) > 0 {
		t.Errorf("requests to the service: %q, want none", *requests)
	}
}

// TestMethod_Do_template_errors covers mistakes in templates that Velocity ignores by default.
func TestMethod_Do_template_errors(t *testing.T) {
	for name, template := range map[string]string{
		"invalid syntax":      `#if(true)`,
		"an unknown variable": `$inptu.json('$')`,
		"an unknown function": `$util.base32Encode('x')`,
		"a hyphen in a name":  `$context.requestId-1`,
		"a header overridden twice": `#set($context.responseOverride.header.Vary = 'a')` +
			`#set($context.responseOverride.header.Vary = 'b')`,
		"a Java method": `$input.getClass().forName('java.lang.Runtime')`,
	} {
		m, _ := method(t, `{}`, template, 200, `{}`)
		if response, err := m.Do(t.Context(), gatewaytest.Request{Body: `{"a":1}`}); err == nil {
			t.Errorf("%s: response %+v, want an error", name, response)
		}
	}
}

func TestMethod_Do_limits_loops(t *testing.T) {
	m, requests := method(t, `#foreach($each in $input.path('$.a'))x#end`, `{}`, 200, `{}`)
	body := `{"a":[1` + strings.Repeat(",1", 1500) + `]}`
	if _, err := m.Do(t.Context(), gatewaytest.Request{Body: body}); err != nil {
		t.Fatal(err)
	}
	inContentType := strings.Count("application/x-amz-json-1.1", "x")
	if times := strings.Count((*requests)[0], "x") - inContentType; times != 1000 {
		t.Errorf("%d times, want 1000", times)
	}
}
