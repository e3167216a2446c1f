package telemetryschema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a declaration.
const (
	// MaxTypes is half of the partitions that Firehose writes at a time: after midnight, records of
	// two days arrive. "Amazon Data Firehose quotas" in the Amazon Data Firehose Developer Guide.
	MaxTypes = 250

	maxComment = 255     // in bytes; Glue's limit for a column's comment
	maxSQL     = 1 << 18 // in bytes; Athena's limit for a query: "Service Quotas" in its User Guide
)

var (
	columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,127}$`)
	typeName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)
	reportName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	oneLine    = regexp.MustCompile(`^[^\x00-\x1f\x7f]*$`)

	// notSQL matches the parts of a query in which a question mark is no parameter: literals,
	// quoted identifiers and comments.
	notSQL = regexp.MustCompile(`'[^']*'|"[^"]*"|--[^\n]*|(?s:/\*.*?\*/)`)
)

const columnTypes = "string, double, bigint, boolean or timestamp"

// A problem is an invalid value: where it is, the value, and what is wanted.
func problem(where string, value any, want string) error {
	return fmt.Errorf("%s: %v, want %s", where, value, want)
}

// Validate returns all problems of the schema, as [errors.Join] joins them.
func (s Schema) Validate() error {
	problems := validateColumns("Columns", s.Columns)
	sources := map[string]Source{}
	for i, column := range s.Columns {
		sources[column.Name] = column.Source
		where := fmt.Sprintf("Columns[%d]", i)
		if reserved(column.Name) {
			problems = append(problems, problem(where+".Name", quote(column.Name),
				"another name: every table has this column"))
		}
		if column.Source != "" && !column.Source.valid() {
			problems = append(problems,
				problem(where+".Source", quote(column.Source), "device, client, or none for both"))
		}
	}
	if len(s.Types) == 0 || len(s.Types) > MaxTypes {
		problems = append(problems,
			problem("Types", len(s.Types), fmt.Sprintf("1 to %d types", MaxTypes)))
	} else if len(s.PartitionTypes()) == 0 {
		problems = append(problems, problem("Types", "all have Discard",
			"at least one that becomes rows"))
	}
	seen := map[string]bool{}
	for i, declared := range s.Types {
		problems = append(problems, declared.validate(fmt.Sprintf("Types[%d]", i), sources)...)
		if seen[declared.Name] {
			problems = append(problems, problem(fmt.Sprintf("Types[%d].Name", i),
				quote(declared.Name), "a name that no other type has"))
		}
		seen[declared.Name] = true
	}
	return errors.Join(problems...)
}

func (t Type) validate(where string, sources map[string]Source) (problems []error) {
	if !typeName.MatchString(t.Name) {
		problems = append(problems, problem(where+".Name", quote(t.Name),
			"a letter, then up to 63 letters, digits, underscores, hyphens and dots"))
	}
	if !t.Source.valid() {
		problems = append(problems, problem(where+".Source", quote(t.Source), "device or client"))
	}
	for i, name := range t.Required {
		source, declared := sources[name]
		switch {
		case !declared:
			problems = append(problems, problem(where+".Required", quote(name),
				"names of Columns; id is always required"))
		case source != "" && source != t.Source:
			problems = append(problems, problem(where+".Required", quote(name),
				fmt.Sprintf("columns that a %s may set", t.Source)))
		case slices.Contains(t.Required[:i], name):
			problems = append(problems, problem(where+".Required", quote(name), "each name once"))
		}
	}
	return problems
}

// ValidateReports returns all problems of the reports, as [errors.Join] joins them.
func ValidateReports(reports []Report) error {
	var problems []error
	// Names that differ only in underscores would give the same ids of resources.
	alike := func(name string) string { return strings.ReplaceAll(name, "_", "") }
	seen := map[string]bool{alike(Table): true}
	for i, report := range reports {
		where := fmt.Sprintf("Reports[%d]", i)
		switch {
		case !reportName.MatchString(report.Name) || len(report.Name) > 64:
			problems = append(problems, problem(where+".Name", quote(report.Name),
				"at most 64 lower-case letters and digits with single underscores between, "+
					"a letter first"))
		case seen[alike(report.Name)]:
			problems = append(problems, problem(where+".Name", quote(report.Name),
				"a name that neither the table telemetry nor another report has, "+
					"underscores aside"))
		}
		seen[alike(report.Name)] = true
		if err := validateComment(where, report.Comment); err != nil {
			problems = append(problems, err)
		}
		if n := strings.Count(notSQL.ReplaceAllString(report.SQL, ""), "?"); n != 1 {
			problems = append(problems, problem(where+".SQL", fmt.Sprintf("%d parameters", n),
				"a query with one parameter, the day, such as WHERE day = ?"))
		}
		if len(report.SQL) > maxSQL || !utf8.ValidString(report.SQL) {
			problems = append(problems, problem(where+".SQL",
				fmt.Sprintf("%d bytes", len(report.SQL)), fmt.Sprintf("at most %d, UTF-8", maxSQL)))
		}
		if len(report.Columns) == 0 {
			problems = append(problems, problem(where+".Columns", "none",
				"the columns of the query's result"))
		}
		problems = append(problems, validateColumns(where+".Columns", report.Columns)...)
		for j, column := range report.Columns {
			if column.Source != "" {
				problems = append(problems, problem(fmt.Sprintf("%s.Columns[%d].Source", where, j),
					quote(column.Source), "none: a report's columns have no source"))
			}
		}
	}
	return errors.Join(problems...)
}

// validateColumns returns the problems that columns have in any table.
func validateColumns(where string, columns []Column) (problems []error) {
	seen := map[string]bool{}
	for i, column := range columns {
		where := fmt.Sprintf("%s[%d]", where, i)
		if !columnName.MatchString(column.Name) {
			problems = append(problems, problem(where+".Name", quote(column.Name),
				"a lower-case letter, then up to 127 lower-case letters, digits and underscores"))
		} else if seen[column.Name] {
			problems = append(problems, problem(where+".Name", quote(column.Name),
				"a name that no other column has"))
		}
		seen[column.Name] = true
		switch column.Type {
		case String, Double, Bigint, Boolean, Timestamp:
		default:
			problems = append(problems, problem(where+".Type", quote(column.Type), columnTypes))
		}
		if err := validateComment(where, column.Comment); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func validateComment(where, comment string) error {
	if len(comment) > maxComment || !oneLine.MatchString(comment) || !utf8.ValidString(comment) {
		return problem(where+".Comment", quote(comment),
			fmt.Sprintf("one line of at most %d bytes, UTF-8", maxComment))
	}
	return nil
}

func (s Source) valid() bool { return s == Device || s == Client }

// reserved reports whether the table has the column, or the record the field, in any schema.
func reserved(name string) bool {
	named := func(c Column) bool { return c.Name == name }
	return slices.ContainsFunc(firstColumns, named) || slices.ContainsFunc(lastColumns, named) ||
		slices.ContainsFunc(PartitionKeys(), named)
}

func quote[T ~string](value T) string { return fmt.Sprintf("%q", string(value)) }
