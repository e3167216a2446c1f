package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// Limits of the default definition: "Quotas for analyses" in the Amazon QuickSight User Guide, and
// TableUnaggregatedFieldWells in the Amazon QuickSight API Reference.
const (
	maxVisuals = 50  // on a sheet
	maxFields  = 200 // of a table
)

// The grid of a sheet: 36 columns. A table has the full width.
const gridColumns, tableRows = 36, 12

// definition returns the dashboard's definition without its data sets.
func (p Props) definition() map[string]any {
	if p.Definition == "" {
		return defaultDefinition(p.Reports)
	}
	var definition map[string]any
	if err := json.Unmarshal([]byte(p.Definition), &definition); err != nil {
		panic(fmt.Errorf("dashboards: Definition: %w", err)) // check has parsed it
	}
	return definition
}

// defaultDefinition returns one sheet with a table of each report.
func defaultDefinition(reports []telemetryschema.Report) map[string]any {
	var visuals, elements []any
	for i, report := range reports {
		var fields []any
		for _, column := range report.Columns {
			fields = append(fields, map[string]any{
				"FieldId": report.Name + "." + column.Name,
				"Column": map[string]any{
					"DataSetIdentifier": report.Name, "ColumnName": column.Name,
				},
			})
		}
		visuals = append(visuals, map[string]any{"TableVisual": map[string]any{
			"VisualId": report.Name,
			"Title": map[string]any{
				"Visibility": "VISIBLE", "FormatText": map[string]any{"PlainText": title(report)},
			},
			"ChartConfiguration": map[string]any{"FieldWells": map[string]any{
				"TableUnaggregatedFieldWells": map[string]any{"Values": fields},
			}},
		}})
		elements = append(elements, map[string]any{
			"ElementId": report.Name, "ElementType": "VISUAL",
			"ColumnIndex": 0, "ColumnSpan": gridColumns,
			"RowIndex": i * tableRows, "RowSpan": tableRows,
		})
	}
	return map[string]any{"Sheets": []any{map[string]any{
		"SheetId": "reports", "Name": "Reports", "ContentType": "INTERACTIVE",
		"Visuals": visuals,
		"Layouts": []any{map[string]any{"Configuration": map[string]any{
			"GridLayout": map[string]any{"Elements": elements},
		}}},
	}}}
}

func title(report telemetryschema.Report) string {
	if report.Comment != "" {
		return report.Comment
	}
	return report.Name
}

// checkDefinition returns the problems of the definition: no JSON, data sets that are no reports,
// or too many reports for the default.
func (p Props) checkDefinition() (problems []error) {
	if p.Definition == "" {
		problems = append(problems, check.That("Reports", len(p.Reports),
			len(p.Reports) <= maxVisuals,
			fmt.Sprintf("at most %d without Definition", maxVisuals)))
		for i, report := range p.Reports {
			problems = append(problems, check.That(fmt.Sprintf("Reports[%d].Columns", i),
				len(report.Columns), len(report.Columns) <= maxFields,
				fmt.Sprintf("at most %d without Definition", maxFields)))
		}
		return problems
	}
	var definition map[string]any
	if err := json.Unmarshal([]byte(p.Definition), &definition); err != nil {
		return []error{check.That("Definition", err, false, "a JSON object")}
	}
	if definition["Sheets"] == nil {
		problems = append(problems, check.That("Definition", "no Sheets", false,
			"the value of Definition in the output of describe-dashboard-definition"))
	}
	for _, name := range dataSets(definition) {
		problems = append(problems, check.That("Definition", fmt.Sprintf("data set %q", name),
			slices.ContainsFunc(p.Reports, func(r telemetryschema.Report) bool {
				return r.Name == name
			}), "names of Reports"))
	}
	return problems
}

// dataSets returns the identifiers of data sets in a definition, each once.
func dataSets(value any) []string {
	var names []string
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if name, ok := member.(string); ok && key == "DataSetIdentifier" {
				names = append(names, name)
			}
			if key != "DataSetIdentifierDeclarations" { // New replaces them
				names = append(names, dataSets(member)...)
			}
		}
	case []any:
		for _, element := range value {
			names = append(names, dataSets(element)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
