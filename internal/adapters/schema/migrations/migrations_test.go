package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

var (
	name   = regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.sql$`)
	quoted = regexp.MustCompile(`'[^']*'`)
)

// TestMigrations_have_one_statement checks the rules of the package comment.
func TestMigrations_have_one_statement(t *testing.T) {
	paths, err := fs.Glob(Files, "*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d migrations, %v", len(paths), err)
	}
	for i, path := range paths {
		if !name.MatchString(path) || path[:4] != fmt.Sprintf("%04d", i+1) {
			t.Errorf("%s: want a name such as 0001_profiles.sql, numbered without a gap", path)
		}
		content, err := fs.ReadFile(Files, path)
		if err != nil {
			t.Fatal(err)
		}
		if problem := notOneStatementUp(string(content)); problem != "" {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

func TestNotOneStatementUp(t *testing.T) {
	const up, a, b = "-- +goose Up\n", "CREATE TABLE a (b INT);\n", "CREATE TABLE b (b INT);\n"
	for content, want := range map[string]string{
		up + "-- Why; and how.\nCREATE TABLE a (b CHAR(1) DEFAULT ';');\n": "",

		a:          "does not begin with -- +goose Up",
		up + a + b: "has 2 statements, want 1",
		up:         "has 0 statements, want 1",
		up + a + "-- +goose Down\nDROP TABLE a;\n": "has another goose annotation than Up",
	} {
		if got := notOneStatementUp(content); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

func notOneStatementUp(content string) string {
	body, ok := strings.CutPrefix(content, "-- +goose Up\n")
	if !ok {
		return "does not begin with -- +goose Up"
	}
	if strings.Contains(body, "+goose") {
		return "has another goose annotation than Up"
	}
	var code strings.Builder
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "--") {
			code.WriteString(line)
		}
	}
	if n := strings.Count(quoted.ReplaceAllString(code.String(), ""), ";"); n != 1 {
		return fmt.Sprintf("has %d statements, want 1", n)
	}
	return ""
}
