package pages_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/pages"
	"github.com/ashlar-cdk/ashlar/rest"
)

// elements are the texts and the attributes of a page's elements, by name.
type elements struct {
	texts      map[string]string
	attributes map[string]string // lang of html
}

func parse(t testing.TB, p pages.Page) elements {
	t.Helper()
	document, err := html.Parse(strings.NewReader(p.HTML()))
	if err != nil {
		t.Fatal(err)
	}
	found := elements{texts: map[string]string{}, attributes: map[string]string{}}
	for node := range document.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		if _, twice := found.texts[node.Data]; twice && node.Data != "meta" {
			t.Errorf("duplicate <%s>:\n%s", node.Data, p.HTML())
		}
		found.texts[node.Data] = ""
		if child := node.FirstChild; child != nil && child == node.LastChild &&
			child.Type == html.TextNode {
			found.texts[node.Data] = child.Data
		}
		for _, attribute := range node.Attr {
			found.attributes[node.Data+" "+attribute.Key] = attribute.Val
		}
	}
	return found
}

func TestPage_HTML(t *testing.T) {
	shown := parse(t,
		pages.Page{Language: "ko", Title: "구독 해지", Text: "메일을 보내지 않습니다.", Button: "해지"})
	for name, want := range map[string]string{
		"title": "구독 해지", "h1": "구독 해지", "p": "메일을 보내지 않습니다.", "button": "해지",
	} {
		if got := shown.texts[name]; got != want {
			t.Errorf("<%s> is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"html lang": "ko", "form method": "post", "meta name": "viewport",
	} {
		if got := shown.attributes[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if action, ok := shown.attributes["form action"]; ok {
		t.Errorf("the form's action is %q, want none: the page does not know the path of the stage",
			action)
	}
}

func TestPage_HTML_without_a_button(t *testing.T) {
	shown := parse(t, pages.Page{Language: "en", Title: "Done", Text: "It is done."})
	for _, name := range []string{"form", "button", "a", "script", "img", "link"} {
		if _, ok := shown.texts[name]; ok {
			t.Errorf("there is <%s>", name)
		}
	}
}

func TestPage_HTML_escapes_texts(t *testing.T) {
	const hostile = `</title></style></h1><script>alert(1)</script>"'&amp;`
	shown := parse(t,
		pages.Page{
			Language: `en" onload="alert(1)`, Title: hostile, Text: hostile, Button: hostile,
		})
	for _, name := range []string{"title", "h1", "p", "button"} {
		if got := shown.texts[name]; got != hostile {
			t.Errorf("<%s> is %q, want the text as it is", name, got)
		}
	}
	if _, ok := shown.texts["script"]; ok || shown.attributes["html onload"] != "" {
		t.Errorf("%v %v", shown.texts, shown.attributes)
	}
}

func TestHeaders_allow_the_style(t *testing.T) {
	hash := sha256.Sum256([]byte(parse(t, pages.Page{Language: "en"}).texts["style"]))
	const before, after = "default-src 'none'; style-src 'sha256-", "'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"
	if got, want := pages.Headers()["Content-Security-Policy"], before+
		base64.StdEncoding.EncodeToString(hash[:])+after; got != want {
		t.Errorf("the policy is\n%s\nwant\n%s", got, want)
	}
}

func TestHeaders_protect_the_token_and_the_button(t *testing.T) {
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := pages.Headers()[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHandle_responds_in_the_preferred_language(t *testing.T) {
	closed := pages.Translation{"en": {Title: "Closed"}, "ko": {Title: "닫힘"}}
	g := gate{answer: func(context.Context, string) (pages.Page, error) {
		return pages.Page{}, &pages.Error{
			Response: rest.NewError(410, "closed", "The gate is closed."), Page: closed,
		}
	}}
	for acceptLanguage, want := range map[string]string{
		"ko": "ko", "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7": "ko", "KO-kr ;q=1": "ko",
		"en": "en", "en-GB,ko;q=0.5": "en", "de": "en", "*": "en", "": "en", ";,": "en",
		"kok": "en",
	} {
		request := atGate("GET")
		request.Headers = map[string]string{"Accept-Language": acceptLanguage}
		response := showLogged(t, g, request.Event(t), new(bytes.Buffer))
		if shown := closed.In(want).HTML(); response.Body != shown {
			t.Errorf("%q: %s, want it in %s: %s", acceptLanguage, response.Body, want, shown)
		}
	}
}

func TestTranslation_In(t *testing.T) {
	translation := pages.Translation{"en": {Title: "Done"}, "ko": {Title: "완료"}}
	for tag, want := range map[string]string{
		"ko": "ko", "ko-KR": "ko", "KO-kr": "ko", "en": "en", "en-GB": "en", "de": "en", "": "en",
		"kok": "en",
	} {
		if got := translation.In(tag); got.Language != want ||
			got.Title != translation[want].Title {
			t.Errorf("%q: %+v, want it in %s", tag, got, want)
		}
	}
}

func TestError_has_a_page_in_every_language(t *testing.T) {
	seen := map[string]string{}
	for name, err := range map[string]*pages.Error{
		"invalid link": links.ErrInvalid, "expired link": links.ErrExpired,
	} {
		for _, language := range []string{"en", "ko"} {
			page := err.Page.In(language)
			if page.Title == "" || page.Text == "" || page.Button != "" ||
				page.Language != language {
				t.Errorf("%s in %s is %+v", name, language, page)
			}
			if other := seen[page.Title]; other != "" {
				t.Errorf("%s in %s has the title of %s", name, language, other)
			}
			seen[page.Title] = name
		}
	}
}
