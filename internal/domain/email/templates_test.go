package email_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

func TestTemplates_Language(t *testing.T) {
	templates, err := email.ParseTemplates(fstest.MapFS{
		"en": {Mode: fs.ModeDir}, "ko": {Mode: fs.ModeDir}, "pt-BR": {Mode: fs.ModeDir},
		"zh-Hant": {Mode: fs.ModeDir}, "README.md": {},
	}, "ko")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"en", "ko", "pt-BR", "zh-Hant"},
		templates.Languages()); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
	for tag, want := range map[string]string{
		"en": "en", "en-GB": "en", "EN": "en", "en-KO": "en", "en--": "en", "en-": "en",
		"ko": "ko", "ko-KR": "ko", "ko-Hang-KR": "ko",
		"pt-BR": "pt-BR", "pt-br-abl1943": "pt-BR", "zh-Hant-TW": "zh-Hant",
		// The default.
		"": "ko", "-": "ko", "de": "ko", "kok": "ko", "pt": "ko", "zh-Hans": "ko", "\x00": "ko",
	} {
		if got := templates.Language(tag); got != want {
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
	templates, err := email.ParseTemplates(files(nil), "en", "hello")
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
	templates, err := email.ParseTemplates(files(nil), "en", "hello")
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

// TestTemplates_Message_in_the_default_language covers languages without templates.
func TestTemplates_Message_in_the_default_language(t *testing.T) {
	templates, err := email.ParseTemplates(files(nil), "ko", "hello")
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"Name": "Ada", "Link": "https://example.com"}
	for tag, want := range map[string]string{
		"en-GB": "Hello Ada", "de": "Ada 님, 안녕하세요", "": "Ada 님, 안녕하세요",
	} {
		message, err := templates.Message(tag, "hello", "ada@example.com", data)
		if err != nil || message.Subject != want {
			t.Errorf("%q: %q, %v, want %q", tag, message.Subject, err, want)
		}
	}
}

func TestTemplates_Message_in_another_layout(t *testing.T) {
	templates, err := email.ParseTemplates(files(func(fs fstest.MapFS) {
		fs["layout.html"] = &fstest.MapFile{Data: []byte(
			`<html lang="{{.Language}}"><title>{{.Subject}}</title>` +
				`<h1>Example</h1>{{template "content" .Data}}</html>`,
		)}
	}), "en", "hello")
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"Name": "<Ada>", "Link": "https://example.com"}
	message, err := templates.Message("ko-KR", "hello", "ada@example.com", data)
	want := `<html lang="ko"><title>&lt;Ada&gt; 님, 안녕하세요</title>` +
		`<h1>Example</h1><p>안녕하세요</p>https://example.com</html>`
	if err != nil || message.HTML != want {
		t.Errorf("%s, %v, want %s", message.HTML, err, want)
	}
}

func TestTemplates_Message_fails_for_missing_names_and_data(t *testing.T) {
	templates := parse(t)
	for name, test := range map[string]struct {
		language, mail string
		data           any
		want           string
	}{
		"no such template": {"en", "goodbye", map[string]string{}, "there is no template goodbye"},
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
		}), "en", "hello")
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
	}), "en", "hello")
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
		"the default language is missing": {func(fs fstest.MapFS) {
			delete(fs, "en/hello.subject.txt")
			delete(fs, "en/hello.txt")
			delete(fs, "en/hello.html")
		}, []string{`no folder of the default language "en", only ko`}},
		"there are no files": {func(fs fstest.MapFS) {
			clear(fs)
		}, []string{"there is no folder of a language, such as en"}},
		"a folder is not a language": {func(fs fstest.MapFS) {
			fs["images/logo.png"] = &fstest.MapFile{}
		}, []string{`the folder "images" is not a language; want its tag, such as en`}},
		"a language has two folders": {func(fs fstest.MapFS) {
			fs["KO/hello.txt"] = &fstest.MapFile{}
		}, []string{"two folders of the language ko"}},
		"the layout is empty": {func(fs fstest.MapFS) {
			fs["layout.html"] = &fstest.MapFile{}
		}, []string{"layout.html is empty"}},
		"the layout cannot be parsed": {func(fs fstest.MapFS) {
			fs["layout.html"] = &fstest.MapFile{Data: []byte("{{.Subject")}
		}, []string{"layout.html:1"}},
		"a part is missing": {func(fs fstest.MapFS) {
			delete(fs, "ko/hello.html")
			delete(fs, "en/hello.txt")
		}, []string{"ko/hello.html", "en/hello.txt"}},
		"a mail is in one language": {func(fs fstest.MapFS) {
			for _, part := range []string{".subject.txt", ".txt", ".html"} {
				delete(fs, "ko/hello"+part)
			}
			fs["ko/bye.txt"] = &fstest.MapFile{Data: []byte("Bye")}
		}, []string{"ko/hello.subject.txt", "ko/hello.html", "ko/hello.txt"}},
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
		_, err := email.ParseTemplates(files(test.change), "en", "hello")
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want it to name %s", name, err, want)
			}
		}
	}
}
