// Package signin decides which existing user a social sign-in belongs to. Whoever is linked to a user is that user from
// then on, so everything that the decision rests on has to be proved, and what is in doubt is not linked.
package signin

import (
	"errors"
	"strings"
)

// The refusals. Their texts reach the person who signs in, who has proved to own the address, in the middle of a
// sentence of Cognito's: they say what to do, and of the account no more than that there is one.
var (
	ErrDisabled  = errors.New("the account with this e-mail address is disabled; ask support to enable it")
	ErrNotReady  = errors.New("the account with this e-mail address needs a new password first; set it, sign in with it, and try again")
	ErrAmbiguous = errors.New("several accounts have this e-mail address; sign in the way you did before, or ask support")
)

// maxEmail is the longest address that SMTP carries: RFC 5321, 4.5.3.1.3, without the brackets.
const maxEmail = 254

// An Identity is somebody's account with an identity provider.
type Identity struct {
	Provider string // as Cognito names it: Google, SignInWithApple
	UserID   string // the subject in the provider's tokens
}

// providers are those whose word on an address is taken. Their names come in lower case from a user pool that
// disregards case, and have to go back to Cognito like this.
var providers = []string{"Google", "SignInWithApple"}

// ParseUserName reads the name that Cognito gives the user of a social sign-in: the provider's, an underscore and the
// subject, such as Google_104657891234567890123. It tells whether the provider is one whose word is taken.
func ParseUserName(userName string) (Identity, bool) {
	prefix, userID, found := strings.Cut(userName, "_")
	if !found || userID == "" || !visibleASCII(userID) {
		return Identity{}, false
	}
	for _, provider := range providers {
		if equalASCIIFold(prefix, provider) {
			return Identity{Provider: provider, UserID: userID}, true
		}
	}
	return Identity{}, false
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
		visibleASCII(email) && !strings.ContainsAny(email, `"\`) && !strings.Contains(domain, "@")
}

// Destination returns which of users the identity belongs to; none is found when it is a new user's. The identity's
// provider has verified the address email, which has to be [LinkableEmail]. users may hold others than those who have
// it.
//
// Only users who have verified the address count. Anybody can sign up with somebody else's address, set a password and
// wait: who is linked to such a user, or is turned away because of one, is the victim. A user who signed up here goes
// before one who came by another provider.
//
// The refusals are [ErrDisabled], [ErrNotReady] and [ErrAmbiguous]. A separate user in their place could never be
// linked again, and would let a disabled one back in.
func Destination(identity Identity, email string, users []User) (destination User, found bool, err error) {
	var local, federated []User
	for _, user := range users {
		if !user.EmailVerified || !equalASCIIFold(user.Email, email) {
			continue
		}
		if user.Status != StatusExternalProvider {
			local = append(local, user)
		} else if other, ok := ParseUserName(user.Name); ok && other != identity {
			federated = append(federated, user)
		}
	}
	candidates := local
	if len(local) == 0 {
		candidates = federated
	}
	switch {
	case len(candidates) == 0:
		return User{}, false, nil
	case len(candidates) > 1:
		return User{}, false, ErrAmbiguous
	case !candidates[0].Enabled:
		return User{}, false, ErrDisabled
	case candidates[0].Status != StatusConfirmed && candidates[0].Status != StatusExternalProvider:
		return User{}, false, ErrNotReady
	}
	return candidates[0], true, nil
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// equalASCIIFold is [strings.EqualFold] for ASCII only: Unicode has a sign for kelvin that folds into k.
func equalASCIIFold(a, b string) bool {
	return visibleASCII(a) && visibleASCII(b) && strings.EqualFold(a, b)
}
