package check

import (
	"net/mail"
	"strings"
)

// MailAddress accepts an e-mail address and nothing else: RFC 5322, section 3.4.1.
func MailAddress(prop, address string) error {
	return text(prop, address, hasToken(address) || isMailAddress(address), "an e-mail address")
}

// MailIdentity accepts an SES identity: a domain or an e-mail address. "Creating and verifying
// identities in Amazon SES" in the Amazon SES Developer Guide.
func MailIdentity(prop, identity string) error {
	ok := hasToken(identity) || isMailAddress(identity) || DomainName(prop, identity) == nil
	return text(prop, identity, ok, "a domain such as example.com, or an e-mail address")
}

// MailSender accepts a sender of mails, optionally with a name, whose address SES accepts for the
// identity: the same address, or one of the domain or of a subdomain; empty means any. "Verified
// identities in Amazon SES" in the Amazon SES Developer Guide.
func MailSender(prop, sender, identity string) error {
	if hasToken(sender) {
		return nil
	}
	from, err := mail.ParseAddress(sender)
	if err != nil {
		return text(prop, sender, false,
			"an address, optionally with a name: Example <hello@example.com>")
	}
	_, host, _ := strings.Cut(from.Address, "@")
	covered := identity == "" || hasToken(identity) || from.Address == identity ||
		host == identity ||
		strings.HasSuffix(host, "."+identity)
	return text(prop, sender, covered, "an address of "+shorten(identity))
}

func isMailAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}
