package email

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"unicode"
	"unicode/utf8"
)

// defaultLayout is neutral: it has no images, no scripts and no external resources, and its styles
// are inline, since mail clients remove style sheets.
//
//go:embed layout.html
var defaultLayout string

// layoutFile is the HTML document around the content of every mail. It includes the template
// content with .Data, and may use .Language and .Subject.
const layoutFile = "layout.html"

// The template of a mail consists of three files, <language>/<name> with each of these suffixes.
const (
	subjectSuffix = ".subject.txt" // one line
	textSuffix    = ".txt"
	htmlSuffix    = ".html" // content of the layout's body
)

// Templates are the templates of mails, each in several languages.
type Templates struct {
	languages       []string
	defaultLanguage string
	mails           map[string]*mail // by language and name, as in the file system: ko/welcome
}

type mail struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// ParseTemplates parses the templates of the mails with these names. Each folder of files is a
// language, named by its BCP 47 tag such as ko or pt-BR, and has every mail: its subject in
// <language>/<name>.subject.txt, its text in <name>.txt and its HTML in <name>.html. The optional
// file layout.html replaces the neutral layout of all mails. Mails in other languages are sent in
// defaultLanguage. The error joins all problems.
func ParseTemplates(files fs.FS, defaultLanguage string, names ...string) (*Templates, error) {
	languages, err := languagesOf(files)
	if err != nil {
		return nil, err
	}
	templates := &Templates{
		languages:       languages,
		defaultLanguage: defaultLanguage,
		mails:           map[string]*mail{},
	}
	var problems []error
	if !slices.Contains(languages, defaultLanguage) {
		problems = append(problems, fmt.Errorf(
			"email: templates: there is no folder of the default language %q, only %s",
			defaultLanguage, strings.Join(languages, ", ")))
	}
	layout, err := readFile(files, layoutFile)
	if errors.Is(err, fs.ErrNotExist) {
		layout, err = defaultLayout, nil
	}
	problems = append(problems, err)
	for _, language := range languages {
		for _, name := range names {
			key := language + "/" + name
			parsed, err := parseMail(files, key, layout)
			templates.mails[key] = parsed
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return templates, nil
}

// languagePattern matches the tags of languages, with a script, a region or both: zh-Hant-TW.
var languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// languagesOf returns the folders of files.
func languagesOf(files fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("email: templates: %w", err)
	}
	var languages []string
	var problems []error
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		name := entry.Name()
		sameTag := func(other string) bool { return strings.EqualFold(other, name) }
		switch {
		case !languagePattern.MatchString(name):
			problems = append(problems, fmt.Errorf(
				"email: templates: the folder %q is not a language; want its tag, such as en",
				name))
		case slices.ContainsFunc(languages, sameTag):
			problems = append(problems,
				fmt.Errorf("email: templates: there are two folders of the language %s", name))
		}
		languages = append(languages, name)
	}
	if len(languages) == 0 {
		problems = append(problems,
			errors.New("email: templates: there is no folder of a language, such as en"))
	}
	return languages, errors.Join(problems...)
}

// Languages returns the languages of the templates.
func (t *Templates) Languages() []string { return slices.Clone(t.languages) }

// Language returns the language of a mail to a user who prefers the language tag, such as ko-KR:
// the same, or else the same without its last parts (RFC 4647, 3.4), or else the default language.
func (t *Templates) Language(tag string) string {
	for tag != "" {
		for _, language := range t.languages {
			if strings.EqualFold(language, tag) {
				return language
			}
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	return t.defaultLanguage
}

func parseMail(files fs.FS, key, layout string) (*mail, error) {
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
	parsed.html, htmlErr = htmltemplate.New(layoutFile).Option(option).Parse(layout)
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

// Message executes the named template with data, in the language that fits the tag language as
// [Templates.Language] returns it. It fails when data lacks a field that the template uses, and
// when the subject would not be one line.
func (t *Templates) Message(language, name string, to Address, data any) (Message, error) {
	language = t.Language(language)
	template, found := t.mails[language+"/"+name]
	if !found {
		return Message{}, fmt.Errorf("email: there is no template %s", name)
	}
	subject, subjectErr := execute(template.subject, data)
	text, textErr := execute(template.text, data)
	html, htmlErr := execute(template.html, struct {
		Language, Subject string
		Data              any
	}{language, subject, data})
	if err := cmp.Or(subjectErr, textErr, htmlErr); err != nil {
		return Message{}, fmt.Errorf("email: template %s/%s: %w", language, name, err)
	}
	// SES writes and encodes the headers. This check protects mailers that do not.
	if i := strings.IndexFunc(subject, breaksLine); i >= 0 || subject == "" ||
		!utf8.ValidString(subject) {
		return Message{},
			fmt.Errorf("email: template %s/%s: the subject %q is not one line of text",
				language, name, subject)
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
