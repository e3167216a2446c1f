package environments

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A FieldError is an invalid field of an environment.
type FieldError struct {
	Environment string
	Field       string
	Got         any
	Want        string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s: %v, want %s", e.Environment, e.Field, e.Got, e.Want)
}

var (
	namePattern        = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	accountPattern     = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	classPattern       = regexp.MustCompile(`^[a-z][a-z0-9]+\.[a-z0-9]+$`)
	certificatePattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:acm:us-east-1:([0-9]{12}):certificate/[0-9a-f-]+$`)
	domainPattern     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	mailDomainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	// The formats of Google, Apple and Secrets Manager: "Setting up OAuth 2.0" in Google's help,
	// "Register a services ID" in Apple's, and CreateSecret in the AWS Secrets Manager API
	// Reference.
	googleClientPattern = regexp.MustCompile(`^[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com$`)
	servicesIDPattern   = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	appleIDPattern      = regexp.MustCompile(`^[A-Z0-9]{10}$`)
	secretNamePattern   = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	// Performance data needs more memory than these classes have: "Performance Insights" in the
	// Amazon RDS User Guide, table of supported instance classes for MySQL.
	noInsightsPattern = regexp.MustCompile(`^t[34]g?\.(micro|small)$`)
	// Users and groups: "Resource types defined by Amazon QuickSight" in the Service Authorization
	// Reference. Their region is that of the account's QuickSight identities, not the
	// environment's.
	quickSightPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:([0-9]{12}):(user|group)/[^/*]+/[^*]+$`)

	// logRetentionDays are the only values that CloudWatch Logs accepts: PutRetentionPolicy in its
	// API Reference.
	logRetentionDays = []int{
		1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180,
		365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
	}
)

// Validate returns all problems of the environments at once, as joined [*FieldError] values, or
// nil.
func Validate(environments []Environment) error {
	var problems []error
	seen, domains, identities := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, environment := range environments {
		v := validator{environment: environment}
		if seen[environment.Name] {
			v.addError("Name", fmt.Sprintf("%q", environment.Name),
				"a name that no other environment has")
		}
		seen[environment.Name] = true
		if domains[environment.SignInDomain] {
			v.addError("SignInDomain", fmt.Sprintf("%q", environment.SignInDomain),
				"a prefix that no other environment has")
		}
		domains[environment.SignInDomain] = true
		if identities[environment.MailIdentity] {
			// An identity, and the stack that declares it, exist once per account and region.
			v.addError("MailIdentity", fmt.Sprintf("%q", environment.MailIdentity),
				"an identity that no other environment has")
		}
		identities[environment.MailIdentity] = true
		v.validate()
		problems = append(problems, v.problems...)
	}
	return errors.Join(problems...)
}

type validator struct {
	environment Environment
	problems    []error
}

func (v *validator) addError(field string, got any, want string) {
	v.problems = append(v.problems,
		&FieldError{Environment: v.environment.Name, Field: field, Got: got, Want: want})
}

func (v *validator) validate() {
	e := v.environment
	if !namePattern.MatchString(e.Name) {
		v.addError("Name", fmt.Sprintf("%q", e.Name),
			"letters and digits, beginning with a capital")
	}
	v.validateLocation()
	v.validateDatabase()
	if days, whole := wholeDays(e.LogRetention); !whole ||
		!slices.Contains(logRetentionDays, days) {
		v.addError("LogRetention", e.LogRetention,
			fmt.Sprintf("one of CloudWatch's steps, in days: %v", logRetentionDays))
	}
	v.validateURLs("WebOrigins", e.WebOrigins,
		"an https origin without a path (http for localhost only)",
		func(u *url.URL) bool { return isWeb(u) && u.Path == "" })
	v.validateCertificate()
	const wantWeb = "an https URL (http for localhost only)"
	v.validateURLs("WebCallbackURLs", e.WebCallbackURLs, wantWeb, isWeb)
	v.validateURLs("WebLogoutURLs", e.WebLogoutURLs, wantWeb, isWeb)
	const wantApp = "an https URL or one with the app's own scheme"
	v.validateURLs("MobileCallbackURLs", e.MobileCallbackURLs, wantApp, isApp)
	v.validateURLs("MobileLogoutURLs", e.MobileLogoutURLs, wantApp, isApp)
	v.validateSignIn()
	v.validateMail()
	if e.TelemetryShards < 0 {
		v.addError("TelemetryShards", e.TelemetryShards,
			"0 for on-demand mode, or the number of shards")
	}
	v.validateAnalytics()
	if !isAddress(e.AlarmAddress) {
		v.addError("AlarmAddress", fmt.Sprintf("%q", e.AlarmAddress),
			"an e-mail address for alarms")
	}
	if e.Name == "Prod" && e.Disposable {
		v.addError("Disposable", true,
			"false: cdk destroy would delete production data without a snapshot")
	}
}

