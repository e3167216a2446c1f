package email_test

import (
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

func TestCheckAddress(t *testing.T) {
	label := strings.Repeat("a", 63)
	for address, want := range map[string]string{
		"ada@example.com":                      "",
		"Ada.Lovelace+news@Mail.Example.CO":    "",
		"!#$%&'*+-/=?^_`{|}~@x-1.example":      "",
		"a@xn--bcher-kva.example":              "",
		"a@example.xn--3e0b707e":               "",
		"1@1.1a":                               "",
		strings.Repeat("a", 64) + "@a.example": "",
		"a@" + label + ".example":              "",
		strings.Repeat("a", 64) + "@" + label + "." + label + "." + label[:61]: "",
		strings.Repeat("a", 64) + "@" + label + "." + label + "." + label[:61] +
			"b": "has 255 characters",
		"":                                      "is empty",
		" ":                                     "U+0020",
		"ada":                                   "has no @",
		"ada@":                                  "has no dot",
		"ada@localhost":                         "has no dot",
		"@example.com":                          "empty part before the @",
		"a@b@example.com":                       "more than one @",
		"a@example.com,b@example.com":           "more than one @",
		".a@example.com":                        "empty part before the @",
		"a.@example.com":                        "empty part before the @",
		"a..b@example.com":                      "empty part before the @",
		`"a"@example.com`:                       "quotes",
		`"a b"@example.com`:                     "U+0020",
		"Ada <ada@example.com>":                 "U+0020",
		"<ada@example.com>":                     "quotes, brackets",
		"ada(ada)@example.com":                  "quotes, brackets",
		"a@example.com(ada)":                    "a character in its domain",
		"a@example..com":                        "empty part in its domain",
		"a@.example.com":                        "empty part in its domain",
		"a@example.com.":                        "empty part in its domain",
		"a@-example.com":                        "hyphen",
		"a@example-.com":                        "hyphen",
		"a@exa_mple.com":                        "a character in its domain",
		"a@[192.0.2.1]":                         "a character in its domain",
		"a@192.0.2.1":                           "number",
		"a@" + label + "a.example":              "at most 63",
		strings.Repeat("a", 65) + "@a.example":  "at most 64",
		"ada@example.com\r\nBcc: b@example.com": "U+000D",
		"ada@example.com\n":                     "U+000A",
		"ada\x00@example.com":                   "U+0000",
		"ädä@example.com":                       "U+00E4; only visible ASCII is allowed",
		"a@bücher.example":                      "write an international domain in Punycode",
		"a@example。com":                         "Punycode",
		"a@example.com\xff":                     "U+FFFD",
	} {
		got := email.CheckAddress(address)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestAddress_Key(t *testing.T) {
	if key := email.Address("Ada.Lovelace@Example.COM").Key(); key != "ada.lovelace@example.com" {
		t.Errorf("key %q", key)
	}
}

// FuzzCheckAddress compares accepted addresses with the parser of the standard library: each is
// exactly one address, without anything else of a header.
func FuzzCheckAddress(f *testing.F) {
	for _, address := range []string{
		"ada@example.com", "a.b+c@x-1.example", `"a"@example.com`, "A <a@example.com>", "a@b@c.de",
		"a@example.com\r\nBcc: b@c.de", "ä@ö.example",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if email.CheckAddress(address) != "" {
			return
		}
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || parsed.Name != "" {
			t.Errorf("%q is accepted, but parsed as %v, %v", address, parsed, err)
		}
		list, err := mail.ParseAddressList(address)
		if err != nil || len(list) != 1 {
			t.Errorf("%q is accepted, but parsed as %v, %v", address, list, err)
		}
		if len(address) > 254 || strings.ContainsFunc(address, notVisibleASCII) {
			t.Errorf("%q is accepted", address)
		}
		if problem := email.CheckAddress(email.Address(address).Key()); problem != "" {
			t.Errorf("%q is accepted, but its key %s", address, problem)
		}
	})
}

func notVisibleASCII(r rune) bool { return r > '~' || unicode.IsControl(r) || unicode.IsSpace(r) }
