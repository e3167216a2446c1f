package telemetry

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/restapi"
)

// Mapping templates between clients and the stream.
var (
	//go:embed events_request.vtl
	eventsRequest string
	//go:embed events_response.vtl
	eventsResponse string
)

// AddEventsMethod adds a method to the API that puts clients' events into the stream, without a
// function. method sets the path and the schema of bodies: a list named events, whose length must
// not exceed the stream's limit for a call (500) or the template's for a loop (1000).
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
	role := awsiam.NewRole(api.RestAPI, jsii.String("PutEventsRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets the API put events of clients into the telemetry stream"),
	})
	t.grantPutRecords(role, "kinesis:PutRecords")
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
