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

// ada is a user who has signed up here and confirmed her address, changed by the test.
func ada(change func(*signin.User)) signin.User {
	user := signin.User{Name: "00000000-0000-4000-8000-00000000aaaa", Email: email, EmailVerified: true, Enabled: true, Status: signin.StatusConfirmed}
	if change != nil {
		change(&user)
	}
	return user
}

// by is a user who came by a provider and has the address verified, changed by the test.
func by(name string, change func(*signin.User)) signin.User {
	return ada(func(user *signin.User) {
		user.Name, user.Status = name, signin.StatusExternalProvider
		if change != nil {
			change(user)
		}
	})
}

// TestOnlyWhoHandsOutAnAddressIsAuthoritative: the others have seen at some time that somebody had it.
func TestOnlyWhoHandsOutAnAddressIsAuthoritative(t *testing.T) {
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

		{google, "ada@example.com", "", false}, // an account at Google with an address of one's own
		{google, "ada@example.com", "attacker.example", false},
		{google, "ada@example.com", "com", false},
		{google, "ada@mail.example.com", "example.com", false},
		{google, "ada@example.com", "mail.example.com", false},
		{google, "ada@example.com", "example.com.", false},
		{google, "ada@example.com", " example.com", false},
		{google, "ada@example.com", "ada@example.com", false},
		{google, "ada@example.kom", "example.\u212aom", false}, // the sign for kelvin
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
			t.Errorf("%s, of %q with the hosted domain %q: %t, want %t", test.provider, test.email, test.hostedDomain, got, test.want)
		}
	}
}

// TestWhoASocialSignInBelongsTo has every way into somebody else's account that we know of: in each, the attacker or the
// victim signs in by Google with the address ada@example.com, which Google has verified and is authoritative for.
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
		"who signed up here goes before another provider's": {[]signin.User{by("signinwithapple_1", nil), ada(nil)}, ada(nil).Name, nil},

		"attacker signed up with the victim's address and never confirmed it": {[]signin.User{ada(unconfirmed)}, "", nil},
		"attacker was confirmed without the address":                          {[]signin.User{ada(unverified)}, "", nil},
		"attacker came by a provider that did not verify the address":         {[]signin.User{by("signinwithapple_1", unverified)}, "", nil},
		"attacker had the address once, and came by another provider":         {[]signin.User{by("signinwithapple_1", nil)}, "", nil},
		"attacker had the address at the same provider":                       {[]signin.User{by("google_2", nil)}, "", nil},
		"attackers came by all providers":                                     {[]signin.User{by("signinwithapple_1", nil), by("google_2", nil)}, "", nil},
		"the victim is not turned away for an attacker's sake":                {[]signin.User{ada(unconfirmed), by("signinwithapple_1", disabled)}, "", nil},
		"the victim is found among attackers":                                 {[]signin.User{ada(unconfirmed), by("signinwithapple_1", nil), ada(named("victim"))}, "victim", nil},
		"an attacker who is disabled does not turn the victim away": {[]signin.User{ada(func(user *signin.User) {
			unconfirmed(user)
			disabled(user)
		})}, "", nil},

		"an address that starts with it":        {[]signin.User{ada(address("ada@example.com.attacker.example"))}, "", nil},
		"an address with a tag":                 {[]signin.User{ada(address("ada+tag@example.com"))}, "", nil},
		"an address with a space":               {[]signin.User{ada(address("ada@example.com "))}, "", nil},
		"no address":                            {[]signin.User{ada(address(""))}, "", nil},
		"itself, as another request has it now": {[]signin.User{by("google_104657891234567890123", nil)}, "", nil},

		"a disabled user":                        {[]signin.User{ada(disabled)}, "", signin.ErrDisabled},
		"a disabled user and another provider's": {[]signin.User{ada(disabled), by("signinwithapple_1", nil)}, "", signin.ErrDisabled},
		"an invited user":                        {[]signin.User{ada(status("FORCE_CHANGE_PASSWORD"))}, "", signin.ErrNewPasswordRequired},
		"an imported user":                       {[]signin.User{ada(status("RESET_REQUIRED"))}, "", signin.ErrNewPasswordRequired},
		"a user in a state that we do not know":  {[]signin.User{ada(status("COMPROMISED"))}, "", signin.ErrNewPasswordRequired},
		"two users with the verified address":    {[]signin.User{ada(nil), ada(named("other"))}, "", signin.ErrAmbiguous},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found, err := signin.Destination(email, test.users)
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
		if got, found, err := signin.Destination("kate.s@example.com", []signin.User{user}); found || err != nil {
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
		got, found, err := signin.Destination(address, []signin.User{user})
		if found && (err != nil || got != user || !verified || !enabled || !strings.EqualFold(users, address) || status != signin.StatusConfirmed) {
			t.Errorf("%q is linked to %+v, %v", address, user, err)
		}
		if !verified && (found || err != nil) {
			t.Errorf("an unverified user matters: %t, %v", found, err)
		}
	})
}

// FuzzAuthoritative holds that no provider speaks for a domain that is neither its own nor its account's.
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
		if _, domain, _ := strings.Cut(address, "@"); !slices.Contains(domains, strings.ToLower(domain)) {
			t.Errorf("%s speaks for %q with the hosted domain %q", identity.Provider, address, hostedDomain)
		}
	})
}
