package richtext_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts/richtext"
)

const (
	media = pictures.Delivery("https://media.example.com")

	folder   = "00112233445566778899aabbccddeeff"
	id       = "6f1c9b1e-0b7a-4c1e-9d52-3a4f5b6c7d8e"
	upload   = "temp/" + folder + "/" + id
	promoted = "permanent/" + id
)

func sanitizer(media pictures.Delivery) richtext.Sanitizer {
	return richtext.Sanitizer{Media: media}
}

// hostile maps hostile input to its sanitized form; empty if it is rejected.
var hostile = map[string]string{
	// Scripts.
	`x<script>alert(1)</script>`:                    `x`,
	`x<SCRIPT SRC=//evil.example></SCRIPT>y`:        `xy`,
	`x<script>alert(1)`:                             `x`,
	`x<scr<script>ipt>alert(1)</script>`:            `xipt&gt;alert(1)`,
	`<<script>alert(1)//<</script>x`:                `&lt;x`,
	`x<noscript><p title="</noscript><img src=x>">`: `x&#34;&gt;`,
	// Handlers.
	`<p onclick="alert(1)">x</p>`:                    `<p>x</p>`,
	`<b/onmouseover=alert(1)//>x</b>`:                `<b>x</b>`,
	`<img src="` + upload + `" onerror="alert(1)">`:  `<img src="` + upload + `"/>`,
	"<img src=" + upload + "\nonerror\n=\nalert(1)>": `<img src="` + upload + `"/>`,
	`x<img src=x onerror=alert(1)>`:                  `x`,
	`<img alt="&#34; onerror=alert(1)" src="` + upload +
		`">`: `<img alt="&#34; onerror=alert(1)" src="` + upload + `"/>`,
	`x<body onload=alert(1)>`: `x`,
	// Links.
	`<a href="javascript:alert(1)">x</a>`:      `x`,
	`<a href=" JaVaScRiPt:alert(1)">x</a>`:     `x`,
	`<a href="java&#10;script:alert(1)">x</a>`: `x`,
	`<a href="&#x6A;avascript:alert(1)">x</a>`: `x`,
	`<a href="data:text/html,<script>">x</a>`:  `x`,
	`<a href="vbscript:x">x</a>`:               `x`,
	`<a href="//evil.example">x</a>`:           `x`,
	`<a href="/profile">x</a>`:                 `x`,
	`<a href="temp/a.jpg">x</a>`:               `x`,
	`<a href="ftp://example.com">x</a>`:        `x`,
	`<a name="x" id="y" class="z">x</a>`:       `x`,
	`<a href="HTTPS://example.com" rel="opener">x</a>`: `<a href="https://example.com" ` +
		`rel="nofollow noreferrer noopener" target="_blank">x</a>`,
	`<a href="mailto:a@example.com" target="top">x</a>`: `<a href="mailto:a@example.com" ` +
		`rel="nofollow noreferrer">x</a>`,
	// Pictures, by key.
	`<img src="` + upload + `">`:   `<img src="` + upload + `"/>`,
	`<img src="` + promoted + `">`: `<img src="` + promoted + `"/>`,
	`<img src="` + promoted + `" srcset="//evil.example" sizes="9" width="9" ` +
		`loading="lazy" style="x" class="y">`: `<img src="` + promoted + `"/>`,
	`x<img src="temp/a.jpg">`:                            `x`,
	`x<img src="temp/">`:                                 `x`,
	`x<img src="temp/../../etc/passwd">`:                 `x`,
	`x<img src="temp/` + id + `">`:                       `x`,
	`x<img src="temp/` + folder + `/../` + id + `">`:     `x`,
	`x<img src="temp/` + folder + `//` + id + `">`:       `x`,
	`x<img src="temp/` + folder + `/` + id + `/">`:       `x`,
	`x<img src="permanent/` + folder + `/` + id + `">`:   `x`,
	`x<img src="/` + promoted + `">`:                     `x`,
	`x<img src="./` + promoted + `">`:                    `x`,
	`x<img src="other/` + promoted + `">`:                `x`,
	`x<img src="` + promoted + `0">`:                     `x`,
	`x<img src="` + promoted + `?x=y">`:                  `x`,
	`x<img src="` + promoted + `#y">`:                    `x`,
	`x<img src="` + promoted + `%2e">`:                   `x`,
	`x<img src="permanent\` + id + `">`:                  `x`,
	"x<img src=\"" + promoted + "\n\">":                  `x`,
	`x<img src="PERMANENT/` + id + `">`:                  `x`,
	`x<img src="permanent/` + strings.ToUpper(id) + `">`: `x`,
	`x<img src="protected/eu-central-1:` + id + `/a">`:   `x`,
	`x<img alt="nothing">`:                               `x`,
	`<p>src="` + promoted + `" x</p>`:                    `<p>src=&#34;` + promoted + `&#34; x</p>`,
	// Pictures, by the URL of a thumbnail.
	`<img src="https://media.example.com/` + upload +
		`/1280.jpg">`: `<img src="` + upload + `"/>`,
	`<img src="https://media.example.com/` + promoted +
		`/320.jpg" alt="a">`: `<img src="` + promoted + `" alt="a"/>`,
	`x<img src="HTTPS://media.example.com/` + promoted + `/320.jpg">`:                       `x`,
	`x<img src="https://media.example.com/` + promoted + `">`:                               `x`,
	`x<img src="https://media.example.com//` + promoted + `/1280.jpg">`:                     `x`,
	`x<img src="https://media.example.com/a/../` + promoted + `/1280.jpg">`:                 `x`,
	`x<img src="https://media.example.com/` + promoted + `/1280.jpg?a">`:                    `x`,
	`x<img src="https://media.example.com/` + promoted + `/1280.png">`:                      `x`,
	`x<img src="https://media.example.com/` + promoted + `/.jpg">`:                          `x`,
	`x<img src="https://media.example.com/` + promoted + `/1280.jpg/">`:                     `x`,
	`x<img src="` + promoted + `/1280.jpg">`:                                                `x`,
	`x<img src="https://media.example.com:443/` + promoted + `/1280.jpg">`:                  `x`,
	`x<img src="https://ada@media.example.com/` + promoted + `/1280.jpg">`:                  `x`,
	`x<img src="http://media.example.com/` + promoted + `/1280.jpg">`:                       `x`,
	`x<img src="//media.example.com/` + promoted + `/1280.jpg">`:                            `x`,
	`x<img src="https://media.example.com.evil.example/` + promoted + `/1280.jpg">`:         `x`,
	`x<img src="https://evil.example/` + promoted + `/1280.jpg">`:                           `x`,
	`x<img src="https://evil.example/https://media.example.com/` + promoted + `/1280.jpg">`: `x`,
	`x<img src="https://evil.example/a.jpg" alt="a">`:                                       `x`,
	`x<img src="//evil.example/a.jpg">`:                                                     `x`,
	`x<img src="data:image/png;base64,AAAA">`:                                               `x`,
	`x<img src="javascript:alert(1)">`:                                                      `x`,
	// Other elements.
	`<svg onload=alert(1)><circle/></svg>x`:                      `x`,
	`<svg><script>alert(1)</script></svg>x`:                      `x`,
	`<svg><style><img src=x onerror=alert(1)></style></svg>x`:    `x`,
	`<math><mi xlink:href="javascript:alert(1)">x</mi></math>`:   `x`,
	`<style>*{display:none}</style>x`:                            `x`,
	`<p style="position:fixed">x</p>`:                            `<p>x</p>`,
	`<p class="a" id="b" data-x="c" title="d">x</p>`:             `<p>x</p>`,
	`<iframe src="https://evil.example"></iframe>x`:              `x`,
	`<object data="x"><embed src="x"></object>x`:                 `x`,
	`<form action="x"><input name="a"><button>x</button></form>`: `x`,
	`<base href="https://evil.example">x`:                        `x`,
	`<meta http-equiv="refresh" content="0">x`:                   `x`,
	`<link rel="stylesheet" href="x">x`:                          `x`,
	`<template><p>x</p></template>`:                              `<p>x</p>`,
	`<h1>x</h1>`:                                                 `x`,
	`<table><tr><td>x</td></tr></table>`:                         `x`,
	`<!-- x --><!DOCTYPE html><?php x ?>x<![CDATA[y]]>`:          `x`,
	// Unclosed, unmatched and wrongly nested tags.
	`<b>x`:                  `<b>x</b>`,
	`x</b></div></p>`:       `x<p></p>`,
	`<b><i>x</b></i>`:       `<b><i>x</i></b>`,
	`<p>x<p>y`:              `<p>x</p><p>y</p>`,
	`<ul><li>x<li>y</ul>`:   `<ul><li>x</li><li>y</li></ul>`,
	`</div></body></html>x`: `x`,
	`<a href="http://a.example">x<a href="http://b.example">y`: `<a href="http://a.example" ` +
		`rel="nofollow noreferrer noopener" target="_blank">x</a>` +
		`<a href="http://b.example" rel="nofollow noreferrer noopener" target="_blank">y</a>`,
	`<p title="x`: ``,
	`x<`:          `x&lt;`,
	// Text.
	`a & b < c > d " '`:        `a &amp; b &lt; c &gt; d &#34; &#39;`,
	`&lt;script&gt;`:           `&lt;script&gt;`,
	`&amp;lt;script&amp;gt;`:   `&amp;lt;script&amp;gt;`,
	"ä 🪨 \u202e \u2028 \ufeff": "ä 🪨 \u202e \u2028 \ufeff",
	"<pre>\n\nx\n</pre>":       "<pre>\n\nx\n</pre>",
	`＜script＞x`:                `＜script＞x`,
}

