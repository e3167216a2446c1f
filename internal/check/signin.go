package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The formats of Google and Apple: "Setting up OAuth 2.0" in Google's help, and "Register a
// services ID" in Apple's.
var (
	googleClientPattern = regexp.MustCompile(`^[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com$`)
	servicesIDPattern   = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	appleIDPattern      = regexp.MustCompile(`^[A-Z0-9]{10}$`)
	prefixPattern       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
)

// DomainPrefix accepts the prefix of a managed login domain, with at most length characters: one
// label, which has 63, less what the caller adds to it. CreateUserPoolDomain in the Amazon Cognito
// API Reference, and "Configuring a user pool domain" in its Developer Guide.
func DomainPrefix(prop, prefix string, length int) error {
	reserved := slices.ContainsFunc([]string{"aws", "amazon", "cognito"}, func(word string) bool {
		return strings.Contains(prefix, word)
	})
	ok := hasToken(prefix) ||
		prefixPattern.MatchString(prefix) && len(prefix) <= length && !reserved
	return text(prop, prefix, ok, fmt.Sprintf("1 to %d lower-case letters, digits and inner "+
		"hyphens, without aws, amazon or cognito", length))
}

// GoogleClientID accepts the id of an OAuth client of Google.
func GoogleClientID(prop, id string) error {
	return text(prop, id, hasToken(id) || googleClientPattern.MatchString(id),
		"the OAuth client's id, which ends with .apps.googleusercontent.com")
}

// AppleServicesID accepts the Services ID of an app for Sign in with Apple.
func AppleServicesID(prop, id string) error {
	return text(prop, id, hasToken(id) || servicesIDPattern.MatchString(id),
		"a Services ID such as com.example.signin")
}

// AppleID accepts the id of a team or of a key in Apple's developer account.
func AppleID(prop, id string) error {
	return text(prop, id, hasToken(id) || appleIDPattern.MatchString(id),
		"10 capitals and digits")
}

// A Text is a prop with its rule.
type Text struct {
	Prop, Value string
	Rule        func(prop, value string) error
}

// Together accepts valid values of all props, or none of them.
func Together(texts ...Text) error {
	if !slices.ContainsFunc(texts, func(t Text) bool { return t.Value != "" }) {
		return nil
	}
	var props []string
	for _, t := range texts {
		props = append(props, t.Prop)
	}
	var problems []error
	for _, t := range texts {
		err := t.Rule(t.Prop, t.Value)
		if problem := (*Problem)(nil); errors.As(err, &problem) {
			problem.Want += "; or leave " + strings.Join(props, ", ") + " empty"
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
