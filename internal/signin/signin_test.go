package signin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/signin"
)

const email = "ada@example.com"

var google = signin.Identity{Provider: "Google", UserID: "104657891234567890123"}

// ada is a user who has signed up here and confirmed her address, changed by the test.
func ada(change func(*signin.User)) signin.User {
	user := signin.User{Name: "00000000-0000-4000-8000-00000000aaaa", Email: email, EmailVerified: true, Enabled: true, Status: signin.StatusConfirmed}
	if change != nil {
		change(&user)
	}
	return user
}

// byApple is a user who came by Apple, changed by the test.
func byApple(change func(*signin.User)) signin.User {
	return ada(func(user *signin.User) {
		user.Name, user.Status = "signinwithapple_000123.0123456789abcdef0123456789abcdef.0456", signin.StatusExternalProvider
		if change != nil {
			change(user)
		}
	})
}

// TestWhoASocialSignInBelongsTo has every way into somebody else's account that we know of: in each, the attacker or the
// victim signs in by Google with the address ada@example.com, which Google has verified.
func TestWhoASocialSignInBelongsTo(t *testing.T) {
	unverified := func(user *signin.User) { user.EmailVerified = false }
	unconfirmed := func(user *signin.User) { user.EmailVerified, user.Status = false, "UNCONFIRMED" }
	disabled := func(user *signin.User) { user.Enabled = false }
	status := func(status string) func(*signin.User) { return func(user *signin.User) { user.Status = status } }
	address := func(email string) func(*signin.User) { return func(user *signin.User) { user.Email = email } }
	named := func(name string) func(*signin.User) { return func(user *signin.User) { user.Name = name } }
	tests := map[string]struct {
		users []signin.User
		want  string // the user's name; empty for a new user
		err   error
	}{
		"nobody has the address":                            {nil, "", nil},
		"a confirmed user with the verified address":        {[]signin.User{ada(nil)}, ada(nil).Name, nil},
		"whatever the case":                                 {[]signin.User{ada(address("ADA@Example.Com"))}, ada(nil).Name, nil},
		"a user who came by another provider":               {[]signin.User{byApple(nil)}, byApple(nil).Name, nil},
		"who signed up here goes before another provider's": {[]signin.User{byApple(nil), ada(nil)}, ada(nil).Name, nil},

		"attacker signed up with the victim's address and never confirmed it": {[]signin.User{ada(unconfirmed)}, "", nil},
		"attacker was confirmed without the address":                          {[]signin.User{ada(unverified)}, "", nil},
		"attacker came by a provider that did not verify the address":         {[]signin.User{byApple(unverified)}, "", nil},
		"the victim is not turned away for an attacker's sake":                {[]signin.User{ada(unconfirmed), byApple(unverified)}, "", nil},
		"the victim is found among attackers":                                 {[]signin.User{ada(unconfirmed), byApple(unverified), ada(named("victim"))}, "victim", nil},
		"an attacker who is disabled does not turn the victim away": {[]signin.User{ada(func(user *signin.User) {
			unconfirmed(user)
			disabled(user)
		})}, "", nil},

		"an address that starts with it":        {[]signin.User{ada(address("ada@example.com.attacker.example"))}, "", nil},
		"an address with a tag":                 {[]signin.User{ada(address("ada+tag@example.com"))}, "", nil},
		"an address with a space":               {[]signin.User{ada(address("ada@example.com "))}, "", nil},
		"no address":                            {[]signin.User{ada(address(""))}, "", nil},
		"a provider whose word is not taken":    {[]signin.User{byApple(named("facebook_1234"))}, "", nil},
		"a user of a provider without a name":   {[]signin.User{byApple(named("00000000-0000-4000-8000-00000000bbbb"))}, "", nil},
		"itself, as another request has it now": {[]signin.User{byApple(named("google_104657891234567890123"))}, "", nil},

		"a disabled user":                        {[]signin.User{ada(disabled)}, "", signin.ErrDisabled},
		"a disabled user of another provider":    {[]signin.User{byApple(disabled)}, "", signin.ErrDisabled},
		"a disabled user and another provider's": {[]signin.User{ada(disabled), byApple(nil)}, "", signin.ErrDisabled},
		"an invited user":                        {[]signin.User{ada(status("FORCE_CHANGE_PASSWORD"))}, "", signin.ErrNotReady},
		"an imported user":                       {[]signin.User{ada(status("RESET_REQUIRED"))}, "", signin.ErrNotReady},
		"a user in a state that we do not know":  {[]signin.User{ada(status("COMPROMISED"))}, "", signin.ErrNotReady},
		"two users with the verified address":    {[]signin.User{ada(nil), ada(named("other"))}, "", signin.ErrAmbiguous},
		"two users of other providers":           {[]signin.User{byApple(nil), byApple(named("google_2"))}, "", signin.ErrAmbiguous},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found, err := signin.Destination(google, email, test.users)
			if got.Name != test.want || found != (test.want != "") || !errors.Is(err, test.err) {
				t.Errorf("user %q (%t), error %v; want %q, %v", got.Name, found, err, test.want, test.err)
			}
		})
	}
}

