package telemetry

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/restapi"
)

// The mapping templates between clients and the stream.
var (
	//go:embed events_request.vtl
	eventsRequest string
	//go:embed events_response.vtl
	eventsResponse string
)

// AddEventsMethod has the API put the events that clients post into the stream, without a function. method says where, and which
// bodies are taken: a list called events, whose length the stream takes in one call (500) and the template can count to (1000).
//
// An event becomes a record as it is, as JSON: names may come in another order, numbers in another notation, and what is no
// character, half a surrogate pair, as a question mark. A client is told that its events are accepted when the stream has all
// of them, and to send all of them again when it has not: whoever reads the stream counts each id once.
//
// Anybody may call a public method, so what strangers can do with it is bounded, and not prevented:
//   - Fill the stream: a request has at most the 10 MB that the gateway takes, and the method's throttle says how many there are.
//     A stream with shards takes 1 MiB or 1,000 records a second by each, and refuses what is more, from devices too; one on
//     demand grows, and is billed. The throttle is for all clients together: whoever uses it up keeps others out. Closer bounds,
//     of bodies and by address, are a web ACL's (AWS WAF), which whoever wants them puts before the API.
//   - Invent: nothing proves that an event has happened, nor that a client is who it says. A record says that it is a client's,
//     since it has no topic, so a client cannot pass for a device. An event with the id of another is that one, sent again: so
//     ids are random, and no client learns another's.
//   - Send what makes no row: it is refused when rows are made, and kept with the errors until they are forgotten.
//
// The records have no address and no user agent of whom they came from. The API's access log has, as of every request.
func (t *Telemetry) AddEventsMethod(api *restapi.API, method restapi.Method) {
	role := awsiam.NewRole(api.RestAPI, jsii.String("PutEvents"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets the API put events into the stream of readings"),
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
