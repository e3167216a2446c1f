// Package richtext provides the sanitizer of posts and comments. It is apart from package posts,
// since its policies take milliseconds of the start of every function that imports it.
package richtext

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

var (
	// picture may be a picture of ours. Which are, is seen where its address is made a key.
	picture = regexp.MustCompile(pictures.SourcePattern)

	// link is absolute: a relative one would lead somewhere else in every client.
	link = regexp.MustCompile(`(?i)^(?:https?://|mailto:)[^\s]+$`)

	commentPolicy = newCommentPolicy()
	postPolicy    = newPostPolicy()
)

func newCommentPolicy() *bluemonday.Policy {
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "strong", "b", "em", "i", "u", "s", "blockquote", "code", "pre", "ul", "ol", "li")
	policy.AllowAttrs("href").Matching(link).OnElements("a")
	policy.RequireParseableURLs(true)
	policy.AllowURLSchemes("http", "https", "mailto")
	policy.RequireNoFollowOnLinks(true)
	policy.RequireNoReferrerOnLinks(true)
	policy.AddTargetBlankToFullyQualifiedLinks(true) // adds noopener too
	return policy
}

func newPostPolicy() *bluemonday.Policy {
	policy := newCommentPolicy()
	policy.AllowElements("h2", "h3", "h4", "figure", "figcaption")
	policy.AllowAttrs("src").Matching(picture).OnElements("img")
	policy.AllowAttrs("alt").OnElements("img")
	policy.AllowRelativeURLs(true) // for src; link refuses them in href
	return policy
}

// A Sanitizer sanitizes posts and comments. Sanitizing a text twice is as sanitizing it once.
type Sanitizer struct {
	Media pictures.Delivery // where clients see pictures
}

// SanitizePost returns the draft with the HTML that a post may have. The src of a picture becomes its
// key, whether it was the key or an address of Media; all other pictures are removed. The error is a
// [*validate.Error] with all problems.
func (s Sanitizer) SanitizePost(draft posts.Draft) (posts.Draft, error) {
	var invalid validate.Error
	invalid.Check("title", validate.Required(draft.Title), validate.UTF8(draft.Title), validate.NoControl(draft.Title, ""),
		validate.NotBlank(draft.Title), validate.AtMost(draft.Title, posts.MaxTitle))
	most := limits{written: posts.MaxWritten, kept: posts.MaxBody}
	body, problem := cleanHTML(postPolicy, draft.Body, most, s.Media)
	invalid.Check("body", problem, tooManyPictures(body))
	if err := invalid.OrNil(); err != nil {
		return posts.Draft{}, err
	}
	return posts.Draft{Title: draft.Title, Body: body}, nil
}

// SanitizeComment returns the HTML that a comment may have. A comment has no headings and no
// pictures. The error is a [*validate.Error].
func (Sanitizer) SanitizeComment(body string) (string, error) {
	var invalid validate.Error
	most := limits{written: posts.MaxComment, kept: posts.MaxComment}
	clean, problem := cleanHTML(commentPolicy, body, most, "")
	invalid.Check("body", problem)
	if err := invalid.OrNil(); err != nil {
		return "", err
	}
	return clean, nil
}

func tooManyPictures(body string) string {
	if n := len(pictures.References(body)); n > posts.MaxPictures {
		return fmt.Sprintf("has %d pictures; at most %d are allowed", n, posts.MaxPictures)
	}
	return ""
}

// controls are the control characters that text may have.
const controls = "\n\t"

// limits are how many characters HTML may have.
type limits struct{ written, kept int }

// cleanHTML returns what policy leaves of written, well-formed, or the problem with it.
func cleanHTML(policy *bluemonday.Policy, written string, most limits, media pictures.Delivery) (clean, problem string) {
	for _, problem := range []string{validate.Required(written), validate.UTF8(written), validate.NoControl(written, controls), validate.AtMost(written, most.written)} {
		if problem != "" {
			return "", problem
		}
	}
	// The policy leaves tags unclosed, or closed that were never opened, as they come. Parsed and rendered, they end
	// here and not in the page around the text.
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(policy.Sanitize(written)), context)
	if err != nil {
		return "", "is nested too deeply; use fewer elements within each other"
	}
	root := &html.Node{Type: html.DocumentNode}
	for _, node := range nodes {
		root.AppendChild(node)
	}
	if !prune(root, media) {
		return "", "shows nothing; write some text"
	}
	var rendered strings.Builder
	if err := html.Render(&rendered, root); err != nil {
		return "", "is not HTML that can be kept; write simpler text"
	}
	clean = rendered.String()
	for _, problem := range []string{validate.NoControl(clean, controls), validate.AtMost(clean, most.kept)} { // &#1; &amp;
		if problem != "" {
			return "", problem
		}
	}
	return clean, ""
}

// prune gives the pictures below node their keys, removes those that are none of ours, and tells whether anything is left
// to see.
func prune(node *html.Node, media pictures.Delivery) (visible bool) {
	for child := node.FirstChild; child != nil; {
		next := child.NextSibling
		switch {
		case child.Type == html.TextNode:
			visible = visible || strings.TrimSpace(child.Data) != ""
		case child.DataAtom == atom.Img && !nameByKey(child, media):
			node.RemoveChild(child)
		case child.DataAtom == atom.Img:
			visible = true
		default:
			visible = prune(child, media) || visible
		}
		child = next
	}
	return visible
}

// nameByKey makes a picture's src its key, if it is one of ours.
func nameByKey(img *html.Node, media pictures.Delivery) bool {
	for i := range img.Attr {
		if img.Attr[i].Key == "src" {
			picture, ok := media.Parse(img.Attr[i].Val)
			img.Attr[i].Val = picture.Key()
			return ok
		}
	}
	return false
}
