// Package queries declares this platform's daily reports.
package queries

import (
	"embed"
	"time"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Reports returns the reports.
func Reports() []telemetryschema.Report {
	return []telemetryschema.Report{
		newReport[DailyActives]("daily_actives", "Number of active devices and clients"),
		newReport[TopPost]("top_posts", "The 100 most viewed posts"),
		newReport[DeviceHealth]("device_health", "Measurements and state of each device"),
		newReport[FunnelStep]("funnel", "Steps that clients reached after opening the app"),
	}
}

//go:embed *.sql
var files embed.FS

// newReport returns the report with rows of type T. Its query is the file with the report's name.
func newReport[T any](name, comment string) telemetryschema.Report {
	query, err := files.ReadFile(name + ".sql")
	if err != nil {
		panic(err) // a report without a query file fails in the first test
	}
	return telemetryschema.Report{
		Name:    name,
		Comment: comment,
		SQL:     telemetryschema.WithLatest(string(query)),
		Columns: telemetryschema.Columns[T](),
	}
}

// DailyActives is a row of daily_actives.
type DailyActives struct {
	Day     string `column:"day" doc:"2026-11-21; UTC"`
	Source  string `column:"source" doc:"device or client"`
	Actives int64  `column:"actives" doc:"Number of active senders"`
}

// TopPost is a row of top_posts.
type TopPost struct {
	Day      string `column:"day" doc:"2026-11-21; UTC"`
	Rank     int64  `column:"rank" doc:"From 1; by views, then by the post's id"`
	Post     string `column:"post" doc:"Post's id"`
	Views    int64  `column:"views" doc:"Number of views"`
	Viewers  int64  `column:"viewers" doc:"Number of clients that viewed it"`
	Comments int64  `column:"comments" doc:"Number of comments written"`
}

// DeviceHealth is a row of device_health.
type DeviceHealth struct {
	Day                string    `column:"day" doc:"2026-11-21; UTC"`
	Device             string    `column:"device" doc:"Name of the IoT thing"`
	Measurements       int64     `column:"measurements" doc:"Number of measurements it sent"`
	Boots              int64     `column:"boots" doc:"Number of boots"`
	BatteryMin         float64   `column:"battery_min" doc:"Lowest charge in percent; null if none"`
	TemperatureAverage float64   `column:"temperature_avg" doc:"Degrees Celsius; null if none"`
	TemperatureMax     float64   `column:"temperature_max" doc:"Degrees Celsius; null if none"`
	Firmware           string    `column:"firmware" doc:"Last firmware version it sent"`
	LastAt             time.Time `column:"last_at" doc:"Time of its last record; UTC"`
}

// FunnelStep is a row of funnel.
type FunnelStep struct {
	Day     string `column:"day" doc:"2026-11-21; UTC"`
	Step    int64  `column:"step" doc:"From 1"`
	Type    string `column:"type" doc:"Type of the step's event"`
	Clients int64  `column:"clients" doc:"Number of clients that reached it, step by step"`
}
