// Package signin decides which existing user a social sign-in belongs to. Whoever is linked to a user is that user from
// then on, so everything that the decision rests on has to be proved, and what is in doubt is not linked.
package signin

import (
	"errors"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// The refusals. Their texts reach the person who signs in, who has proved to own the address, in the middle of a
// sentence of Cognito's: they say what to do, and of the account no more than it takes to do it.
var (
	ErrDisabled            = errors.New("the account with this e-mail address is disabled; ask support to enable it")
	ErrNewPasswordRequired = errors.New("the account with this e-mail address needs a new password first; set it, sign in with it, and try again")
	ErrAmbiguous           = errors.New("several accounts have this e-mail address; sign in the way you did before, or ask support")
	ErrSecondFactor        = errors.New("the account with this e-mail address has a second factor; sign in with the password and the second factor")
)

// maxEmail is the longest address that SMTP carries: RFC 5321, 4.5.3.1.3, without the brackets.
const maxEmail = 254

// An Identity is somebody's account with an identity provider.
type Identity struct {
	Provider string // as Cognito names it: Google, SignInWithApple
	UserID   string // the subject in the provider's tokens
}

// The providers whose word on an address is taken, where they are authoritative. Their names come in lower case from a
// user pool that disregards case, and have to go back to Cognito like this.
const (
	google = "Google"
	apple  = "SignInWithApple"
)

// ParseUserName reads the name that Cognito gives the user of a social sign-in: the provider's, an underscore and the
// subject, such as Google_104657891234567890123. It tells whether the provider is one whose word is taken.
func ParseUserName(userName string) (Identity, bool) {
	prefix, userID, found := strings.Cut(userName, "_")
	if !found || userID == "" || validate.VisibleASCII(userID) != "" {
		return Identity{}, false
	}
	for _, provider := range []string{google, apple} {
		if equalASCIIFold(prefix, provider) {
			return Identity{Provider: provider, UserID: userID}, true
		}
	}
	return Identity{}, false
}

// domains are those whose addresses a provider hands out itself, and to nobody else later.
var domains = map[string][]string{
	google: {"gmail.com", "googlemail.com"},
	apple:  {"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"},
}

// Authoritative tells whether the provider knows who has the address email, which has to be [LinkableEmail], now. Of
// another's address it knows who had it once, and whoever has it today may be somebody else.
//
// hostedDomain is the organisation's of a Google Workspace account, and empty for others: hd in Google's tokens, which
// is fresh only at the sign-in itself. "Verify the Google ID token on your server side" in Google's guide calls Google
// authoritative for nothing else. No address has two authoritative providers.
func (i Identity) Authoritative(email, hostedDomain string) bool {
	_, domain, _ := strings.Cut(email, "@")
	for _, own := range domains[i.Provider] {
		if equalASCIIFold(domain, own) {
			return true
		}
	}
	return i.Provider == google && equalASCIIFold(domain, hostedDomain)
}

// A User is somebody whom the user pool knows.
type User struct {
	Name          string // the user pool's: a UUID, or that of a social sign-in
	Email         string
	EmailVerified bool
	Enabled       bool
	Status        string // CONFIRMED, EXTERNAL_PROVIDER, …, as Cognito has it
}

// The states of users who can sign in.
const (
	StatusConfirmed        = "CONFIRMED"         // with a password
	StatusExternalProvider = "EXTERNAL_PROVIDER" // by an identity provider
)

// LinkableEmail tells whether an address is plain enough to find users by. What is not cannot be compared without a
// doubt: letters beyond ASCII look like others and fold into them, and quotes would end the text of a filter.
func LinkableEmail(email string) bool {
	local, domain, found := strings.Cut(email, "@")
	return found && local != "" && domain != "" && len(email) <= maxEmail &&
		validate.VisibleASCII(email) == "" && !strings.ContainsAny(email, `"\`) && !strings.Contains(domain, "@")
}

// Destination returns which of users a social sign-in with the address email belongs to; none is found when it is a new
// user's. The provider has verified the address, which has to be [LinkableEmail], and is [Identity.Authoritative] for it.
// users may hold others than those who have it.
//
// Only users who have verified the address with us count. Anybody can sign up with somebody else's address, set a
// password and wait: who is linked to such a user, or is turned away because of one, is the victim. The same goes for
// users who came by a provider: it was not the one that is authoritative for the address, or somebody else had the
// address there then.
//
// The refusals are [ErrDisabled], [ErrNewPasswordRequired] and [ErrAmbiguous]. A separate user in their place could never be
// linked again, and would let a disabled one back in. [ErrSecondFactor] is left to the caller: a list of users does not
// have their factors.
func Destination(email string, users []User) (destination User, found bool, err error) {
	var candidates []User
	for _, user := range users {
		if user.Status != StatusExternalProvider && user.EmailVerified && equalASCIIFold(user.Email, email) {
			candidates = append(candidates, user)
		}
	}
	switch {
	case len(candidates) == 0:
		return User{}, false, nil
	case len(candidates) > 1:
		return User{}, false, ErrAmbiguous
	case !candidates[0].Enabled:
		return User{}, false, ErrDisabled
	case candidates[0].Status != StatusConfirmed:
		return User{}, false, ErrNewPasswordRequired
	}
	return candidates[0], true, nil
}

// equalASCIIFold is [strings.EqualFold] for ASCII only: Unicode has a sign for kelvin that folds into k.
func equalASCIIFold(a, b string) bool {
	return validate.VisibleASCII(a) == "" && validate.VisibleASCII(b) == "" && strings.EqualFold(a, b)
}
