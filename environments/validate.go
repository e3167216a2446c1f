package environments

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

// A FieldError is an invalid field of an environment.
type FieldError struct {
	Environment string
	Field       string
	Got         string
	Want        string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s: %s, want %s", e.Environment, e.Field, e.Got, e.Want)
}

// Validate returns all problems of the environments at once, as joined [*FieldError] values, or
// nil. The rules are those of the constructs (package check): here, they are reported by the
// environment's fields.
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

// addError adds a problem of a field, whose value is got.
func (v *validator) addError(field string, got any, want string) {
	v.add(check.That(field, got, false, want))
}

// add adds the problems that rules return. It reports whether there are any.
func (v *validator) add(rules ...error) bool {
	found := check.Problems(rules...)
	for _, problem := range found {
		v.problems = append(v.problems, &FieldError{
			Environment: v.environment.Name,
			Field:       problem.Prop, Got: problem.Got, Want: problem.Want,
		})
	}
	return len(found) > 0
}

var namePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

func (v *validator) validate() {
	e := v.environment
	if !namePattern.MatchString(e.Name) {
		v.addError("Name", fmt.Sprintf("%q", e.Name),
			"letters and digits, beginning with a capital")
	}
	v.validateLocation()
	v.validateDatabase()
	v.add(check.LogRetention("LogRetention", e.LogRetention))
	v.validateURLs("WebOrigins", e.WebOrigins, check.Origin)
	v.validateCertificate()
	v.validateURLs("WebCallbackURLs", e.WebCallbackURLs, check.CallbackURL)
	v.validateURLs("WebLogoutURLs", e.WebLogoutURLs, check.CallbackURL)
	v.validateURLs("MobileCallbackURLs", e.MobileCallbackURLs, check.AppCallbackURL)
	v.validateURLs("MobileLogoutURLs", e.MobileLogoutURLs, check.AppCallbackURL)
	v.validateSignIn()
	if !v.add(check.MailIdentity("MailIdentity", e.MailIdentity)) {
		v.add(check.MailSender("MailFrom", e.MailFrom, e.MailIdentity))
	}
	if e.TelemetryShards < 0 {
		v.addError("TelemetryShards", e.TelemetryShards,
			"0 for on-demand mode, or the number of shards")
	}
	v.validateAnalytics()
	v.add(check.MailAddress("AlarmAddress", e.AlarmAddress))
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
		if check.Account("Account", e.Account) != nil {
			v.addError("Account", fmt.Sprintf("%q", e.Account),
				"12 digits, or empty together with Region")
		}
		if check.Region("Region", e.Region) != nil {
			v.addError("Region", fmt.Sprintf("%q", e.Region),
				"a region such as eu-central-1, or empty together with Account")
		} else {
			v.add(check.Zones("Zones", e.Zones, e.Region))
		}
	}
	if !slices.Contains([]NAT{NATNone, NATOne, NATPerZone}, e.NAT) {
		v.addError("NAT", fmt.Sprintf("%q", e.NAT),
			fmt.Sprintf("%s, %s or %s", NATNone, NATOne, NATPerZone))
	}
}

func (v *validator) validateDatabase() {
	e := v.environment
	v.add(
		check.InstanceClass("DatabaseClass", e.DatabaseClass),
		check.Storage("DatabaseStorageGiB", e.DatabaseStorageGiB),
		check.MaxAllocatedStorage(
			"DatabaseMaxAllocatedStorageGiB", e.DatabaseMaxAllocatedStorageGiB,
			"DatabaseStorageGiB", e.DatabaseStorageGiB),
		check.Replicas("DatabaseReplicas", e.DatabaseReplicas),
		check.DatabaseInsights("DatabaseInsights", e.DatabaseInsights, e.DatabaseClass),
		check.BackupRetention("BackupRetention", e.BackupRetention),
	)
}

func (v *validator) validateCertificate() {
	e := v.environment
	if e.WebsiteCertificateARN == "" {
		return
	}
	v.add(check.CertificateARN(
		"WebsiteCertificateARN", e.WebsiteCertificateARN, "us-east-1", v.account()))
	for i, origin := range e.WebOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" &&
			(u.Scheme != "https" || u.Port() != "") {
			v.addError(fmt.Sprintf("WebOrigins[%d]", i), fmt.Sprintf("%q", origin),
				"an https origin without a port: the website is served there")
		}
	}
}

// account returns the environment's account if it is valid, or nothing, which is any account.
func (v *validator) account() string {
	if check.Account("Account", v.environment.Account) != nil {
		return ""
	}
	return v.environment.Account
}

func (v *validator) validateSignIn() {
	e := v.environment
	// A label has at most 63 characters; a hyphen and the account's number take 13 of them.
	v.add(
		check.DomainPrefix("SignInDomain", e.SignInDomain, 50),
		check.Together(
			check.Text{Prop: "GoogleClientID", Value: e.GoogleClientID, Rule: check.GoogleClientID},
			check.Text{Prop: "GoogleSecretName", Value: e.GoogleSecretName, Rule: check.SecretName},
		),
		check.Together(
			check.Text{
				Prop: "AppleServicesID", Value: e.AppleServicesID, Rule: check.AppleServicesID,
			},
			check.Text{Prop: "AppleTeamID", Value: e.AppleTeamID, Rule: check.AppleID},
			check.Text{Prop: "AppleKeyID", Value: e.AppleKeyID, Rule: check.AppleID},
			check.Text{Prop: "AppleSecretName", Value: e.AppleSecretName, Rule: check.SecretName},
		),
	)
}

func (v *validator) validateAnalytics() {
	e := v.environment
	if e.Warehouse && len(e.Zones) != 3 {
		v.addError("Warehouse", true, fmt.Sprintf(
			"false with %d Zones: Redshift Serverless needs three for routing in the VPC",
			len(e.Zones)))
	}
	if e.DashboardsOwner != "" {
		v.add(check.QuickSightPrincipal("DashboardsOwner", e.DashboardsOwner, v.account()))
	}
}

func (v *validator) validateURLs(
	field string, urls []string, rule func(prop, value string) error,
) {
	if len(urls) == 0 {
		v.addError(field, "none", "at least one")
	}
	v.add(check.Each(field, urls, rule))
}
