package check_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

const (
	someToken = "${Token[TOKEN.12]}"
	day       = 24 * time.Hour
)

// A rule with its values: those that it accepts, and those that it refuses with their wanted
// message, in which the prop is P.
type rule struct {
	name    string
	check   func(value string) error
	accepts []string
	refuses map[string]string // value: a part of the message
}

func prop(check func(prop, value string) error) func(string) error {
	return func(value string) error { return check("P", value) }
}

func each(values []string, want string) map[string]string {
	all := map[string]string{}
	for _, value := range values {
		all[value] = want
	}
	return all
}

func TestRules_of_texts(t *testing.T) {
	for _, rule := range []rule{
		{
			"Origin", prop(check.Origin),
			[]string{
				"https://app.example.com", "https://a-b.example.com:8443", "https://intranet",
				"http://localhost:5173", "http://localhost", "http://127.0.0.1:8080",
				"http://[::1]:5173", someToken, "https://" + someToken, someToken + ":8443",
				"https://" + someToken + ".example.com",
			},
			each([]string{
				"", "*", "https://*", "https://*.example.com", "https://a.example.com/",
				"https://a.example.com/path", "https://a.example.com?q", "https://a.example.com#f",
				"https://user@a.example.com", "a.example.com", "//a.example.com", "localhost:5173",
				"http://a.example.com", "http://localhost.example.com", "https://a'.example.com",
				`https://a".example.com`, "https://A.example.com", "HTTPS://a.example.com",
				"https://a.example.com:443", "http://localhost:80", "ftp://a.example.com",
				"https://a b.example.com", "https://a.example.com\n", "null", someToken + "/",
				"http://" + someToken, "https://a.example.com, https://b.example.com",
			}, "want an https origin without a path (http for localhost only)"),
		},
		{
			"CallbackURL", prop(check.CallbackURL),
			[]string{
				"https://a.example.com/signed-in", "https://a.example.com",
				"http://localhost:5173/signed-in", "https://a.example.com/?x=1",
				"https://" + someToken + "/signed-in", someToken, someToken + "/signed-in",
			},
			each([]string{
				"", "http://a.example.com/", "app://signed-in", "https://a.example.com/#x",
				"https://*.example.com/", "https://a.example.com/*", "https://u:p@a.example.com/",
				"/signed-in", "https:///signed-in", "javascript:alert(1)",
				"https://a.example.com/ x",
				"http://127.0.0.1/", "https://a.example.com/" + strings.Repeat("a", 1024),
				someToken + "/#x", "http://" + someToken, "http://%zz/",
			}, "want an https URL (http for localhost only) without a fragment or *"),
		},
		{
			"AppCallbackURL", prop(check.AppCallbackURL),
			[]string{
				"app://signed-in", "com.example.app:/signed-in", "https://a.example.com/signed-in",
				"app://signed-in/", someToken,
			},
			each([]string{
				"", "http://localhost/", "app:signed-in", "app://", "app://signed-in#x", "app://*",
				"https:///x", "signed-in", "javascript:alert(1)",
			}, "want an https URL or one with the app's own scheme"),
		},
		{
			"DomainName", prop(check.DomainName),
			[]string{
				"example.com", "a.b-c.example.com", "example.xn--p1ai", someToken,
				"app." + someToken,
			},
			each([]string{
				"", "example", "*.example.com", "https://example.com", "example.com.",
				"-a.example.com",
				"a-.example.com", "A.example.com", "a_b.example.com", "192.0.2.1", "a..example.com",
				strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 126) + "com",
			}, "want a domain name such as app.example.com"),
		},
		{
			"HTTPMethod", prop(check.HTTPMethod),
			[]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"},
			map[string]string{
				"get": `P: "get", want GET`, "": "want one of GET,", "TRACE": "want one of",
			},
		},
		{
			"StageName", prop(check.StageName),
			[]string{"v1", "prod_2-b"},
			each([]string{"", "v1/x", "v 1", "v1.0", strings.Repeat("a", 129), someToken},
				"want 1 to 128 letters, digits, hyphens and underscores"),
		},
		{
			"Path", prop(check.Path),
			[]string{
				"/", "/posts", "/posts/{id}", "/posts/{id}/comments/{comment}", "/files/{proxy+}",
				"/posts:batch", "/a.b/c_d-e",
			},
			each([]string{
				"", "posts", "/posts/", "//", "/posts//x", "/{proxy+}/x", "/{}", "/{id", "/x{id}",
				"/a/{x}/b/{x}", "/a b", "/a?b", "/ü",
			}, "want a path such as /posts/{id}"),
		},
		{
			"JSONSchemaType", prop(check.JSONSchemaType),
			[]string{"array", "boolean", "integer", "null", "number", "object", "string"},
			each([]string{"thing", "", "String", "any"}, "want one of array, boolean"),
		},
		{
			"JSON", prop(check.JSON),
			[]string{
				`{}`, `{"a": ["b"]}`, `"x"`, someToken, `{"a": ` + someToken + `}`,
				`{"a": "x-` + someToken + `"}`,
			},
			each([]string{"", "rate(5 minutes)", "{a: 1}", `{"a": 1,}`, "{} {}", "{"}, "want JSON"),
		},
		{
			"Account", prop(check.Account),
			[]string{"222222222222", someToken},
			each([]string{"", "1234", "2222222222222", "22222222222a"}, "want 12 digits"),
		},
		{
			"Region", prop(check.Region),
			[]string{"eu-central-1", "us-gov-east-1", "ap-southeast-7", someToken},
			each([]string{"", "Frankfurt", "eu-central-1a", "eu-central"}, "want a region such as"),
		},
		{
			"CertificateARN", func(arn string) error {
				return check.CertificateARN("P", arn, "us-east-1", "222222222222")
			},
			[]string{
				"arn:aws:acm:us-east-1:222222222222:certificate/00000000-0000-4000-8000-000000",
				someToken, "arn:" + someToken + ":acm:us-east-1:222222222222:certificate/0",
			},
			each([]string{
				"", "example", "arn:aws:acm:eu-central-1:222222222222:certificate/0",
				"arn:aws:acm:us-east-1:111111111111:certificate/0",
				"arn:aws:acm:us-east-1:222222222222:certificate/*",
			}, "want the ARN of an ACM certificate in us-east-1 of the account 222222222222"),
		},
		{
			"CertificateARN of any region", func(arn string) error {
				return check.CertificateARN("P", arn, "", someToken)
			},
			[]string{"arn:aws:acm:eu-west-1:111111111111:certificate/0"},
			map[string]string{
				"arn:aws:iam::111111111111:server-certificate/a": "want the ARN of an ACM",
			},
		},
		{
			"WebACLARN", prop(check.WebACLARN),
			[]string{"arn:aws:wafv2:us-east-1:222222222222:global/webacl/a/0", someToken},
			each([]string{"", "arn:aws:wafv2:eu-central-1:222222222222:regional/webacl/a/0"},
				"want the ARN of a web ACL with scope CLOUDFRONT"),
		},
		{
			"QuickSightPrincipal", func(arn string) error {
				return check.QuickSightPrincipal("P", arn, "222222222222")
			},
			[]string{
				"arn:aws:quicksight:us-east-1:222222222222:user/default/Analysts/ada@example.com",
				"arn:aws-cn:quicksight:cn-north-1:222222222222:group/default/analysts", someToken,
			},
			each([]string{
				"", "analysts",
				"arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts",
				"arn:aws:quicksight:eu-central-1:222222222222:namespace/default",
				"arn:aws:quicksight:eu-central-1:222222222222:group/default/*",
			}, "want the ARN of a QuickSight user or group of the account 222222222222"),
		},
		{
			"SecretName", prop(check.SecretName),
			[]string{"ashlar/google", "a_b+c=d.e@f-g", someToken},
			each([]string{"", "arn:aws:secretsmanager:eu-west-1:222222222222:secret:a-AbCd", "a b",
				strings.Repeat("a", 513)}, "want the name, not the ARN, of a secret"),
		},
		{
			"InstanceClass", prop(check.InstanceClass),
			[]string{"t4g.micro", "m7g.2xlarge"},
			each([]string{"", "db.t4g.micro", "t4g", "T4G.micro", "t4g.micro "},
				"want an instance class without the prefix db."),
		},
		{
			"DatabaseName", prop(check.DatabaseName),
			[]string{"app", "App_2", "order_items", someToken, strings.Repeat("a", 64)},
			each([]string{
				"", "my-app", "2app", "_app", "a b", "a`b", "order", "SELECT", "mysql", "sys",
				"information_schema", "performance_schema", strings.Repeat("a", 65),
			}, "want a letter, then up to 63 letters, digits and underscores, but no reserved "+
				"word"),
		},
		{
			"Identifier", func(name string) error { return check.Identifier("P", name, 127) },
			[]string{"reports", "daily_actives2", strings.Repeat("a", 127)},
			each([]string{"", "Reports", "2a", "_a", "a-b", "a b", `a"b`, strings.Repeat("a", 128)},
				"want a lower-case letter, then up to 126 lower-case letters"),
		},
		{
			"DomainPrefix", func(prefix string) error {
				return check.DomainPrefix("P", prefix, 50)
			},
			[]string{"ashlar-dev", "a", "0", strings.Repeat("a", 50), "ashlar-" + someToken},
			each([]string{
				"", "Ashlar", "ashlar-", "-ashlar", "sign.in", "pawsome", "my-amazon", "incognito",
				strings.Repeat("a", 51),
			}, "want 1 to 50 lower-case letters, digits and inner hyphens, without aws, amazon"),
		},
		{
			"GoogleClientID", prop(check.GoogleClientID),
			[]string{"222222222222-example.apps.googleusercontent.com", someToken},
			each([]string{"", "1234"}, "want the OAuth client's id"),
		},
		{
			"AppleServicesID", prop(check.AppleServicesID),
			[]string{"com.example.signin", someToken},
			each([]string{"", "signin"}, "want a Services ID such as"),
		},
		{
			"AppleID", prop(check.AppleID),
			[]string{"EXAMPLE123", someToken},
			each([]string{"", "abc", "example123", "EXAMPLE1234"}, "want 10 capitals and digits"),
		},
		{
			"MailAddress", prop(check.MailAddress),
			[]string{"ada@example.com", someToken},
			each([]string{"", "example.com", "Ada <ada@example.com>", "a@b@c"},
				"want an e-mail address"),
		},
		{
			"MailIdentity", prop(check.MailIdentity),
			[]string{"example.com", "ada@example.com", someToken},
			each([]string{"", "example", "https://example.com", "Ada <ada@example.com>"},
				"want a domain such as example.com, or an e-mail address"),
		},
		{
			"MailSender of a domain", func(sender string) error {
				return check.MailSender("P", sender, "example.com")
			},
			[]string{"hello@example.com", "Example <hello@news.example.com>", someToken},
			map[string]string{
				"":                     "want an address, optionally with a name",
				"Example":              "want an address, optionally with a name",
				"hello@example.org":    "want an address of example.com",
				"hello@badexample.com": "want an address of example.com",
			},
		},
		{
			"MailSender of an address", func(sender string) error {
				return check.MailSender("P", sender, "hello@example.com")
			},
			[]string{"Example <hello@example.com>"},
			map[string]string{"other@example.com": "want an address of hello@example.com"},
		},
		{
			"MailSender of any", func(sender string) error {
				return check.MailSender("P", sender, "")
			},
			[]string{"hello@example.com"},
			map[string]string{"Example": "want an address, optionally with a name"},
		},
		{
			"NoToken", func(content string) error {
				return check.NoToken("P", content, "load it at run time")
			},
			[]string{"", "$Token ${TOKEN} Token[1]"},
			map[string]string{
				"a " + someToken + " b": "P: has the CDK token " + someToken +
					", which stays as it is; load it at run time",
				"#{Token[TOKEN.1]}": "#{Token[TOKEN.1]}",
			},
		},
	} {
		for _, value := range rule.accepts {
			if err := rule.check(value); err != nil {
				t.Errorf("%s refuses %q: %v", rule.name, value, err)
			}
		}
		for value, want := range rule.refuses {
			err := rule.check(value)
			switch {
			case err == nil:
				t.Errorf("%s accepts %q", rule.name, value)
			case !strings.HasPrefix(err.Error(), "P: ") || !strings.Contains(err.Error(), want):
				t.Errorf("%s: error %q, want %q for %q", rule.name, err, want, value)
			}
		}
	}
}

