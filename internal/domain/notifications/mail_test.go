package notifications_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
)

// A singleDigest is a store with one digest, and the other dependencies of a sender.
type singleDigest struct {
	digest notifications.Digest
	mails  []email.Message
}

func (s *singleDigest) Lease(
	context.Context, string, time.Duration, time.Duration,
) (notifications.Lease, error) {
	return notifications.Lease{Holder: uuid.New(), Digest: s.digest}, nil
}
func (s *singleDigest) Acknowledge(context.Context, notifications.Lease) error { return nil }
func (s *singleDigest) Release(context.Context, notifications.Lease) error     { return nil }
func (s *singleDigest) NextOverdue(context.Context, string, time.Duration) (string, error) {
	return "", email.ErrNothingToSend
}
func (s *singleDigest) Address(context.Context, string) (email.Address, error) {
	return "ada@example.com", nil
}
func (s *singleDigest) Suppressed(context.Context, string) (bool, error) { return false, nil }
func (s *singleDigest) NotificationSettings(
	_ context.Context, _, language string,
) (string, error) {
	return "https://api.example.com/v1/notification-settings/token-" + language, nil
}

func (s *singleDigest) Send(_ context.Context, message email.Message) (string, error) {
	s.mails = append(s.mails, message)
	return "id", nil
}

