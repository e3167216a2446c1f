package environments_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/environments"
)

// named returns the environment with that name, for tests to modify.
func named(t *testing.T, name string) environments.Environment {
	t.Helper()
	for _, environment := range environments.All() {
		if environment.Name == name {
			return environment
		}
	}
	t.Fatalf("there is no environment %s", name)
	return environments.Environment{}
}

func TestValidate_all(t *testing.T) {
	if err := environments.Validate(environments.All()); err != nil {
		t.Error(err)
	}
}

func TestValidate_complete(t *testing.T) {
	all := append(environments.All(), environments.Complete())
	if err := environments.Validate(all); err != nil {
		t.Error(err)
	}
}

func TestAll_warehouse_and_dashboards_are_off(t *testing.T) {
	for _, environment := range environments.All() {
		if environment.Warehouse || environment.DashboardsOwner != "" {
			t.Errorf("%s has a warehouse (%t) or dashboards (%q), which are off by default",
				environment.Name, environment.Warehouse, environment.DashboardsOwner)
		}
	}
}

func TestValidate_DashboardsOwner(t *testing.T) {
	for _, owner := range []string{
		"arn:aws:quicksight:us-east-1:222222222222:user/default/Analysts/ada@example.com",
		"arn:aws-cn:quicksight:cn-north-1:222222222222:group/default/analysts",
	} {
		prod := named(t, "Prod")
		prod.DashboardsOwner = owner
		if err := environments.Validate([]environments.Environment{prod}); err != nil {
			t.Errorf("%s: %v", owner, err)
		}
	}
}

