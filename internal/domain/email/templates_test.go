package email_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

func TestLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"ko": "ko", "ko-KR": "ko", "KO": "ko", "ko-Hang-KR": "ko",
		"": "en", "en": "en", "en-GB": "en", "de": "en", "kok": "en", "en-KO": "en", "\x00": "en",
	} {
		if got := email.Language(tag); got != want {
			t.Errorf("%q: %s, want %s", tag, got, want)
		}
	}
}

// files returns the templates of one mail in both languages, with a test's change.
func files(change func(fstest.MapFS)) fstest.MapFS {
	fs := fstest.MapFS{
		"en/hello.subject.txt": {Data: []byte("Hello {{.Name}}\n")},
		"en/hello.txt":         {Data: []byte("Hello {{.Name}},\nyour page is {{.Link}}\n")},
		"en/hello.html": {
			Data: []byte(`<p>Hello {{.Name}}, <a href="{{.Link}}">{{.Link}}</a></p>`),
		},
		"ko/hello.subject.txt": {Data: []byte("{{.Name}} 님, 안녕하세요\n")},
		"ko/hello.txt":         {Data: []byte("안녕하세요\n{{.Link}}\n")},
		"ko/hello.html":        {Data: []byte("<p>안녕하세요</p>{{.Link}}")},
	}
	if change != nil {
		change(fs)
	}
	return fs
}

