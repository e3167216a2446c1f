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

// Templates are the mail comments, of a [Mail].
func Templates() (*email.Templates, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	return email.ParseTemplates(files)
}

// Limits of what is shown, in characters (Unicode code points).
const (
	maxExcerpt = 200
	maxTitle   = 80
)

// A Mail is what the templates get. All text in it is plain, of one line.
type Mail struct {
	Count       int        // of all comments
	More        int        // of those that are not shown
	Title       string     // of the post, if they are all on one; empty otherwise
	Posts       []MailPost // in the order of their first comments
	Unsubscribe string     // the address where mails about comments are ended
}

// A MailPost is one of the recipient's that has comments.
type MailPost struct {
	Title    string
	Link     string
	Comments []MailComment
}

// A MailComment is somebody's.
type MailComment struct {
	Name    string // empty when there is none any more
	Excerpt string
}

func (s *Sender) message(ctx context.Context, to email.Address, digest Digest) (email.Message, error) {
	language := email.Language(digest.Language)
	end, err := s.Links.NotificationSettings(ctx, digest.Recipient, language)
	if err != nil {
		return email.Message{}, err
	}
	mail := Mail{Count: digest.Count, More: digest.Count - len(digest.Comments), Unsubscribe: end}
	if digest.OnePost {
		mail.Title = line(digest.Comments[0].PostTitle, maxTitle)
	}
	at := map[string]int{}
	for _, comment := range digest.Comments {
		link := s.Website + "/posts/" + comment.PostID.String()
		i, there := at[link]
		if !there {
			i = len(mail.Posts)
			at[link] = i
			mail.Posts = append(mail.Posts, MailPost{Title: line(comment.PostTitle, maxTitle), Link: link})
		}
		post := &mail.Posts[i]
		post.Comments = append(post.Comments, MailComment{Name: line(comment.AuthorName, maxTitle), Excerpt: excerpt(comment.Body)})
	}
	message, err := s.Messages.Message(language, "comments", to, mail)
	message.Unsubscribe = end
	return message, err
}

// excerpt is the beginning of what HTML says, as plain text.
func excerpt(body string) string {
	var said strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(body))
	for tokens.Next() != html.ErrorToken { // which a string has at its end only
		switch token := tokens.Token(); {
		case token.Type == html.TextToken:
			said.WriteString(token.Data)
		case !inline[token.Data]:
			said.WriteByte(' ')
		}
	}
	return line(said.String(), maxExcerpt)
}

// inline are the elements that do not end a word.
var inline = map[string]bool{"a": true, "b": true, "code": true, "em": true, "i": true, "s": true, "strong": true, "u": true}

// line is the beginning of text, in one line, without characters that turn the direction of what is around it.
func line(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r): // a line feed is one, and whatever else may not be in a subject
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
