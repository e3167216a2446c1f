package richtext_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/posts"
	"github.com/ashlar-cdk/ashlar/internal/richtext"
	"github.com/ashlar-cdk/ashlar/internal/validate"
)

func TestACleanDraftIsAsItWasWritten(t *testing.T) {
	for name, draft := range map[string]posts.Draft{
		"plain":                    {Title: "A wall", Body: "Stones."},
		"title with spaces around": {Title: " A wall ", Body: "Stones."},
		"title that looks like HTML, which a client escapes": {Title: "<script> & <b>", Body: "Stones."},
		"longest title, in characters":                       {Title: strings.Repeat("🪨", posts.MaxTitle), Body: "Stones."},
		"longest body, in characters":                        {Title: "A wall", Body: strings.Repeat("🪨", posts.MaxBody)},
		"all that a post may have": {Title: "A wall", Body: `<h2>Why</h2><h3>Why not</h3><h4>Then</h4>` +
			`<p><strong>a</strong> <b>b</b> <em>c</em> <i>d</i> <u>e</u> <s>f</s> <code>g</code><br/></p>` +
			`<blockquote><p>q</p></blockquote><pre>one
	two</pre><ul><li>x</li></ul><ol><li>y</li></ol>` +
			`<figure><img src="permanent/a/b.jpg" alt="A &#34;wall&#34;"/><figcaption>z</figcaption></figure>` +
			`<p><a href="https://example.com/a?b=c&amp;d=%20#e" rel="nofollow noreferrer noopener" target="_blank">link</a></p>` +
			`<p><a href="mailto:ada@example.com" rel="nofollow noreferrer">mail</a></p>`},
	} {
		clean, err := richtext.CleanPost(draft)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(draft, clean); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAPictureIsEnoughOfABody(t *testing.T) {
	if _, err := richtext.CleanPost(posts.Draft{Title: "A wall", Body: `<img src="temp/a.jpg">`}); err != nil {
		t.Error(err)
	}
}

func TestEachProblemOfADraftNamesItsFieldAndRemedy(t *testing.T) {
	for name, test := range map[string]struct {
		draft posts.Draft
		want  validate.Problem
	}{
		"no title":           {posts.Draft{Title: "", Body: "b"}, validate.Problem{Field: "title", Problem: "is empty; it is required"}},
		"blank title":        {posts.Draft{Title: " \u2003", Body: "b"}, validate.Problem{Field: "title", Problem: "is only spaces; write at least one visible character"}},
		"title of two lines": {posts.Draft{Title: "a\nb", Body: "b"}, validate.Problem{Field: "title", Problem: "has the control character U+000A; remove it"}},
		"title not UTF-8":    {posts.Draft{Title: "\xff", Body: "b"}, validate.Problem{Field: "title", Problem: "is not valid UTF-8"}},
		"long title":         {posts.Draft{Title: strings.Repeat("🪨", 201), Body: "b"}, validate.Problem{Field: "title", Problem: "has 201 characters; at most 200 are allowed"}},
		"no body":            {posts.Draft{Title: "t", Body: ""}, validate.Problem{Field: "body", Problem: "is empty; it is required"}},
		"body not UTF-8":     {posts.Draft{Title: "t", Body: "\xff"}, validate.Problem{Field: "body", Problem: "is not valid UTF-8"}},
		"body with NUL":      {posts.Draft{Title: "t", Body: "a\x00"}, validate.Problem{Field: "body", Problem: "has the control character U+0000; remove it"}},
		"escaped control":    {posts.Draft{Title: "t", Body: "a&#1;"}, validate.Problem{Field: "body", Problem: "has the control character U+0001; remove it"}},
		"long body":          {posts.Draft{Title: "t", Body: strings.Repeat("🪨", 20_001)}, validate.Problem{Field: "body", Problem: "has 20001 characters; at most 20000 are allowed"}},
		"long once escaped":  {posts.Draft{Title: "t", Body: strings.Repeat("&", 4_001)}, validate.Problem{Field: "body", Problem: "has 20005 characters; at most 20000 are allowed"}},
		"only markup":        {posts.Draft{Title: "t", Body: "<p> <br></p>&nbsp;"}, validate.Problem{Field: "body", Problem: "shows nothing; write some text"}},
		"only a script":      {posts.Draft{Title: "t", Body: "<script>alert(1)</script>"}, validate.Problem{Field: "body", Problem: "shows nothing; write some text"}},
		"only a foreign image": {posts.Draft{Title: "t", Body: `<img src="https://example.com/a.jpg" alt="a">`},
			validate.Problem{Field: "body", Problem: "shows nothing; write some text"}},
		"deep": {posts.Draft{Title: "t", Body: strings.Repeat("<ul><li>", 600) + "x"},
			validate.Problem{Field: "body", Problem: "is nested too deeply; use fewer elements within each other"}},
	} {
		_, err := richtext.CleanPost(test.draft)
		var invalid *validate.Error
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want a validate.Error", name, err)
			continue
		}
		if diff := cmp.Diff([]validate.Problem{test.want}, invalid.Problems); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAllProblemsOfADraftAreReportedAtOnce(t *testing.T) {
	_, err := richtext.CleanPost(posts.Draft{})
	if want := "invalid: title is empty; it is required; body is empty; it is required"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestACommentHasNeitherHeadingsNorPictures(t *testing.T) {
	clean, err := richtext.CleanComment(`<h2>No</h2><figure><img src="temp/a.jpg">heading</figure> <em>yes</em>`)
	if want := "Noheading <em>yes</em>"; err != nil || clean != want {
		t.Errorf("got %q, %v, want %q", clean, err, want)
	}
	for body, want := range map[string]string{
		"":                         "invalid: body is empty; it is required",
		`<img src="temp/a.jpg">`:   "invalid: body shows nothing; write some text",
		strings.Repeat("ß", 2_001): "invalid: body has 2001 characters; at most 2000 are allowed",
	} {
		if _, err := richtext.CleanComment(body); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
