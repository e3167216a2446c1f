// Package accountsapi is the API of what is the signed-in user's: routes and what answers them.
package accountsapi

import (
	"context"

	"github.com/ashlar-cdk/ashlar/internal/api/cursor"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// Routes are those of the profile, of sync, of the account's end, and of the links in mails to users: package links makes
// them, and knows their path.
var Routes = rest.Table[*Handlers]{
	rest.Handle("GET", "/profile", rest.Authenticated, "Read one's profile", (*Handlers).getProfile),
	rest.Handle("PUT", "/profile", rest.Authenticated, "Create or replace one's profile", (*Handlers).putProfile),
	rest.Handle("GET", "/user/sync", rest.Authenticated, "Ask what has changed of one's own", (*Handlers).sync),
	rest.Handle("DELETE", "/user", rest.Authenticated, "Delete one's account and all that one has written, for good", (*Handlers).deleteUser),
	rest.HandlePage("GET", "/notification-settings/{token}", "Ask a mail's reader whether to get no more mails about comments", (*Handlers).askToDisableCommentNotifications),
	rest.HandlePage("POST", "/notification-settings/{token}", "Get no more mails about comments, by the page's button or by one click in a mail program (RFC 8058)", (*Handlers).disableCommentNotifications),
}

// Handlers maps the routes to the use cases of accounts.
type Handlers struct {
	Accounts *accounts.Service
	Media    pictures.Delivery // where clients see pictures
	Cursors  *cursor.Cursors
	Links    *links.Links // opens those of mails
}

func (h *Handlers) deleteUser(ctx context.Context, _ *struct{}) (*struct{}, error) {
	caller := rest.Caller(ctx)
	return nil, h.Accounts.Delete(ctx, caller.Subject, caller.Username)
}
