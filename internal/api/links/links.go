// Package links makes the links that mails have, and opens what comes back of them. Whoever has one may do the one thing
// that it is for, without signing in. So a link is sealed: nobody can make one, or read in one whose it is.
package links

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// What a link is for, which it is sealed with. A form of the content that those before cannot be opened in is another
// purpose: whoever has kept a mail for years may leave by its link.
const (
	unsubscribe          = "unsubscribe"
	confirm              = "confirm"
	notificationSettings = "notification-settings"
)

// lifetime is that of the links that end mails, which are read years after they were sent.
const lifetime = 10 * 365 * 24 * time.Hour

var (
	// ErrInvalid reports a link that was not sealed by us, or is incomplete.
	ErrInvalid = rest.NewError(http.StatusBadRequest, "invalid_link",
		"The token is incomplete, or not from a link in our mails. Copy all of it.",
	).WithPage(invalidPage)

	// ErrExpired reports a link of ours that is too old.
	ErrExpired = rest.NewError(http.StatusGone, "expired_link",
		"The link has expired. Use the link of a newer mail.").WithPage(expiredPage)
)

var invalidPage = rest.Translation{
	"en": {
		Title: "This link does not work",
		Text:  "It is not whole, or it is not one of ours. Open it from the mail once more, or copy all of it.",
	},
	"ko": {
		Title: "올바르지 않은 링크입니다",
		Text:  "링크가 잘렸거나 저희가 보낸 링크가 아닙니다. 메일에서 다시 열거나 링크 전체를 복사해 주세요.",
	},
}

var expiredPage = rest.Translation{
	"en": {
		Title: "This link has expired",
		Text:  "It was good for a limited time. Use the link of a newer mail, or subscribe once more.",
	},
	"ko": {
		Title: "만료된 링크입니다",
		Text:  "링크의 유효 기간이 지났습니다. 더 최근에 받은 메일의 링크를 사용하거나 다시 구독을 신청해 주세요.",
	},
}

// Tokens seal what a link is for. A [token.Sealer] does.
type Tokens interface {
	Seal(ctx context.Context, purpose string, content []byte) (string, error)
	Open(ctx context.Context, purpose, token string, lifetime time.Duration) ([]byte, error)
}

// Links makes links and opens them. Its methods fail with [retry.ErrUnavailable] when the key of tokens cannot be fetched.
type Links struct {
	Endpoint string // the API's, with a slash at the end
	Tokens   Tokens
}

// An Unsubscribe is what a link to leave the mailing list is for.
type Unsubscribe struct {
	Address  string // as [email.Address.Key] has it
	Language string // of the mail that the link is in; a BCP 47 tag, or empty
}

// Unsubscribe returns the address where the subscription of address is left, any that it will ever have.
func (l *Links) Unsubscribe(ctx context.Context, address, language string) (string, error) {
	return l.link(ctx, "subscriptions/", unsubscribe, language, address)
}

// OpenUnsubscribe opens the token of a link that Unsubscribe made.
func (l *Links) OpenUnsubscribe(ctx context.Context, token string) (Unsubscribe, error) {
	language, address, err := l.open(ctx, unsubscribe, token, lifetime)
	return Unsubscribe{Address: address, Language: language}, err
}

// A Confirm is what a link to confirm a subscription is for.
type Confirm struct {
	ID       uuid.UUID // of the pending subscription
	Address  string    // as [email.Address.Key] has it
	Language string    // of the mail that the link is in; a BCP 47 tag, or empty
}

// Confirm returns the address where a pending subscription is confirmed, within [mailinglist.ConfirmWithin].
func (l *Links) Confirm(ctx context.Context, id uuid.UUID, address, language string) (string, error) {
	return l.link(ctx, "confirmations/", confirm, language, string(id[:])+address)
}

// OpenConfirm opens the token of a link that Confirm made.
func (l *Links) OpenConfirm(ctx context.Context, token string) (Confirm, error) {
	language, subject, err := l.open(ctx, confirm, token, mailinglist.ConfirmWithin)
	if err != nil {
		return Confirm{}, err
	}
	id := uuid.UUID{}
	if len(subject) < len(id) {
		return Confirm{}, ErrInvalid
	}
	copy(id[:], subject)
	return Confirm{ID: id, Address: subject[len(id):], Language: language}, nil
}

// NotificationSettings is what a link that ends mails about comments is for.
type NotificationSettings struct {
	Subject  string // the user's
	Language string // of the mail that the link is in; a BCP 47 tag, or empty
}

// NotificationSettings returns the address where a user ends the mails about comments.
func (l *Links) NotificationSettings(ctx context.Context, subject, language string) (string, error) {
	return l.link(ctx, "notification-settings/", notificationSettings, language, subject)
}

// OpenNotificationSettings opens the token of a link that NotificationSettings made.
func (l *Links) OpenNotificationSettings(ctx context.Context, token string) (NotificationSettings, error) {
	language, subject, err := l.open(ctx, notificationSettings, token, lifetime)
	return NotificationSettings{Subject: subject, Language: language}, err
}

// link seals the language, a space, which no language has, and what the link is for.
func (l *Links) link(ctx context.Context, path, purpose, language, content string) (string, error) {
	if strings.Contains(language, " ") {
		return "", fmt.Errorf("links: the language %q has a space", language)
	}
	sealed, err := l.Tokens.Seal(ctx, purpose, []byte(language+" "+content))
	if err != nil {
		return "", err
	}
	return l.Endpoint + path + sealed, nil
}

func (l *Links) open(ctx context.Context, purpose, sealed string, lifetime time.Duration) (language, content string, err error) {
	opened, err := l.Tokens.Open(ctx, purpose, sealed, lifetime)
	switch {
	case errors.Is(err, token.ErrInvalid):
		return "", "", ErrInvalid
	case errors.Is(err, token.ErrExpired):
		return "", "", ErrExpired
	case err != nil:
		return "", "", err
	}
	language, content, ok := strings.Cut(string(opened), " ")
	if !ok {
		return "", "", ErrInvalid
	}
	return language, content, nil
}
