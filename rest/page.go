package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// A Page is what a link in an e-mail opens in a browser: a title, a text, and perhaps one button.
type Page struct {
	Status   int    // of the response; default: 200
	Language string // one of [email.Languages]
	Title    string
	Text     string
	Button   string // sends a POST to the URL of the page; default: no button
}

// A Translation is a page in each of [email.Languages].
type Translation map[string]Page

// In returns the page in the supported language that is nearest to tag, a BCP 47 tag.
func (t Translation) In(tag string) Page {
	language := email.Language(tag)
	page := t[language]
	page.Language = language
	return page
}

// PreferredLanguage returns the first tag of the header Accept-Language, which is the user's
// preferred language.
func PreferredLanguage(acceptLanguage string) string {
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

// PageHeaders returns the headers of every page. The page loads and runs nothing. No other site can
// frame it (clickjacking). The browser sends its URL, which contains the token, to no other site.
func PageHeaders() map[string]string {
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

// somethingWentWrong is the page of an error that has no page of its own.
var somethingWentWrong = Translation{
	"en": {
		Title: "Something went wrong",
		Text:  "We could not process your request. Try again later.",
	},
	"ko": {
		Title: "문제가 발생했습니다",
		Text:  "요청을 처리하지 못했습니다. 나중에 다시 시도해 주세요.",
	},
}

// tryAgain is the page of a temporary failure.
var tryAgain = Translation{
	"en": {
		Title: "Try again in a moment",
		Text: "We cannot process your request right now. Go back, wait a few seconds and try " +
			"again.",
	},
	"ko": {
		Title: "잠시 후 다시 시도해 주세요",
		Text:  "지금은 처리할 수 없습니다. 이전 화면으로 돌아가 몇 초 뒤에 다시 시도해 주세요.",
	},
}
