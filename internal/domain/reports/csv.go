package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// writeCSV writes a line of column names and one line per row. Null is an empty field.
func writeCSV(w io.Writer, columns []telemetryschema.Column, rows [][]any) error {
	file := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, column := range columns {
		line[i] = column.Name
	}
	if err := file.Write(line); err != nil {
		return err
	}
	for _, row := range rows {
		for i, value := range row {
			switch value := value.(type) {
			case nil:
				line[i] = ""
			case time.Time:
				line[i] = value.Format(time.RFC3339Nano)
			case string:
				line[i] = escapeFormulas(value)
			default:
				line[i] = fmt.Sprint(value)
			}
		}
		if err := file.Write(line); err != nil {
			return err
		}
	}
	file.Flush()
	return file.Error()
}

// formulaStart matches the start of a cell that a spreadsheet interprets as a formula: "CSV
// Injection" by OWASP. A cell also begins after a semicolon or a tab, where the reader's settings
// separate columns by these instead of commas, and spreadsheets may strip whitespace before a
// formula.
var formulaStart = regexp.MustCompile(`(^|[;\t\r\n])([=+\-@＝＋－＠])`)

// escapeFormulas returns a string that no spreadsheet interprets as a formula: anyone may post
// events, and people open the files. The Parquet file has the string unchanged.
func escapeFormulas(s string) string { return formulaStart.ReplaceAllString(s, "$1'$2") }
