package email

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"slices"
	"strings"
	texttemplate "text/template"
	"unicode"
	"unicode/utf8"
)

// layout is what is around the HTML of every mail: no image, no script, nothing that is loaded from anywhere, and styles
// where the elements are, since mail clients take style sheets away.
//
//go:embed layout.html
var layout string

// A mail is made of three files, <language>/<name> with each of these endings.
const (
	subjectEnding = ".subject.txt" // one line
	textEnding    = ".txt"
	htmlEnding    = ".html" // what comes into the layout's body
)

// Templates are mails by their names, in all of [Languages].
type Templates struct {
	mails map[string]*mail // by language and name, as in the file system: ko/welcome
}

type mail struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// ParseTemplates reads the templates in files: each mail in every language, with a subject in <language>/<name>.subject.txt,
// text in <name>.txt and HTML in <name>.html. The error joins all that is wrong.
func ParseTemplates(files fs.FS) (*Templates, error) {
	names, err := mailNames(files)
	if err != nil {
		return nil, err
	}
	templates := &Templates{mails: map[string]*mail{}}
	var wrong []error
	for _, language := range Languages {
		for _, name := range names {
			key := language + "/" + name
			parsed, err := parseMail(files, key)
			templates.mails[key] = parsed
			wrong = append(wrong, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return templates, nil
}

// mailNames are those of all mails that any language has a part of.
func mailNames(files fs.FS) ([]string, error) {
	var names []string
	for _, language := range Languages {
		found, err := fs.ReadDir(files, language)
		if err != nil {
			return nil, fmt.Errorf("email: templates: %w", err)
		}
		for _, file := range found {
			name, _, _ := strings.Cut(file.Name(), ".")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func parseMail(files fs.FS, key string) (*mail, error) {
	subject, subjectErr := read(files, key+subjectEnding)
	text, textErr := read(files, key+textEnding)
	html, htmlErr := read(files, key+htmlEnding)
	if err := errors.Join(subjectErr, textErr, htmlErr); err != nil {
		return nil, err
	}
	parsed := new(mail)
	parsed.subject, subjectErr = texttemplate.New(key + subjectEnding).Option("missingkey=error").Parse(strings.TrimSpace(subject))
	parsed.text, textErr = texttemplate.New(key + textEnding).Option("missingkey=error").Parse(text)
	parsed.html, htmlErr = htmltemplate.New("layout").Option("missingkey=error").Parse(layout)
	if htmlErr == nil {
		_, htmlErr = parsed.html.New("content").Parse(html)
	}
	if htmlErr == nil {
		// What cannot be escaped is found only when there is something to write. That there is no data does not matter yet.
		htmlErr = parsed.html.Execute(io.Discard, nil)
		if _, escaping := errors.AsType[*htmltemplate.Error](htmlErr); !escaping {
			htmlErr = nil
		}
	}
	if err := errors.Join(subjectErr, textErr, htmlErr); err != nil {
		return nil, fmt.Errorf("email: template %s: %w", key, err)
	}
	return parsed, nil
}

func read(files fs.FS, name string) (string, error) {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Errorf("email: template: %w", err)
	}
	if len(strings.TrimSpace(string(content))) == 0 {
		return "", fmt.Errorf("email: template %s is empty", name)
	}
	return string(content), nil
}

// Message makes the mail of a name in one of [Languages] of data. It fails when data lacks something that the mail says, and
// when the subject would not be one line.
func (t *Templates) Message(language, name string, to Address, data any) (Message, error) {
	template, found := t.mails[language+"/"+name]
	if !found {
		return Message{}, fmt.Errorf("email: there is no mail %s in the language %q", name, language)
	}
	subject, subjectErr := execute(template.subject, data)
	text, textErr := execute(template.text, data)
	html, htmlErr := execute(template.html, struct {
		Language, Subject string
		Data              any
	}{language, subject, data})
	if err := cmp.Or(subjectErr, textErr, htmlErr); err != nil {
		return Message{}, fmt.Errorf("email: mail %s: %w", name, err)
	}
	// SES writes the headers and encodes what is in them. This is for the day when whoever writes them does not.
	if i := strings.IndexFunc(subject, breaksLine); i >= 0 || subject == "" || !utf8.ValidString(subject) {
		return Message{}, fmt.Errorf("email: mail %s: the subject %q is not one line of text", name, subject)
	}
	return Message{To: to, Subject: subject, Text: text, HTML: html}, nil
}

// breaksLine is true for control characters, line feeds among them, and for Unicode's separators of lines and paragraphs.
func breaksLine(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }

func execute(template interface {
	Execute(w io.Writer, data any) error
}, data any) (string, error) {
	var said strings.Builder
	err := template.Execute(&said, data)
	return said.String(), err
}
