package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/columns"
)

// writeCSV writes a line of names, and one for each row. Null is empty.
func writeCSV(w io.Writer, columns []columns.Column, rows [][]any) error {
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

// formulaStart is where a cell may begin that a spreadsheet takes for a formula: "CSV Injection" by OWASP. A cell begins after a
// semicolon or a tab as well, where the reader's settings part columns by these and not by commas, and what is blank before a
// formula may be cut off.
var formulaStart = regexp.MustCompile(`(^|[;\t\r\n])([=+\-@＝＋－＠])`)

// escapeFormulas returns a string that no spreadsheet takes for a formula: anybody may post readings, and people open files. The
// Parquet file has the string as it is.
func escapeFormulas(s string) string { return formulaStart.ReplaceAllString(s, "$1'$2") }
