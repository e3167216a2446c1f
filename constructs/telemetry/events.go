package telemetry

import (
	_ "embed" // mapping templates
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Mapping templates between clients and the stream.
var (
	//go:embed events_request.vtl
	eventsRequest string
	//go:embed events_response.vtl
	eventsResponse string
)

// AddEventsMethod adds a method to the API that puts clients' events into the stream, without a
// function. method is a POST of a path, with the schema of bodies: it
// requires an array named events, with minItems of at least 1 and maxItems of at most 500, the
// stream's limit for a call.
//
// An event becomes a record unchanged, as JSON, except that names may be reordered, numbers may be
// formatted differently, and invalid characters (half a surrogate pair) become question marks. The
// client gets 202 when the stream has accepted all events. Otherwise it must send all of them
// again: consumers of the stream count each id once.
//
// Anyone may call a public method. The following misuse is limited, not prevented:
//   - Flooding: a request has at most the 10 MB that the gateway accepts, and the method's throttle
//     limits the requests. A stream with shards accepts 1 MiB or 1,000 records a second for each
//     shard, and rejects more, including those of devices; an on-demand stream scales, and is
//     billed. The throttle applies to all clients together, so one client can lock out the others.
//     A web ACL (AWS WAF) before the API can set tighter limits, on bodies and by address.
//   - Forged events: nothing proves that an event has happened, or who the client is. A record
//     without a topic is a client's, so a client cannot impersonate a device. An event with the id
//     of another event counts as a redelivery of it, so ids are random, and no client learns
//     another's.
//   - Invalid events: the transform rejects them, and they are kept with the errors until those
//     expire.
//
// The records contain neither the address nor the user agent of the sender. The API's access log
// does, as for every request.
func (t *Telemetry) AddEventsMethod(api *restapi.API, method restapi.Method) {
	t.checkEventsMethod(api, method)
	role := awsiam.NewRole(api.RestAPI, jsii.String(t.eventsRoleID(method.Path)), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets the API put events of clients into the telemetry stream"),
	})
	t.grantPut(role, "kinesis:PutRecords")
	method.Service = &restapi.Service{
		Name:        "kinesis",
		Action:      "PutRecords",
		Role:        role,
		ContentType: "application/x-amz-json-1.1",
		Request:     "#set($stream = '" + *t.Stream.StreamName() + "')\n" + eventsRequest,
		Response:    eventsResponse,
	}
	api.Handle(method)
}

// eventsRoleID returns the id of the role of a method: PutEventsRole for /events. Braces are kept,
// so that /a/b and /a/{b} have different ones.
func (t *Telemetry) eventsRoleID(path string) string {
	id := "Put"
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" {
			id += strings.ToUpper(segment[:1]) + segment[1:]
		}
	}
	return id + "Role"
}

// maxEvents is the maximum number of events in a request: PutRecords in the Amazon Kinesis Data
// Streams API Reference.
const maxEvents = 500

func (t *Telemetry) checkEventsMethod(api *restapi.API, method restapi.Method) {
	const name = "AddEventsMethod"
	path := *t.Construct.Node().Path()
	check.Call("telemetry", path, name,
		check.Required("api", api != nil, "pass an API of package restapi"))
	taken := method.Path != "" && api.RestAPI.Node().TryFindChild(
		jsii.String(t.eventsRoleID(method.Path))) != nil
	check.Call("telemetry", path, name,
		check.Required("Path", method.Path != "", "pass the path of the method, such as /events"),
		check.That("Path", method.Path, !taken, "a path that has no method for events yet"),
		check.That("HTTPMethod", fmt.Sprintf("%q", method.HTTPMethod), method.HTTPMethod == "POST",
			"POST"),
		check.That("Function", "set", method.Function == nil,
			"none: API Gateway puts the events into the stream"),
		check.That("Service", "set", method.Service == nil,
			"none: API Gateway puts the events into the stream"),
		checkEventsBody(method.Body),
	)
}

// checkEventsBody returns a problem unless the schema accepts only bodies that the mapping template
// can convert and the stream accepts in a call.
func checkEventsBody(body map[string]any) error {
	if body == nil {
		return check.Required("Body", false, "pass the JSON schema of bodies with a list events")
	}
	var schema struct {
		Required   []string
		Properties struct {
			Events struct {
				Type               string
				MinItems, MaxItems int
			}
		}
	}
	encoded, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(encoded, &schema)
	}
	events := schema.Properties.Events
	valid := err == nil && slices.Contains(schema.Required, "events") && events.Type == "array" &&
		events.MinItems >= 1 && events.MaxItems >= 1 && events.MaxItems <= maxEvents
	return check.That("Body", string(encoded), valid, fmt.Sprintf("a JSON schema that requires "+
		"events, an array with minItems of at least 1 and maxItems of at most %d", maxEvents))
}