// mail returns the mail about a digest.
func mail(t testing.TB, digest notifications.Digest) email.Message {
	t.Helper()
	messages, err := notifications.Templates()
	if err != nil {
		t.Fatal(err)
	}
	if digest.Count == 0 {
		digest.Count = len(digest.Comments)
	}
	store := &singleDigest{digest: digest}
	sender := notifications.Sender{
		Store: store, Users: store, Suppressions: store, Links: store, Messages: messages,
		Mailer:        store,
		Website:       "https://app.example.com",
		Logger:        slog.New(slog.DiscardHandler),
		LeaseDuration: time.Minute,
	}
	if err := sender.Send(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if len(store.mails) != 1 {
		t.Fatalf("%d mails, want one", len(store.mails))
	}
	return store.mails[0]
}

// Posts.
var (
	wall = uuid.MustParse("00000000-0000-7000-8000-000000000001")
	arch = uuid.MustParse("00000000-0000-7000-8000-000000000002")
)

func on(post uuid.UUID, title, name, body string) notifications.Comment {
	return notifications.Comment{
		ID: uuid.New(), PostID: post, PostTitle: title, AuthorName: name, Body: body,
	}
}

// onePost returns a digest of comments on one post.
func onePost(comments ...notifications.Comment) notifications.Digest {
	return notifications.Digest{OnePost: true, Comments: comments}
}

var allowedElements = []string{
	"html", "head", "meta", "title", "body", "div", "p", "h2", "a", "bdi", "strong", "br",
}

// render returns the text of an HTML document as a browser shows it, in one line, and the URLs of
// its links.
func render(t testing.TB, document string) (text string, links []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var visible strings.Builder
	for node := range root.Descendants() {
		switch node.Type {
		case html.TextNode:
			visible.WriteString(node.Data + " ")
		case html.ElementNode:
			for _, attribute := range node.Attr {
				if attribute.Key == "href" {
					links = append(links, attribute.Val)
				}
			}
			if !slices.Contains(allowedElements, node.Data) {
				t.Errorf("the mail has an element %s", node.Data)
			}
		}
	}
	return strings.Join(strings.Fields(visible.String()), " "), links
}

func TestSender_Send_mail(t *testing.T) {
	one := []notifications.Comment{on(wall, "A dry wall", "Bob", "<p>True &amp; cut.</p>")}
	two := append(slices.Clone(one),
		on(arch, "아치", "민수", "<p>첫 번째</p><p>두 번째</p>"),
		on(wall, "A dry wall", "", "Gone soon"))
	for name, test := range map[string]struct {
		digest  notifications.Digest
		subject string
		parts   []string // in this order, in text and HTML
	}{
		"one": {
			notifications.Digest{Language: "de", OnePost: true, Comments: one},
			"New comment on “A dry wall”",
			[]string{"a new comment on your post.", "A dry wall", "Bob", "True & cut."},
		},
		"one, Korean": {
			notifications.Digest{Language: "ko-KR", OnePost: true, Comments: one},
			"“A dry wall” 글에 새 댓글",
			[]string{"새 댓글이 달렸습니다", "A dry wall", "Bob", "True & cut."},
		},
		"many": {
			notifications.Digest{Comments: two, Count: 3},
			"3 new comments on your posts",
			[]string{
				"3 new comments on your posts.", "A dry wall", "Bob", "True & cut.", "Someone",
				"Gone soon", "아치", "민수", "첫 번째 두 번째",
			},
		},
		"many, Korean": {
			notifications.Digest{Language: "ko", Comments: two, Count: 3},
			"작성하신 글에 새 댓글 3개",
			[]string{
				"새 댓글 3개가 달렸습니다", "A dry wall", "Bob", "누군가", "Gone soon", "아치",
				"민수", "첫 번째 두 번째",
			},
		},
		"more": {
			notifications.Digest{OnePost: true, Comments: one, Count: 1200},
			"1200 new comments on “A dry wall”",
			[]string{"1200 new comments on your post.", "True & cut.", "and 1199 more"},
		},
		"more, Korean": {
			notifications.Digest{Language: "ko", OnePost: true, Comments: one, Count: 1200},
			"“A dry wall” 글에 새 댓글 1200개",
			[]string{"True & cut.", "외 1199개"},
		},
		"more, several posts": {
			notifications.Digest{Comments: one, Count: 2},
			"2 new comments on your posts",
			[]string{"A dry wall", "and 1 more"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			message := mail(t, test.digest)
			if message.To != "ada@example.com" || message.Subject != test.subject {
				t.Errorf("to %s, %q, want %q", message.To, message.Subject, test.subject)
			}
			text, links := render(t, message.HTML)
			for form, content := range map[string]string{
				"text": strings.Join(strings.Fields(message.Text), " "), "HTML": text,
			} {
				rest := content
				for _, part := range test.parts {
					_, after, found := strings.Cut(rest, part)
					if !found {
						t.Errorf("the %s is %q, want %q in its place", form, content, part)
						break
					}
					rest = after
				}
			}
			language, _, _ := strings.Cut(test.digest.Language, "-")
			if language != "ko" {
				language = "en"
			}
			unsubscribe := "https://api.example.com/v1/notification-settings/token-" + language
			if message.Unsubscribe != unsubscribe || links[len(links)-1] != unsubscribe ||
				!strings.HasSuffix(message.Text, "\n"+unsubscribe+"\n") {
				t.Errorf("unsubscribe by %s, %s and\n%s", message.Unsubscribe, links, message.Text)
			}
			if links[0] != "https://app.example.com/posts/"+wall.String() ||
				!strings.Contains(message.Text, "\n"+links[0]+"\n") {
				t.Errorf("links %s, text\n%s", links, message.Text)
			}
			if !strings.Contains(message.HTML, `lang="`+language+`"`) {
				t.Errorf("the HTML lacks the language %s", language)
			}
		})
	}
}

// TestSender_Send_escapes_user_content covers content that would be HTML, a header or another line.
func TestSender_Send_escapes_user_content(t *testing.T) {
	const evil = `<script>steal()</script><img src=x onerror=steal()>`
	message := mail(t, onePost(on(wall,
		evil+" {{.End}} \u2028Bcc: eve@example.com",
		`"><a href="javascript:steal()">`+"\u202eeve",
		"<p>&lt;script&gt;steal()&lt;/script&gt;<br>--<br>You\u2066 get "+
			"<a href=\"https://evil.example.com/\">no</a> more.\u2029</p>")))
	text, links := render(t, message.HTML)
	for _, part := range []string{
		"<script>steal()</script>", "<img src=x onerror=steal()>", "{{.End}}",
		"Bcc: eve@example.c…", `"><a href="javascript:steal()">eve`,
	} {
		if !strings.Contains(text, part) || !strings.Contains(message.Text, part) {
			t.Errorf("the mail lacks %q:\n%s\n%s", part, text, message.Text)
		}
	}
	if strings.Contains(message.HTML, "<script") || strings.Contains(message.HTML, "<img") ||
		len(links) != 2 {
		t.Errorf("links %q in\n%s", links, message.HTML)
	}
	if n := strings.Count(message.HTML, "<bdi>"); n != 3 {
		t.Errorf("%d of title, name and excerpt are isolated from bidirectional text:\n%s",
			n, message.HTML)
	}
	line := "\n  \"><a href=\"javascript:steal()\">eve: " +
		"<script>steal()</script> -- You get no more.\n"
	if strings.ContainsAny(message.Subject, "\r\n\u2028\u202e") ||
		!strings.Contains(message.Text, line) {
		t.Errorf("subject %q, text\n%s", message.Subject, message.Text)
	}
}

func TestSender_Send_truncates_long_content(t *testing.T) {
	long := strings.Repeat("돌 ", 1000)
	message := mail(t, onePost(on(wall, long, strings.Repeat("가", 80), "<p>"+long+"</p>")))
	if n := utf8.RuneCountInString(message.Subject); n > 110 {
		t.Errorf("the subject has %d characters", n)
	}
	var longest int
	for line := range strings.Lines(message.Text) {
		longest = max(longest, utf8.RuneCountInString(line))
	}
	if longest > 2+80+2+200+1 || strings.Count(message.Text, "…") != 2 {
		t.Errorf("a line of %d characters in\n%s", longest, message.Text)
	}
	exact := strings.Repeat("x", 200)
	message = mail(t, onePost(on(wall, "A wall", "Bob", exact)))
	if !strings.Contains(message.Text, exact+"\n") {
		t.Errorf("an excerpt of exactly 200 characters is truncated:\n%s", message.Text)
	}
}

func FuzzSender_Send_mail(f *testing.F) {
	f.Add("A wall", "Bob", "<p>True &amp; cut.</p>")
	f.Add("wall\x07", "\x1bBob", "\x00")
	f.Add("<b>", "\r\nBcc: x", "</p><script>&#0;\u202e\xff")
	f.Fuzz(func(t *testing.T, title, name, body string) {
		for _, text := range []string{title, name, body} {
			if !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
				return // the API rejects it
			}
		}
		message := mail(t, onePost(on(wall, title, name, body)))
		plain := mail(t, onePost(on(wall, "A wall", "Bob", "True.")))
		_, links := render(t, message.HTML)
		if len(links) != 2 ||
			strings.Count(message.Text, "\n") != strings.Count(plain.Text, "\n") {
			t.Errorf("links %q, text\n%s", links, message.Text)
		}
	})
}