// message returns an error's text, or nothing.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRules(t *testing.T) {
	type policy = map[string][]string
	zones := func(region string, zones ...string) error { return check.Zones("P", zones, region) }
	csp := func(policy policy) error { return check.ContentSecurityPolicy("P", policy) }
	path := func(path string, others ...string) error {
		return check.PathVariables("P", path, others)
	}
	together := func(a, b string) error {
		return check.Together(
			check.Text{Prop: "A", Value: a, Rule: check.MailAddress},
			check.Text{Prop: "B", Value: b, Rule: check.SecretName})
	}
	const steps = "CloudWatch's steps, in days: 1 3 5 7 14 30 60 90 120 150 180 " +
		"365 400 545 731 1096 1827 2192 2557 2922 3288 3653"
	const hash = "'sha256-AbCd+/ef=='"
	for _, test := range []struct {
		name string
		err  error
		want string // the whole message; empty if the rule accepts the value
	}{
		{"Range", check.Range("P", 1, 1, 3), ""},
		{"Range", check.Range("P", 3, 1, 3), ""},
		{"Range below", check.Range("P", 0, 1, 3), "P: 0, want 1 to 3"},
		{"Range above", check.Range("P", int64(4), 1, 3), "P: 4, want 1 to 3"},

		{"Duration", check.Duration("P", day, day, 2*day, day), ""},
		{"Duration without upper limit", check.Duration("P", 99*day, day, 0, day), ""},
		{"Duration below", check.Duration("P", 0, day, 2*day, day),
			"P: 0s, want whole days, 24h0m0s to 48h0m0s"},
		{"Duration above", check.Duration("P", 3*time.Hour, 0, 2*time.Hour, time.Hour),
			"P: 3h0m0s, want whole hours, 0s to 2h0m0s"},
		{"Duration in part", check.Duration("P", 1500*time.Millisecond, 0, 0, time.Second),
			"P: 1.5s, want whole seconds, at least 0s"},
		{"Duration in part", check.Duration("P", time.Second, 0, 0, time.Minute),
			"P: 1s, want whole minutes, at least 0s"},
		{"Duration of other unit", check.Duration("P", time.Second, 0, 0, 2*time.Second),
			"P: 1s, want multiples of 2s, at least 0s"},

		{"NoDuplicates", check.NoDuplicates("P", []string{"a", "b"}), ""},
		{"NoDuplicates twice", check.NoDuplicates("P", []string{"a", "b", "a"}),
			`P[2]: "a", want no duplicates`},
		{"NoDuplicates of integers", check.NoDuplicates("P", []int{1, 1}),
			`P[1]: 1, want no duplicates`},

		{"Zones", zones("eu-central-1", "eu-central-1a", "eu-central-1b"), ""},
		{"Zones of an unknown region", zones("", "eu-west-1a", "eu-west-1b", "eu-west-1c"), ""},
		{"Zones of an unknown region", zones(someToken, "eu-west-1a", "eu-west-1b"), ""},
		{"Zones that are tokens", zones("eu-west-1", someToken, someToken), ""},
		{"Zones none", zones("eu-central-1"), "P: [], want 2 or 3"},
		{"Zones one", zones("eu-central-1", "eu-central-1a"), "P: [eu-central-1a], want 2 or 3"},
		{"Zones four", zones("eu-west-1", "eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"),
			"P: [eu-west-1a eu-west-1b eu-west-1c eu-west-1d], want 2 or 3"},
		{"Zones twice", zones("eu-west-1", "eu-west-1a", "eu-west-1a"),
			`P[1]: "eu-west-1a", want a zone of the region eu-west-1, without duplicates`},
		{"Zones empty", zones("eu-west-1", "eu-west-1a", ""),
			`P[1]: "", want a zone of the region eu-west-1, without duplicates`},
		{"Zones of another region", zones("eu-west-1", "eu-west-1a", "eu-west-2a"),
			`P[1]: "eu-west-2a", want a zone of the region eu-west-1, without duplicates`},
		{"Zones of two regions", zones("", "eu-west-1a", "eu-west-2a"),
			`P[1]: "eu-west-2a", want a zone of the region eu-west-1, without duplicates`},
		{"Zones malformed", zones("", "a", "eu-west-1a"),
			`P[0]: "a", want a zone such as eu-central-1a, without duplicates`},
		{"Zones local", zones("us-east-1", "us-east-1a", "us-east-1-bos-1a"),
			`P[1]: "us-east-1-bos-1a", want a zone of the region us-east-1, without duplicates`},

		{"LogRetention", check.LogRetention("P", 365*day), ""},
		{"LogRetention between", check.LogRetention("P", 2*day),
			"P: 48h0m0s, want one of " + steps},
		{"LogRetention in part", check.LogRetention("P", day+time.Hour),
			"P: 25h0m0s, want one of " + steps},

		{"DatabaseInsights", check.DatabaseInsights("P", true, "t4g.medium"), ""},
		{"DatabaseInsights disabled", check.DatabaseInsights("P", false, "t4g.micro"), ""},
		{"DatabaseInsights micro", check.DatabaseInsights("P", true, "t4g.micro"),
			"P: true, want false with t4g.micro, or a class from medium up"},
		{"Storage", check.Storage("P", 20), ""},
		{"Storage below", check.Storage("P", 19), "P: 19, want 20 to 65536"},
		{"MaxAllocatedStorage", check.MaxAllocatedStorage("P", 110, "S", 100), ""},
		{"MaxAllocatedStorage below", check.MaxAllocatedStorage("P", 109, "S", 100),
			"P: 109, want at least 10 % above S, at most 65536"},
		{"MaxAllocatedStorage above", check.MaxAllocatedStorage("P", 65537, "S", 100),
			"P: 65537, want at least 10 % above S, at most 65536"},
		{"Replicas", check.Replicas("P", 15), ""},
		{"Replicas above", check.Replicas("P", 16), "P: 16, want 0 to 15"},
		{"BackupRetention", check.BackupRetention("P", 35*day), ""},
		{"BackupRetention none", check.BackupRetention("P", 0),
			"P: 0s, want whole days, 24h0m0s to 840h0m0s"},

		{"PathVariables", path("/a/{x}", "/a", "/b/{y}", "/a/b/{z}", "/a/{x}/c/{y}"), ""},
		{"PathVariables of others", path("/a/{x}/c", "/a/{y}"),
			`P: "/a/{x}/c", want the variable {y}, as in "/a/{y}"`},
		{"PathVariables greedy", path("/{x}", "/{proxy+}"),
			`P: "/{x}", want the variable {proxy+}, as in "/{proxy+}"`},

		{"ContentSecurityPolicy", csp(policy{
			"default-src": {"'none'"}, "upgrade-insecure-requests": {},
			"script-src":  {"'self'", "'wasm-unsafe-eval'", hash, "'nonce-AbCd'"},
			"connect-src": {"https://*.example.com:8443/api", "wss:", someToken, "'self'"},
			"img-src":     {"data:", "https://" + someToken},
			"sandbox":     {"allow-scripts"}, "require-trusted-types-for": {"'script'"},
		}), ""},
		{"ContentSecurityPolicy directive", csp(policy{"script_src": {"'self'"}}),
			`P[script_src]: "script_src", want a directive such as connect-src`},
		{"ContentSecurityPolicy without sources", csp(policy{"img-src": nil}),
			`P[img-src]: no sources, want at least one, such as 'self'`},
		{"ContentSecurityPolicy keyword", csp(policy{"img-src": {"self"}}),
			`P[img-src][0]: "self", want it in quotes: 'self'`},
		{"ContentSecurityPolicy hash", csp(policy{"script-src": {"sha256-AbCd="}}),
			`P[script-src][0]: "sha256-AbCd=", want it in quotes: 'sha256-AbCd='`},
		{"ContentSecurityPolicy unknown keyword", csp(policy{"img-src": {"'sefl'"}}),
			`P[img-src][0]: "'sefl'", want a keyword, a nonce or a hash in quotes, such as 'self'`},
		{"ContentSecurityPolicy several in one", csp(policy{"img-src": {"data: blob:"}}),
			`P[img-src][0]: "data: blob:", want one source: an origin, a scheme with its colon, ` +
				`or a keyword in quotes`},
		{"ContentSecurityPolicy injection", csp(policy{"img-src": {"data:;script-src"}}),
			`P[img-src][0]: "data:;script-src", want one source: an origin, a scheme with its ` +
				`colon, or a keyword in quotes`},
		{"ContentSecurityPolicy empty source", csp(policy{"img-src": {""}}),
			`P[img-src][0]: "", want one source: an origin, a scheme with its colon, ` +
				`or a keyword in quotes`},
		{"ContentSecurityPolicy open quote", csp(policy{"img-src": {"'self"}}),
			`P[img-src][0]: "'self", want one source: an origin, a scheme with its colon, ` +
				`or a keyword in quotes`},
		{"ContentSecurityPolicy none with others", csp(policy{"img-src": {"'none'", "data:"}}),
			`P[img-src][0]: "'none'", want no other source beside it`},
		{"ContentSecurityPolicy duplicates", csp(policy{"img-src": {"data:", "data:"}}),
			`P[img-src][1]: "data:", want no duplicates`},

		{"Together", together("ada@example.com", "secret"), ""},
		{"Together none", together("", ""), ""},
		{"Together one", together("", "secret"),
			`A: "", want an e-mail address; or leave A, B empty`},

		{"Each", check.Each("P", []string{"https://a.example.com", "*", "x"}, check.Origin),
			message(check.Origin("P[1]", "*")) + "\n" + message(check.Origin("P[2]", "x"))},
		{"IfSet", check.IfSet("P", "", check.Origin), ""},
		{"IfSet set", check.IfSet("P", "*", check.Origin), message(check.Origin("P", "*"))},

		{"Required", check.Required("P", true, "pass it"), ""},
		{"Required not set", check.Required("P", false, "pass it"), "P is required; pass it"},
		{"NotNil", check.NotNil("P", t, "pass it"), ""},
		{"NotNil of a struct", check.NotNil("P", policy{}, "pass it"), ""},
		{"NotNil nil", check.NotNil("P", nil, "pass it"), "P is required; pass it"},
		{
			"NotNil nil pointer", check.NotNil("P", (*rule)(nil), "pass it"),
			"P is required; pass it",
		},
		{
			"NotNil nil function", check.NotNil("P", (func())(nil), "pass it"),
			"P is required; pass it",
		},
		{"That", check.That("P", "x", true, "y"), ""},
		{"That wrong", check.That("P", []string{"x"}, false, "y"), "P: [x], want y"},
		{"That of lines", check.That("P", "x\ny", false, "z"), `P: "x\ny", want z`},
	} {
		if diff := cmp.Diff(test.want, message(test.err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestRules_shorten_values(t *testing.T) {
	megabyte := strings.Repeat("ü*", 1<<20/3)
	for name, err := range map[string]error{
		"Origin":  check.Origin("P", megabyte),
		"JSON":    check.JSON("P", megabyte),
		"That":    check.That("P", megabyte, false, "less"),
		"NoToken": check.NoToken("P", "${Token["+megabyte+"]}", "do not"),
		"ContentSecurityPolicy": check.ContentSecurityPolicy("P",
			map[string][]string{megabyte: {"data:"}}),
	} {
		if n := len(message(err)); n == 0 || n > 500 || !utf8.ValidString(err.Error()) {
			t.Errorf("%s: error of %d bytes, want 1 to 500 of UTF-8", name, n)
		}
	}
}

// panics returns what f panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestProps_reports_all_problems(t *testing.T) {
	problem := errors.New("VPC is required; pass network.VPC")
	joined := check.Each("Origins", []string{"https://a.example.com", "*"}, check.StageName)
	got, _ := panics(func() { check.Props("mysql", "Database", nil, problem, joined) }).(error)
	const stage = "want 1 to 128 letters, digits, hyphens and underscores, such as v1"
	want := "mysql: Database: VPC is required; pass network.VPC\n" +
		`mysql: Database: Origins[0]: "https://a.example.com", ` + stage + "\n" +
		`mysql: Database: Origins[1]: "*", ` + stage
	if diff := cmp.Diff(want, message(got)); diff != "" {
		t.Errorf("panic (-want +got):\n%s", diff)
	}
	if got := panics(func() { check.Props("mysql", "Database", nil, errors.Join()) }); got != nil {
		t.Errorf("panic %v without a problem", got)
	}
}

func TestCall_names_the_method(t *testing.T) {
	got, _ := panics(func() {
		check.Call("mysql", "Database", "GrantConnect",
			check.NotNil("client", nil, "pass a function in the database's VPC"))
	}).(error)
	want := "mysql: Database.GrantConnect: client is required; pass a function in the database's " +
		"VPC"
	if message(got) != want {
		t.Errorf("panic %v, want %s", got, want)
	}
}
