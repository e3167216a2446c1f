package links_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

const endpoint = "https://api.example.com/v1/"

// A secret is a fake Secrets Manager with the key of tokens, or its error.
type secret struct{ err error }

func (s secret) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	key := strings.Repeat("k", 32)
	return &secretsmanager.GetSecretValueOutput{SecretString: &key}, s.err
}

func newLinks(age time.Duration) *links.Links {
	past := func() time.Time { return time.Now().Add(-age) }
	return &links.Links{
		Endpoint: endpoint, Tokens: token.NewSealer("", secret{}, past),
	}
}

// A kind is one kind of link, with its content as text.
type kind struct {
	path string
	make func(l *links.Links, subject, language string) (string, error)
	open func(l *links.Links, token string) (subject, language string, err error)
}

var id = uuid.MustParse("01890000-0000-7000-8000-000000002020") // its last two bytes are spaces

func kinds(ctx context.Context) map[string]kind {
	return map[string]kind{
		"unsubscribe": {
			path: "subscriptions/",
			make: func(l *links.Links, subject, language string) (string, error) {
				return l.Unsubscribe(ctx, subject, language)
			},
			open: func(l *links.Links, token string) (string, string, error) {
				opened, err := l.OpenUnsubscribe(ctx, token)
				return opened.Address, opened.Language, err
			},
		},
		"confirm": {
			path: "confirmations/",
			make: func(l *links.Links, subject, language string) (string, error) {
				return l.Confirm(ctx, id, subject, language)
			},
			open: func(l *links.Links, token string) (string, string, error) {
				opened, err := l.OpenConfirm(ctx, token)
				if err == nil && opened.ID != id {
					err = errors.New("another id: " + opened.ID.String())
				}
				return opened.Address, opened.Language, err
			},
		},
		"notification settings": {
			path: "notification-settings/",
			make: func(l *links.Links, subject, language string) (string, error) {
				return l.NotificationSettings(ctx, subject, language)
			},
			open: func(l *links.Links, token string) (string, string, error) {
				opened, err := l.OpenNotificationSettings(ctx, token)
				return opened.Subject, opened.Language, err
			},
		},
	}
}

// tokenOf returns the token of a link, as API Gateway parses it.
func tokenOf(t testing.TB, link, path string) string {
	t.Helper()
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(parsed.String(), endpoint+path)
	if !ok || strings.ContainsAny(token, "/?#%") {
		t.Fatalf("the link is %q, want one path segment after %q", link, endpoint+path)
	}
	return token
}

func TestLinks_round_trip(t *testing.T) {
	l := newLinks(0)
	for name, kind := range kinds(t.Context()) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				subject := rapid.String().Draw(rt, "subject")
				language := strings.ReplaceAll(rapid.String().Draw(rt, "language"), " ", "")
				link, err := kind.make(l, subject, language)
				if err != nil {
					rt.Fatal(err)
				}
				gotSubject, gotLanguage, err := kind.open(l, tokenOf(t, link, kind.path))
				if err != nil || gotSubject != subject || gotLanguage != language {
					rt.Fatalf("opened to %q in %q, %v; want %q in %q", gotSubject, gotLanguage, err,
						subject, language)
				}
			})
		})
	}
}

func TestLinks_open_for_one_purpose(t *testing.T) {
	l := newLinks(0)
	for name, kind := range kinds(t.Context()) {
		link, err := kind.make(l, "ada@example.com", "ko")
		if err != nil {
			t.Fatal(err)
		}
		sealed := tokenOf(t, link, kind.path)
		for other, another := range kinds(t.Context()) {
			if _, _, err := another.open(l, sealed); other != name &&
				!errors.Is(err, links.ErrInvalid) {
				t.Errorf("a link of kind %s opens as kind %s: %v", name, other, err)
			}
		}
	}
}

