package check

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// label is one of a host name: it has at most 63 characters (RFC 1035, section 2.3.4). Browsers
// and CloudFront compare it in lower case.
const label = `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`

var (
	originPattern = regexp.MustCompile(
		`^(https?)://(` + label + `(?:\.` + label + `)*|\[::1\])(:[0-9]{1,5})?$`)
	domainPattern = regexp.MustCompile(`^(` + label + `\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
)

// withoutTokens replaces each CDK token of a URL or host name with a name, so that what is around
// it can be checked. It reports whether the text begins with one, so that the start is unknown.
func withoutTokens(value string) (known string, startsWithToken bool) {
	at := token.FindStringIndex(value)
	return token.ReplaceAllString(value, "token"), at != nil && at[0] == 0
}

// Origin accepts an origin as browsers send it: a scheme, a host in lower case, and a port if it is
// not the scheme's own, without a path. http is accepted for the developer's own machine only:
// "Origin" in MDN's HTTP reference and RFC 6454, section 6.
func Origin(prop, origin string) error {
	const want = "an https origin without a path (http for localhost only): https://app.example.com"
	known, startsWithToken := withoutTokens(origin)
	if startsWithToken {
		// As far as it is known: the rest of a token's text is a port at most.
		known = "https://" + known
	}
	match := originPattern.FindStringSubmatch(known)
	if match == nil {
		return text(prop, origin, false, want)
	}
	scheme, port := match[1], match[3]
	u, err := url.Parse(known)
	defaultPort := map[string]string{"https": ":443", "http": ":80"}[scheme]
	ok := err == nil && (scheme == "https" || isLoopback(u.Hostname())) && port != defaultPort
	return text(prop, origin, ok, want)
}

func isLoopback(host string) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host)
}

// CallbackURL accepts a URL to which Cognito may redirect a browser after sign-in or sign-out:
// https, or http for localhost; absolute, without a fragment, compared character by character, so
// without wildcards: "Application-specific settings with app clients" in the Amazon Cognito
// Developer Guide and RFC 6749, section 3.1.2.
func CallbackURL(prop, callback string) error {
	const want = "an https URL (http for localhost only) without a fragment or *"
	u, tokens, ok := parseCallback(callback)
	ok = ok && (tokens ||
		u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && u.Hostname() == "localhost"))
	return text(prop, callback, ok, want)
}

// AppCallbackURL accepts a URL that opens a mobile app after sign-in or sign-out: with the app's
// own scheme, or an https URL that the app has claimed. RFC 8252, section 7.
func AppCallbackURL(prop, callback string) error {
	const want = "an https URL or one with the app's own scheme, without a fragment or *"
	u, tokens, ok := parseCallback(callback)
	ok = ok && (tokens || u.Scheme != "" && u.Scheme != "http" &&
		(u.Host != "" || u.Scheme != "https" && u.Path != ""))
	return text(prop, callback, ok, want)
}

// parseCallback returns what is known of a callback URL. It reports whether a CDK token hides the
// scheme, and whether the rest is valid.
func parseCallback(callback string) (u *url.URL, startsWithToken, ok bool) {
	known, startsWithToken := withoutTokens(callback)
	u, err := url.Parse(known)
	if err != nil || callback == "" {
		return nil, startsWithToken, false
	}
	// CreateUserPoolClient in the Amazon Cognito API Reference.
	const maxLength = 1024
	return u, startsWithToken, len(callback) <= maxLength && u.Opaque == "" && u.User == nil &&
		!strings.ContainsAny(known, "#*\\\"<> ")
}

// DomainName accepts a fully qualified host name in lower case: RFC 1035, section 2.3.
func DomainName(prop, name string) error {
	known, _ := withoutTokens(name)
	ok := len(known) <= 253 && (domainPattern.MatchString(known) || known != name)
	return text(prop, name, ok, "a domain name such as app.example.com")
}

// Directives, keywords and their quotes: "Content Security Policy Level 3", sections 2.3 and 6, and
// "Trusted Types", sections 4.1 and 4.2, of the W3C.
var (
	cspDirectives = strings.Fields(`
		base-uri child-src connect-src default-src fenced-frame-src font-src form-action
		frame-ancestors frame-src img-src manifest-src media-src object-src prefetch-src report-to
		report-uri require-trusted-types-for sandbox script-src script-src-attr script-src-elem
		style-src style-src-attr style-src-elem trusted-types upgrade-insecure-requests webrtc
		worker-src`)
	cspWithoutSources = []string{"sandbox", "upgrade-insecure-requests"}
	cspKeywords       = strings.Fields(`
		allow-duplicates inline-speculation-rules none report-sample script self strict-dynamic
		trusted-types-eval unsafe-eval unsafe-hashes unsafe-inline wasm-unsafe-eval`)
	cspHashPattern   = regexp.MustCompile(`^(nonce|sha256|sha384|sha512)-[A-Za-z0-9+/_-]+={0,2}$`)
	cspSourcePattern = regexp.MustCompile(`^[^\s;,'"]+$`)
)

// ContentSecurityPolicy accepts the sources of each directive of a policy. Keywords, nonces and
// hashes must be in single quotes: browsers take self for the name of a host.
func ContentSecurityPolicy(prop string, policy map[string][]string) error {
	var problems []error
	for _, directive := range slices.Sorted(maps.Keys(policy)) {
		sources := policy[directive]
		name := fmt.Sprintf("%s[%s]", prop, shorten(directive))
		problems = append(problems,
			text(name, directive, slices.Contains(cspDirectives, directive),
				"a directive such as connect-src"),
			That(name, "no sources",
				len(sources) > 0 || slices.Contains(cspWithoutSources, directive),
				"at least one, such as 'self'"),
			NoDuplicates(name, sources))
		for i, source := range sources {
			item := fmt.Sprintf("%s[%d]", name, i)
			if source == "'none'" && len(sources) > 1 {
				problems = append(problems, text(item, source, false, "no other source beside it"))
			}
			problems = append(problems, cspSource(item, source))
		}
	}
	return errors.Join(problems...)
}

func cspSource(prop, source string) error {
	isQuoted := func(word string) bool {
		return slices.Contains(cspKeywords, strings.ToLower(word)) ||
			cspHashPattern.MatchString(word)
	}
	inner, quoted := strings.CutPrefix(source, "'")
	inner, closed := strings.CutSuffix(inner, "'")
	switch {
	case !quoted && !closed && isQuoted(source) && source != "script":
		return text(prop, source, false, "it in quotes: '"+source+"'")
	case quoted && closed:
		return text(prop, source, isQuoted(inner) || hasToken(inner),
			"a keyword, a nonce or a hash in quotes, such as 'self'")
	}
	known, _ := withoutTokens(source)
	return text(prop, source, cspSourcePattern.MatchString(known),
		"one source: an origin, a scheme with its colon, or a keyword in quotes")
}

// HTTPMethod accepts a method of API Gateway's REST APIs, in upper case: PutMethod in its API
// Reference. ANY is every method that a path does not declare.
func HTTPMethod(prop, method string) error {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"}
	want := "one of " + strings.Join(methods, ", ")
	if upper := strings.ToUpper(method); slices.Contains(methods, upper) {
		want = upper
	}
	return text(prop, method, slices.Contains(methods, method), want)
}

// StageName accepts the name of a stage of a REST API, which is the first part of its paths:
// CreateStage in the Amazon API Gateway API Reference.
func StageName(prop, name string) error {
	return text(prop, name, stagePattern.MatchString(name),
		"1 to 128 letters, digits, hyphens and underscores, such as v1")
}

var (
	stagePattern    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	segmentPattern  = regexp.MustCompile(`^[A-Za-z0-9._:$-]+$`)
	variablePattern = regexp.MustCompile(`^\{[A-Za-z0-9._-]+\+?\}$`)
)

// Path accepts a path of a REST API's resources: /, /posts, /posts/{id} or /files/{proxy+}.
// CreateResource in the Amazon API Gateway API Reference.
func Path(prop, path string) error {
	rest, ok := strings.CutPrefix(path, "/")
	var variables []string
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		isVariable := variablePattern.MatchString(segment)
		greedy := strings.HasSuffix(segment, "+}")
		switch {
		case rest == "":
		case greedy && i < len(segments)-1, !isVariable && !segmentPattern.MatchString(segment),
			isVariable && slices.Contains(variables, strings.Trim(segment, "{+}")):
			ok = false
		case isVariable:
			variables = append(variables, strings.Trim(segment, "{+}"))
		}
	}
	return text(prop, path, ok,
		"a path such as /posts/{id}: letters, digits, - _ . : $, each variable once, {name+} last")
}

// PathVariables accepts a path beside others of the same REST API: at one place, all have the same
// variable, because API Gateway has one resource for it. "Set up REST API methods" in the Amazon
// API Gateway Developer Guide.
func PathVariables(prop, path string, others []string) error {
	segments := strings.Split(path, "/")
	for _, other := range others {
		for i, segment := range strings.Split(other, "/") {
			if i >= len(segments) {
				break
			}
			bothVariables := strings.HasPrefix(segment, "{") && strings.HasPrefix(segments[i], "{")
			if bothVariables && segment != segments[i] {
				return text(prop, path, false,
					fmt.Sprintf("the variable %s, as in %s", segment, strconv.Quote(other)))
			}
			if segment != segments[i] {
				break
			}
		}
	}
	return nil
}

// JSONSchemaType accepts a type of JSON Schema draft 4, which API Gateway validates requests with:
// "JSON Schema: core definitions and terminology", section 3.5, and "Data models for REST APIs" in
// the Amazon API Gateway Developer Guide.
func JSONSchemaType(prop, name string) error {
	types := []string{"array", "boolean", "integer", "null", "number", "object", "string"}
	return text(prop, name, slices.Contains(types, name), "one of "+strings.Join(types, ", "))
}
