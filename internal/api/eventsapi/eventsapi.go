// Package eventsapi is the route by which clients tell what has happened: to post an event is to send a reading. No function
// answers it; API Gateway puts the events into the stream of readings.
package eventsapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry"
)

// Routes is the table of the service's routes.
var Routes = rest.Table[any]{
	rest.ServiceIntegration[request, response]("POST", "/events", "Tell what has happened", http.StatusAccepted),
}

type request struct {
	Body EventBatch
}

type response struct {
	Body AcceptedEvents
}

// An EventBatch is some events, of one client or of several. It is taken as a whole or to be sent again as a whole: the stream may
// have got some of it, which ids make harmless.
//
// As many as a hundred are a tenth of what mapping templates can count to, and a fifth of what the stream takes in a call.
type EventBatch struct {
	Events []Event `json:"events" minItems:"1" maxItems:"100" nullable:"false"`
}

// An Event is a reading of a client. What the gateway cannot tell (whether a type has the fields that it requires, whether the
// time is near) is looked at by the function that makes rows of readings. Texts are visible ASCII, so that characters are the
// bytes that it counts.
type Event struct {
	_ struct{} `additionalProperties:"true"` // fields that have no column yet are kept

	ID      string `json:"id" minLength:"1" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"The same whenever the event is sent again, and no other's: a UUID, say"`
	Type    string `json:"type" doc:"What has happened"`
	At      string `json:"at" format:"date-time" maxLength:"40" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$" patternDescription:"RFC 3339" doc:"When, by the client's clock: 2026-11-21T17:43:55.123Z"`
	Client  string `json:"client" minLength:"1" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Names the installation of the web client or the app: a UUID that it made for itself"`
	Session string `json:"session,omitempty" minLength:"1" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Names the client's session"`
	Post    string `json:"post,omitempty" minLength:"1" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Names the post that it is about"`
}

// TransformSchema has an event's type be one that clients may send, and takes the limits from the domain.
func (Event) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	for _, kind := range telemetry.Types {
		if kind.Source == telemetry.Client {
			schema.Properties["type"].Enum = append(schema.Properties["type"].Enum, kind.Name)
		}
	}
	schema.Properties["type"].PrecomputeMessages()
	rest.LimitLength(schema, "id", telemetry.MaxID)
	for _, name := range []string{"client", "session", "post"} {
		rest.LimitLength(schema, name, telemetry.MaxText)
	}
	return schema
}

// AcceptedEvents is the answer to a batch that the stream has got.
type AcceptedEvents struct {
	Accepted int `json:"accepted" doc:"How many events there were"`
}