func (v *validator) validateLocation() {
	e := v.environment
	if e.Account == "" && e.Region == "" {
		if !e.Disposable {
			v.addError("Account", `""`,
				"an account: only a disposable environment may use the CDK CLI's defaults")
			v.addError("Region", `""`,
				"a region: only a disposable environment may use the CDK CLI's defaults")
		}
		if len(e.Zones) > 0 {
			v.addError("Zones", e.Zones, "none without a Region: the region's first two are used")
		}
		if e.NAT == NATPerZone {
			v.addError("NAT", e.NAT, "none or one without a Region: the zones are not known yet")
		}
		if e.TransferAcceleration {
			v.addError("TransferAcceleration", true,
				"false without a Region: not every region has it")
		}
	} else {
		if !accountPattern.MatchString(e.Account) {
			v.addError("Account", fmt.Sprintf("%q", e.Account),
				"12 digits, or empty together with Region")
		}
		if !regionPattern.MatchString(e.Region) {
			v.addError("Region", fmt.Sprintf("%q", e.Region),
				"a region such as eu-central-1, or empty together with Account")
		}
		// RDS asks for subnets in two zones, and the network's addresses are laid out for three.
		if len(e.Zones) < 2 || len(e.Zones) > 3 {
			v.addError("Zones", e.Zones, "2 or 3")
		}
		for i, zone := range e.Zones {
			if !strings.HasPrefix(zone, e.Region) || len(zone) <= len(e.Region) ||
				slices.Contains(e.Zones[:i], zone) {
				v.addError(fmt.Sprintf("Zones[%d]", i), fmt.Sprintf("%q", zone),
					"a zone of the Region, without duplicates")
			}
		}
	}
	if !slices.Contains([]NAT{NATNone, NATOne, NATPerZone}, e.NAT) {
		v.addError("NAT", fmt.Sprintf("%q", e.NAT),
			fmt.Sprintf("%s, %s or %s", NATNone, NATOne, NATPerZone))
	}
}

// validateDatabase repeats checks of the mysql construct, to report them by the environment's
// fields.
func (v *validator) validateDatabase() {
	e := v.environment
	if !classPattern.MatchString(e.DatabaseClass) {
		v.addError("DatabaseClass", fmt.Sprintf("%q", e.DatabaseClass),
			"an instance class such as t4g.micro")
	}
	// The limits of gp3 storage: "DB instance storage" in the Amazon RDS User Guide.
	if e.DatabaseStorageGiB < 20 || e.DatabaseStorageGiB > 65536 {
		v.addError("DatabaseStorageGiB", e.DatabaseStorageGiB, "20 to 65536")
	}
	// RDS rejects a limit less than 10 % above the allocated storage: "Managing capacity
	// automatically".
	if e.DatabaseMaxAllocatedStorageGiB*10 < e.DatabaseStorageGiB*11 ||
		e.DatabaseMaxAllocatedStorageGiB > 65536 {
		v.addError("DatabaseMaxAllocatedStorageGiB", e.DatabaseMaxAllocatedStorageGiB,
			"at least 10 % above DatabaseStorageGiB, at most 65536")
	}
	// RDS for MySQL supports up to 15 replicas of a source: "Working with MySQL read replicas".
	if e.DatabaseReplicas < 0 || e.DatabaseReplicas > 15 {
		v.addError("DatabaseReplicas", e.DatabaseReplicas, "0 to 15")
	}
	if e.DatabaseInsights && noInsightsPattern.MatchString(e.DatabaseClass) {
		v.addError("DatabaseInsights", true,
			"false with "+e.DatabaseClass+", or a class from medium up")
	}
	days, whole := wholeDays(e.BackupRetention)
	switch {
	case e.BackupRetention < 24*time.Hour:
		// Without backups, point-in-time recovery and read replicas are not possible.
		v.addError("BackupRetention", e.BackupRetention, "at least 24h")
	case !whole || days > 35:
		v.addError("BackupRetention", e.BackupRetention, "whole days, 35 at most")
	}
}

// validateCertificate repeats checks of the website construct, to report them by the environment's
// fields.
func (v *validator) validateCertificate() {
	e := v.environment
	if e.WebsiteCertificateARN == "" {
		return
	}
	const want = "an ACM certificate of the Account, in us-east-1"
	match := certificatePattern.FindStringSubmatch(e.WebsiteCertificateARN)
	if match == nil || accountPattern.MatchString(e.Account) && match[1] != e.Account {
		v.addError("WebsiteCertificateARN", fmt.Sprintf("%q", e.WebsiteCertificateARN), want)
	}
	for i, origin := range e.WebOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" &&
			(u.Scheme != "https" || u.Port() != "") {
			v.addError(fmt.Sprintf("WebOrigins[%d]", i), fmt.Sprintf("%q", origin),
				"an https origin without a port: the website is served there")
		}
	}
}

