package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/gatewaytest"
	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// stream is the name of the stream in tests.
const stream = "Readings"

// postEvents returns POST /events of an environment, emulated with the templates. The stream is at
// endpoint.
func postEvents(t *testing.T, environment, endpoint string) *gatewaytest.Method {
	t.Helper()
	api := platforms[environment]["API"]
	method := methods(t, api)["POST /events"]
	model := api.Template.Resources[assembly.Refers(method.At("RequestModels", "application/json"))]
	events, err := gatewaytest.New(method.Properties, model.At("Schema").(map[string]any), endpoint,
		func(function map[string]any) string {
			switch named := text(function); {
			case strings.Contains(named, "TelemetryStream"):
				return stream
			case strings.Contains(named, "Distribution"):
				return "d111111abcdef8.cloudfront.net"
			default:
				return "aws" // the partition, the region
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// post sends a request, and decodes the response's body into body unless that is nil.
func post(
	t testing.TB, events *gatewaytest.Method, request gatewaytest.Request, status int, body any,
) gatewaytest.Response {
	t.Helper()
	response, err := events.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Status != status {
		t.Fatalf("status %d, want %d: %s", response.Status, status, response.Body)
	}
	if body != nil {
		if err := json.Unmarshal([]byte(response.Body), body); err != nil {
			t.Fatalf("%v: %s", err, response.Body)
		}
	}
	return response
}

// event returns a valid event with changes: a nil value removes the field.
func event(changes map[string]any) map[string]any {
	event := map[string]any{
		"id": "5f0c4a34-3d5c-4b53-9f6e-0c9a2f1b7a11", "type": "post_view",
		"at":     time.Now().UTC().Format(time.RFC3339Nano),
		"client": "c-1", "session": "s-1", "post": "p-1",
	}
	for name, value := range changes {
		if event[name] = value; value == nil {
			delete(event, name)
		}
	}
	return event
}

func batch(events ...any) gatewaytest.Request {
	return gatewaytest.Request{Body: text(map[string]any{"events": events})}
}

// messages returns the messages in the stream, in the order of the request that put them there.
func messages(t testing.TB, kinesis *awstest.Kinesis) []telemetryschema.Message {
	t.Helper()
	var found []telemetryschema.Message
	for _, record := range kinesis.Records() {
		var message telemetryschema.Message
		decoder := json.NewDecoder(strings.NewReader(string(record.Data)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&message); err != nil {
			t.Fatalf("%v: %s", err, record.Data)
		}
		found = append(found, message)
	}
	return found
}

func TestEventsReachTheStreamUnchanged(t *testing.T) {
	kinesis := awstest.StartKinesis(t, stream, 1)
	events := postEvents(t, "Prod", kinesis.URL)
	deep := any("deep")
	for range 40 {
		deep = []any{map[string]any{"in": deep}}
	}
	var sent []any
	for _, extra := range []any{
		`"quotes" and 'quotes'`, `back\slash \" \n \u0041`, "</script><!-- ]]> -->",
		"line\nend\r\tand \x00", "\u2028\u2029",
		"é ü 漢字 👩‍👩‍👧‍👦", "$event $context.requestId ${data} $!input.body $util.base64Encode('x')",
		"#end #set($x = 1) #foreach($e in $x) ## #*comment*# #[[raw]]#",
		`{"received_at":0,"data":"","topic":"ashlar/dev/forged/readings"}`, "AAAA==", "%00%0a&lt;",
		"",
		0, -1, 1.5, 1e-7, 1e21, 12345678.123456789, math.MaxInt64, math.MaxFloat64, true, false,
		nil, []any{}, map[string]any{}, deep,
		map[string]any{"": "no name", "$name": 1, "a.b": []any{nil}, "naïve": "ï"},
		strings.Repeat("long ", 20_000),
	} {
		changed := event(nil)
		changed["id"], changed["extra"] = fmt.Sprint(len(sent)), extra
		sent = append(sent, changed)
	}
	for len(sent) < 100 {
		sent = append(sent, event(map[string]any{"id": fmt.Sprint(len(sent))}))
	}
	before := time.Now().UnixMilli()
	var accepted struct{ Accepted int }
	post(t, events, batch(sent...), 202, &accepted)
	after := time.Now().UnixMilli()
	found := messages(t, kinesis)
	if accepted.Accepted != 100 || len(found) != 100 {
		t.Fatalf("%d events are accepted and %d are in the stream, want 100", accepted.Accepted,
			len(found))
	}
	keys := map[string]bool{}
	for i, message := range found {
		var got any
		if err := json.Unmarshal(message.Data, &got); err != nil {
			t.Errorf("%v: %s", err, message.Data)
		}
		var want any
		if err := json.Unmarshal([]byte(text(sent[i])), &want); err != nil { // numbers as decoded
			t.Fatal(err)
		}
		if text(want) != text(got) { // cmp.Diff's time doubles with each level
			t.Errorf("event %d is %.500s in the stream, want %.500s", i, text(got), text(want))
		}
		if message.ReceivedAt < before || message.ReceivedAt > after || message.Topic != "" ||
			message.Replayed || message.Requeued != 0 {
			t.Errorf("the message of event %d is %+v, want a client's, received between %d and %d",
				i, message, before, after)
		}
		keys[kinesis.Records()[i].PartitionKey] = true
	}
	if len(keys) != 100 {
		t.Errorf("%d partition keys, want 100, so that the events use all shards", len(keys))
	}
}

// TestTheGatewayForwardsValidJSON tests requests that Go would not write, and that the gateway
// parses in its own way.
func TestTheGatewayForwardsValidJSON(t *testing.T) {
	for name, extra := range map[string]struct{ sent, want string }{
		"half a surrogate pair": {`"\ud83d!"`, `"?!"`},
		"escapes":               {`"\u0041\/\ud83d\ude00"`, `"A/😀"`},
		"a large number": {
			`123456789012345678901234567890`, `123456789012345678901234567890`,
		},
		"a number with zeros": {`1.50`, `1.5`},
		"control characters":  {`"a\u0001\u007fb"`, `"a\u0001\u007Fb"`},
		"a duplicate name":    {`{"a":1,"a":2}`, `{"a":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			kinesis := awstest.StartKinesis(t, stream, 1)
			body := strings.Replace(batch(event(map[string]any{"extra": "here"})).Body, `"here"`,
				extra.sent, 1)
			post(t, postEvents(t, "Prod", kinesis.URL), gatewaytest.Request{Body: body}, 202, nil)
			var got struct{ Extra json.RawMessage }
			if err := json.Unmarshal(messages(t, kinesis)[0].Data, &got); err != nil ||
				string(got.Extra) != extra.want {
				t.Errorf("%s became %s (%v), want %s", extra.sent, got.Extra, err, extra.want)
			}
		})
	}
}

// TestTheGatewayAcceptsValidEventsOnly also compares the schema with the converter: the converter
// accepts every event that the schema accepts.
func TestTheGatewayAcceptsValidEventsOnly(t *testing.T) {
	kinesis := awstest.StartKinesis(t, stream, 1)
	events := postEvents(t, "Prod", kinesis.URL)
	many := func(n int) gatewaytest.Request { return batch(slices.Repeat([]any{event(nil)}, n)...) }
	with := func(name string, value any) gatewaytest.Request {
		return batch(event(map[string]any{name: value}))
	}
	without := func(name string) gatewaytest.Request {
		return batch(event(map[string]any{name: nil}))
	}
	null := func(name string) gatewaytest.Request {
		return gatewaytest.Request{
			Body: strings.Replace(with(name, "here").Body, `"here"`, "null", 1),
		}
	}
	body := func(body string) gatewaytest.Request { return gatewaytest.Request{Body: body} }
	of := func(contentType string) gatewaytest.Request {
		return gatewaytest.Request{
			Body: batch(event(nil)).Body, Headers: map[string]string{"content-type": contentType},
		}
	}
	cases := map[int]map[string]gatewaytest.Request{
		202: {
			"one event": many(1), "a hundred": many(100),
			"an unknown field": with("page", "/posts"), "null in one": null("page"),
			"an object in one":    with("page", map[string]any{"a": 1}),
			"no session":          without("session"),
			"no post":             batch(event(map[string]any{"type": "app_open", "post": nil})),
			"the shortest id":     with("id", "!"),
			"the longest id":      with("id", strings.Repeat("~", 64)),
			"the longest client":  with("client", strings.Repeat("c", 256)),
			"the longest session": with("session", strings.Repeat("s", 256)),
			"the longest post":    with("post", strings.Repeat("p", 256)),
			"no milliseconds":     with("at", time.Now().UTC().Format(time.RFC3339)),
			"milliseconds": with("at",
				time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")),
			"an offset": with("at",
				time.Now().In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339Nano)),
			"JSON":                of("application/json"),
			"JSON with a charset": of("Application/JSON; charset=utf-8"),
		},
		400: {
			"an empty body": body(""), "invalid JSON": body("{"), "a list": body("[]"),
			"null": body("null"), "no events": body("{}"),
			"null for events": body(`{"events":null}`),
			"an empty batch":  many(0), "a hundred and one": many(101),
			"an event that is not an object": batch("event"),
			"an unknown field beside events": body(
				`{"events":[` + text(event(nil)) + `],"topic":"ashlar/dev/forged/readings"}`),
			"one invalid event of three": batch(event(nil), event(map[string]any{"id": ""}),
				event(nil)),
			"no id": without("id"), "an empty id": with("id", ""),
			"too long an id":     with("id", strings.Repeat("~", 65)),
			"an id with a space": with("id", "a b"), "an id that is not ASCII": with("id", "é"),
			"an id with a newline": with("id", "a\n"), "a number for an id": with("id", 1),
			"null for an id": null("id"),
			"no type":        without("type"), "an unknown type": with("type", "click"),
			"an empty type": with("type", ""), "null for a type": null("type"),
			"no time": without("at"), "a time in milliseconds": with("at", 1763747035123),
			"a time without a zone": with("at", "2026-11-21T17:43:55"),
			"a date":                with("at", "2026-11-21"),
			"a time with too many digits": with("at",
				"2026-11-21T17:43:55."+strings.Repeat("1", 30)+"Z"),
			"no client": without("client"), "an empty client": with("client", ""),
			"too long a client":          with("client", strings.Repeat("c", 257)),
			"a client that is not ASCII": with("client", "ç"), "null for a client": null("client"),
			"an empty session":     with("session", ""),
			"too long a session":   with("session", strings.Repeat("s", 257)),
			"null for a session":   null("session"),
			"an empty post":        with("post", ""),
			"too long a post":      with("post", strings.Repeat("p", 257)),
			"an object for a post": with("post", map[string]any{}),
		},
		413: {"ten megabytes": with("page", strings.Repeat("x", 10<<20))},
		415: {
			"text": of("text/plain"), "a form": of("application/x-www-form-urlencoded"),
			"no content type": of(""), "another JSON media type": of("application/vnd.api+json"),
		},
	}
	layout, err := telemetry.NewLayout(records.Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range records.Schema().Types {
		status := 202
		if kind.Source != telemetryschema.Client {
			status = 400
		}
		cases[status]["an event of the type "+kind.Name] = with("type", kind.Name)
	}
	for status, cases := range cases {
		for name, request := range cases {
			t.Run(fmt.Sprint(status, " ", name), func(t *testing.T) {
				before := len(kinesis.Records())
				post(t, events, request, status, nil)
				put := kinesis.Records()[before:]
				if (len(put) > 0) != (status == 202) {
					t.Errorf("%d records are in the stream after the status %d", len(put), status)
				}
				for _, record := range put {
					converter := telemetry.NewConverter(layout)
					_, _, err := converter.Append(nil, record.Data, record.ArrivedAt)
					if err != nil && !errors.Is(err, telemetry.ErrDiscarded) {
						t.Errorf("the converter rejects an accepted event: %v", err)
					}
				}
			})
		}
	}
}

func TestStreamFailuresAreReportedAsUnavailable(t *testing.T) {
	faults := map[string]func(*awstest.Kinesis){
		"one of three": func(kinesis *awstest.Kinesis) {
			records := 0
			kinesis.RejectRecords(func([]byte) string {
				if records++; records == 2 {
					return "ProvisionedThroughputExceededException"
				}
				return ""
			})
		},
	}
	for code, status := range map[string]int{
		"ProvisionedThroughputExceededException": 400, "LimitExceededException": 400,
		"KMSThrottlingException": 400, "KMSDisabledException": 400, "AccessDeniedException": 400,
		"ResourceNotFoundException": 400, "ExpiredTokenException": 400, "InternalFailure": 500,
		"ServiceUnavailable": 503,
	} {
		faults[code] = func(kinesis *awstest.Kinesis) {
			kinesis.SetFault(awstest.Fault{
				Status: status, Code: code,
				Reason: "Rate exceeded for shard shardId-000000000000 in stream Readings under " +
					"account 111111111111.",
			})
		}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			kinesis := awstest.StartKinesis(t, stream, 1)
			fault(kinesis)
			events := postEvents(t, "Prod", kinesis.URL)
			three := batch(event(map[string]any{"id": "a"}), event(map[string]any{"id": "b"}),
				event(map[string]any{"id": "c"}))
			wantUnavailable(t, post(t, events, three, 503, nil))
			kinesis.SetFault(awstest.Fault{})
			kinesis.RejectRecords(nil)
			post(t, events, three, 202, nil)
		})
	}
	for name, body := range map[string]string{
		"not JSON": "<html>The stream Readings of shard 0 is unavailable",
		"an error with a reason": `{
			"__type": "com.amazonaws.kinesis.v20131202#LimitExceededException",
			"message": "Rate exceeded for shard shardId-000000000000 in stream Readings ` +
			`under account 111111111111."}`,
	} {
		t.Run(name, func(t *testing.T) {
			kinesis := httptest.NewServer(
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, body, http.StatusServiceUnavailable)
				}))
			t.Cleanup(kinesis.Close)
			wantUnavailable(t,
				post(t, postEvents(t, "Prod", kinesis.URL), batch(event(nil)), 503, nil))
		})
	}
}

// wantUnavailable fails the test unless the response tells the client when to retry, and nothing
// else.
func wantUnavailable(t testing.TB, response gatewaytest.Response) {
	t.Helper()
	var body struct{ Error resttest.Error }
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil ||
		body.Error.Code != "unavailable" || body.Error.RequestID == "" ||
		response.Headers["Retry-After"] != "5" {
		t.Errorf("%v: %v %s, want the code unavailable and Retry-After", err, response.Headers,
			response.Body)
	}
	for _, internal := range []string{"Exception", "shard", stream, "111111111111", "Kinesis"} {
		if strings.Contains(response.Body, internal) {
			t.Errorf("the response contains %q: %s", internal, response.Body)
		}
	}
}

func TestEventsTooLargeForTheStreamAreRejected(t *testing.T) {
	kinesis := awstest.StartKinesis(t, stream, 1)
	events := postEvents(t, "Prod", kinesis.URL)
	of := func(n, size int) gatewaytest.Request {
		return batch(
			slices.Repeat([]any{event(map[string]any{"page": strings.Repeat("x", size)})}, n)...)
	}
	// The error of the others recommends this size.
	post(t, events, of(1, 512<<10-200), 202, nil)
	for name, request := range map[string]gatewaytest.Request{
		"an event of 1 MiB": of(1, 1<<20), "events of 10 MB together": of(19, 500<<10),
	} {
		var rejected struct{ Error resttest.Error }
		response := post(t, events, request, 413, &rejected)
		if rejected.Error.Code != "body_too_large" || rejected.Error.RequestID == "" ||
			strings.Contains(response.Body, "Exception") || response.Headers["Retry-After"] != "" {
			t.Errorf("%s: %v %s, want the code body_too_large without Retry-After", name,
				response.Headers, response.Body)
		}
	}
	if put := len(kinesis.Records()); put != 1 {
		t.Errorf("%d records are in the stream, want 1", put)
	}
}

func TestOnlyPagesOfTheWebClientReadResponsesToEvents(t *testing.T) {
	own := map[string]string{"Dev": "https://d111111abcdef8.cloudfront.net"}
	for _, environment := range environments.All() {
		t.Run(environment.Name, func(t *testing.T) {
			origins := environment.WebOrigins
			if website := own[environment.Name]; website != "" {
				origins = append(slices.Clone(origins), website)
			}
			kinesis := awstest.StartKinesis(t, stream, 1)
			events := postEvents(t, environment.Name, kinesis.URL)
			check := func(headers map[string]string, status int, allowed string) {
				t.Helper()
				request := batch(event(nil))
				request.Headers = headers
				got := post(t, events, request, status, nil).Headers
				want := map[string]string{
					"Content-Type": "application/json", "Cache-Control": "no-store",
					"Vary": "Origin",
				}
				if allowed != "" {
					want["Access-Control-Allow-Origin"] = allowed
					want["Access-Control-Expose-Headers"] = "Retry-After"
				}
				if status == 503 {
					want["Retry-After"] = "5"
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("request headers %v: response headers (-want +got):\n%s", headers,
						diff)
				}
			}
			for _, status := range []int{202, 503} {
				for _, origin := range origins {
					check(map[string]string{"Origin": origin}, status, origin)
					check(map[string]string{"origin": origin}, status, origin)
					check(map[string]string{"Origin": origin + ".example.net"}, status, "")
				}
				check(nil, status, "")
				for _, origin := range []string{
					"", "null", "https://evil.example", "' || true || '",
				} {
					check(map[string]string{"Origin": origin}, status, "")
				}
				kinesis.SetFault(awstest.Fault{Status: 500, Code: "InternalFailure"})
			}
			if len(origins) == 0 {
				t.Error("the environment has no origin")
			}
		})
	}
}

func TestTheGatewayMayOnlyPutEventsIntoTheStream(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		integration := methods(t, stack)["POST /events"].At("Integration")
		role := ""
		for _, r := range stack.Template.OfType("AWS::IAM::Role") {
			if text(assembly.At(integration, "Credentials")) == text(arn(r)) {
				role = r.ID
				want(t, r, "apigateway.amazonaws.com", "AssumeRolePolicyDocument", "Statement", 0,
					"Principal", "Service")
				want(t, r, nil, "AssumeRolePolicyDocument", "Statement", 1)
			}
		}
		if got := allowed(t, stack, role); role == "" ||
			!slices.Equal(got, []string{"kinesis:PutRecords", "kms:GenerateDataKey"}) {
			t.Fatalf("the role %q allows %q, want kinesis:PutRecords and kms:GenerateDataKey", role,
				got)
		}
		telemetry := platforms[environment.Name]["Telemetry"]
		streamARN := importOf(t, environment.Name, "Telemetry",
			only(t, telemetry, "AWS::Kinesis::Stream", ""), "Arn")
		keyARN := importOf(t, environment.Name, "Telemetry",
			only(t, telemetry, "AWS::KMS::Key", ""), "Arn")
		for _, s := range statements(t, stack) {
			if assembly.Refers(stack.Template.Resources[s.resource].At("Roles", 0)) != role {
				continue
			}
			on := streamARN
			if s.actions[0] == "kms:GenerateDataKey" {
				on = keyARN
				condition := text(s.document["Condition"])
				if !strings.Contains(condition, `"kms:EncryptionContext:aws:kinesis:arn":`) ||
					!strings.Contains(condition, text(streamARN)) ||
					!strings.Contains(condition, "kms:ViaService") {
					t.Errorf("the key may be used for %s, want only the stream", condition)
				}
			}
			if len(s.resources) != 1 || text(s.resources[0]) != text(on) {
				t.Errorf("%s is allowed on %s, want %s", s.actions, text(s.resources), text(on))
			}
		}
	})
}

// TestMappingTemplatesMeetTheRequirementsOfAPIGateway checks the requirements of "Amazon API
// Gateway quotas" and "Mapping templates for REST APIs" in the API Gateway Developer Guide.
func TestMappingTemplatesMeetTheRequirementsOfAPIGateway(t *testing.T) {
	forEachEnvironment(t, "API", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		method := methods(t, stack)["POST /events"]
		want(t, method, "AWS", "Integration", "Type")
		want(t, method, "POST", "Integration", "IntegrationHttpMethod")
		// A body that is not JSON was not validated.
		want(t, method, "NEVER", "Integration", "PassthroughBehavior")
		want(t, method, "'application/x-amz-json-1.1'", "Integration", "RequestParameters",
			"integration.request.header.Content-Type")
		uri := text(method.At("Integration", "Uri"))
		if !strings.Contains(uri, ":kinesis:action/PutRecords") {
			t.Errorf("the gateway calls %s, want kinesis:PutRecords", uri)
		}
		declared := method.At("MethodResponses", 0, "ResponseParameters").(map[string]any)
		for name := range method.At("Integration", "IntegrationResponses", 0,
			"ResponseParameters").(map[string]any) {
			if declared[name] != true {
				t.Errorf("%s is mapped but not declared", name)
			}
		}
		want(t, method, method.At("MethodResponses", 0, "StatusCode"), "Integration",
			"IntegrationResponses", 0, "StatusCode")
		for _, template := range []any{
			method.At("Integration", "RequestTemplates", "application/json"),
			method.At("Integration", "IntegrationResponses", 0, "ResponseTemplates",
				"application/json"),
		} {
			if size := len(text(template)); size > 300<<10 {
				t.Errorf("a template has %d bytes, want 300 KiB at most", size)
			}
		}
	})
}
