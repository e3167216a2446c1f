// Package docs_test checks the documentation against the repository: links, paths, and commands.
package docs_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

// pages returns the Markdown files of the repository by their paths below root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root &&
			(name == "node_modules" || name == "cdk.out" || name == "lib" || name[0] == '.') {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			below, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			found[below] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found %d pages below %s, want the whole documentation", len(found), root)
	}
	return found
}

// each calls check with every match of pattern in the pages.
func each(t *testing.T, pattern *regexp.Regexp, check func(page string, match []string)) {
	t.Helper()
	matches := 0
	for page, content := range pages(t) {
		for _, match := range pattern.FindAllStringSubmatch(content, -1) {
			matches++
			check(page, match)
		}
	}
	if matches == 0 {
		t.Fatalf("no page has a match of %s", pattern)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	path    = regexp.MustCompile("`((?:bench|cmd|constructs|docs|environments|internal|lambdaenv|" +
		"lambdas|mysqlconn|stacks|test|web|\\.ci)/[\\w./-]*)`")
	target    = regexp.MustCompile("(?m)(?:^|`|\\s{3}|&& )make ([a-z][a-z_-]*)((?: [A-Z]+=\\S+)*)")
	goTool    = regexp.MustCompile(`\bgo (?:run|test|build|vet|generate) (?:-\S+ )*(\./[\w./-]*)`)
	namedTest = regexp.MustCompile("`(Test\\w+)(?:/[\\w/ ]+)?`")
	function  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	grant     = regexp.MustCompile(`\.(Grant\w+|AddToRolePolicy)\(`)
	script    = regexp.MustCompile(`\bnpm (?:--prefix|-C) (\S+) run ([\w:-]+)`)
)

func TestLinks(t *testing.T) {
	all := pages(t)
	each(t, link, func(page string, match []string) {
		if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
			return
		}
		file, anchor, _ := strings.Cut(match[1], "#")
		to := page
		if file != "" {
			to = filepath.Join(filepath.Dir(page), file)
		}
		if _, err := os.Stat(filepath.Join(root, to)); err != nil {
			t.Errorf("%s: the link %s leads nowhere", page, match[1])
			return
		}
		if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
			t.Errorf("%s: the link %s names a heading that %s does not have", page, match[1], to)
		}
	})
}

// anchors returns the anchors that GitHub gives the headings of a page.
func anchors(content string) []string {
	var found []string
	for _, match := range heading.FindAllStringSubmatch(content, -1) {
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, match[1]))
	}
	return found
}

func TestPaths(t *testing.T) {
	each(t, path, func(page string, match []string) {
		// A guide names the files that its reader is about to create.
		if strings.HasPrefix(match[1], "lambdas/greet") {
			return
		}
		if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
			t.Errorf("%s names %s, which does not exist", page, match[1])
		}
	})
}

func TestCommands(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	each(t, target, func(page string, match []string) {
		rule := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(match[1]) + `:`)
		if !rule.Match(makefile) {
			t.Errorf("%s: make %s: the Makefile has no such target", page, match[1])
		}
		for variable := range strings.FieldsSeq(match[2]) {
			name, _, _ := strings.Cut(variable, "=")
			if !strings.Contains(string(makefile), "$("+name+")") {
				t.Errorf("%s: make %s: the Makefile does not use %s", page, match[1], name)
			}
		}
	})
	each(t, goTool, func(page string, match []string) {
		folder := strings.TrimSuffix(match[1], "/...")
		if info, err := os.Stat(filepath.Join(root, folder)); err != nil || !info.IsDir() {
			t.Errorf("%s: %s: there is no such folder", page, match[0])
		}
	})
	for page, content := range pages(t) {
		for _, match := range script.FindAllStringSubmatch(content, -1) {
			var manifest struct{ Scripts map[string]string }
			file, err := os.ReadFile(filepath.Join(root, match[1], "package.json"))
			if err == nil {
				err = json.Unmarshal(file, &manifest)
			}
			if err != nil || manifest.Scripts[match[2]] == "" {
				t.Errorf("%s: %s: there is no such script (%v)", page, match[0], err)
			}
		}
	}
}

// TestNamedTests checks that the tests a page names exist.
func TestNamedTests(t *testing.T) {
	functions := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(content), -1) {
			functions[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	each(t, namedTest, func(page string, match []string) {
		if !functions[match[1]] {
			t.Errorf("%s names the test %s, which does not exist", page, match[1])
		}
	})
}

// TestPermissions holds the page against the grants that the stacks call.
func TestPermissions(t *testing.T) {
	page := pages(t)["docs/permissions.md"]
	sources, err := filepath.Glob(filepath.Join(root, "stacks", "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("found %d files of stacks: %v", len(sources), err)
	}
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range grant.FindAllStringSubmatch(string(content), -1) {
			row := regexp.MustCompile(
				"(?m)^.*`" + match[1] + "`.*`stacks/" + filepath.Base(source) + "`.*$")
			if !row.MatchString(page) {
				t.Errorf("docs/permissions.md has no row for %s in %s", match[1], source)
			}
		}
	}
}

func TestReadme(t *testing.T) {
	const longest = 150 // lines: what it is, how to run and deploy it, where to read on
	if lines := strings.Count(pages(t)["README.md"], "\n"); lines > longest {
		t.Errorf("README.md has %d lines, want at most %d; move guides to docs", lines, longest)
	}
}
