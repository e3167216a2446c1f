// Package records declares this platform's telemetry: the columns and the types of its records.
package records

import (
	"slices"
	"time"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// A Record is a reading of a device or an event of a client, as a row of the table telemetry. The
// columns without a comment are those that every table has.
type Record struct {
	ID          string    `column:"id"`
	At          time.Time `column:"at"`
	ReceivedAt  time.Time `column:"received_at"`
	IngestedAt  time.Time `column:"ingested_at"`
	Device      string    `column:"device"`
	Client      string    `column:"client" source:"client" doc:"Installation; null for readings"`
	Session     string    `column:"session" source:"client" doc:"Client's session"`
	Post        string    `column:"post" source:"client" doc:"Post that the event is about"`
	Firmware    string    `column:"firmware" source:"device" doc:"Device's firmware version"`
	Temperature float64   `column:"temperature" source:"device" doc:"Degrees Celsius"`
	Battery     float64   `column:"battery" source:"device" doc:"Charge in percent"`
	Extra       string    `column:"extra"`
}

// Schema returns the declaration of the records. A type that is not declared yet fails; its records
// can be replayed later.
func Schema() telemetryschema.Schema {
	every := telemetryschema.Schema{}.TableColumns()
	columns := slices.DeleteFunc(telemetryschema.Columns[Record](),
		func(c telemetryschema.Column) bool {
			return slices.ContainsFunc(every, func(e telemetryschema.Column) bool {
				return e.Name == c.Name
			})
		})
	return telemetryschema.Schema{Columns: columns, Types: []telemetryschema.Type{
		{Name: "measurement", Source: telemetryschema.Device},
		{Name: "boot", Source: telemetryschema.Device, Required: []string{"firmware"}},
		{Name: "keep_alive", Source: telemetryschema.Device, Discard: true},
		{Name: "app_open", Source: telemetryschema.Client, Required: []string{"client"}},
		{Name: "post_view", Source: telemetryschema.Client, Required: []string{"client", "post"}},
		{Name: "sign_up", Source: telemetryschema.Client, Required: []string{"client"}},
		{Name: "comment", Source: telemetryschema.Client, Required: []string{"client", "post"}},
		{
			Name: "scroll", Source: telemetryschema.Client, Required: []string{"client"},
			Discard: true,
		},
	}}
}
