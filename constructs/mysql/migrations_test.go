package mysql

import (
	"database/sql"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// files returns migrations with these statements, numbered from 1.
func files(statements ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i, statement := range statements {
		name := "000" + string(rune('1'+i)) + "_step.sql"
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
	}
	return files
}

func TestChecksum_changes_only_with_the_files(t *testing.T) {
	original := files("CREATE TABLE one (id INT)")
	if checksum(original) != checksum(files("CREATE TABLE one (id INT)")) {
		t.Error("the same files have two checksums")
	}
	renamed := fstest.MapFS{"0002_step.sql": original["0001_step.sql"]}
	seen := map[string]string{checksum(original): "original"}
	for name, other := range map[string]fs.FS{
		"changed": files("CREATE TABLE one (id BIGINT)"),
		"added":   files("CREATE TABLE one (id INT)", "CREATE TABLE two (id INT)"),
		"renamed": renamed,
	} {
		if same := seen[checksum(other)]; same != "" {
			t.Errorf("%s has the checksum of %s", name, same)
		}
		seen[checksum(other)] = name
	}
	if len(checksum(original)) != 64 {
		t.Errorf("the checksum is %q", checksum(original))
	}
	original["README.md"] = &fstest.MapFile{Data: []byte("Text")}
	if seen[checksum(original)] != "original" {
		t.Error("a file that is no migration changes the checksum")
	}
}

// TestCheckFiles_agrees_with_goose compares the rule for names with goose, which runs in the
// deployment: it refuses the same names or ignores their files.
func TestCheckFiles_agrees_with_goose(t *testing.T) {
	up := &fstest.MapFile{Data: []byte("-- +goose Up\nSELECT 1;\n")}
	for _, names := range [][]string{
		{"1_a.sql"},
		{"0001_a.sql", "0002_b.sql"},
		{"20261201120000_a.sql"},
		{"7_a_b.sql", "10_c.sql"},
		{"+1_a.sql"},
		{"1_.sql"},
		{"a.sql"},
		{"1.sql"},
		{"1-a.sql"},
		{"a_1.sql"},
		{"0_a.sql"},
		{"-1_a.sql"},
		{"_a.sql"},
		{"1.5_a.sql"},
		{"99999999999999999999_a.sql"},
		{"1_a.sql", "01_b.sql"},
		{"1_a.sql", "b.sql"},
		{"1_a.SQL"},
		{"sql/1_a.sql"},
		{},
	} {
		files := fstest.MapFS{}
		for _, name := range names {
			files[name] = up
		}
		provider, err := goose.NewProvider(goose.DialectMySQL, new(sql.DB), files,
			goose.WithDisableGlobalRegistry(true))
		accepted := err == nil && len(provider.ListSources()) == len(names)
		if problems := checkFiles(files); (len(problems) == 0) != accepted {
			t.Errorf("%q: goose accepts %t, %v; problems %v", names, accepted, err, problems)
		}
	}
}
