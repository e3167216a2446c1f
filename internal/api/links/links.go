// Package links provides the links in e-mails: it makes them and opens their tokens. A link
// authorizes its holder to do one thing without signing in. So its token is sealed: a client can
// neither forge one nor read the address in it.
package links

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/pages"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/rest"
)

// The purposes that links are sealed for. A new, incompatible format of the content needs a new
// purpose: the unsubscribe link of an e-mail must work for years.
const (
	unsubscribe          = "unsubscribe"
	confirm              = "confirm"
	notificationSettings = "notification-settings"
)

// lifetime is the lifetime of the links that turn e-mails off. Recipients may use them years after
// the e-mail was sent.
const lifetime = 10 * 365 * 24 * time.Hour

var (
	// ErrInvalid reports a link that was not sealed by us, or is incomplete.
	ErrInvalid = &pages.Error{
		Response: rest.NewError(http.StatusBadRequest, "invalid_link",
			"The token is incomplete or is not from a link in our e-mails. "+
				"Copy the complete link."),
		Page: invalidPage,
	}

	// ErrExpired reports an expired link.
	ErrExpired = &pages.Error{
		Response: rest.NewError(http.StatusGone, "expired_link",
			"The link has expired. Use the link in a newer e-mail."),
		Page: expiredPage,
	}
)

var invalidPage = pages.Translation{
	"en": {
		Title: "This link does not work",
		Text: "This link is incomplete or was not sent by us. " +
			"Open it from the e-mail again, or copy the complete link.",
	},
	"ko": {
		Title: "올바르지 않은 링크입니다",
		Text: "링크가 잘렸거나 저희가 보낸 링크가 아닙니다. " +
			"메일에서 다시 열거나 링크 전체를 복사해 주세요.",
	},
}

var expiredPage = pages.Translation{
	"en": {
		Title: "This link has expired",
		Text: "The link was valid for a limited time. " +
			"Use the link in a newer e-mail, or subscribe again.",
	},
	"ko": {
		Title: "만료된 링크입니다",
		Text: "링크의 유효 기간이 지났습니다. " +
			"더 최근에 받은 메일의 링크를 사용하거나 다시 구독을 신청해 주세요.",
	},
}

// Tokens seals and opens the content of links. A [token.Sealer] implements it.
type Tokens interface {
	Seal(ctx context.Context, purpose string, content []byte) (string, error)
	Open(ctx context.Context, purpose, token string, lifetime time.Duration) ([]byte, error)
}

// Links makes links and opens their tokens. Its methods fail with [retry.ErrUnavailable] when the
// key of tokens cannot be fetched.
type Links struct {
	Endpoint string // of the API, with a trailing slash
	Tokens   Tokens
}

// An Unsubscribe is the content of a link that unsubscribes from the mailing list.
type Unsubscribe struct {
	Address  string // in the form of [email.Address.Key]
	Language string // of the e-mail that contains the link; a BCP 47 tag, or empty
}

// Unsubscribe returns the link that unsubscribes address. It also works for later subscriptions of
// the address.
func (l *Links) Unsubscribe(ctx context.Context, address, language string) (string, error) {
	return l.link(ctx, "subscriptions/", unsubscribe, language, address)
}

// OpenUnsubscribe opens the token of a link that Unsubscribe made.
func (l *Links) OpenUnsubscribe(ctx context.Context, token string) (Unsubscribe, error) {
	language, address, err := l.open(ctx, unsubscribe, token, lifetime)
	return Unsubscribe{Address: address, Language: language}, err
}

// A Confirm is the content of a link that confirms a subscription.
type Confirm struct {
	ID       uuid.UUID // of the pending subscription
	Address  string    // in the form of [email.Address.Key]
	Language string    // of the e-mail that contains the link; a BCP 47 tag, or empty
}

// Confirm returns the link that confirms a pending subscription. It is valid for
// [mailinglist.ConfirmWithin].
func (l *Links) Confirm(
	ctx context.Context, id uuid.UUID, address, language string,
) (string, error) {
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

// NotificationSettings is the content of a link that turns off comment notifications.
type NotificationSettings struct {
	Subject  string // the user's
	Language string // of the e-mail that contains the link; a BCP 47 tag, or empty
}

// NotificationSettings returns the link that turns off a user's comment notifications.
func (l *Links) NotificationSettings(
	ctx context.Context, subject, language string,
) (string, error) {
	return l.link(ctx, "notification-settings/", notificationSettings, language, subject)
}

// OpenNotificationSettings opens the token of a link that NotificationSettings made.
func (l *Links) OpenNotificationSettings(
	ctx context.Context, token string,
) (NotificationSettings, error) {
	language, subject, err := l.open(ctx, notificationSettings, token, lifetime)
	return NotificationSettings{Subject: subject, Language: language}, err
}

// link seals the language, a space, which no language contains, and the content.
func (l *Links) link(ctx context.Context, path, purpose, language, content string) (string, error) {
	if strings.Contains(language, " ") {
		return "", fmt.Errorf("links: language %q contains a space; pass a BCP 47 tag", language)
	}
	sealed, err := l.Tokens.Seal(ctx, purpose, []byte(language+" "+content))
	if err != nil {
		return "", err
	}
	return l.Endpoint + path + sealed, nil
}

func (l *Links) open(
	ctx context.Context, purpose, sealed string, lifetime time.Duration,
) (language, content string, err error) {
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
