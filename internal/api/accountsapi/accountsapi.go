// Package accountsapi provides the routes of the signed-in user's account.
package accountsapi

import (
	"context"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/pages"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/rest"
)

// Routes are the routes of the profile, of sync, of the account's deletion, and of the links in
// e-mails to users. Package links makes the links and repeats their path.
var Routes = rest.Table[*Handlers]{
	rest.Handle("GET", "/profile", rest.Authenticated,
		"Get your profile", (*Handlers).getProfile),
	rest.Handle("PUT", "/profile", rest.Authenticated,
		"Create or replace your profile", (*Handlers).putProfile),
	rest.Handle("GET", "/user/sync", rest.Authenticated,
		"List changes to your profile, posts and comments since the last sync", (*Handlers).sync),
	rest.Handle("DELETE", "/user", rest.Authenticated,
		"Delete your account, posts and comments permanently", (*Handlers).deleteUser),
	pages.Handle("GET", "/notification-settings/{token}",
		"Show a page that asks whether to turn off comment notifications",
		(*Handlers).askToDisableCommentNotifications),
	pages.Handle("POST", "/notification-settings/{token}",
		"Turn off comment notifications, from the page or by one-click unsubscribe (RFC 8058)",
		(*Handlers).disableCommentNotifications),
}

// Handlers maps the routes to the use cases of accounts.
type Handlers struct {
	Accounts *accounts.Service
	Media    pictures.Delivery // the CDN of pictures
	Cursors  *cursor.Cursors
	Links    *links.Links // opens the links in e-mails
}

func (h *Handlers) deleteUser(ctx context.Context, _ *struct{}) (*struct{}, error) {
	caller := rest.Caller(ctx)
	return nil, h.Accounts.Delete(ctx, caller.Subject, caller.Username)
}
