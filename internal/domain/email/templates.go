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

// layout is the HTML document around the content of every mail. It has no images, no scripts and no
// external resources, and its styles are inline, since mail clients remove style sheets.
//
//go:embed layout.html
var layout string

// The template of a mail consists of three files, <language>/<name> with each of these suffixes.
const (
	subjectSuffix = ".subject.txt" // one line
	textSuffix    = ".txt"
	htmlSuffix    = ".html" // content of the layout's body
)

// Templates are the templates of mails by name, in all of [Languages].
type Templates struct {
	mails map[string]*mail // by language and name, as in the file system: ko/welcome
}

type mail struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// ParseTemplates parses the templates in files: each mail in every language, with a subject in
// <language>/<name>.subject.txt, text in <name>.txt and HTML in <name>.html. Its error joins all
// problems.
func ParseTemplates(files fs.FS) (*Templates, error) {
	names, err := mailNames(files)
	if err != nil {
		return nil, err
	}
	templates := &Templates{mails: map[string]*mail{}}
	var problems []error
	for _, language := range Languages {
		for _, name := range names {
			key := language + "/" + name
			parsed, err := parseMail(files, key)
			templates.mails[key] = parsed
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return templates, nil
}

// mailNames returns the names of all mails that have a file in any language.
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
	subject, subjectErr := readFile(files, key+subjectSuffix)
	text, textErr := readFile(files, key+textSuffix)
	html, htmlErr := readFile(files, key+htmlSuffix)
	if err := errors.Join(subjectErr, textErr, htmlErr); err != nil {
		return nil, err
	}
	parsed := new(mail)
	const option = "missingkey=error"
	parsed.subject, subjectErr = texttemplate.New(key + subjectSuffix).Option(option).
		Parse(strings.TrimSpace(subject))
	parsed.text, textErr = texttemplate.New(key + textSuffix).Option(option).Parse(text)
	parsed.html, htmlErr = htmltemplate.New("layout").Option(option).Parse(layout)
	if htmlErr == nil {
		_, htmlErr = parsed.html.New("content").Parse(html)
	}
	if htmlErr == nil {
		// html/template reports escaping errors only on execution. Errors about missing data do not
		// matter yet.
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

func readFile(files fs.FS, name string) (string, error) {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Errorf("email: template: %w", err)
	}
	if len(strings.TrimSpace(string(content))) == 0 {
		return "", fmt.Errorf("email: template %s is empty", name)
	}
	return string(content), nil
}

// Message executes the named template in one of [Languages] with data. It fails when data lacks a
// field that the template uses, and when the subject would not be one line.
func (t *Templates) Message(language, name string, to Address, data any) (Message, error) {
	template, found := t.mails[language+"/"+name]
	if !found {
		return Message{},
			fmt.Errorf("email: there is no template %s in the language %q", name, language)
	}
	subject, subjectErr := execute(template.subject, data)
	text, textErr := execute(template.text, data)
	html, htmlErr := execute(template.html, struct {
		Language, Subject string
		Data              any
	}{language, subject, data})
	if err := cmp.Or(subjectErr, textErr, htmlErr); err != nil {
		return Message{}, fmt.Errorf("email: template %s: %w", name, err)
	}
	// SES writes and encodes the headers. This check protects mailers that do not.
	if i := strings.IndexFunc(subject, breaksLine); i >= 0 || subject == "" ||
		!utf8.ValidString(subject) {
		return Message{},
			fmt.Errorf("email: template %s: the subject %q is not one line of text", name, subject)
	}
	return Message{To: to, Subject: subject, Text: text, HTML: html}, nil
}

// breaksLine reports whether r is a control character, such as a line feed, or one of Unicode's
// separators of lines and paragraphs.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp)
}

func execute(template interface {
	Execute(w io.Writer, data any) error
}, data any) (string, error) {
	var output strings.Builder
	err := template.Execute(&output, data)
	return output.String(), err
}