func TestValidate_fields(t *testing.T) {
	type environment = environments.Environment
	for _, test := range []struct {
		want   string // the start of the error, after the environment's name
		change func(*environment)
	}{
		{
			`BackupRetention: 0s, want whole days, 24h0m0s to 840h0m0s`,
			func(e *environment) { e.BackupRetention = 0 },
		},
		{
			`BackupRetention: 864h0m0s, want whole days, 24h0m0s to 840h0m0s`,
			func(e *environment) { e.BackupRetention = 36 * 24 * time.Hour },
		},
		{
			`BackupRetention: 36h0m0s, want whole days, 24h0m0s to 840h0m0s`,
			func(e *environment) { e.BackupRetention = 36 * time.Hour },
		},
		{`Disposable: true, want false`, func(e *environment) { e.Disposable = true }},
		{
			`Name: "prod", want letters and digits, beginning with a capital`,
			func(e *environment) { e.Name = "prod" },
		},
		{
			`Account: "1234", want 12 digits, or empty together with Region`,
			func(e *environment) { e.Account = "1234" },
		},
		{
			`Account: "", want 12 digits, or empty together with Region`,
			func(e *environment) { e.Account = "" },
		},
		{
			`Region: "Frankfurt", want a region such as eu-central-1`,
			func(e *environment) {
				e.Region, e.Zones = "Frankfurt", []string{"Frankfurta", "Frankfurtb"}
			},
		},
		{`Zones: [eu-central-1a], want 2 or 3`, func(e *environment) { e.Zones = e.Zones[:1] }},
		{
			`Zones[1]: "eu-west-1b", want a zone of the region eu-central-1, without duplicates`,
			func(e *environment) { e.Zones = []string{"eu-central-1a", "eu-west-1b"} },
		},
		{
			`Zones[1]: "eu-central-1a", want a zone of the region eu-central-1, without duplicates`,
			func(e *environment) { e.Zones = []string{"eu-central-1a", "eu-central-1a"} },
		},
		{`NAT: "two", want none, one or per-zone`, func(e *environment) { e.NAT = "two" }},
		{
			`DatabaseClass: "db.m7g.large", want an instance class without the prefix db.`,
			func(e *environment) { e.DatabaseClass = "db.m7g.large" },
		},
		{
			`DatabaseStorageGiB: 19, want 20 to 65536`,
			func(e *environment) { e.DatabaseStorageGiB = 19 },
		},
		{
			`DatabaseMaxAllocatedStorageGiB: 109, want at least 10 % above`,
			func(e *environment) { e.DatabaseMaxAllocatedStorageGiB = 109 },
		},
		{`DatabaseReplicas: 16, want 0 to 15`, func(e *environment) { e.DatabaseReplicas = 16 }},
		{
			`DatabaseInsights: true, want false with t4g.small`,
			func(e *environment) { e.DatabaseClass = "t4g.small" },
		},
		{
			`LogRetention: 48h0m0s, want one of CloudWatch's steps`,
			func(e *environment) { e.LogRetention = 48 * time.Hour },
		},
		{`WebOrigins: none, want at least one`, func(e *environment) { e.WebOrigins = nil }},
		{
			`WebOrigins[0]: "https://a.example.com/", want an https origin`,
			func(e *environment) { e.WebOrigins = []string{"https://a.example.com/"} },
		},
		{
			`WebOrigins[0]: "*", want an https origin without a path`,
			func(e *environment) { e.WebOrigins = []string{"*"} },
		},
		{
			`WebOrigins[1]: "http://localhost:5173", want an https origin without a port`,
			func(e *environment) { e.WebOrigins = append(e.WebOrigins, "http://localhost:5173") },
		},
		{
			`WebOrigins[0]: "https://a.example.com:8443", want an https origin without a port`,
			func(e *environment) { e.WebOrigins = []string{"https://a.example.com:8443"} },
		},
		{
			`WebsiteCertificateARN: "arn:aws:acm:eu-central-1:222222222222:certificate/0", ` +
				`want the ARN of an ACM certificate in us-east-1 of the account ` +
				`222222222222`,
			func(e *environment) {
				e.WebsiteCertificateARN = "arn:aws:acm:eu-central-1:222222222222:certificate/0"
			},
		},
		{
			`WebsiteCertificateARN: "arn:aws:acm:us-east-1:111111111111:certificate/0", ` +
				`want the ARN of an ACM certificate in us-east-1 of the account ` +
				`222222222222`,
			func(e *environment) {
				e.WebsiteCertificateARN = "arn:aws:acm:us-east-1:111111111111:certificate/0"
			},
		},
		{
			`WebCallbackURLs[0]: "http://a.example.com/", want an https URL`,
			func(e *environment) { e.WebCallbackURLs = []string{"http://a.example.com/"} },
		},
		{
			`WebCallbackURLs[0]: "app://in", want an https URL`,
			func(e *environment) { e.WebCallbackURLs = []string{"app://in"} },
		},
		{
			`WebLogoutURLs[0]: "https://a.example.com/#x", want an https URL`,
			func(e *environment) { e.WebLogoutURLs = []string{"https://a.example.com/#x"} },
		},
		{
			`MobileCallbackURLs[0]: "http://localhost/", want an https URL or`,
			func(e *environment) { e.MobileCallbackURLs = []string{"http://localhost/"} },
		},
		{
			`MobileLogoutURLs: none, want at least one`,
			func(e *environment) { e.MobileLogoutURLs = nil },
		},
		{
			`MobileCallbackURLs: none, want at least one`,
			func(e *environment) { e.MobileCallbackURLs = nil },
		},
		{
			`WebCallbackURLs: none, want at least one`,
			func(e *environment) { e.WebCallbackURLs = nil },
		},
		{`WebLogoutURLs: none, want at least one`, func(e *environment) { e.WebLogoutURLs = nil }},
		{
			`SignInDomain: "", want 1 to 50 lower-case letters, digits and inner hyphens, ` +
				`without aws, amazon or cognito`,
			func(e *environment) { e.SignInDomain = "" },
		},
		{
			`SignInDomain: "Ashlar", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "Ashlar" },
		},
		{
			`SignInDomain: "ashlar-", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "ashlar-" },
		},
		{
			`SignInDomain: "-ashlar", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "-ashlar" },
		},
		{
			`SignInDomain: "sign.in", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "sign.in" },
		},
		{
			`SignInDomain: "pawsome", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "pawsome" },
		},
		{
			`SignInDomain: "my-amazon", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "my-amazon" },
		},
		{
			`SignInDomain: "incognito", want 1 to 50 lower-case letters`,
			func(e *environment) { e.SignInDomain = "incognito" },
		},
		{
			`SignInDomain: "` + strings.Repeat("a", 51) + `", want 1 to 50`,
			func(e *environment) { e.SignInDomain = strings.Repeat("a", 51) },
		},
		{
			`GoogleClientID: "", want the OAuth client's id`,
			func(e *environment) { e.GoogleClientID = "" },
		},
		{
			`GoogleClientID: "1234", want the OAuth client's id`,
			func(e *environment) { e.GoogleClientID = "1234" },
		},
		{
			`GoogleSecretName: "", want the name, not the ARN, of a secret; or leave ` +
				`GoogleClientID, GoogleSecretName empty`,
			func(e *environment) { e.GoogleSecretName = "" },
		},
		{
			`GoogleSecretName: ` +
				`"arn:aws:secretsmanager:eu-central-1:222222222222:secret:google-AbCdEf", want ` +
				`the name`,
			func(e *environment) {
				const arn = "arn:aws:secretsmanager:eu-central-1:222222222222:secret:google-AbCdEf"
				e.GoogleSecretName = arn
			},
		},
		{
			`AppleServicesID: "", want a Services ID such as`,
			func(e *environment) { e.AppleServicesID = "" },
		},
		{
			`AppleServicesID: "signin", want a Services ID such as`,
			func(e *environment) { e.AppleServicesID = "signin" },
		},
		{
			`AppleTeamID: "", want 10 capitals and digits`,
			func(e *environment) { e.AppleTeamID = "" },
		},
		{
			`AppleKeyID: "abc", want 10 capitals and digits`,
			func(e *environment) { e.AppleKeyID = "abc" },
		},
		{
			`AppleSecretName: "", want the name, not the ARN, of a secret; or leave ` +
				`AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName empty`,
			func(e *environment) { e.AppleSecretName = "" },
		},
		{
			`MailIdentity: "", want a domain such as example.com, or an e-mail address`,
			func(e *environment) { e.MailIdentity = "" },
		},
		{
			`MailIdentity: "example", want a domain such as example.com, or an e-mail address`,
			func(e *environment) { e.MailIdentity = "example" },
		},
		{
			`MailIdentity: "https://example.com", want a domain`,
			func(e *environment) { e.MailIdentity = "https://example.com" },
		},
		{
			`MailIdentity: "Ashlar <hello@example.com>", want a domain such as example.com, ` +
				`or an e-mail address`,
			func(e *environment) { e.MailIdentity = "Ashlar <hello@example.com>" },
		},
		{
			`MailFrom: "", want an address, optionally with a name: Example <hello@example.com>`,
			func(e *environment) { e.MailFrom = "" },
		},
		{
			`MailFrom: "Ashlar", want an address, optionally with a name`,
			func(e *environment) { e.MailFrom = "Ashlar" },
		},
		{
			`MailFrom: "hello@example.org", want an address of example.com`,
			func(e *environment) { e.MailFrom = "hello@example.org" },
		},
		{
			`MailFrom: "hello@badexample.com", want an address of example.com`,
			func(e *environment) { e.MailFrom = "hello@badexample.com" },
		},
		{
			`MailFrom: "Ashlar <hello@example.com>", want an address of other@example.com`,
			func(e *environment) { e.MailIdentity = "other@example.com" },
		},
		{
			`TelemetryShards: -1, want 0 for on-demand mode, or the number of shards`,
			func(e *environment) { e.TelemetryShards = -1 },
		},
		{
			`Warehouse: true, want false with 2 Zones: Redshift Serverless needs three`,
			func(e *environment) { e.Warehouse, e.Zones = true, e.Zones[:2] },
		},
		{
			`DashboardsOwner: "analysts", want the ARN of a QuickSight user or group of the ` +
				`account 222222222222`,
			func(e *environment) { e.DashboardsOwner = "analysts" },
		},
		{
			`DashboardsOwner: ` +
				`"arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts", want ` +
				`the ARN`,
			func(e *environment) {
				const arn = "arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts"
				e.DashboardsOwner = arn
			},
		},
		{
			`DashboardsOwner: ` +
				`"arn:aws:quicksight:eu-central-1:222222222222:namespace/default", want the ARN`,
			func(e *environment) {
				e.DashboardsOwner = "arn:aws:quicksight:eu-central-1:222222222222:namespace/default"
			},
		},
		{
			`DashboardsOwner: ` +
				`"arn:aws:quicksight:eu-central-1:222222222222:group/default/*", want the ARN`,
			func(e *environment) {
				e.DashboardsOwner = "arn:aws:quicksight:eu-central-1:222222222222:group/default/*"
			},
		},
		{`AlarmAddress: "", want an e-mail address`, func(e *environment) { e.AlarmAddress = "" }},
	} {
		prod := named(t, "Prod")
		test.change(&prod)
		err := environments.Validate([]environments.Environment{prod})
		want := prod.Name + ": " + test.want
		if err == nil || !strings.HasPrefix(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want just %q", err, want)
		}
	}
}

