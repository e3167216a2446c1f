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

// A reader is around a sender that has one digest to tell.
type reader struct {
	digest notifications.Digest
	mails  []email.Message
}

func (r *reader) Lease(context.Context, string, time.Duration, time.Duration) (notifications.Lease, error) {
	return notifications.Lease{Holder: uuid.New(), Digest: r.digest}, nil
}
func (r *reader) Acknowledge(context.Context, notifications.Lease) error { return nil }
func (r *reader) Release(context.Context, notifications.Lease) error     { return nil }
func (r *reader) NextOverdue(context.Context, string, time.Duration) (string, error) {
	return "", email.ErrNothingToSend
}
func (r *reader) Address(context.Context, string) (email.Address, error) {
	return "ada@example.com", nil
}
func (r *reader) Suppressed(context.Context, string) (bool, error) { return false, nil }
func (r *reader) NotificationSettings(_ context.Context, _, language string) (string, error) {
	return "https://api.example.com/v1/notification-settings/token-" + language, nil
}

func (r *reader) Send(_ context.Context, message email.Message) (string, error) {
	r.mails = append(r.mails, message)
	return "id", nil
}

// mail is what the recipient of a digest gets.
func mail(t testing.TB, digest notifications.Digest) email.Message {
	t.Helper()
	messages, err := notifications.Templates()
	if err != nil {
		t.Fatal(err)
	}
	if digest.Count == 0 {
		digest.Count = len(digest.Comments)
	}
	r := &reader{digest: digest}
	sender := notifications.Sender{Store: r, Users: r, Suppressions: r, Links: r, Messages: messages, Mailer: r,
		Website: "https://app.example.com", Logger: slog.New(slog.DiscardHandler), LeaseDuration: time.Minute}
	if err := sender.Send(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if len(r.mails) != 1 {
		t.Fatalf("%d mails, want one", len(r.mails))
	}
	return r.mails[0]
}

var wall, arch = uuid.MustParse("00000000-0000-7000-8000-000000000001"), uuid.MustParse("00000000-0000-7000-8000-000000000002")

func on(post uuid.UUID, title, name, body string) notifications.Comment {
	return notifications.Comment{ID: uuid.New(), PostID: post, PostTitle: title, AuthorName: name, Body: body}
}

// shown is the text of HTML as a browser shows it, in one line, and the addresses of its links.
func shown(t testing.TB, document string) (text string, links []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for node := range root.Descendants() {
		switch node.Type {
		case html.TextNode:
			said.WriteString(node.Data + " ")
		case html.ElementNode:
			for _, attribute := range node.Attr {
				if attribute.Key == "href" {
					links = append(links, attribute.Val)
				}
			}
			for _, allowed := range strings.Fields("html head meta title body div p h2 a bdi strong br") {
				if node.Data == allowed {
					allowed = ""
				}
				if allowed == "" {
					node.Namespace = "seen"
				}
			}
			if node.Namespace != "seen" {
				t.Errorf("the mail has an element %s", node.Data)
			}
		}
	}
	return strings.Join(strings.Fields(said.String()), " "), links
}

func TestAMailSaysWhoHasCommentedOnWhatInTheReadersLanguage(t *testing.T) {
	one := []notifications.Comment{on(wall, "A dry wall", "Bob", "<p>True &amp; cut.</p>")}
	two := append(slices.Clone(one), on(arch, "아치", "민수", "<p>첫 번째</p><p>두 번째</p>"), on(wall, "A dry wall", "", "Gone soon"))
	for name, test := range map[string]struct {
		digest  notifications.Digest
		subject string
		says    []string // one after another, in both forms
	}{
		"one":           {notifications.Digest{Language: "de", OnePost: true, Comments: one}, "New comment on “A dry wall”", []string{"a new comment on your post.", "A dry wall", "Bob", "True & cut."}},
		"one, Korean":   {notifications.Digest{Language: "ko-KR", OnePost: true, Comments: one}, "“A dry wall” 글에 새 댓글", []string{"새 댓글이 달렸습니다", "A dry wall", "Bob", "True & cut."}},
		"many":          {notifications.Digest{Comments: two, Count: 3}, "3 new comments on your posts", []string{"3 new comments on your posts.", "A dry wall", "Bob", "True & cut.", "Somebody", "Gone soon", "아치", "민수", "첫 번째 두 번째"}},
		"many, Korean":  {notifications.Digest{Language: "ko", Comments: two, Count: 3}, "작성하신 글에 새 댓글 3개", []string{"새 댓글 3개가 달렸습니다", "A dry wall", "Bob", "누군가", "Gone soon", "아치", "민수", "첫 번째 두 번째"}},
		"more":          {notifications.Digest{OnePost: true, Comments: one, Count: 1200}, "1200 new comments on “A dry wall”", []string{"1200 new comments on your post.", "True & cut.", "and 1199 more"}},
		"more, Korean":  {notifications.Digest{Language: "ko", OnePost: true, Comments: one, Count: 1200}, "“A dry wall” 글에 새 댓글 1200개", []string{"True & cut.", "외 1199개"}},
		"more of posts": {notifications.Digest{Comments: one, Count: 2}, "2 new comments on your posts", []string{"A dry wall", "and 1 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			message := mail(t, test.digest)
			if message.To != "ada@example.com" || message.Subject != test.subject {
				t.Errorf("to %s, %q, want %q", message.To, message.Subject, test.subject)
			}
			text, links := shown(t, message.HTML)
			for form, said := range map[string]string{"text": strings.Join(strings.Fields(message.Text), " "), "HTML": text} {
				rest := said
				for _, words := range test.says {
					_, after, found := strings.Cut(rest, words)
					if !found {
						t.Errorf("the %s says %q, want %q in its place", form, said, words)
						break
					}
					rest = after
				}
			}
			language := email.Language(test.digest.Language)
			end := "https://api.example.com/v1/notification-settings/token-" + language
			if message.Unsubscribe != end || links[len(links)-1] != end || !strings.HasSuffix(message.Text, "\n"+end+"\n") {
				t.Errorf("ended at %s, %s and\n%s", message.Unsubscribe, links, message.Text)
			}
			if links[0] != "https://app.example.com/posts/"+wall.String() || !strings.Contains(message.Text, "\n"+links[0]+"\n") {
				t.Errorf("links %s, text\n%s", links, message.Text)
			}
			if !strings.Contains(message.HTML, `lang="`+language+`"`) {
				t.Error("the HTML does not say its language")
			}
		})
	}
}

// TestWhatOthersHaveWrittenIsTextInAMail has somebody write what would be HTML, a header, or another line, if it could.
func TestWhatOthersHaveWrittenIsTextInAMail(t *testing.T) {
	const evil = `<script>steal()</script><img src=x onerror=steal()>`
	message := mail(t, notifications.Digest{OnePost: true, Comments: []notifications.Comment{
		on(wall, evil+" {{.End}} \u2028Bcc: eve@example.com", `"><a href="javascript:steal()">`+"\u202eeve", "<p>&lt;script&gt;steal()&lt;/script&gt;<br>--<br>You\u2066 get <a href=\"https://evil.example.com/\">no</a> more.\u2029</p>"),
	}})
	text, links := shown(t, message.HTML)
	for _, words := range []string{"<script>steal()</script>", "<img src=x onerror=steal()>", "{{.End}}", "Bcc: eve@example.c…", `"><a href="javascript:steal()">eve`} {
		if !strings.Contains(text, words) || !strings.Contains(message.Text, words) {
			t.Errorf("it does not say %q:\n%s\n%s", words, text, message.Text)
		}
	}
	if strings.Contains(message.HTML, "<script") || strings.Contains(message.HTML, "<img") || len(links) != 2 {
		t.Errorf("links %q in\n%s", links, message.HTML)
	}
	if n := strings.Count(message.HTML, "<bdi>"); n != 3 {
		t.Errorf("%d of title, name and excerpt are kept from turning what is around them:\n%s", n, message.HTML)
	}
	if strings.ContainsAny(message.Subject, "\r\n\u2028\u202e") || !strings.Contains(message.Text, "\n  \"><a href=\"javascript:steal()\">eve: <script>steal()</script> -- You get no more.\n") {
		t.Errorf("subject %q, text\n%s", message.Subject, message.Text)
	}
}

func TestWhatIsLongIsCut(t *testing.T) {
	long := strings.Repeat("돌 ", 1000)
	message := mail(t, notifications.Digest{OnePost: true, Comments: []notifications.Comment{on(wall, long, strings.Repeat("가", 80), "<p>"+long+"</p>")}})
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
	if message := mail(t, notifications.Digest{OnePost: true, Comments: []notifications.Comment{on(wall, "A wall", "Bob", exact)}}); !strings.Contains(message.Text, exact+"\n") {
		t.Errorf("what just fits is cut:\n%s", message.Text)
	}
}

func FuzzMail(f *testing.F) {
	f.Add("A wall", "Bob", "<p>True &amp; cut.</p>")
	f.Add("wall\x07", "\x1bBob", "\x00")
	f.Add("<b>", "\r\nBcc: x", "</p><script>&#0;\u202e\xff")
	f.Fuzz(func(t *testing.T, title, name, body string) {
		for _, text := range []string{title, name, body} {
			if !utf8.ValidString(text) || strings.TrimSpace(text) == "" { // the API takes none
				return
			}
		}
		message := mail(t, notifications.Digest{OnePost: true, Comments: []notifications.Comment{on(wall, title, name, body)}})
		_, links := shown(t, message.HTML)
		if len(links) != 2 || strings.Count(message.Text, "\n") != strings.Count(mail(t, notifications.Digest{OnePost: true, Comments: []notifications.Comment{on(wall, "A wall", "Bob", "True.")}}).Text, "\n") {
			t.Errorf("links %q, text\n%s", links, message.Text)
		}
	})
}
