// Package telemetry provides the types of telemetry records (readings of devices and events of
// clients) and converts the records of the stream to rows of the table.
package telemetry

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// A Record is a reading of a device or an event of a client, as a row of the table telemetry. This
// struct is the only declaration of the table's columns; a payload's fields have the columns'
// names.
type Record struct {
	ID          string    `column:"id" doc:"Chosen by the sender; the same in each copy"`
	At          time.Time `column:"at" doc:"When it happened, by the sender's clock; UTC"`
	ReceivedAt  time.Time `column:"received_at" doc:"When IoT Core or the API received it; UTC"`
	IngestedAt  time.Time `column:"ingested_at" doc:"Arrival in the stream; UTC. The newest counts"`
	Device      string    `column:"device" doc:"IoT thing that sent it; null for events"`
	Client      string    `column:"client" doc:"App installation that sent it; null for readings"`
	Session     string    `column:"session" doc:"Client's session"`
	Post        string    `column:"post" doc:"Post that the event is about"`
	Firmware    string    `column:"firmware" doc:"Device's firmware version"`
	Temperature float64   `column:"temperature" doc:"Degrees Celsius"`
	Battery     float64   `column:"battery" doc:"Charge in percent"`
	Extra       string    `column:"extra" doc:"Fields without a column, as a JSON object"`
}

// Columns returns the columns of the table telemetry, without its partition keys type and day.
func Columns() []columns.Column { return columns.Of[Record]() }

// A Source is the kind of sender of a record.
type Source string

// The sources.
const (
	Device Source = "device"
	Client Source = "client"
)

// A Type is a type of record.
type Type struct {
	Name     string
	Source   Source   // the only kind of sender that may send it
	Required []string // required fields besides id
	Discard  bool     // dropped on arrival: it becomes no row
}

// Types are the types of records. A record of another type fails and stays in the raw copies, to be
// replayed once its type is declared here.
var Types = []Type{
	{Name: "measurement", Source: Device},
	{Name: "boot", Source: Device, Required: []string{"firmware"}},
	{Name: "keep_alive", Source: Device, Discard: true},
	{Name: "app_open", Source: Client, Required: []string{"client"}},
	{Name: "post_view", Source: Client, Required: []string{"client", "post"}},
	{Name: "sign_up", Source: Client, Required: []string{"client"}},
	{Name: "comment", Source: Client, Required: []string{"client", "post"}},
	{Name: "scroll", Source: Client, Required: []string{"client"}, Discard: true},
}

// A Message is a record of the stream: a payload with metadata from the service instead of the
// sender. IoT Core's rule makes it from a message that a device publishes, and API Gateway's
// mapping template from an event that a client posts.
type Message struct {
	Topic      string `json:"topic,omitempty"` // that the device published to; empty for a client
	ReceivedAt int64  `json:"received_at"`     // by the service, in milliseconds since 1970
	Data       []byte `json:"data"`            // the payload

	Requeued int  `json:"requeued,omitempty"` // times, because the transform's response was full
	Replayed bool `json:"replayed,omitempty"` // by cmd/replay, from the raw copies
}