// TestAnAddressThatFoldsIntoAnotherIsAnother: Unicode folds the sign for kelvin and the long s into k and s.
func TestAnAddressThatFoldsIntoAnotherIsAnother(t *testing.T) {
	for _, address := range []string{"\u212aate.s@example.com", "kate.\u017f@example.com"} {
		user := ada(func(user *signin.User) { user.Email = address })
		if got, found, err := signin.Destination(google, "kate.s@example.com", []signin.User{user}); found || err != nil {
			t.Errorf("%q is taken for kate.s@example.com: %+v, %v", address, got, err)
		}
	}
}

func TestParseUserName(t *testing.T) {
	tests := map[string]struct {
		want signin.Identity
		ok   bool
	}{
		"Google_104657891234567890123":                                 {google, true},
		"google_104657891234567890123":                                 {google, true}, // as a user pool names it that disregards case
		"signinwithapple_000123.0123456789abcdef0123456789abcdef.0456": {signin.Identity{Provider: "SignInWithApple", UserID: "000123.0123456789abcdef0123456789abcdef.0456"}, true},
		"Google_a_b":                           {signin.Identity{Provider: "Google", UserID: "a_b"}, true},
		"facebook_1":                           {},
		"google-1":                             {},
		"google_":                              {},
		"_1":                                   {},
		"":                                     {},
		"google":                               {},
		"google_1 2":                           {},
		"google_1\n":                           {},
		"google_\u00e9":                        {},
		"oogle_1":                              {},
		"signInWithApp\u006ce\u0301_1":         {},
		"00000000-0000-4000-8000-00000000aaaa": {},
	}
	for userName, test := range tests {
		if got, ok := signin.ParseUserName(userName); got != test.want || ok != test.ok {
			t.Errorf("%q is %+v (%t), want %+v (%t)", userName, got, ok, test.want, test.ok)
		}
	}
}

func TestOnlyPlainAddressesAreLinked(t *testing.T) {
	for address, want := range map[string]bool{
		"ada@example.com":                         true,
		"a.d-a+b_c'd@mail.example.co.uk":          true,
		strings.Repeat("a", 242) + "@example.com": true,
		strings.Repeat("a", 243) + "@example.com": false,
		"":                                         false,
		"ada":                                      false,
		"@example.com":                             false,
		"ada@":                                     false,
		"ada@example.com@attacker.example":         false,
		`"ada"@example.com`:                        false,
		`ada" or sub ^= "@example.com`:             false,
		`ada\"@example.com`:                        false,
		"ada@example.com\n":                        false,
		"ada @example.com":                         false,
		"ada@example.com\x00":                      false,
		"\u0430da@example.com":                     false, // a Cyrillic letter
		"ada@e\u212aample.com":                     false, // the sign for kelvin
		"ada@example.com\u200b":                    false,
		string([]byte{'a', 0xff, '@', 'b'}):        false,
		"Ada@Example.COM":                          true,
		"000123.0456@privaterelay.appleid.com":     true,
		"victim@example.com,attacker@example.com":  false,
		"victim@example.com attacker@example.com":  false,
		"victim@example.com\" email = \"a@b.c":     false,
		"victim%22@example.com":                    true, // means nothing in a filter
		"ada@\uff45\uff58ample.com":                false,
		strings.Repeat("a", 1<<20) + "@example.co": false,
	} {
		if got := signin.LinkableEmail(address); got != want {
			t.Errorf("%.80q: %t, want %t", address, got, want)
		}
	}
}

func FuzzParseUserName(f *testing.F) {
	for _, seed := range []string{"Google_1", "google_1", "signinwithapple_0.a.1", "facebook_1", "_", "Google_", "Google_\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userName string) {
		identity, ok := signin.ParseUserName(userName)
		if !ok {
			if identity != (signin.Identity{}) {
				t.Errorf("%q is refused and is %+v", userName, identity)
			}
			return
		}
		if identity.Provider != "Google" && identity.Provider != "SignInWithApple" {
			t.Errorf("%q comes from %q", userName, identity.Provider)
		}
		// Nothing is lost: what Cognito is asked to link is what it named.
		if rebuilt := identity.Provider + "_" + identity.UserID; !strings.EqualFold(rebuilt, userName) || !strings.HasSuffix(userName, "_"+identity.UserID) {
			t.Errorf("%q became %q", userName, rebuilt)
		}
	})
}

// FuzzDestination holds that nobody is ever linked to a user who has not verified just this address.
func FuzzDestination(f *testing.F) {
	f.Add("ada@example.com", "ada@example.com", "CONFIRMED", "a", true, true)
	f.Add("ada@example.com", "ADA@example.com", "EXTERNAL_PROVIDER", "google_2", true, true)
	f.Add("ada@example.\u212aom", "ada@example.kom", "CONFIRMED", "a", true, true)
	f.Add("", "", "CONFIRMED", "a", true, true)
	f.Fuzz(func(t *testing.T, address, users, status, name string, verified, enabled bool) {
		if !signin.LinkableEmail(address) {
			return
		}
		user := signin.User{Name: name, Email: users, EmailVerified: verified, Enabled: enabled, Status: status}
		got, found, err := signin.Destination(google, address, []signin.User{user})
		if found && (err != nil || got != user || !verified || !enabled || !strings.EqualFold(users, address) ||
			status != signin.StatusConfirmed && status != signin.StatusExternalProvider) {
			t.Errorf("%q is linked to %+v, %v", address, user, err)
		}
		if !verified && (found || err != nil) {
			t.Errorf("an unverified user matters: %t, %v", found, err)
		}
	})
}
