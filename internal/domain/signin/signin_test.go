package signin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/domain/signin"
)

const email = "ada@example.com"

var google = signin.Identity{Provider: "Google", UserID: "104657891234567890123"}

// ada returns a user who has signed up here and verified the address, modified by change.
func ada(change func(*signin.User)) signin.User {
	user := signin.User{
		Name: "00000000-0000-4000-8000-00000000aaaa", Email: email, EmailVerified: true,
		Enabled: true, Status: signin.StatusConfirmed,
	}
	if change != nil {
		change(&user)
	}
	return user
}

// by returns a user of a social sign-in with the verified address, modified by change.
func by(name string, change func(*signin.User)) signin.User {
	return ada(func(user *signin.User) {
		user.Name, user.Status = name, signin.StatusExternalProvider
		if change != nil {
			change(user)
		}
	})
}

// TestIdentity_Authoritative checks that only the provider that assigns an address is
// authoritative. Other providers know only a past owner.
func TestIdentity_Authoritative(t *testing.T) {
	const google, apple = "Google", "SignInWithApple"
	tests := []struct {
		provider, email, hostedDomain string
		want                          bool
	}{
		{google, "ada@gmail.com", "", true},
		{google, "Ada@GMail.com", "", true},
		{google, "ada@googlemail.com", "", true},
		{google, "ada@example.com", "example.com", true},
		{google, "ada@Example.com", "EXAMPLE.com", true},

		// a Google account with an address at another domain
		{google, "ada@example.com", "", false},
		{google, "ada@example.com", "attacker.example", false},
		{google, "ada@example.com", "com", false},
		{google, "ada@mail.example.com", "example.com", false},
		{google, "ada@example.com", "mail.example.com", false},
		{google, "ada@example.com", "example.com.", false},
		{google, "ada@example.com", " example.com", false},
		{google, "ada@example.com", "ada@example.com", false},
		{google, "ada@example.kom", "example.\u212aom", false}, // the kelvin sign
		{google, "example.com@attacker.example", "example.com", false},
		{google, "gmail.com@attacker.example", "", false},
		{google, "ada@gmail.com.attacker.example", "", false},
		{google, "ada@mail.gmail.com", "", false},
		{google, "ada@notgmail.com", "", false},
		{google, "ada@icloud.com", "", false},

		{apple, "ada@icloud.com", "", true},
		{apple, "ada@me.com", "", true},
		{apple, "ada@mac.com", "", true},
		{apple, "000123.0456@PrivateRelay.AppleID.com", "", true},
		{apple, "ada@example.com", "", false},
		{apple, "ada@example.com", "example.com", false}, // Apple has no such claim
		{apple, "ada@gmail.com", "", false},
		{apple, "ada@appleid.com", "", false},
		{apple, "ada@icloud.com.attacker.example", "", false},

		{"Facebook", "ada@gmail.com", "", false},
		{"Facebook", "ada@example.com", "example.com", false},
		{"", "ada@example.com", "example.com", false},
	}
	for _, test := range tests {
		identity := signin.Identity{Provider: test.provider, UserID: "1"}
		if got := identity.Authoritative(test.email, test.hostedDomain); got != test.want {
			t.Errorf("%s, of %q with the hosted domain %q: %t, want %t", test.provider, test.email,
				test.hostedDomain, got, test.want)
		}
	}
}

