// Package accountsapi is the API of what is the signed-in user's: routes and what answers them.
package accountsapi

import (
	"context"
	"errors"
	"net/http"
	"time"

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
	rest.HandlePage("GET", "/comment-mails/{token}", "Ask a mail's reader whether to get no more mails about comments", (*Handlers).askToEndCommentMails),
	rest.HandlePage("POST", "/comment-mails/{token}", "Get no more mails about comments, by the page's button or by one click in a mail program (RFC 8058)", (*Handlers).endCommentMails),
}

// Profiles is where profiles are kept.
type Profiles interface {
	Get(ctx context.Context, subject string) (accounts.Profile, error)
	// Put leaves the mails about comments as they are when commentMails is nil; in a new profile they are on.
	Put(ctx context.Context, p accounts.Profile, commentMails *bool) (accounts.Profile, error)

	// SetCommentMails says whether the user wants to be told of comments by mail.
	SetCommentMails(ctx context.Context, subject string, on bool) error
}

// Changes is where one learns what has changed.
type Changes interface {
	Since(ctx context.Context, subject string, position accounts.Position, limit int) (accounts.Page, error)
}

// Accounts is where all that is a user's is kept.
type Accounts interface {
	Delete(ctx context.Context, subject string) error
}

// Pictures is where those of posts are kept.
type Pictures interface {
	// LetGoOfAll deletes a user's pictures that no post shows.
	LetGoOfAll(ctx context.Context, owner string) error
}

// Users is where users sign in.
type Users interface {
	// Delete removes a user, if there is one of that name.
	Delete(ctx context.Context, username string) error
}

// Cursors seal how far a client has come.
type Cursors interface {
	Seal(ctx context.Context, list string, position []byte) (string, error)
	Open(ctx context.Context, list, cursor string, lifetime time.Duration) ([]byte, error)
}

// A Handlers answers the routes.
type Handlers struct {
	Profiles Profiles
	Changes  Changes
	Accounts Accounts
	Pictures Pictures
	Users    Users
	Media    pictures.Delivery
	Cursors  Cursors
	Links    *links.Links // opens those of mails
}

// Refuse says what the client is told about the domain's errors.
func (s *Handlers) Refuse(err error) *rest.Error {
	if errors.Is(err, accounts.ErrProfileNotFound) {
		return rest.NewError(http.StatusNotFound, "not_found", "You have no profile yet; create it with PUT /profile.")
	}
	return nil
}

// deleteUser deletes what the user has written before the user, so that whoever is cut off on the way can still sign in
// and ask again. Each step may be repeated.
func (s *Handlers) deleteUser(ctx context.Context, _ *struct{}) (*struct{}, error) {
	caller := rest.Caller(ctx)
	if err := s.Accounts.Delete(ctx, caller.Subject); err != nil {
		return nil, err
	}
	if err := s.Pictures.LetGoOfAll(ctx, caller.Subject); err != nil {
		return nil, err
	}
	return nil, s.Users.Delete(ctx, caller.Username)
}
