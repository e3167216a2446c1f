package email

import (
	"fmt"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// An Address is where mails go, as its owner writes it.
type Address string

// Key is the same for all spellings of an address that reach the same person.
func (a Address) Key() string { return strings.ToLower(string(a)) }

// What RFC 5321, 4.5.3.1, leaves of a path of 256 without its brackets, and what it allows the part before the @.
const (
	MaxAddress = 254
	maxLocal   = 64
)

// CheckAddress returns what is wrong with an address that somebody has typed, or "". It takes what SES sends to: one plain
// address of ASCII, without a name, quotes or comments. SES has no SMTPUTF8, so that letters of other scripts are for the
// domain only, in Punycode.
func CheckAddress(s string) string {
	for _, problem := range []string{validate.Required(s), checkASCII(s), validate.AtMost(s, MaxAddress)} {
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

// checkLocal wants words with dots between them: RFC 5322, 3.2.3, dot-atom-text.
func checkLocal(local string) string {
	if len(local) > maxLocal {
		return fmt.Sprintf("has %d characters before the @; at most %d are allowed", len(local), maxLocal)
	}
	for word := range strings.SplitSeq(local, ".") {
		if word == "" {
			return "has nothing before the @ or before, after or between dots; write it like ada.lovelace@example.com"
		}
		if strings.ContainsAny(word, `"(),:;<>[\]`) {
			return "has quotes, brackets or punctuation before the @; write the address alone, without a name"
		}
	}
	return ""
}

// checkDomain wants two labels at least: RFC 1123, 2.1.
func checkDomain(domain string) string {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "has no dot after the @; write the whole domain, like example.com"
	}
	for _, label := range labels {
		const longest = 63
		switch {
		case label == "":
			return "has nothing before, after or between the dots of its domain; write it like ada@example.com"
		case len(label) > longest:
			return fmt.Sprintf("has a part of its domain with %d characters; at most %d are allowed", len(label), longest)
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return "has a hyphen at the beginning or the end of a part of its domain; remove it"
		case strings.ContainsFunc(label, func(r rune) bool { return !letter(r) && !digit(r) && r != '-' }):
			return "has another character in its domain than letters, digits, hyphens and dots; remove it"
		}
	}
	if last := labels[len(labels)-1]; !strings.ContainsFunc(last, letter) {
		return "has a number in the place of its domain; write a name, like example.com"
	}
	return ""
}

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func digit(r rune) bool { return '0' <= r && r <= '9' }