// TestDestination covers every known attack on another user's account: in each, the attacker or the
// victim signs in with Google and the address ada@example.com, which Google has verified and is
// authoritative for.
func TestDestination(t *testing.T) {
	unverified := func(user *signin.User) { user.EmailVerified = false }
	unconfirmed := func(user *signin.User) {
		user.EmailVerified, user.Status = false, "UNCONFIRMED"
	}
	disabled := func(user *signin.User) { user.Enabled = false }
	status := func(status string) func(*signin.User) {
		return func(user *signin.User) { user.Status = status }
	}
	address := func(email string) func(*signin.User) {
		return func(user *signin.User) { user.Email = email }
	}
	named := func(name string) func(*signin.User) {
		return func(user *signin.User) { user.Name = name }
	}
	tests := map[string]struct {
		users []signin.User
		want  string // the user's name; empty for a new user
		err   error
	}{
		"no user has the address": {nil, "", nil},
		"a confirmed user with the verified address": {
			[]signin.User{ada(nil)}, ada(nil).Name, nil,
		},
		"the address in another case": {
			[]signin.User{ada(address("ADA@Example.Com"))}, ada(nil).Name, nil,
		},
		"signed up here, and a user of another provider": {
			[]signin.User{by("signinwithapple_1", nil), ada(nil)}, ada(nil).Name, nil,
		},

		"attacker signed up with the victim's address and never confirmed it": {
			[]signin.User{ada(unconfirmed)}, "", nil,
		},
		"attacker was confirmed without the address": {
			[]signin.User{ada(unverified)}, "", nil,
		},
		"attacker used a provider that did not verify the address": {
			[]signin.User{by("signinwithapple_1", unverified)}, "", nil,
		},
		"attacker had the address once, and used another provider": {
			[]signin.User{by("signinwithapple_1", nil)}, "", nil,
		},
		"attacker had the address at the same provider": {
			[]signin.User{by("google_2", nil)}, "", nil,
		},
		"attackers used all providers": {
			[]signin.User{by("signinwithapple_1", nil), by("google_2", nil)}, "", nil,
		},
		"the victim is not rejected because of an attacker": {
			[]signin.User{ada(unconfirmed), by("signinwithapple_1", disabled)}, "", nil,
		},
		"the victim is found among attackers": {
			[]signin.User{ada(unconfirmed), by("signinwithapple_1", nil), ada(named("victim"))},
			"victim", nil,
		},
		"the victim is not rejected because of a disabled attacker": {[]signin.User{ada(
			func(user *signin.User) {
				unconfirmed(user)
				disabled(user)
			})}, "", nil},

		"an address that starts with it": {
			[]signin.User{ada(address("ada@example.com.attacker.example"))}, "", nil,
		},
		"an address with a tag": {
			[]signin.User{ada(address("ada+tag@example.com"))}, "", nil,
		},
		"an address with a space": {[]signin.User{ada(address("ada@example.com "))}, "", nil},
		"no address":              {[]signin.User{ada(address(""))}, "", nil},
		"the same identity, from a concurrent request": {
			[]signin.User{by("google_104657891234567890123", nil)}, "", nil,
		},

		"a disabled user": {
			[]signin.User{ada(disabled)}, "", signin.ErrDisabled,
		},
		"a disabled user and another provider's": {
			[]signin.User{ada(disabled), by("signinwithapple_1", nil)}, "", signin.ErrDisabled,
		},
		"an invited user": {
			[]signin.User{ada(status("FORCE_CHANGE_PASSWORD"))}, "", signin.ErrNewPasswordRequired,
		},
		"an imported user": {
			[]signin.User{ada(status("RESET_REQUIRED"))}, "", signin.ErrNewPasswordRequired,
		},
		"a user in an unknown state": {
			[]signin.User{ada(status("COMPROMISED"))}, "", signin.ErrNewPasswordRequired,
		},
		"two users with the verified address": {
			[]signin.User{ada(nil), ada(named("other"))}, "", signin.ErrAmbiguous,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found, err := signin.Destination(email, test.users)
			if got.Name != test.want || found != (test.want != "") || !errors.Is(err, test.err) {
				t.Errorf("user %q (%t), error %v; want %q, %v", got.Name, found, err, test.want,
					test.err)
			}
		})
	}
}

// TestDestination_folds_ASCII_only: Unicode folds the kelvin sign and the long s into k and s.
func TestDestination_folds_ASCII_only(t *testing.T) {
	for _, address := range []string{"\u212aate.s@example.com", "kate.\u017f@example.com"} {
		user := ada(func(user *signin.User) { user.Email = address })
		if got, found, err := signin.Destination("kate.s@example.com",
			[]signin.User{user}); found || err != nil {
			t.Errorf("%q matches kate.s@example.com: %+v, %v", address, got, err)
		}
	}
}

