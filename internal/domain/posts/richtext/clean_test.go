package richtext_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

func TestSanitizer_SanitizePost_keeps_allowed_HTML(t *testing.T) {
	for name, draft := range map[string]posts.Draft{
		"plain":                         {Title: "A wall", Body: "Stones."},
		"title with surrounding spaces": {Title: " A wall ", Body: "Stones."},
		"title that looks like HTML":    {Title: "<script> & <b>", Body: "Stones."},
		"longest title, in characters": {
			Title: strings.Repeat("🪨", posts.MaxTitle), Body: "Stones.",
		},
		"longest body, in characters": {Title: "A wall", Body: strings.Repeat("🪨", posts.MaxBody)},
		"all allowed HTML": {Title: "A wall", Body: `<h2>Why</h2><h3>Why not</h3><h4>Then</h4>` +
			`<p><strong>a</strong> <b>b</b> <em>c</em> <i>d</i> <u>e</u> <s>f</s> ` +
			`<code>g</code><br/></p>` +
			`<blockquote><p>q</p></blockquote><pre>one
	two</pre><ul><li>x</li></ul><ol><li>y</li></ol>` +
			`<figure><img src="permanent/6f1c9b1e-0b7a-4c1e-9d52-3a4f5b6c7d8e" ` +
			`alt="A &#34;wall&#34;"/><figcaption>z</figcaption></figure>` +
			`<p><a href="https://example.com/a?b=c&amp;d=%20#e" ` +
			`rel="nofollow noreferrer noopener" target="_blank">link</a></p>` +
			`<p><a href="mailto:ada@example.com" rel="nofollow noreferrer">mail</a></p>`},
	} {
		clean, err := sanitizer(media).SanitizePost(draft)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(draft, clean); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSanitizer_SanitizePost_accepts_a_body_of_one_picture(t *testing.T) {
	if _, err := sanitizer(media).SanitizePost(
		posts.Draft{Title: "A wall", Body: `<img src="` + upload + `">`}); err != nil {
		t.Error(err)
	}
}

func TestSanitizer_SanitizePost_rejects(t *testing.T) {
	for name, test := range map[string]struct {
		draft          posts.Draft
		field, problem string
	}{
		"no title": {
			posts.Draft{Title: "", Body: "b"}, "title", "is empty; it is required",
		},
		"blank title": {
			posts.Draft{Title: " \u2003", Body: "b"}, "title",
			"is only spaces; write at least one visible character",
		},
		"title of two lines": {
			posts.Draft{Title: "a\nb", Body: "b"}, "title",
			"has the control character U+000A; remove it",
		},
		"title not UTF-8": {posts.Draft{Title: "\xff", Body: "b"}, "title", "is not valid UTF-8"},
		"long title": {
			posts.Draft{Title: strings.Repeat("🪨", 201), Body: "b"}, "title",
			"has 201 characters; at most 200 are allowed",
		},
		"no body": {
			posts.Draft{Title: "t", Body: ""}, "body", "is empty; it is required",
		},
		"body not UTF-8": {posts.Draft{Title: "t", Body: "\xff"}, "body", "is not valid UTF-8"},
		"body with NUL": {
			posts.Draft{Title: "t", Body: "a\x00"}, "body",
			"has the control character U+0000; remove it",
		},
		"escaped control": {
			posts.Draft{Title: "t", Body: "a&#1;"}, "body",
			"has the control character U+0001; remove it",
		},
		"long body": {
			posts.Draft{Title: "t", Body: strings.Repeat("🪨", 20_001)}, "body",
			"has 20001 characters; at most 20000 are allowed",
		},
		"long as submitted": {
			posts.Draft{Title: "t", Body: strings.Repeat("<p>", 12_000)}, "body",
			"has 36000 characters; at most 34000 are allowed",
		},
		"long once escaped": {
			posts.Draft{Title: "t", Body: strings.Repeat("&", 4_001)}, "body",
			"has 20005 characters; at most 20000 are allowed",
		},
		"only markup": {
			posts.Draft{Title: "t", Body: "<p> <br></p>&nbsp;"}, "body",
			"has no visible content; write some text",
		},
		"only a script": {
			posts.Draft{Title: "t", Body: "<script>alert(1)</script>"}, "body",
			"has no visible content; write some text",
		},
		"only a foreign image": {posts.Draft{
			Title: "t", Body: `<img src="https://example.com/a.jpg" alt="a">`,
		},
			"body", "has no visible content; write some text"},
		"deep": {posts.Draft{Title: "t", Body: strings.Repeat("<ul><li>", 600) + "x"},
			"body", "is nested too deeply; nest fewer elements"},
	} {
		_, err := sanitizer(media).SanitizePost(test.draft)
		var invalid *validate.Error
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want a validate.Error", name, err)
			continue
		}
		want := []validate.Problem{{Field: test.field, Problem: test.problem}}
		if diff := cmp.Diff(want, invalid.Problems); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestSanitizer_SanitizePost_accepts_a_response uses the longest body with the most pictures and
// the longest domain.
func TestSanitizer_SanitizePost_accepts_a_response(t *testing.T) {
	far := pictures.Delivery("https://" + strings.Repeat("a", 253))
	body := strings.Repeat(`<img src="`+promoted+`"/>`, posts.MaxPictures)
	body += strings.Repeat("x", posts.MaxBody-len(body))
	draft := posts.Draft{Title: "t", Body: far.ResolveURLs(body)}
	if n := strings.Count(draft.Body, "https://"); n != posts.MaxPictures {
		t.Fatalf("%d pictures have URLs, want %d", n, posts.MaxPictures)
	}
	clean, err := sanitizer(far).SanitizePost(draft)
	if err != nil || clean.Body != body {
		t.Errorf("%v; the body is the original one: %t", err, clean.Body == body)
	}
}

func TestSanitizer_SanitizePost_limits_pictures(t *testing.T) {
	fifty := strings.Repeat(`<img src="`+upload+`"/>`, 50)
	if _, err := sanitizer(media).SanitizePost(
		posts.Draft{
			Title: "t", Body: fifty + `<img src="https://evil.example/a.jpg">`,
		}); err != nil {
		t.Error(err)
	}
	_, err := sanitizer(media).SanitizePost(
		posts.Draft{Title: "t", Body: fifty + `<img src="` + promoted + `"/>`})
	if want := "invalid: body has 51 pictures; at most 50 are allowed"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSanitizer_SanitizePost_reports_all_problems(t *testing.T) {
	_, err := sanitizer(media).SanitizePost(posts.Draft{})
	want := "invalid: title is empty; it is required; body is empty; it is required"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSanitizer_SanitizeComment(t *testing.T) {
	clean, err := sanitizer(media).SanitizeComment(
		`<h2>No</h2><figure><img src="` + upload + `">heading</figure> <em>yes</em>`)
	if want := "Noheading <em>yes</em>"; err != nil || clean != want {
		t.Errorf("got %q, %v, want %q", clean, err, want)
	}
	for body, want := range map[string]string{
		"":                           "invalid: body is empty; it is required",
		`<img src="` + upload + `">`: "invalid: body has no visible content; write some text",
		strings.Repeat("ß", 2_001):   "invalid: body has 2001 characters; at most 2000 are allowed",
		// The limit also applies to the submitted text.
		"x" + strings.Repeat("<h2>", 500): "invalid: body has 2001 characters; " +
			"at most 2000 are allowed",
	} {
		if _, err := sanitizer(media).SanitizeComment(body); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