func TestValidate_location_of_disposable_environments(t *testing.T) {
	dev := named(t, "Dev")
	dev.Disposable = false
	dev.NAT = environments.NATPerZone
	dev.Zones = []string{"eu-central-1a"}
	dev.TransferAcceleration = true
	const onlyDisposable = "only a disposable environment may use the CDK CLI's defaults"
	want := []string{
		`Dev: Account: "", want an account: ` + onlyDisposable,
		`Dev: Region: "", want a region: ` + onlyDisposable,
		`Dev: Zones: [eu-central-1a], want none without a Region: the region's first two are used`,
		`Dev: NAT: per-zone, want none or one without a Region: the zones are not known yet`,
		`Dev: TransferAcceleration: true, want false without a Region: not every region has it`,
	}
	err := environments.Validate([]environments.Environment{dev})
	if err == nil || !cmp.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestValidate_without_identity_providers(t *testing.T) {
	prod := named(t, "Prod")
	prod.GoogleClientID, prod.GoogleSecretName = "", ""
	prod.AppleServicesID, prod.AppleTeamID, prod.AppleKeyID, prod.AppleSecretName = "", "", "", ""
	if err := environments.Validate([]environments.Environment{prod}); err != nil {
		t.Error(err)
	}
}

func TestValidate_incomplete_identity_providers(t *testing.T) {
	prod := named(t, "Prod")
	prod.SignInDomain, prod.WebCallbackURLs, prod.MobileLogoutURLs = "", nil, nil
	prod.GoogleClientID = ""
	prod.AppleServicesID, prod.AppleTeamID, prod.AppleKeyID = "", "", ""
	err := environments.Validate([]environments.Environment{prod})
	for _, field := range []string{
		"SignInDomain", "WebCallbackURLs", "MobileLogoutURLs", "GoogleClientID",
		"AppleServicesID", "AppleTeamID", "AppleKeyID",
	} {
		if err == nil || !strings.Contains(err.Error(), "Prod: "+field+": ") {
			t.Errorf("error\n%v\nwant it to name %s", err, field)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 7 {
		t.Errorf("error of %d lines, want 7:\n%v", lines, err)
	}
}

func TestValidate_duplicate_SignInDomain(t *testing.T) {
	staging, prod := named(t, "Staging"), named(t, "Prod")
	staging.SignInDomain = prod.SignInDomain
	err := environments.Validate([]environments.Environment{staging, prod})
	want := `Prod: SignInDomain: "ashlar", want a prefix that no other environment has`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestValidate_MailFrom(t *testing.T) {
	for identity, from := range map[string]string{
		"example.com":       "Ashlar <hello@news.example.com>",
		"news.example.com":  "hello@news.example.com",
		"hello@example.com": "Ashlar <hello@example.com>",
	} {
		prod := named(t, "Prod")
		prod.MailIdentity, prod.MailFrom = identity, from
		if err := environments.Validate([]environments.Environment{prod}); err != nil {
			t.Errorf("%s of %s: %v", from, identity, err)
		}
	}
}

func TestValidate_duplicate_MailIdentity(t *testing.T) {
	staging, prod := named(t, "Staging"), named(t, "Prod")
	staging.MailIdentity, staging.MailFrom = prod.MailIdentity, prod.MailFrom
	err := environments.Validate([]environments.Environment{staging, prod})
	want := `Prod: MailIdentity: "example.com", want an identity that no other environment has`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestValidate_reports_all_environments(t *testing.T) {
	all := environments.All()
	all[0].BackupRetention = 0
	all[2].Disposable = true
	all[2].Name = all[1].Name
	err := environments.Validate(all)
	want := []string{
		`Dev: BackupRetention: 0s, want whole days, 24h0m0s to 840h0m0s`,
		`Staging: Name: "Staging", want a name that no other environment has`,
	}
	if err == nil || !cmp.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Fatalf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	var fieldError *environments.FieldError
	if !errors.As(err, &fieldError) ||
		fieldError.Environment != "Dev" || fieldError.Field != "BackupRetention" {
		t.Errorf("the first problem is %+v, want Dev's BackupRetention", fieldError)
	}
}

func TestEnvironment_NATGateways(t *testing.T) {
	prod := named(t, "Prod")
	for nat, want := range map[environments.NAT]int{
		environments.NATNone: 0, environments.NATOne: 1, environments.NATPerZone: 3,
	} {
		prod.NAT = nat
		if got := prod.NATGateways(); got != want {
			t.Errorf("%s: %d gateways, want %d", nat, got, want)
		}
	}
}
