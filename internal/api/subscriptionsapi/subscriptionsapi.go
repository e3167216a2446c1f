// Package subscriptionsapi provides the API of the mailing list: its routes and their handlers. Its
// routes are public. The token of a link in a mail authorizes changes to an existing subscription:
// only the owner of the address receives it.
package subscriptionsapi

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/pages"
	"github.com/ashlar-cdk/ashlar/internal/api/property"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Routes are the routes of subscriptions. Links in mails point to their paths: package links
// creates them.
//
// Subscribing sends a mail to an address without sign-in: its throttle bounds how many strangers
// get one, and protects our reputation with SES.
var Routes = rest.Table[*Handlers]{
	rest.Handle("POST", "/subscriptions", rest.Public,
		"Subscribe an address to the mailing list", (*Handlers).subscribe).WithThrottle(5, 10),
	pages.Handle("GET", "/subscriptions/{token}",
		"Show a page with a button to unsubscribe", (*Handlers).showUnsubscribePage),
	pages.Handle("POST", "/subscriptions/{token}",
		"Unsubscribe, by the page's button or by one click in a mail client (RFC 8058)",
		(*Handlers).unsubscribeByPage),
	rest.Handle("DELETE", "/subscriptions/{token}", rest.Public,
		"Unsubscribe, by the token of a link in an e-mail", (*Handlers).unsubscribe),
	pages.Handle("GET", "/confirmations/{token}",
		"Show a page with a button to confirm the subscription", (*Handlers).showConfirmPage),
	pages.Handle("POST", "/confirmations/{token}",
		"Confirm the subscription, by the page's button", (*Handlers).confirm),
}

// A MailingList stores subscriptions.
type MailingList interface {
	// Subscribe stores a new subscription, confirmed or pending, which triggers one mail. It does
	// nothing when the address already has one.
	Subscribe(ctx context.Context, subscription mailinglist.Subscription) error
	// Confirm replaces the pending subscription that has the same id by this one, which takes over
	// its address and language. It is idempotent, and fails with [mailinglist.ErrNotFound] when
	// there is neither a pending nor a confirmed one.
	Confirm(ctx context.Context, subscription mailinglist.Subscription) error
	// Unsubscribe removes the address's subscription, confirmed or pending.
	Unsubscribe(ctx context.Context, address string) error
}

// Handlers maps the routes to the mailing list.
type Handlers struct {
	MailingList MailingList
	Links       *links.Links
	SingleOptIn bool // subscribe without confirmation; default: double opt-in, by a mail
}

type (
	// A SubscriptionDraft is a request to subscribe.
	SubscriptionDraft struct {
		Address  string `json:"address" minLength:"1" doc:"An e-mail address"`
		Language string `json:"language,omitempty"`
	}

	// A SubscriptionReceipt is the response to a request to subscribe. It does not reveal whether
	// the address was already subscribed.
	SubscriptionReceipt struct {
		ConfirmationRequired bool `json:"confirmationRequired"`
	}

	// LinkPath is the path of a link in a mail.
	LinkPath struct {
		Token string `path:"token" doc:"Token at the end of the link in the e-mail"`
	}
)

// TransformSchema sets the domain's limits and a description that is too long for a tag.
func (SubscriptionDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	property.LimitLength(schema, "address", email.MaxAddress)
	property.LimitLength(schema, "language", validate.MaxLanguageTag)
	schema.Properties["language"].Description =
		"Language of the e-mails: a BCP 47 tag such as ko or en-GB"
	return schema
}

// TransformSchema sets a description that is too long for a tag.
func (SubscriptionReceipt) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Properties["confirmationRequired"].Description = "Whether an address that is not " +
		"subscribed yet is sent an e-mail with a link to confirm within 24 hours. " +
		"If false, the subscription is active immediately."
	return schema
}

func (h *Handlers) subscribe(
	ctx context.Context, in *struct{ Body SubscriptionDraft },
) (*struct{ Body SubscriptionReceipt }, error) {
	var invalid validate.Error
	invalid.Check("address", email.CheckAddress(in.Body.Address))
	invalid.Check("language", validate.LanguageTag(in.Body.Language))
	if err := invalid.OrNil(); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	to, language := email.Address(in.Body.Address), in.Body.Language
	subscription := mailinglist.Subscription{
		Key:       mailinglist.Key{Address: to.Key(), Kind: mailinglist.Pending, ID: id},
		To:        to,
		Language:  language,
		CreatedAt: time.Now(),
	}
	if h.SingleOptIn {
		subscription.Kind = mailinglist.Subscribed
		subscription.Link, err = h.Links.Unsubscribe(ctx, to.Key(), language)
	} else {
		subscription.Link, err = h.Links.Confirm(ctx, id, to.Key(), language)
	}
	if err != nil {
		return nil, err
	}
	if err := h.MailingList.Subscribe(ctx, subscription); err != nil {
		return nil, err
	}
	receipt := SubscriptionReceipt{ConfirmationRequired: !h.SingleOptIn}
	return &struct{ Body SubscriptionReceipt }{receipt}, nil
}

func (h *Handlers) showUnsubscribePage(ctx context.Context, in *LinkPath) (pages.Page, error) {
	opened, err := h.Links.OpenUnsubscribe(ctx, in.Token)
	return unsubscribePage.In(opened.Language), err
}

func (h *Handlers) unsubscribeByPage(ctx context.Context, in *LinkPath) (pages.Page, error) {
	opened, err := h.Links.OpenUnsubscribe(ctx, in.Token)
	if err != nil {
		return pages.Page{}, err
	}
	return unsubscribedPage.In(opened.Language), h.MailingList.Unsubscribe(ctx, opened.Address)
}

func (h *Handlers) unsubscribe(ctx context.Context, in *LinkPath) (*struct{}, error) {
	_, err := h.unsubscribeByPage(ctx, in)
	return nil, err
}

func (h *Handlers) showConfirmPage(ctx context.Context, in *LinkPath) (pages.Page, error) {
	opened, err := h.Links.OpenConfirm(ctx, in.Token)
	return confirmPage.In(opened.Language), err
}

func (h *Handlers) confirm(ctx context.Context, in *LinkPath) (pages.Page, error) {
	opened, err := h.Links.OpenConfirm(ctx, in.Token)
	if err != nil {
		return pages.Page{}, err
	}
	link, err := h.Links.Unsubscribe(ctx, opened.Address, opened.Language)
	if err != nil {
		return pages.Page{}, err
	}
	err = h.MailingList.Confirm(ctx, mailinglist.Subscription{
		Key: mailinglist.Key{
			Address: opened.Address, Kind: mailinglist.Subscribed, ID: opened.ID,
		},
		Link:      link,
		CreatedAt: time.Now(),
	})
	if errors.Is(err, mailinglist.ErrNotFound) {
		return nothingToConfirmPage.In(opened.Language), nil
	}
	return confirmedPage.In(opened.Language), err
}
