package mailinglist_test

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

func TestParseTemplates(t *testing.T) {
	complete := fstest.MapFS{}
	for _, mail := range []string{"fr/confirm", "fr/welcome"} {
		complete[mail+".subject.txt"] = &fstest.MapFile{Data: []byte("Bonjour")}
		complete[mail+".txt"] = &fstest.MapFile{Data: []byte("{{.To}}: {{.Link}}")}
		complete[mail+".html"] = &fstest.MapFile{Data: []byte(`<a href="{{.Link}}">{{.To}}</a>`)}
	}
	if _, err := mailinglist.ParseTemplates(complete, "fr"); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]map[string]string{
		"open fr/confirm.html: file does not exist":    {"fr/confirm.html": ""},
		"can't evaluate field Lnik":                    {"fr/welcome.subject.txt": "{{.Lnik}}"},
		"fr/confirm: the text or the HTML lacks the l": {"fr/confirm.txt": "Bonjour"},
		"fr/welcome: the text or the HTML lacks the l": {"fr/welcome.html": "<p>Bonjour</p>"},
		"fr/confirm: the text or the HTML lacks":       {"layout.html": "<html></html>"},
		"fr/welcome: the subject":                      {"fr/welcome.subject.txt": "a\nb"},
		`"formatDate" not defined`:                     {"fr/welcome.txt": "{{formatDate .To}}"},
	} {
		files := maps.Clone(complete)
		for name, content := range change {
			if files[name] = &(fstest.MapFile{Data: []byte(content)}); content == "" {
				delete(files, name)
			}
		}
		if _, err := mailinglist.ParseTemplates(files, "fr"); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
