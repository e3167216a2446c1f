package notifications

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"golang.org/x/net/html"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

//go:embed templates
var templates embed.FS

// Templates returns the template of the mail comments. Its data is a [Mail].
func Templates() (*email.Templates, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	return email.ParseTemplates(files, "en", "comments")
}

// Limits of excerpts and titles, in characters (Unicode code points).
const (
	maxExcerpt = 200
	maxTitle   = 80
)

// A Mail is the data of the template. All its texts are plain text, in one line.
type Mail struct {
	Count       int        // number of all comments
	More        int        // number of comments that are not shown
	Title       string     // title of the post if all comments are on one; otherwise empty
	Posts       []MailPost // in the order of their first comments
	Unsubscribe string     // URL to unsubscribe from mails about comments
}

// A MailPost is a post of the recipient with new comments.
type MailPost struct {
	Title    string
	Link     string
	Comments []MailComment
}

// A MailComment is a new comment.
type MailComment struct {
	Name    string // the author's name; empty when the author's account was deleted
	Excerpt string
}

func (s *Sender) message(
	ctx context.Context, to email.Address, digest Digest,
) (email.Message, error) {
	language := s.Messages.Language(digest.Language)
	unsubscribe, err := s.Links.NotificationSettings(ctx, digest.Recipient, language)
	if err != nil {
		return email.Message{}, err
	}
	more := digest.Count - len(digest.Comments)
	mail := Mail{Count: digest.Count, More: more, Unsubscribe: unsubscribe}
	if digest.OnePost {
		mail.Title = truncate(digest.Comments[0].PostTitle, maxTitle)
	}
	indexes := map[string]int{}
	for _, comment := range digest.Comments {
		link := s.Website + "/posts/" + comment.PostID.String()
		i, found := indexes[link]
		if !found {
			i = len(mail.Posts)
			indexes[link] = i
			title := truncate(comment.PostTitle, maxTitle)
			mail.Posts = append(mail.Posts, MailPost{Title: title, Link: link})
		}
		post := &mail.Posts[i]
		post.Comments = append(post.Comments, MailComment{
			Name:    truncate(comment.AuthorName, maxTitle),
			Excerpt: excerpt(comment.Body),
		})
	}
	message, err := s.Messages.Message(language, "comments", to, mail)
	message.Unsubscribe = unsubscribe
	return message, err
}

// excerpt returns the beginning of an HTML body's text, as plain text.
func excerpt(body string) string {
	var text strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(body))
	for tokens.Next() != html.ErrorToken { // only at the end of a string
		switch token := tokens.Token(); {
		case token.Type == html.TextToken:
			text.WriteString(token.Data)
		case !inline[token.Data]:
			text.WriteByte(' ')
		}
	}
	return truncate(text.String(), maxExcerpt)
}

// inline are the elements that do not end a word.
var inline = map[string]bool{
	"a": true, "b": true, "code": true, "em": true, "i": true, "s": true, "strong": true, "u": true,
}

// truncate returns the beginning of text, in one line, without bidirectional control characters,
// which would change the direction of the text around it.
func truncate(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r): // such as a line feed, which must not be in a subject
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
	characters := []rune(strings.Join(strings.Fields(text), " "))
	if len(characters) > limit {
		return strings.TrimSpace(string(characters[:limit-1])) + "…"
	}
	return string(characters)
}
