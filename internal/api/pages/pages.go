// Package pages provides the pages that links in e-mails open in a browser, and their routes.
package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strings"

	"github.com/ashlar-cdk/ashlar/rest"
)

// A Page is what a link in an e-mail opens in a browser: a title, a text, and perhaps one button.
type Page struct {
	Status   int    // of the response; default: 200
	Language string // a BCP 47 tag
	Title    string
	Text     string
	Button   string // sends a POST to the URL of the page; default: no button
}

// A Translation is a page in several languages, by primary subtag (BCP 47). English is one of them.
type Translation map[string]Page

// In returns the page in the language of tag, a BCP 47 tag: in English if there is no such page.
func (t Translation) In(tag string) Page {
	language, _, _ := strings.Cut(strings.ToLower(tag), "-")
	page, ok := t[language]
	if !ok {
		language = "en"
		page = t[language]
	}
	page.Language = language
	return page
}

// preferredLanguage returns the first tag of the header Accept-Language, which is the user's
// preferred language.
func preferredLanguage(acceptLanguage string) string {
	first, _, _ := strings.Cut(acceptLanguage, ",")
	tag, _, _ := strings.Cut(first, ";")
	return strings.TrimSpace(tag)
}

// style leaves colours to the browser, which has a light and a dark colour scheme.
const style = `
:root { color-scheme: light dark; font: 1.0625rem/1.6 system-ui, sans-serif; }
body { margin: 0; }
main { box-sizing: border-box; max-width: 34rem; margin: 0 auto; padding: 12vh 1.5rem 3rem; }
h1 { margin: 0 0 1rem; font-size: 1.625rem; line-height: 1.3; text-wrap: balance; }
p { margin: 0 0 1.75rem; }
button { min-height: 3rem; padding: 0 1.5rem; border: 0; border-radius: .5rem;
  background: CanvasText; color: Canvas; font: inherit; font-weight: 600; cursor: pointer; }
button:focus-visible { outline: .1875rem solid Highlight; outline-offset: .1875rem; }
:lang(ko) { word-break: keep-all; overflow-wrap: anywhere; }
`

// Headers returns the headers of every page. The page loads and runs nothing. No other site can
// frame it (clickjacking). The browser sends its URL, which contains the token, to no other site.
func Headers() map[string]string {
	hash := sha256.Sum256([]byte(style))
	return map[string]string{
		"Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" +
			base64.StdEncoding.EncodeToString(hash[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":        "no-referrer",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
	}
}

func (p Page) html() rest.HTML {
	return rest.HTML{Status: p.Status, Headers: Headers(), Body: p.HTML()}
}

// HTML returns the page as HTML. It does not use html/template, which would make every function of
// the API 6 MB larger: the linker has to keep every method that a template might call.
func (p Page) HTML() string {
	var b strings.Builder
	element := func(name, text string) {
		b.WriteString("<" + name + ">" + html.EscapeString(text) + "</" + name + ">\n")
	}
	b.WriteString(
		`<!DOCTYPE html>` + "\n" + `<html lang="` + html.EscapeString(p.Language) + `">` + "\n")
	b.WriteString(`<meta charset="utf-8">` + "\n" +
		`<meta name="viewport" content="width=device-width, initial-scale=1">` + "\n")
	element("title", p.Title)
	b.WriteString("<style>" + style + "</style>\n<main>\n")
	element("h1", p.Title)
	element("p", p.Text)
	if p.Button != "" {
		// A form without an action posts to the page's own URL, so the API's base path does not
		// matter.
		b.WriteString(`<form method="post">` + "\n")
		element("button", p.Button)
		b.WriteString("</form>\n")
	}
	b.WriteString("</main>\n</html>\n")
	return b.String()
}
