// Package reports makes the daily reports of the readings.
package reports

import (
	"time"

	"github.com/ashlar-cdk/ashlar/internal/columns"
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
		{Name: "daily_actives", Comment: "Devices and clients that were heard of", Columns: columns.Of[DailyActives]()},
		{Name: "top_posts", Comment: "The hundred posts that were viewed most", Columns: columns.Of[TopPost]()},
		{Name: "device_health", Comment: "How each device was", Columns: columns.Of[DeviceHealth]()},
		{Name: "funnel", Comment: "How far clients came that opened the app", Columns: columns.Of[FunnelStep]()},
	}
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
