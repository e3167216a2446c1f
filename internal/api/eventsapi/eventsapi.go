// Package eventsapi provides the route by which clients send events. It has no function: API
// Gateway puts the events into the telemetry stream.
package eventsapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/rest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Routes are the routes of the service.
//
// Events need no sign-in, and a request has up to a hundred: the throttle's 2,000 a second are half
// of what a new on-demand stream accepts ("Choose the right mode in Kinesis Data Streams" in its
// developer guide), which leaves capacity for devices.
var Routes = rest.Table[any]{
	rest.ServiceIntegration[request, response]("POST", "/events", "Send events",
		http.StatusAccepted).WithThrottle(20, 40),
}

type request struct {
	Body EventBatch
}

type response struct {
	Body AcceptedEvents
}

// An EventBatch holds events of one or several clients. It is accepted as a unit; a client sends a
// batch that failed again as a unit. The stream may have received a part of it already, which is
// harmless because events have ids.
//
// The limit of 100 events is a tenth of what mapping templates can count to, and a fifth of what
// the stream accepts in a call.
type EventBatch struct {
	Events []Event `json:"events" minItems:"1" maxItems:"100" nullable:"false"`
}

// An Event is a record that a client sends. The transform function validates what the gateway
// cannot: whether the event has the fields that its type requires, and whether its time is close
// enough. Texts are visible ASCII, so that the gateway's limits in characters equal the function's
// limits in bytes.
type Event struct {
	_ struct{} `additionalProperties:"true"` // fields without a column are stored

	ID      string `json:"id" minLength:"1" doc:"Unique, such as a UUID; the same in each retry"`
	Type    string `json:"type" doc:"Type of the event"`
	At      string `json:"at" format:"date-time" maxLength:"40"`
	Client  string `json:"client" minLength:"1"`
	Session string `json:"session,omitempty" minLength:"1" doc:"Session of the client"`
	Post    string `json:"post,omitempty" minLength:"1" doc:"Post that the event is about"`
}

// rfc3339 is the pattern of an event's time.
const rfc3339 = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?" +
	"(Z|[+-][0-9]{2}:[0-9]{2})$"

// TransformSchema restricts type to the types that clients may send, and takes the limits from the
// domain.
func (Event) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	for _, kind := range records.Schema().Types {
		if kind.Source == telemetryschema.Client {
			schema.Properties["type"].Enum = append(schema.Properties["type"].Enum, kind.Name)
		}
	}
	schema.Properties["type"].PrecomputeMessages()
	at := schema.Properties["at"]
	at.Description = "Time by the client's clock: 2026-11-21T17:43:55.123Z"
	at.Pattern, at.PatternDescription = rfc3339, "RFC 3339"
	at.PrecomputeMessages()
	schema.Properties["client"].Description =
		"Installation of the web client or app: a UUID that it generates for itself"
	for name, longest := range map[string]int{
		"id":      telemetry.MaxID,
		"client":  telemetry.MaxText,
		"session": telemetry.MaxText,
		"post":    telemetry.MaxText,
	} {
		text := schema.Properties[name]
		text.Pattern, text.PatternDescription = "^[!-~]+$", "visible ASCII"
		property.LimitLength(schema, name, longest)
	}
	return schema
}

// AcceptedEvents is the response to a batch that the stream has received.
type AcceptedEvents struct {
	Accepted int `json:"accepted" doc:"Number of events in the batch"`
}