func TestSanitizer_SanitizePost_hostile_input(t *testing.T) {
	for written, want := range hostile {
		clean, err := sanitizer(media).SanitizePost(posts.Draft{Title: "t", Body: written})
		if want == "" {
			if err == nil {
				t.Errorf("%s: got %s, want a problem", written, clean.Body)
			}
			continue
		}
		if err != nil || clean.Body != want {
			t.Errorf("%s:\ngot  %s %v\nwant %s", written, clean.Body, err, want)
		}
		checkHarmless(t, clean.Body)
	}
}

// TestSanitizer_is_idempotent also joins pieces of hostile input.
func TestSanitizer_is_idempotent(t *testing.T) {
	pieces := rapid.OneOf(rapid.SampledFrom(shards()), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		checkIdempotence(t, strings.Join(rapid.SliceOfN(pieces, 1, 30).Draw(t, "pieces"), ""))
	})
}

func FuzzClean(f *testing.F) {
	for written := range hostile {
		f.Add(written)
	}
	f.Fuzz(func(t *testing.T, written string) { checkIdempotence(t, written) })
}

// shards returns hostile texts, cut at their tags.
func shards() []string {
	var shards []string
	for written, clean := range hostile {
		for _, text := range []string{written, clean} {
			for _, part := range strings.SplitAfter(text, ">") {
				before, tag, _ := strings.Cut(part, "<")
				shards = append(shards, before, "<"+tag)
			}
		}
	}
	slices.Sort(shards)
	return slices.Compact(shards)
}

