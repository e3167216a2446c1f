// Package reports makes the daily reports of the readings.
package reports

import (
	"embed"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// A Report is a table with rows for each day, made by a query.
type Report struct {
	Name    string // of the table: daily_actives
	Comment string
	SQL     string // Athena's dialect; its one parameter is the day
	Columns []columns.Column
}

// All are the reports that there are.
func All() []Report {
	return []Report{
		newReport[DailyActives]("daily_actives", "Devices and clients that were heard of"),
		newReport[TopPost]("top_posts", "The hundred posts that were viewed most"),
		newReport[DeviceHealth]("device_health", "How each device was"),
		newReport[FunnelStep]("funnel", "How far clients came that opened the app"),
	}
}

//go:embed queries/*.sql
var queries embed.FS

// newReport returns the report whose rows are T's. Its query is that of its file, after the readings that each query is about.
func newReport[T any](name, comment string) Report {
	return Report{
		Name:    name,
		Comment: comment,
		SQL:     fmt.Sprintf("WITH latest AS (\n%s)\n%s", query("latest"), query(name)),
		Columns: columns.Of[T](),
	}
}

func query(name string) string {
	content, err := queries.ReadFile("queries/" + name + ".sql")
	if err != nil {
		panic(err) // a report without its file does not come past the first test
	}
	return string(content)
}

// DailyActives is a row of daily_actives.
type DailyActives struct {
	Day     string `column:"day" doc:"2026-11-21; UTC"`
	Source  string `column:"source" doc:"device or client"`
	Actives int64  `column:"actives" doc:"How many there were"`
}

// TopPost is a row of top_posts.
type TopPost struct {
	Day      string `column:"day" doc:"2026-11-21; UTC"`
	Rank     int64  `column:"rank" doc:"From 1; by views, then by the post's id"`
	Post     string `column:"post" doc:"The post's id"`
	Views    int64  `column:"views" doc:"How often it was viewed"`
	Viewers  int64  `column:"viewers" doc:"How many clients viewed it"`
	Comments int64  `column:"comments" doc:"How many comments were written"`
}

// DeviceHealth is a row of device_health.
type DeviceHealth struct {
	Day                string    `column:"day" doc:"2026-11-21; UTC"`
	Device             string    `column:"device" doc:"The thing's name"`
	Measurements       int64     `column:"measurements" doc:"How many it sent"`
	Boots              int64     `column:"boots" doc:"How often it started"`
	BatteryMin         float64   `column:"battery_min" doc:"The lowest charge, in per cent; null without one"`
	TemperatureAverage float64   `column:"temperature_avg" doc:"In degrees Celsius; null without one"`
	TemperatureMax     float64   `column:"temperature_max" doc:"In degrees Celsius; null without one"`
	Firmware           string    `column:"firmware" doc:"The last that it said"`
	LastAt             time.Time `column:"last_at" doc:"When it was last heard of; UTC"`
}

// FunnelStep is a row of funnel.
type FunnelStep struct {
	Day     string `column:"day" doc:"2026-11-21; UTC"`
	Step    int64  `column:"step" doc:"From 1"`
	Type    string `column:"type" doc:"The reading that the step is"`
	Clients int64  `column:"clients" doc:"How many clients came as far, one step after the other"`
}