// validateSignIn repeats checks of the identity construct, to report them by the environment's
// fields.
func (v *validator) validateSignIn() {
	e := v.environment
	// A label has at most 63 characters ("Configuring a user pool domain" in the Amazon Cognito
	// Developer Guide); a hyphen and the account's number take 13 of them.
	reserved := slices.ContainsFunc([]string{"aws", "amazon", "cognito"}, func(word string) bool {
		return strings.Contains(e.SignInDomain, word)
	})
	if !domainPattern.MatchString(e.SignInDomain) || len(e.SignInDomain) > 50 || reserved {
		v.addError("SignInDomain", fmt.Sprintf("%q", e.SignInDomain),
			"1 to 50 lower-case letters, digits and inner hyphens, without aws, amazon or cognito")
	}
	v.validateTogether(
		setting{
			"GoogleClientID", e.GoogleClientID, googleClientPattern,
			"the OAuth client's id, which ends with .apps.googleusercontent.com",
		},
		setting{
			"GoogleSecretName", e.GoogleSecretName, secretNamePattern,
			"the name, not the ARN, of a secret",
		},
	)
	v.validateTogether(
		setting{
			"AppleServicesID", e.AppleServicesID, servicesIDPattern,
			"a Services ID such as com.example.signin",
		},
		setting{"AppleTeamID", e.AppleTeamID, appleIDPattern, "10 capitals and digits"},
		setting{"AppleKeyID", e.AppleKeyID, appleIDPattern, "10 capitals and digits"},
		setting{
			"AppleSecretName", e.AppleSecretName, secretNamePattern,
			"the name, not the ARN, of a secret",
		},
	)
}

// validateMail repeats checks of the mailinglist construct, to report them by the environment's
// fields.
func (v *validator) validateMail() {
	e := v.environment
	if !mailDomainPattern.MatchString(e.MailIdentity) && !isAddress(e.MailIdentity) {
		v.addError("MailIdentity", fmt.Sprintf("%q", e.MailIdentity),
			"a domain such as example.com, or an e-mail address")
		return
	}
	from, err := mail.ParseAddress(e.MailFrom)
	if err != nil {
		v.addError("MailFrom", fmt.Sprintf("%q", e.MailFrom),
			"an address, optionally with a name: Ashlar <hello@example.com>")
		return
	}
	_, host, _ := strings.Cut(from.Address, "@")
	if from.Address != e.MailIdentity && host != e.MailIdentity &&
		!strings.HasSuffix(host, "."+e.MailIdentity) {
		v.addError("MailFrom", fmt.Sprintf("%q", e.MailFrom), "an address of "+e.MailIdentity)
	}
}

// validateAnalytics repeats checks of the constructs warehouse and dashboards, to report them by
// the environment's fields.
func (v *validator) validateAnalytics() {
	e := v.environment
	if e.Warehouse && len(e.Zones) != 3 {
		v.addError("Warehouse", true, fmt.Sprintf(
			"false with %d Zones: Redshift Serverless needs three for routing in the VPC",
			len(e.Zones)))
	}
	if e.DashboardsOwner == "" {
		return
	}
	match := quickSightPattern.FindStringSubmatch(e.DashboardsOwner)
	if match == nil || accountPattern.MatchString(e.Account) && match[1] != e.Account {
		v.addError("DashboardsOwner", fmt.Sprintf("%q", e.DashboardsOwner),
			"the ARN of a QuickSight user or group of the Account")
	}
}

// isAddress reports whether text is an e-mail address and nothing else.
func isAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

type setting struct {
	field, value string
	pattern      *regexp.Regexp
	want         string
}

// validateTogether requires all of the settings or none.
func (v *validator) validateTogether(settings ...setting) {
	if !slices.ContainsFunc(settings, func(s setting) bool { return s.value != "" }) {
		return
	}
	var fields []string
	for _, s := range settings {
		fields = append(fields, s.field)
	}
	orNone := "; or leave " + strings.Join(fields, ", ") + " empty"
	for _, s := range settings {
		if !s.pattern.MatchString(s.value) {
			v.addError(s.field, fmt.Sprintf("%q", s.value), s.want+orNone)
		}
	}
}

func (v *validator) validateURLs(
	field string, urls []string, want string, allowed func(*url.URL) bool,
) {
	if len(urls) == 0 {
		v.addError(field, "none", "at least one")
	}
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
			!allowed(u) {
			v.addError(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q", text), want)
		}
	}
}

// isWeb reports whether a browser may be redirected to u: TLS is required except on localhost.
func isWeb(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && u.Hostname() == "localhost"
}

// isApp reports whether u opens a mobile app, by its custom scheme or by an https URL that it owns.
func isApp(u *url.URL) bool {
	return u.Scheme != "http"
}

func wholeDays(d time.Duration) (days int, whole bool) {
	return int(d / day), d%day == 0
}
