// Package rest is what people see who open a link of a mail in a browser: a small page that says one thing, and may have a
// button to do it.
package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// A Page says one thing.
type Page struct {
	Status   int    // of the answer; default: 200
	Language string // one of [email.Languages]
	Title    string
	Text     string
	Button   string // does it, by a POST to the address of the page; default: there is none
}

// A Translation is a page in each of [email.Languages].
type Translation map[string]Page

// In returns the page in the language for whoever prefers that of tag, a BCP 47 tag.
func (t Translation) In(tag string) Page {
	language := email.Language(tag)
	page := t[language]
	page.Language = language
	return page
}

// PreferredLanguage returns the tag of the language that a browser's user wants most, by its header Accept-Language.
func PreferredLanguage(acceptLanguage string) string {
	first, _, _ := strings.Cut(acceptLanguage, ",")
	tag, _, _ := strings.Cut(first, ";")
	return strings.TrimSpace(tag)
}

// style leaves colours to the browser, which has light ones and dark ones.
const style = `
:root { color-scheme: light dark; font: 1.0625rem/1.6 system-ui, sans-serif; }
body { margin: 0; }
main { box-sizing: border-box; max-width: 34rem; margin: 0 auto; padding: 12vh 1.5rem 3rem; }
h1 { margin: 0 0 1rem; font-size: 1.625rem; line-height: 1.3; text-wrap: balance; }
p { margin: 0 0 1.75rem; }
button { min-height: 3rem; padding: 0 1.5rem; border: 0; border-radius: .5rem; background: CanvasText; color: Canvas; font: inherit; font-weight: 600; cursor: pointer; }
button:focus-visible { outline: .1875rem solid Highlight; outline-offset: .1875rem; }
:lang(ko) { word-break: keep-all; overflow-wrap: anywhere; }
`

// PageHeaders are sent with every page: nothing is loaded or run, nobody may put the page into a frame and have its button
// pressed, and its address, which has the token, is told to nobody.
func PageHeaders() map[string]string {
	hash := sha256.Sum256([]byte(style))
	return map[string]string{
		"Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":        "no-referrer",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
	}
}

// HTML is the page. It is not made by html/template, by which every function of the API would be 6 MB larger: what a
// template may call, the linker has to keep.
func (p Page) HTML() string {
	var b strings.Builder
	element := func(name, text string) {
		b.WriteString("<" + name + ">" + html.EscapeString(text) + "</" + name + ">\n")
	}
	b.WriteString(`<!DOCTYPE html>` + "\n" + `<html lang="` + html.EscapeString(p.Language) + `">` + "\n")
	b.WriteString(`<meta charset="utf-8">` + "\n" + `<meta name="viewport" content="width=device-width, initial-scale=1">` + "\n")
	element("title", p.Title)
	b.WriteString("<style>" + style + "</style>\n<main>\n")
	element("h1", p.Title)
	element("p", p.Text)
	if p.Button != "" {
		b.WriteString(`<form method="post">` + "\n") // without an action it is posted to where the page is, whatever is before that path
		element("button", p.Button)
		b.WriteString("</form>\n")
	}
	b.WriteString("</main>\n</html>\n")
	return b.String()
}

// somethingWentWrong is the page in place of an error that has none of its own.
var somethingWentWrong = Translation{
	"en": {
		Title: "Something went wrong",
		Text:  "This did not work. Try again later.",
	},
	"ko": {
		Title: "문제가 발생했습니다",
		Text:  "요청을 처리하지 못했습니다. 나중에 다시 시도해 주세요.",
	},
}

// tryAgain is the page in place of a temporary failure.
var tryAgain = Translation{
	"en": {
		Title: "Try again in a moment",
		Text:  "This cannot be done right now. Go back, wait a few seconds and try again.",
	},
	"ko": {
		Title: "잠시 후 다시 시도해 주세요",
		Text:  "지금은 처리할 수 없습니다. 이전 화면으로 돌아가 몇 초 뒤에 다시 시도해 주세요.",
	},
}
