// Package richtext provides the sanitizer of posts and comments. It is separate from package posts,
// since its policies add milliseconds to the start of every function that imports it.
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
	// picture matches the src of pictures that may be ours. replaceSrcByKey decides which are.
	picture = regexp.MustCompile(pictures.SourcePattern)

	// link matches absolute URLs. A relative URL would resolve differently in every client.
	link = regexp.MustCompile(`(?i)^(?:https?://|mailto:)[^\s]+$`)

	commentPolicy = newCommentPolicy()
	postPolicy    = newPostPolicy()
)

func newCommentPolicy() *bluemonday.Policy {
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "strong", "b", "em", "i", "u", "s", "blockquote", "code", "pre",
		"ul", "ol", "li")
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
	policy.AllowRelativeURLs(true) // for src; link does not match them in href
	return policy
}

// A Sanitizer sanitizes posts and comments. It is idempotent.
type Sanitizer struct {
	Media pictures.Delivery // the CDN of pictures
}

// SanitizePost returns the draft with the HTML that is allowed in a post. It replaces the src of a
// picture, a key or a URL of Media, with the picture's key, and removes all other pictures. The
// error is a [*validate.Error] with all problems.
func (s Sanitizer) SanitizePost(draft posts.Draft) (posts.Draft, error) {
	var invalid validate.Error
	invalid.Check("title", validate.Required(draft.Title), validate.UTF8(draft.Title),
		validate.NoControl(draft.Title, ""), validate.NotBlank(draft.Title),
		validate.AtMost(draft.Title, posts.MaxTitle))
	limit := limits{submitted: posts.MaxSubmittedBody, stored: posts.MaxBody}
	body, problem := sanitize(postPolicy, draft.Body, limit, s.Media)
	invalid.Check("body", problem, tooManyPictures(body))
	if err := invalid.OrNil(); err != nil {
		return posts.Draft{}, err
	}
	draft.Body = body
	return draft, nil
}

// SanitizeComment returns the HTML that is allowed in a comment, which has no headings and no
// pictures. The error is a [*validate.Error].
func (Sanitizer) SanitizeComment(body string) (string, error) {
	var invalid validate.Error
	limit := limits{submitted: posts.MaxComment, stored: posts.MaxComment}
	clean, problem := sanitize(commentPolicy, body, limit, "")
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

// controls are the control characters that are allowed in text.
const controls = "\n\t"

// limits are the maximum lengths of HTML, in characters.
type limits struct{ submitted, stored int }

// sanitize returns submitted as well-formed HTML that policy allows, or the problem with it.
func sanitize(
	policy *bluemonday.Policy, submitted string, limit limits, media pictures.Delivery,
) (clean, problem string) {
	for _, problem := range []string{
		validate.Required(submitted), validate.UTF8(submitted),
		validate.NoControl(submitted, controls), validate.AtMost(submitted, limit.submitted),
	} {
		if problem != "" {
			return "", problem
		}
	}
	// The policy keeps unclosed tags and unmatched end tags. Parsing and rendering balances them,
	// so that they do not affect the page around the text.
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(policy.Sanitize(submitted)), context)
	if err != nil {
		return "", "is nested too deeply; nest fewer elements"
	}
	root := &html.Node{Type: html.DocumentNode}
	for _, node := range nodes {
		root.AppendChild(node)
	}
	if !prune(root, media) {
		return "", "has no visible content; write some text"
	}
	var rendered strings.Builder
	if err := html.Render(&rendered, root); err != nil {
		return "", "cannot be rendered as HTML; write simpler text"
	}
	clean = rendered.String()
	for _, problem := range []string{ // of unescaped &#1; and escaped &amp;
		validate.NoControl(clean, controls), validate.AtMost(clean, limit.stored),
	} {
		if problem != "" {
			return "", problem
		}
	}
	return clean, ""
}

// prune replaces the src of the pictures below node with their keys, removes pictures that are not
// ours, and reports whether any content is visible.
func prune(node *html.Node, media pictures.Delivery) (visible bool) {
	for child := node.FirstChild; child != nil; {
		next := child.NextSibling
		switch {
		case child.Type == html.TextNode:
			visible = visible || strings.TrimSpace(child.Data) != ""
		case child.DataAtom == atom.Img && !replaceSrcByKey(child, media):
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

// replaceSrcByKey replaces a picture's src with its key, and reports whether the picture is ours.
func replaceSrcByKey(img *html.Node, media pictures.Delivery) bool {
	for i := range img.Attr {
		if img.Attr[i].Key == "src" {
			picture, ok := media.Parse(img.Attr[i].Val)
			img.Attr[i].Val = picture.Key()
			return ok
		}
	}
	return false
}
