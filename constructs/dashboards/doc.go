// Package dashboards provisions an Amazon QuickSight dashboard of reports, which queries Athena.
//
// It makes a data source, a data set per report, a dashboard, and the role of QuickSight's queries.
// The dashboard shows a table of each report, or the definition that the team passes. The account
// must have a QuickSight subscription, which no template can create.
//
// # Costs
//
// QuickSight bills its authors and readers by the month, and Athena bills what the queries scan.
// Nothing is imported into SPICE.
//
// # What cannot be undone
//
// The ids of the data source, the data sets and the dashboard contain the construct's path; a new
// path replaces them, and links to the dashboard break. Changes made in QuickSight are overwritten
// by the next deployment that changes the same resource. The stack holds no data.
package dashboards