func checkIdempotence(t errorer, written string) {
	t.Helper()
	draft, err := sanitizer(media).SanitizePost(posts.Draft{Title: "t", Body: written})
	if err == nil {
		checkHarmless(t, draft.Body)
		if again, err := sanitizer(media).SanitizePost(draft); err != nil || again != draft {
			t.Errorf("%q was sanitized to\n%q, and that to\n%q, %v", written, draft.Body,
				again.Body, err)
		}
		shown := posts.Draft{Title: "t", Body: media.ResolveURLs(draft.Body)}
		if back, err := sanitizer(media).SanitizePost(shown); err != nil || back != draft {
			t.Errorf("%q was resolved to\n%q, and that sanitized to\n%q, %v", draft.Body,
				shown.Body, back.Body, err)
		}
	}
	comment, err := sanitizer(media).SanitizeComment(written)
	if err == nil {
		checkHarmless(t, comment)
		if again, err := sanitizer(media).SanitizeComment(comment); err != nil || again != comment {
			t.Errorf("%q was sanitized to\n%q, and that to\n%q, %v", written, comment, again, err)
		}
	}
}

type errorer interface {
	Helper()
	Errorf(format string, args ...any)
}

// attributes are the allowed attributes of each allowed element. They repeat the policies, so that
// a policy cannot become more permissive unnoticed.
var attributes = map[string][]string{
	"p": nil, "br": nil, "strong": nil, "b": nil, "em": nil, "i": nil, "u": nil, "s": nil,
	"blockquote": nil, "code": nil, "pre": nil,
	"h2": nil, "h3": nil, "h4": nil, "ul": nil, "ol": nil, "li": nil, "figure": nil,
	"figcaption": nil,
	"a":          {"href", "rel", "target"}, "img": {"src", "alt"},
}

// ours repeats the pattern of keys.
var ours = regexp.MustCompile(
	`^(temp/[0-9a-f]{32}|permanent)/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func checkHarmless(t errorer, clean string) {
	t.Helper()
	if strings.Contains(strings.ToLower(clean), "<script") {
		t.Errorf("a script is left: %s", clean)
	}
	open, images := 0, 0
	for tokens := html.NewTokenizer(strings.NewReader(clean)); tokens.Next() != html.ErrorToken; {
		token := tokens.Token()
		switch token.Type {
		case html.TextToken:
			continue
		case html.StartTagToken:
			open++
		case html.EndTagToken:
			open--
		}
		allowed, known := attributes[token.Data]
		if !known || open < 0 {
			t.Errorf("%s is left: %s", token, clean)
		}
		values := map[string]string{}
		for _, attribute := range token.Attr {
			if !slices.Contains(allowed, attribute.Key) || strings.HasPrefix(attribute.Key, "on") {
				t.Errorf("attribute %s is left: %s", attribute.Key, clean)
			}
			values[attribute.Key] = attribute.Val
		}
		switch {
		case token.Data == "img":
			if !ours.MatchString(values["src"]) {
				t.Errorf("src %q is left: %s", values["src"], clean)
			}
			images++
		case token.Data == "a" && token.Type == html.StartTagToken:
			href, rel := values["href"], values["rel"]
			scheme, _, _ := strings.Cut(href, ":")
			if !slices.Contains([]string{"http", "https", "mailto"}, scheme) ||
				!strings.HasPrefix(rel, "nofollow noreferrer") ||
				(values["target"] != "" && !strings.Contains(rel, "noopener")) {
				t.Errorf("link to %q, rel %q is left: %s", href, rel, clean)
			}
		}
	}
	if open != 0 {
		t.Errorf("%d elements are left open: %s", open, clean)
	}
	// References finds exactly the pictures, without parsing HTML.
	if found := len(pictures.References(clean)); found != images {
		t.Errorf("%d of %d pictures are found: %s", found, images, clean)
	}
	resolved := media.ResolveURLs(clean)
	urls := strings.Count(clean, ` src="permanent/`) + strings.Count(clean, string(media))
	if strings.Count(resolved, string(media)) != urls {
		t.Errorf("%s is resolved to %s", clean, resolved)
	}
}
