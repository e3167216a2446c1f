package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestThePlaceholdersHashedFilesAreNamedByTheirContent: browsers keep them for a year.
func TestThePlaceholdersHashedFilesAreNamedByTheirContent(t *testing.T) {
	files, err := fs.Glob(Placeholder(), "assets/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files below assets/ (%v)", len(files), err)
	}
	for _, name := range files {
		content, err := fs.ReadFile(Placeholder(), name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if hash := hex.EncodeToString(sum[:4]); !strings.HasSuffix(strings.TrimSuffix(name, path.Ext(name)), "-"+hash) {
			t.Errorf("%s has changed; name it …-%s%s here and in index.html", name, hash, path.Ext(name))
		}
	}
}

// TestThePlaceholderHoldsItsOwnContentSecurityPolicy: no scripts and no styles but in files of the website's own.
func TestThePlaceholderHoldsItsOwnContentSecurityPolicy(t *testing.T) {
	file, err := Placeholder().Open("index.html")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page, err := html.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for node := range page.Descendants() {
		if node.Data == "script" && node.FirstChild != nil || node.Data == "style" {
			t.Errorf("<%s> has its content in the page", node.Data)
		}
		for _, attribute := range node.Attr {
			switch key := attribute.Key; {
			case key == "style" || strings.HasPrefix(key, "on"):
				t.Errorf("<%s> has the attribute %s", node.Data, key)
			case key == "src" || key == "href":
				if _, err := fs.Stat(Placeholder(), strings.TrimPrefix(attribute.Val, "/")); err != nil || !strings.HasPrefix(attribute.Val, "/") {
					t.Errorf("<%s> asks for %s, which is no file of the website (%v)", node.Data, attribute.Val, err)
				}
			}
		}
	}
}
