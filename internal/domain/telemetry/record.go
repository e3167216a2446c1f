// Package telemetry is what devices and clients tell: which readings there are, and what becomes of each on its way from the
// stream to the table.
package telemetry

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// A Record is a reading of a device or an event of a client, as a row of the table telemetry. It is the one declaration of the table's columns; a payload's fields have the
// columns' names.
type Record struct {
	ID          string    `column:"id" doc:"Names the reading; whoever sends it twice sends the same"`
	At          time.Time `column:"at" doc:"When it was taken, by the clock of who sends it; UTC"`
	ReceivedAt  time.Time `column:"received_at" doc:"When IoT Core or the API got it; UTC"`
	IngestedAt  time.Time `column:"ingested_at" doc:"When the stream got what this row was made of; UTC. The newest row of an id counts"`
	Device      string    `column:"device" doc:"The thing that sent it; null for a client's"`
	Client      string    `column:"client" doc:"The installation of the web client or the app that sent it; null for a device's"`
	Session     string    `column:"session" doc:"The client's session"`
	Post        string    `column:"post" doc:"The post that it is about"`
	Firmware    string    `column:"firmware" doc:"The device's firmware"`
	Temperature float64   `column:"temperature" doc:"In degrees Celsius"`
	Battery     float64   `column:"battery" doc:"Charge in per cent"`
	Extra       string    `column:"extra" doc:"Fields that had no column yet, as a JSON object"`
}

// Columns are those of the table telemetry, without its partitions type and day.
func Columns() []columns.Column { return columns.Of[Record]() }

// A Source is who sends a reading.
type Source string

// The sources.
const (
	Device Source = "device"
	Client Source = "client"
)

// A Type is a kind of reading.
type Type struct {
	Name     string
	Source   Source   // who may send it
	Required []string // fields that it cannot do without, besides id
	Discard  bool     // is of no interest once it has arrived: no row is made of it
}

// Types are the readings that there are. One of another type fails, and waits in the raw copies until it is declared here.
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

// A Message is a record of the stream: a payload, and what is known of it from others than who sent it. IoT Core's rule makes
// it of what a device publishes, and API Gateway's mapping template of an event that a client posts.
type Message struct {
	Topic      string `json:"topic,omitempty"` // that the device published to; empty: a client's
	ReceivedAt int64  `json:"received_at"`     // when the service got it, in milliseconds since 1970
	Data       []byte `json:"data"`            // what was sent

	Requeued int  `json:"requeued,omitempty"` // how often it was put back into the stream, since an answer was full
	Replayed bool `json:"replayed,omitempty"` // comes from the raw copies
}
