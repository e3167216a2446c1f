// Package subscriptionsapi is the API of the mailing list: its routes and what answers them. Nobody signs in here. What may
// be done to a subscription that there is, may be done by whoever has a link of a mail that was sent to its address.
package subscriptionsapi

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// Routes are those of subscriptions. The links of mails lead to their paths: package links makes them.
var Routes = rest.Table[*Handlers]{
	rest.Handle("POST", "/subscriptions", rest.Public, "Subscribe an address to our mails", (*Handlers).subscribe),
	rest.HandlePage("GET", "/subscriptions/{token}", "Ask a mail's reader whether to unsubscribe", (*Handlers).askToUnsubscribe),
	rest.HandlePage("POST", "/subscriptions/{token}", "Unsubscribe by the page's button, or by one click in a mail program (RFC 8058)", (*Handlers).unsubscribeByPage),
	rest.Handle("DELETE", "/subscriptions/{token}", rest.Public, "Unsubscribe by the token of a mail's link", (*Handlers).unsubscribe),
	rest.HandlePage("GET", "/confirmations/{token}", "Ask a mail's reader to confirm the subscription", (*Handlers).askToConfirm),
	rest.HandlePage("POST", "/confirmations/{token}", "Confirm the subscription by the page's button", (*Handlers).confirm),
}

// MailingList is where subscriptions are kept.
type MailingList interface {
	// Subscribe keeps a new subscription, or a pending one, which is followed by one mail. It does nothing when the address
	// has one already.
	Subscribe(ctx context.Context, subscription mailinglist.Subscription) error
	// Confirm puts the subscription in the place of the pending one that has its id, whose address and language it gets. It
	// does nothing when that was done before, and fails with [mailinglist.ErrNotFound] when there is neither.
	Confirm(ctx context.Context, subscription mailinglist.Subscription) error
	// Unsubscribe removes whatever subscription the address has.
	Unsubscribe(ctx context.Context, address string) error
}

// A Handlers answers the routes.
type Handlers struct {
	MailingList MailingList
	Links       *links.Links
	SingleOptIn bool // of subscriptions, by a mail
}

type (
	// A SubscriptionDraft says who wants mails.
	SubscriptionDraft struct {
		Address  string `json:"address" minLength:"1" doc:"An e-mail address"`
		Language string `json:"language,omitempty" doc:"Of the mails: a BCP 47 tag such as ko or en-GB"`
	}

	// A SubscriptionReceipt says what comes next. It is the same for everybody: whether an address is subscribed already is
	// nobody's business.
	SubscriptionReceipt struct {
		ConfirmationRequired bool `json:"confirmationRequired" doc:"Whether an address that is not subscribed yet gets a mail whose link has to be followed within a day. Without it, the subscription holds at once."`
	}

	// LinkPath has what a link of a mail ends with.
	LinkPath struct {
		Token string `path:"token" doc:"What the link in the mail ends with"`
	}
)

// TransformSchema says the domain's limits.
func (SubscriptionDraft) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	rest.LimitLength(schema, "address", email.MaxAddress)
	rest.LimitLength(schema, "language", validate.MaxLanguageTag)
	return schema
}

func (s *Handlers) subscribe(ctx context.Context, in *struct{ Body SubscriptionDraft }) (*struct{ Body SubscriptionReceipt }, error) {
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
	to := email.Address(in.Body.Address)
	subscription := mailinglist.Subscription{
		Key:       mailinglist.Key{Address: to.Key(), Kind: mailinglist.Pending, ID: id},
		To:        to,
		Language:  in.Body.Language,
		CreatedAt: time.Now(),
	}
	if s.SingleOptIn {
		subscription.Kind = mailinglist.Subscribed
		subscription.Link, err = s.Links.Unsubscribe(ctx, subscription.Address, subscription.Language)
	} else {
		subscription.Link, err = s.Links.Confirm(ctx, id, subscription.Address, subscription.Language)
	}
	if err != nil {
		return nil, err
	}
	if err := s.MailingList.Subscribe(ctx, subscription); err != nil {
		return nil, err
	}
	return &struct{ Body SubscriptionReceipt }{SubscriptionReceipt{ConfirmationRequired: !s.SingleOptIn}}, nil
}

func (s *Handlers) askToUnsubscribe(ctx context.Context, in *LinkPath) (rest.Page, error) {
	opened, err := s.Links.OpenUnsubscribe(ctx, in.Token)
	return unsubscribePage.In(opened.Language), err
}

func (s *Handlers) unsubscribeByPage(ctx context.Context, in *LinkPath) (rest.Page, error) {
	opened, err := s.Links.OpenUnsubscribe(ctx, in.Token)
	if err != nil {
		return rest.Page{}, err
	}
	return unsubscribedPage.In(opened.Language), s.MailingList.Unsubscribe(ctx, opened.Address)
}

func (s *Handlers) unsubscribe(ctx context.Context, in *LinkPath) (*struct{}, error) {
	_, err := s.unsubscribeByPage(ctx, in)
	return nil, err
}

func (s *Handlers) askToConfirm(ctx context.Context, in *LinkPath) (rest.Page, error) {
	opened, err := s.Links.OpenConfirm(ctx, in.Token)
	return confirmPage.In(opened.Language), err
}

func (s *Handlers) confirm(ctx context.Context, in *LinkPath) (rest.Page, error) {
	opened, err := s.Links.OpenConfirm(ctx, in.Token)
	if err != nil {
		return rest.Page{}, err
	}
	link, err := s.Links.Unsubscribe(ctx, opened.Address, opened.Language)
	if err != nil {
		return rest.Page{}, err
	}
	err = s.MailingList.Confirm(ctx, mailinglist.Subscription{
		Key:       mailinglist.Key{Address: opened.Address, Kind: mailinglist.Subscribed, ID: opened.ID},
		Link:      link,
		CreatedAt: time.Now(),
	})
	if errors.Is(err, mailinglist.ErrNotFound) {
		return nothingToConfirmPage.In(opened.Language), nil
	}
	return confirmedPage.In(opened.Language), err
}