func TestParseUserName(t *testing.T) {
	tests := map[string]struct {
		want signin.Identity
		ok   bool
	}{
		"Google_104657891234567890123": {google, true},
		// in a case-insensitive user pool
		"google_104657891234567890123": {google, true},
		"signinwithapple_000123.0123456789abcdef0123456789abcdef.0456": {signin.Identity{
			Provider: "SignInWithApple", UserID: "000123.0123456789abcdef0123456789abcdef.0456",
		}, true},
		"Google_a_b": {
			signin.Identity{Provider: "Google", UserID: "a_b"}, true,
		},
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

func TestLinkableEmail(t *testing.T) {
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
		"ada@e\u212aample.com":                     false, // the kelvin sign
		"ada@example.com\u200b":                    false,
		string([]byte{'a', 0xff, '@', 'b'}):        false,
		"Ada@Example.COM":                          true,
		"000123.0456@privaterelay.appleid.com":     true,
		"victim@example.com,attacker@example.com":  false,
		"victim@example.com attacker@example.com":  false,
		"victim@example.com\" email = \"a@b.c":     false,
		"victim%22@example.com":                    true, // has no meaning in a filter
		"ada@\uff45\uff58ample.com":                false,
		strings.Repeat("a", 1<<20) + "@example.co": false,
	} {
		if got := signin.LinkableEmail(address); got != want {
			t.Errorf("%.80q: %t, want %t", address, got, want)
		}
	}
}

func FuzzParseUserName(f *testing.F) {
	for _, seed := range []string{
		"Google_1", "google_1", "signinwithapple_0.a.1", "facebook_1", "_", "Google_",
		"Google_\u212a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userName string) {
		identity, ok := signin.ParseUserName(userName)
		if !ok {
			if identity != (signin.Identity{}) {
				t.Errorf("%q is rejected, but returns %+v", userName, identity)
			}
			return
		}
		if identity.Provider != "Google" && identity.Provider != "SignInWithApple" {
			t.Errorf("%q has the provider %q", userName, identity.Provider)
		}
		// No part is lost: Cognito links exactly the identity in its user name.
		if rebuilt := identity.Provider + "_" + identity.UserID; !strings.EqualFold(rebuilt,
			userName) || !strings.HasSuffix(userName, "_"+identity.UserID) {
			t.Errorf("%q became %q", userName, rebuilt)
		}
	})
}

// FuzzDestination checks that a sign-in is only linked to a user who has verified this address.
func FuzzDestination(f *testing.F) {
	f.Add("ada@example.com", "ada@example.com", "CONFIRMED", "a", true, true)
	f.Add("ada@example.com", "ADA@example.com", "EXTERNAL_PROVIDER", "google_2", true, true)
	f.Add("ada@example.\u212aom", "ada@example.kom", "CONFIRMED", "a", true, true)
	f.Add("", "", "CONFIRMED", "a", true, true)
	f.Fuzz(func(t *testing.T, address, users, status, name string, verified, enabled bool) {
		if !signin.LinkableEmail(address) {
			return
		}
		user := signin.User{
			Name: name, Email: users, EmailVerified: verified, Enabled: enabled, Status: status,
		}
		got, found, err := signin.Destination(address, []signin.User{user})
		if found && (err != nil || got != user || !verified || !enabled ||
			!strings.EqualFold(users, address) || status != signin.StatusConfirmed) {
			t.Errorf("%q is linked to %+v, %v", address, user, err)
		}
		if !verified && (found || err != nil) {
			t.Errorf("an unverified user has an effect: %t, %v", found, err)
		}
	})
}

// FuzzAuthoritative checks that a provider is only authoritative for its own domains and the hosted
// domain.
func FuzzAuthoritative(f *testing.F) {
	f.Add("google_1", "ada@gmail.com", "")
	f.Add("google_1", "ada@example.com", "Example.com")
	f.Add("signinwithapple_1", "ada@icloud.com", "icloud.com")
	f.Add("google_1", "ada@example.kom", "example.\u212aom")
	f.Fuzz(func(t *testing.T, userName, address, hostedDomain string) {
		identity, ok := signin.ParseUserName(userName)
		if !ok || !signin.LinkableEmail(address) || !identity.Authoritative(address, hostedDomain) {
			return
		}
		domains := map[string][]string{
			"Google":          {"gmail.com", "googlemail.com", strings.ToLower(hostedDomain)},
			"SignInWithApple": {"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"},
		}[identity.Provider]
		if _, domain, _ := strings.Cut(
			address, "@"); !slices.Contains(domains, strings.ToLower(domain)) {
			t.Errorf("%s is authoritative for %q with the hosted domain %q", identity.Provider,
				address, hostedDomain)
		}
	})
}
