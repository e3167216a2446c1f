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
	if err := environments.Validate(append(environments.All(), environments.Complete())); err != nil {
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
	for want, change := range map[string]func(*environments.Environment){
		`Prod: BackupRetention: 0s, want at least 24h`:                          func(e *environments.Environment) { e.BackupRetention = 0 },
		`Prod: BackupRetention: 864h0m0s, want whole days, 35 at most`:          func(e *environments.Environment) { e.BackupRetention = 36 * 24 * time.Hour },
		`Prod: BackupRetention: 36h0m0s, want whole days, 35 at most`:           func(e *environments.Environment) { e.BackupRetention = 36 * time.Hour },
		`Prod: Disposable: true, want false`:                                    func(e *environments.Environment) { e.Disposable = true },
		`prod: Name: "prod", want letters and digits, beginning with a capital`: func(e *environments.Environment) { e.Name = "prod" },
		`Prod: Account: "1234", want 12 digits, or empty together with Region`:  func(e *environments.Environment) { e.Account = "1234" },
		`Prod: Account: "", want 12 digits, or empty together with Region`:      func(e *environments.Environment) { e.Account = "" },
		`Prod: Region: "Frankfurt", want a region such as eu-central-1`: func(e *environments.Environment) {
			e.Region, e.Zones = "Frankfurt", []string{"Frankfurta", "Frankfurtb"}
		},
		`Prod: Zones: [eu-central-1a], want 2 or 3`:                                              func(e *environments.Environment) { e.Zones = e.Zones[:1] },
		`Prod: Zones[1]: "eu-west-1b", want a zone of the Region, without duplicates`:            func(e *environments.Environment) { e.Zones = []string{"eu-central-1a", "eu-west-1b"} },
		`Prod: Zones[1]: "eu-central-1a", want a zone of the Region, without duplicates`:         func(e *environments.Environment) { e.Zones = []string{"eu-central-1a", "eu-central-1a"} },
		`Prod: NAT: "two", want none, one or per-zone`:                                           func(e *environments.Environment) { e.NAT = "two" },
		`Prod: DatabaseClass: "db.m7g.large", want an instance class such as`:                    func(e *environments.Environment) { e.DatabaseClass = "db.m7g.large" },
		`Prod: DatabaseStorageGiB: 19, want 20 to 65536`:                                         func(e *environments.Environment) { e.DatabaseStorageGiB = 19 },
		`Prod: DatabaseMaxAllocatedStorageGiB: 109, want at least 10 % above`:                    func(e *environments.Environment) { e.DatabaseMaxAllocatedStorageGiB = 109 },
		`Prod: DatabaseReplicas: 16, want 0 to 15`:                                               func(e *environments.Environment) { e.DatabaseReplicas = 16 },
		`Prod: DatabaseInsights: true, want false with t4g.small`:                                func(e *environments.Environment) { e.DatabaseClass = "t4g.small" },
		`Prod: LogRetention: 48h0m0s, want one of CloudWatch's steps`:                            func(e *environments.Environment) { e.LogRetention = 48 * time.Hour },
		`Prod: WebOrigins: none, want at least one`:                                              func(e *environments.Environment) { e.WebOrigins = nil },
		`Prod: WebOrigins[0]: "https://a.example.com/", want an https origin`:                    func(e *environments.Environment) { e.WebOrigins = []string{"https://a.example.com/"} },
		`Prod: WebOrigins[0]: "*", want an https origin without a path`:                          func(e *environments.Environment) { e.WebOrigins = []string{"*"} },
		`Prod: WebOrigins[1]: "http://localhost:5173", want an https origin without a port`:      func(e *environments.Environment) { e.WebOrigins = append(e.WebOrigins, "http://localhost:5173") },
		`Prod: WebOrigins[0]: "https://a.example.com:8443", want an https origin without a port`: func(e *environments.Environment) { e.WebOrigins = []string{"https://a.example.com:8443"} },
		`Prod: WebsiteCertificateARN: "arn:aws:acm:eu-central-1:222222222222:certificate/0", want an ACM certificate of the`: func(e *environments.Environment) {
			e.WebsiteCertificateARN = "arn:aws:acm:eu-central-1:222222222222:certificate/0"
		},
		`Prod: WebsiteCertificateARN: "arn:aws:acm:us-east-1:111111111111:certificate/0", want an ACM certificate of the`: func(e *environments.Environment) {
			e.WebsiteCertificateARN = "arn:aws:acm:us-east-1:111111111111:certificate/0"
		},
		`Prod: WebCallbackURLs[0]: "http://a.example.com/", want an https URL`:                                                 func(e *environments.Environment) { e.WebCallbackURLs = []string{"http://a.example.com/"} },
		`Prod: WebCallbackURLs[0]: "app://in", want an https URL`:                                                              func(e *environments.Environment) { e.WebCallbackURLs = []string{"app://in"} },
		`Prod: WebLogoutURLs[0]: "https://a.example.com/#x", want an https URL`:                                                func(e *environments.Environment) { e.WebLogoutURLs = []string{"https://a.example.com/#x"} },
		`Prod: MobileCallbackURLs[0]: "http://localhost/", want an https URL or`:                                               func(e *environments.Environment) { e.MobileCallbackURLs = []string{"http://localhost/"} },
		`Prod: MobileLogoutURLs: none, want at least one`:                                                                      func(e *environments.Environment) { e.MobileLogoutURLs = nil },
		`Prod: MobileCallbackURLs: none, want at least one`:                                                                    func(e *environments.Environment) { e.MobileCallbackURLs = nil },
		`Prod: WebCallbackURLs: none, want at least one`:                                                                       func(e *environments.Environment) { e.WebCallbackURLs = nil },
		`Prod: WebLogoutURLs: none, want at least one`:                                                                         func(e *environments.Environment) { e.WebLogoutURLs = nil },
		`Prod: SignInDomain: "", want 1 to 50 lower-case letters, digits and inner hyphens, without aws, amazon or cognito`:    func(e *environments.Environment) { e.SignInDomain = "" },
		`Prod: SignInDomain: "Ashlar", want 1 to 50 lower-case letters`:                                                        func(e *environments.Environment) { e.SignInDomain = "Ashlar" },
		`Prod: SignInDomain: "ashlar-", want 1 to 50 lower-case letters`:                                                       func(e *environments.Environment) { e.SignInDomain = "ashlar-" },
		`Prod: SignInDomain: "-ashlar", want 1 to 50 lower-case letters`:                                                       func(e *environments.Environment) { e.SignInDomain = "-ashlar" },
		`Prod: SignInDomain: "sign.in", want 1 to 50 lower-case letters`:                                                       func(e *environments.Environment) { e.SignInDomain = "sign.in" },
		`Prod: SignInDomain: "pawsome", want 1 to 50 lower-case letters`:                                                       func(e *environments.Environment) { e.SignInDomain = "pawsome" },
		`Prod: SignInDomain: "my-amazon", want 1 to 50 lower-case letters`:                                                     func(e *environments.Environment) { e.SignInDomain = "my-amazon" },
		`Prod: SignInDomain: "incognito", want 1 to 50 lower-case letters`:                                                     func(e *environments.Environment) { e.SignInDomain = "incognito" },
		`Prod: SignInDomain: "` + strings.Repeat("a", 51) + `", want 1 to 50`:                                                  func(e *environments.Environment) { e.SignInDomain = strings.Repeat("a", 51) },
		`Prod: GoogleClientID: "", want the OAuth client's id`:                                                                 func(e *environments.Environment) { e.GoogleClientID = "" },
		`Prod: GoogleClientID: "1234", want the OAuth client's id`:                                                             func(e *environments.Environment) { e.GoogleClientID = "1234" },
		`Prod: GoogleSecretName: "", want the name, not the ARN, of a secret; or leave GoogleClientID, GoogleSecretName empty`: func(e *environments.Environment) { e.GoogleSecretName = "" },
		`Prod: GoogleSecretName: "arn:aws:secretsmanager:eu-central-1:222222222222:secret:google-AbCdEf", want the name`: func(e *environments.Environment) {
			e.GoogleSecretName = "arn:aws:secretsmanager:eu-central-1:222222222222:secret:google-AbCdEf"
		},
		`Prod: AppleServicesID: "", want a Services ID such as`:       func(e *environments.Environment) { e.AppleServicesID = "" },
		`Prod: AppleServicesID: "signin", want a Services ID such as`: func(e *environments.Environment) { e.AppleServicesID = "signin" },
		`Prod: AppleTeamID: "", want 10 capitals and digits`:          func(e *environments.Environment) { e.AppleTeamID = "" },
		`Prod: AppleKeyID: "abc", want 10 capitals and digits`:        func(e *environments.Environment) { e.AppleKeyID = "abc" },
		`Prod: AppleSecretName: "", want the name, not the ARN, of a secret; or leave AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName empty`: func(e *environments.Environment) { e.AppleSecretName = "" },
		`Prod: MailIdentity: "", want a domain such as example.com, or an e-mail address`:                                                              func(e *environments.Environment) { e.MailIdentity = "" },
		`Prod: MailIdentity: "example", want a domain such as example.com, or an e-mail address`:                                                       func(e *environments.Environment) { e.MailIdentity = "example" },
		`Prod: MailIdentity: "https://example.com", want a domain`:                                                                                     func(e *environments.Environment) { e.MailIdentity = "https://example.com" },
		`Prod: MailIdentity: "Ashlar <hello@example.com>", want a domain such as example.com, or an e-mail address`:                                    func(e *environments.Environment) { e.MailIdentity = "Ashlar <hello@example.com>" },
		`Prod: MailFrom: "", want an address, optionally with a name: Ashlar <hello@example.com>`:                                                      func(e *environments.Environment) { e.MailFrom = "" },
		`Prod: MailFrom: "Ashlar", want an address, optionally with a name`:                                                                            func(e *environments.Environment) { e.MailFrom = "Ashlar" },
		`Prod: MailFrom: "hello@example.org", want an address of example.com`:                                                                          func(e *environments.Environment) { e.MailFrom = "hello@example.org" },
		`Prod: MailFrom: "hello@badexample.com", want an address of example.com`:                                                                       func(e *environments.Environment) { e.MailFrom = "hello@badexample.com" },
		`Prod: MailFrom: "Ashlar <hello@example.com>", want an address of other@example.com`:                                                           func(e *environments.Environment) { e.MailIdentity = "other@example.com" },
		`Prod: TelemetryShards: -1, want 0 for on-demand mode, or the number of shards`:                                                                func(e *environments.Environment) { e.TelemetryShards = -1 },
		`Prod: Warehouse: true, want false with 2 Zones: Redshift Serverless needs three`: func(e *environments.Environment) {
			e.Warehouse, e.Zones = true, e.Zones[:2]
		},
		`Prod: DashboardsOwner: "analysts", want the ARN of a QuickSight user or group of the Account`: func(e *environments.Environment) {
			e.DashboardsOwner = "analysts"
		},
		`Prod: DashboardsOwner: "arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts", want the ARN`: func(e *environments.Environment) {
			e.DashboardsOwner = "arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts"
		},
		`Prod: DashboardsOwner: "arn:aws:quicksight:eu-central-1:222222222222:namespace/default", want the ARN`: func(e *environments.Environment) {
			e.DashboardsOwner = "arn:aws:quicksight:eu-central-1:222222222222:namespace/default"
		},
		`Prod: DashboardsOwner: "arn:aws:quicksight:eu-central-1:222222222222:group/default/*", want the ARN`: func(e *environments.Environment) {
			e.DashboardsOwner = "arn:aws:quicksight:eu-central-1:222222222222:group/default/*"
		},
		`Prod: AlarmAddress: "", want an e-mail address`: func(e *environments.Environment) { e.AlarmAddress = "" },
	} {
		prod := named(t, "Prod")
		change(&prod)
		err := environments.Validate([]environments.Environment{prod})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
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
	want := []string{
		`Dev: Account: "", want an account: only a disposable environment may use the CDK CLI's defaults`,
		`Dev: Region: "", want a region: only a disposable environment may use the CDK CLI's defaults`,
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
	for _, field := range []string{"SignInDomain", "WebCallbackURLs", "MobileLogoutURLs", "GoogleClientID", "AppleServicesID", "AppleTeamID", "AppleKeyID"} {
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
	if want := `Prod: SignInDomain: "ashlar", want a prefix that no other environment has`; err == nil || err.Error() != want {
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
	if want := `Prod: MailIdentity: "example.com", want an identity that no other environment has`; err == nil || err.Error() != want {
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
		`Dev: BackupRetention: 0s, want at least 24h`,
		`Staging: Name: "Staging", want a name that no other environment has`,
	}
	if err == nil || !cmp.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Fatalf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	var fieldError *environments.FieldError
	if !errors.As(err, &fieldError) || fieldError.Environment != "Dev" || fieldError.Field != "BackupRetention" {
		t.Errorf("the first problem is %+v, want a *FieldError for Dev's BackupRetention", fieldError)
	}
}

func TestEnvironment_NATGateways(t *testing.T) {
	prod := named(t, "Prod")
	for nat, want := range map[environments.NAT]int{environments.NATNone: 0, environments.NATOne: 1, environments.NATPerZone: 3} {
		prod.NAT = nat
		if got := prod.NATGateways(); got != want {
			t.Errorf("%s: %d gateways, want %d", nat, got, want)
		}
	}
}
