package email

import (
	"fmt"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// An Address is an e-mail address in its owner's spelling.
type Address string

// Key returns the address in lower case: the same key for all spellings that reach the same
// person.
func (a Address) Key() string { return strings.ToLower(string(a)) }

// Limits of RFC 5321, 4.5.3.1, in characters.
const (
	MaxAddress = 254 // a path of 256 without its brackets
	maxLocal   = 64  // the part before the @
)

// CheckAddress returns what is wrong with an address, or "". It accepts addresses that SES can send
// to: one plain ASCII address, without a name, quotes or comments. SES does not support SMTPUTF8:
// only the domain can have letters of other scripts, in Punycode.
func CheckAddress(s string) string {
	problems := []string{validate.Required(s), checkASCII(s), validate.AtMost(s, MaxAddress)}
	for _, problem := range problems {
		if problem != "" {
			return problem
		}
	}
	local, domain, found := strings.Cut(s, "@")
	switch {
	case !found:
		return "has no @; write it like ada@example.com"
	case strings.Contains(domain, "@"):
		return "has more than one @; write one address, like ada@example.com"
	}
	if problem := checkLocal(local); problem != "" {
		return problem
	}
	return checkDomain(domain)
}

func checkASCII(s string) string {
	problem := validate.VisibleASCII(s)
	if _, domain, _ := strings.Cut(s, "@"); problem != "" && validate.VisibleASCII(domain) != "" {
		return problem + "; write an international domain in Punycode, like xn--bcher-kva.example"
	}
	return problem
}

// checkLocal requires words with dots between them: dot-atom-text of RFC 5322, 3.2.3.
func checkLocal(local string) string {
	if len(local) > maxLocal {
		return fmt.Sprintf("has %d characters before the @; at most %d are allowed",
			len(local), maxLocal)
	}
	for word := range strings.SplitSeq(local, ".") {
		if word == "" {
			return "has an empty part before the @; write it like ada.lovelace@example.com"
		}
		if strings.ContainsAny(word, `"(),:;<>[\]`) {
			return "has quotes, brackets or punctuation before the @; " +
				"write only the address, without a name"
		}
	}
	return ""
}

// checkDomain requires at least two labels: RFC 1123, 2.1.
func checkDomain(domain string) string {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "has no dot after the @; write the complete domain, like example.com"
	}
	for _, label := range labels {
		const longest = 63
		switch {
		case label == "":
			return "has an empty part in its domain; write it like ada@example.com"
		case len(label) > longest:
			return fmt.Sprintf("has a part of its domain with %d characters; "+
				"at most %d are allowed", len(label), longest)
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return "has a hyphen at the beginning or the end of a part of its domain; remove it"
		case strings.ContainsFunc(label, notInLabel):
			return "has a character in its domain other than letters, digits, hyphens and dots; " +
				"remove it"
		}
	}
	if last := labels[len(labels)-1]; !strings.ContainsFunc(last, letter) {
		return "has a number at the end of its domain; write a domain name, like example.com"
	}
	return ""
}

func notInLabel(r rune) bool { return !letter(r) && !digit(r) && r != '-' }

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func digit(r rune) bool { return '0' <= r && r <= '9' }