func TestLinks_lifetime(t *testing.T) {
	const day = 24 * time.Hour
	for name, lifetime := range map[string]time.Duration{
		"unsubscribe": 3650 * day, "confirm": day, "notification settings": 3650 * day,
	} {
		kind := kinds(t.Context())[name]
		for age, want := range map[time.Duration]error{
			lifetime - time.Minute: nil, lifetime + time.Minute: links.ErrExpired,
		} {
			link, err := kind.make(newLinks(age), "ada@example.com", "ko")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = kind.open(newLinks(0), tokenOf(t, link, kind.path))
			if !errors.Is(err, want) {
				t.Errorf("%s after %s: %v, want %v", name, age, err, want)
			}
		}
	}
}

func TestLinks_encrypt_the_address(t *testing.T) {
	for name, kind := range kinds(t.Context()) {
		first, err := kind.make(newLinks(0), "ada@example.com", "ko")
		if err != nil {
			t.Fatal(err)
		}
		second, err := kind.make(newLinks(0), "ada@example.com", "ko")
		if err != nil || first == second || strings.Contains(first, "ada") {
			t.Errorf("%s: %s and %s, %v; want two different ones without the address", name, first,
				second, err)
		}
	}
}

func TestLinks_reject_a_language_with_a_space(t *testing.T) {
	for name, kind := range kinds(t.Context()) {
		link, err := kind.make(newLinks(0), "ada@example.com", "ko eve@example.com")
		if err == nil {
			t.Errorf("%s: %s", name, link)
		}
	}
}

func TestLinks_without_the_key_are_unavailable(t *testing.T) {
	l := &links.Links{
		Endpoint: endpoint,
		Tokens:   token.NewSealer("", secret{errors.New("throttled")}, time.Now),
	}
	for name, kind := range kinds(t.Context()) {
		if _, err := kind.make(l, "ada@example.com", "ko"); !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("make %s: %v, want ErrUnavailable", name, err)
		}
		if _, _, err := kind.open(l, "AAAA"); !errors.Is(err, retry.ErrUnavailable) {
			t.Errorf("open %s: %v, want ErrUnavailable", name, err)
		}
	}
}

// opened is a fake whose tokens all have this content, as if an earlier deployment had sealed them.
type opened string

func (opened) Seal(context.Context, string, []byte) (string, error) { return "", nil }
func (o opened) Open(context.Context, string, string, time.Duration) ([]byte, error) {
	return []byte(o), nil
}

// FuzzContent opens content that may have another format than content that is sealed today.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		"", " ", "ko ada@example.com", "ko", "ko " + string(id[:]) + "ada@example.com",
		"ko \x00", "  ", "\xff \xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		l := &links.Links{Tokens: opened(content)}
		leave, leaveErr := l.OpenUnsubscribe(t.Context(), "token")
		confirm, confirmErr := l.OpenConfirm(t.Context(), "token")
		mails, mailsErr := l.OpenNotificationSettings(t.Context(), "token")
		for _, opened := range []struct {
			sealed string // content that opens to the same values
			err    error
		}{
			{leave.Language + " " + leave.Address, leaveErr},
			{confirm.Language + " " + string(confirm.ID[:]) + confirm.Address, confirmErr},
			{mails.Language + " " + mails.Subject, mailsErr},
		} {
			if opened.err == nil && opened.sealed != content ||
				opened.err != nil && !errors.Is(opened.err, links.ErrInvalid) {
				t.Errorf("%q is opened to %q, %v", content, opened.sealed, opened.err)
			}
		}
	})
}

// FuzzToken opens arbitrary tokens: only sealed ones may open.
func FuzzToken(f *testing.F) {
	l := newLinks(0)
	for _, kind := range kinds(f.Context()) {
		link, err := kind.make(l, "ada@example.com", "ko")
		if err != nil {
			f.Fatal(err)
		}
		token := tokenOf(f, link, kind.path)
		f.Add(token)
		f.Add(token[:len(token)-1])
	}
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 100))
	f.Add("../../profile\x00\xff")
	f.Fuzz(func(t *testing.T, token string) {
		for name, kind := range kinds(t.Context()) {
			subject, language, err := kind.open(l, token)
			made := err == nil && subject == "ada@example.com" && language == "ko"
			if !made && !errors.Is(err, links.ErrInvalid) {
				t.Errorf("%q is opened to %s %q in %q: %v", token, name, subject, language, err)
			}
		}
	})
}
