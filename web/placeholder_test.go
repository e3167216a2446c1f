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

// Browsers cache hashed files for a year.
func TestPlaceholder_names_hashed_files_by_content(t *testing.T) {
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
		extension, hash := path.Ext(name), hex.EncodeToString(sum[:4])
		if !strings.HasSuffix(strings.TrimSuffix(name, extension), "-"+hash) {
			t.Errorf("%s has changed; rename it to …-%s%s, in index.html too",
				name, hash, extension)
		}
	}
}

// Scripts and styles are allowed only in the website's own files.
func TestPlaceholder_complies_with_the_Content_Security_Policy(t *testing.T) {
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
			t.Errorf("<%s> is inline", node.Data)
		}
		for _, attribute := range node.Attr {
			switch key := attribute.Key; {
			case key == "style" || strings.HasPrefix(key, "on"):
				t.Errorf("<%s> has the attribute %s", node.Data, key)
			case key == "src" || key == "href":
				_, err := fs.Stat(Placeholder(), strings.TrimPrefix(attribute.Val, "/"))
				if err != nil || !strings.HasPrefix(attribute.Val, "/") {
					t.Errorf("<%s> requests %s, which is not a file of the website (%v)",
						node.Data, attribute.Val, err)
				}
			}
		}
	}
}
