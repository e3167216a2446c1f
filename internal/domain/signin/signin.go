// Package signin decides which existing user a social sign-in is linked to. Once linked, an
// identity can sign in as that user. So the decision uses only verified facts, and an identity is
// not linked in case of doubt.
package signin

import (
	"errors"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// The errors that reject a sign-in. The user sees their texts in the middle of a sentence of
// Cognito's. The user has proved to own the address. The texts say what to do, and about the
// account only what that requires.
var (
	ErrDisabled = errors.New(
		"the account with this e-mail address is disabled; ask support to enable it")
	ErrNewPasswordRequired = errors.New("the account with this e-mail address needs " +
		"a new password first; set it, sign in with it, and try again")
	ErrAmbiguous = errors.New("several accounts have this e-mail address; " +
		"sign in the way you did before, or ask support")
	ErrSecondFactor = errors.New("the account with this e-mail address has a second factor; " +
		"sign in with the password and the second factor")
)

// maxEmail is the maximum length of an address in SMTP: RFC 5321, 4.5.3.1.3, without the brackets.
const maxEmail = 254

// An Identity is an account at an identity provider.
type Identity struct {
	Provider string // its name in Cognito: Google, SignInWithApple
	UserID   string // the subject in the provider's tokens
}

// The trusted providers: their verification of an address counts if they are authoritative for it.
// A case-insensitive user pool passes their names in lower case, but Cognito's API requires this
// spelling.
const (
	google = "Google"
	apple  = "SignInWithApple"
)

// ParseUserName parses the user name of a social sign-in in Cognito: the provider's name, an
// underscore and the subject, such as Google_104657891234567890123. It reports whether the name is
// valid and the provider is trusted.
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

// domains are the domains whose addresses a provider assigns itself and never reassigns to another
// person.
var domains = map[string][]string{
	google: {"gmail.com", "googlemail.com"},
	apple:  {"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"},
}

// Authoritative reports whether the provider knows the present owner of the address email, which
// has to be [LinkableEmail]. Of any other address, the provider knows only a past owner; the
// present owner may be another person.
//
// hostedDomain is the domain of the organization of a Google Workspace account, and empty for other
// accounts: hd in Google's tokens, which is up to date only at the sign-in itself. According to
// "Verify the Google ID token on your server side" in Google's guide, Google is authoritative for
// no other addresses. No address has two authoritative providers.
func (i Identity) Authoritative(email, hostedDomain string) bool {
	_, domain, _ := strings.Cut(email, "@")
	for _, own := range domains[i.Provider] {
		if equalASCIIFold(domain, own) {
			return true
		}
	}
	return i.Provider == google && equalASCIIFold(domain, hostedDomain)
}

// A User is a user of the user pool.
type User struct {
	Name          string // the user name: a UUID, or the name of a social sign-in
	Email         string
	EmailVerified bool
	Enabled       bool
	Status        string // Cognito's UserStatus: CONFIRMED, EXTERNAL_PROVIDER, …
}

// The states of users who can sign in.
const (
	StatusConfirmed        = "CONFIRMED"         // with a password
	StatusExternalProvider = "EXTERNAL_PROVIDER" // with an identity provider
)

// LinkableEmail reports whether an address is simple enough to find users by. Other addresses
// cannot be compared reliably: letters beyond ASCII look like others and fold into them, and quotes
// would end the string in a filter.
func LinkableEmail(email string) bool {
	local, domain, found := strings.Cut(email, "@")
	return found && local != "" && domain != "" && len(email) <= maxEmail &&
		validate.VisibleASCII(email) == "" && !strings.ContainsAny(email, `"\`) &&
		!strings.Contains(domain, "@")
}

// Destination returns the user in users that a social sign-in with the address email is linked to;
// found is false for a new user. The provider has verified the address, which has to be
// [LinkableEmail], and is [Identity.Authoritative] for it. users may include users with other
// addresses.
//
// Only users who have verified the address in this user pool count. Otherwise an attacker could
// sign up with the address of a victim, set a password and wait until the victim is linked to that
// user or is rejected because of it. Users of other social sign-ins do not count either: their
// provider was not authoritative for the address, or the address had another owner then.
//
// The errors are [ErrDisabled], [ErrNewPasswordRequired] and [ErrAmbiguous]. Creating a separate
// user instead would rule out linking forever, and would let a disabled user sign in again. The
// caller checks for [ErrSecondFactor]: a list of users does not include their factors.
func Destination(email string, users []User) (destination User, found bool, err error) {
	var candidates []User
	for _, user := range users {
		if user.Status != StatusExternalProvider && user.EmailVerified &&
			equalASCIIFold(user.Email, email) {
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

// equalASCIIFold is [strings.EqualFold] for ASCII only: Unicode's kelvin sign folds into k.
func equalASCIIFold(a, b string) bool {
	return validate.VisibleASCII(a) == "" && validate.VisibleASCII(b) == "" &&
		strings.EqualFold(a, b)
}