func parse(t *testing.T) *email.Templates {
	t.Helper()
	templates, err := email.ParseTemplates(files(nil))
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

func TestTemplates_Message(t *testing.T) {
	templates := parse(t)
	data := map[string]string{"Name": "Ada & <Eve>", "Link": "https://example.com/a?b=1&c=2"}
	message, err := templates.Message("en", "hello", "ada@example.com", data)
	if err != nil {
		t.Fatal(err)
	}
	want := email.Message{
		To:      "ada@example.com",
		Subject: "Hello Ada & <Eve>",
		Text:    "Hello Ada & <Eve>,\nyour page is https://example.com/a?b=1&c=2\n",
		HTML:    message.HTML,
	}
	if diff := cmp.Diff(want, message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	for _, part := range []string{
		`<html lang="en">`, `<title>Hello Ada &amp; &lt;Eve&gt;</title>`,
		`<p>Hello Ada &amp; &lt;Eve&gt;, ` +
			`<a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a></p>`,
	} {
		if !strings.Contains(message.HTML, part) {
			t.Errorf("the HTML lacks %s:\n%s", part, message.HTML)
		}
	}
	message, err = templates.Message("ko", "hello", "ada@example.com", data)
	if err != nil || message.Subject != "Ada & <Eve> 님, 안녕하세요" ||
		!strings.Contains(message.HTML, `<html lang="ko">`) {
		t.Errorf("in Korean: %+v, %v", message, err)
	}
}

// TestTemplates_Message_escapes_HTML covers elements and links with scripts.
func TestTemplates_Message_escapes_HTML(t *testing.T) {
	message, err := parse(t).Message("en", "hello", "ada@example.com", map[string]string{
		"Name": "<script>alert(1)</script>", "Link": "javascript:alert(1)",
	})
	if err != nil || strings.Contains(message.HTML, "<script>") ||
		strings.Contains(message.HTML, `href="javascript:`) {
		t.Errorf("%v:\n%s", err, message.HTML)
	}
}

func TestTemplates_Message_requires_a_subject_of_one_line(t *testing.T) {
	templates := parse(t)
	for _, name := range []string{
		"Ada\r\nBcc: eve@example.com", "Ada\nBcc: eve@example.com", "Ada\rBcc: eve@example.com",
		"\x00", "a\tb", "a\vb", "a\fb",
		"a\u0085b", "a\u2028b", "a\u2029b", "a\x7fb", "\xff",
	} {
		data := map[string]string{"Name": name, "Link": "https://example.com"}
		if message, err := templates.Message("en", "hello", "ada@example.com", data); err == nil {
			t.Errorf("%q: subject %q, want an error", name, message.Subject)
		}
	}
	for _, name := range []string{"유진", "👩‍👩‍👧", "Ada: =?utf-8?q?x?=", strings.Repeat("가", 500)} {
		data := map[string]string{"Name": name, "Link": "https://example.com"}
		if _, err := templates.Message("en", "hello", "ada@example.com", data); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzTemplates_Message_subject checks that data cannot add a header.
func FuzzTemplates_Message_subject(f *testing.F) {
	f.Add("Ada\r\nBcc: eve@example.com")
	f.Add("유진")
	templates, err := email.ParseTemplates(files(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		data := map[string]string{"Name": name, "Link": name}
		message, err := templates.Message("en", "hello", "ada@example.com", data)
		brokenLine := strings.ContainsAny(message.Subject, "\r\n\x00\u0085\u2028\u2029")
		if err == nil && (brokenLine || message.Subject != "Hello "+name) {
			t.Errorf("subject %q", message.Subject)
		}
	})
}

func TestTemplates_Message_fails_for_missing_names_and_data(t *testing.T) {
	templates := parse(t)
	for name, test := range map[string]struct {
		language, mail string
		data           any
		want           string
	}{
		"no such template": {"en", "goodbye", map[string]string{}, "there is no template goodbye"},
		"no such language": {"de", "hello", map[string]string{}, `in the language "de"`},
		"no such key":      {"en", "hello", map[string]string{"Name": "Ada"}, "Link"},
		"no such field":    {"en", "hello", struct{ Name string }{"Ada"}, "Link"},
		"no data":          {"en", "hello", nil, "Name"},
	} {
		message, err := templates.Message(test.language, test.mail, "ada@example.com", test.data)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", name, message, err, test.want)
		}
	}
}

// TestTemplates_Message_fails_for_missing_data_of_one_part covers data that is missing in the
// subject, the text or the HTML only.
func TestTemplates_Message_fails_for_missing_data_of_one_part(t *testing.T) {
	for _, ending := range []string{".subject.txt", ".txt", ".html"} {
		templates, err := email.ParseTemplates(files(func(fs fstest.MapFS) {
			for _, part := range []string{".subject.txt", ".txt", ".html"} {
				fs["en/hello"+part].Data = []byte("Hello")
			}
			fs["en/hello"+ending].Data = []byte("Hello {{.Name}}")
		}))
		if err != nil {
			t.Fatal(err)
		}
		message, err := templates.Message("en", "hello", "ada@example.com", map[string]string{})
		if err == nil {
			t.Errorf("%s: %+v, want an error", ending, message)
		}
	}
}

func TestTemplates_Message_fails_for_an_empty_subject(t *testing.T) {
	templates, err := email.ParseTemplates(files(func(fs fstest.MapFS) {
		fs["en/hello.subject.txt"].Data = []byte("{{.Name}}")
	}))
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"Name": "", "Link": "https://example.com"}
	if message, err := templates.Message("en", "hello", "ada@example.com", data); err == nil {
		t.Errorf("%+v, want an error", message)
	}
}

func TestParseTemplates_reports_all_problems(t *testing.T) {
	for name, test := range map[string]struct {
		change func(fstest.MapFS)
		want   []string
	}{
		"a language is missing": {func(fs fstest.MapFS) {
			delete(fs, "ko/hello.subject.txt")
			delete(fs, "ko/hello.txt")
			delete(fs, "ko/hello.html")
		}, []string{"ko"}},
		"a part is missing": {func(fs fstest.MapFS) {
			delete(fs, "ko/hello.html")
			delete(fs, "en/hello.txt")
		}, []string{"ko/hello.html", "en/hello.txt"}},
		"a mail is in one language": {func(fs fstest.MapFS) {
			fs["en/bye.txt"] = &fstest.MapFile{Data: []byte("Bye")}
		}, []string{"en/bye.subject.txt", "en/bye.html", "ko/bye.txt"}},
		"a part is empty": {func(fs fstest.MapFS) {
			fs["en/hello.subject.txt"].Data = []byte(" \n")
		}, []string{"en/hello.subject.txt is empty"}},
		"templates are not closed": {func(fs fstest.MapFS) {
			fs["en/hello.txt"].Data = []byte("{{.Name")
			fs["ko/hello.html"].Data = []byte("{{if .Name}}")
		}, []string{"en/hello.txt", "ko/hello"}},
		"HTML cannot be escaped": {func(fs fstest.MapFS) {
			fs["en/hello.html"].Data = []byte("<a href='{{.Link}}>")
		}, []string{"en/hello", "non-text context"}},
		"a function is unknown": {func(fs fstest.MapFS) {
			fs["en/hello.html"].Data = []byte("{{upper .Name}}")
		}, []string{`"upper"`}},
	} {
		_, err := email.ParseTemplates(files(test.change))
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want it to name %s", name, err, want)
			}
		}
	}
}
