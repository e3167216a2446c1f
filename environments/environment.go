// Package environments provides the settings of every environment that Ashlar is deployed to. It is
// plain Go, without CDK, look-ups or files. All settings are validated together, before the first
// construct exists.
package environments

import "time"

// NAT is how functions in private subnets reach the internet.
type NAT string

// The NAT modes. A NAT gateway is billed by the hour and by the gigabyte, so the mode is a choice
// between cost and availability when a zone fails.
const (
	NATNone    NAT = "none"     // no egress; AWS services are reached through VPC endpoints
	NATOne     NAT = "one"      // one gateway for all zones; its zone's failure affects all
	NATPerZone NAT = "per-zone" // one gateway in every zone
)

// An Environment is one deployment of the platform, isolated from the others.
type Environment struct {
	Name string // of the CDK stage, and the prefix of the stacks: Prod

	// Account and Region are where the environment is deployed. If both are empty, the CDK CLI's
	// credentials and default region determine them, so that anyone can deploy it; only a
	// disposable environment may leave them empty.
	Account string
	Region  string
	// Zones are the names of the Availability Zones. Empty, with an empty Region, means the
	// region's first two.
	Zones []string

	NAT NAT

	DatabaseClass                  string        // RDS instance class without "db.": t4g.micro
	DatabaseStorageGiB             int           // initial allocation; storage cannot shrink
	DatabaseMaxAllocatedStorageGiB int           // limit of storage autoscaling
	DatabaseReplicas               int           // read replicas; 0 sends reads to the writer
	DatabaseMultiAZ                bool          // a standby in a second zone
	DatabaseProxy                  bool          // RDS Proxy between functions and the writer
	DatabaseInsights               bool          // not for micro and small burstable classes
	BackupRetention                time.Duration // of automated backups; whole days

	LogRetention time.Duration // of all logs; whole days, one of CloudWatch's steps

	// TransferAcceleration accepts uploads at CloudFront's edge locations. It is billed by the
	// gigabyte where it is faster, and not offered in every region: "Configuring fast, secure file
	// transfers using Amazon S3 Transfer Acceleration" in the Amazon S3 User Guide.
	TransferAcceleration bool

	WebOrigins []string // origins of the web client: https://app.example.com
	// WebsiteCertificateARN is the ARN of an ACM certificate for the hosts of WebOrigins, in
	// us-east-1, which CloudFront requires. If it is empty, the website has only CloudFront's
	// domain name, and WebOrigins are other origins that may call the API.
	WebsiteCertificateARN string
	// Allowed callback URLs of sign-in and sign-out, of the web client and of the mobile app.
	WebCallbackURLs, WebLogoutURLs       []string
	MobileCallbackURLs, MobileLogoutURLs []string

	// SignInDomain is the prefix of the managed login domain, unique to the environment, to which
	// the account's number and Cognito's domain are added. Google and Apple are configured with the
	// full domain. A deployment cannot change it: the old domain must be deleted by hand first, and
	// sign-in is unavailable in between.
	SignInDomain string
	// Sign-in with Google and with Apple; empty disables it. A secret is given by its name in the
	// environment's Secrets Manager. It holds the OAuth client's secret or the private key, and
	// nothing else.
	GoogleClientID, GoogleSecretName                          string
	AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName string

	// MailIdentity is the SES identity of the sender: a domain, which its owner verifies with the
	// DNS records in the deployment's outputs, or an e-mail address, which its owner verifies with
	// a link from SES. Mails are not sent before. MailFrom is the sender of mails, an address of
	// that identity: Ashlar <hello@example.com>.
	MailIdentity, MailFrom string
	// MailSandbox is for an account in SES's sandbox: mails can only be sent to addresses that the
	// account has verified too.
	MailSandbox bool
	// SingleOptIn subscribes an address and sends the welcome mail without confirmation, even if
	// someone else enters it. Default: double opt-in: the owner must confirm with a link in a
	// mail.
	SingleOptIn bool

	// TelemetryShards is the number of shards of the telemetry stream, each for a megabyte or 1,000
	// records a second. 0 means on-demand mode, which Kinesis bills at a higher hourly price than
	// one shard, and by the gigabyte.
	TelemetryShards int
	// Warehouse adds a data warehouse, Redshift Serverless, over the reports. It is billed by the
	// second while it runs queries, and needs three Zones.
	Warehouse bool
	// DashboardsOwner is the ARN of the Amazon QuickSight (now Amazon Quick Suite) user or group
	// that owns the dashboards of the reports:
	// arn:aws:quicksight:eu-central-1:222222222222:group/default/analysts. The account must have a
	// QuickSight subscription. Empty means no dashboards.
	DashboardsOwner string

	AlarmAddress string // for notifications of alarms; not used yet

	// Disposable environments are deleted by cdk destroy, with all data and without a snapshot.
	Disposable bool
}

// NATGateways returns the number of NAT gateways of the environment's mode.
func (e Environment) NATGateways() int {
	switch e.NAT {
	case NATOne:
		return 1
	case NATPerZone:
		return len(e.Zones)
	default:
		return 0
	}
}

// All returns the environments, in the order in which a change is deployed to them.
func All() []Environment {
	return []Environment{dev, staging, prod}
}

// Complete returns an environment with the features that no environment of All uses. It is
// synthesized and tested with them, by a separate program
// ([github.com/ashlar-cdk/ashlar/test/complete]) so that it cannot be deployed. So a feature is
// tested before an environment enables it.
func Complete() Environment {
	complete := prod
	complete.Name = "Complete"
	complete.Account = "333333333333"
	complete.WebsiteCertificateARN = "arn:aws:acm:us-east-1:333333333333:certificate/" +
		"00000000-0000-4000-8000-000000000003"
	complete.SignInDomain = "ashlar-complete"
	complete.MailIdentity = "complete.example.com"
	complete.MailFrom = "Ashlar <hello@complete.example.com>"
	complete.Warehouse = true
	complete.DashboardsOwner = "arn:aws:quicksight:eu-central-1:333333333333:group/default/analysts"
	return complete
}

const day = 24 * time.Hour

// dev is for each developer: it has no fixed account, costs little and is deleted completely.
var dev = Environment{
	Name:                           "Dev",
	NAT:                            NATNone,
	DatabaseClass:                  "t4g.micro",
	DatabaseStorageGiB:             20,
	DatabaseMaxAllocatedStorageGiB: 40,
	BackupRetention:                1 * day,
	LogRetention:                   7 * day,
	WebOrigins:                     []string{"http://localhost:5173"},
	WebCallbackURLs:                []string{"http://localhost:5173/signed-in"},
	WebLogoutURLs:                  []string{"http://localhost:5173/"},
	MobileCallbackURLs:             []string{"ashlar://signed-in"},
	MobileLogoutURLs:               []string{"ashlar://signed-out"},
	SignInDomain:                   "ashlar-dev",
	// Replace with your own address; SES sends a link to it.
	MailIdentity:    "ashlar-dev@example.com",
	MailFrom:        "Ashlar <ashlar-dev@example.com>",
	MailSandbox:     true,
	SingleOptIn:     true,
	TelemetryShards: 1,
	AlarmAddress:    "dev-alarms@example.com",
	Disposable:      true,
}

// staging has the same structure as prod at a smaller size, so that a test in staging is valid for
// prod.
var staging = Environment{ //nolint:gosec // it has names of secrets, not secrets
	Name:                           "Staging",
	Account:                        "111111111111",
	Region:                         "eu-central-1",
	Zones:                          []string{"eu-central-1a", "eu-central-1b"},
	NAT:                            NATOne,
	DatabaseClass:                  "t4g.medium",
	DatabaseStorageGiB:             20,
	DatabaseMaxAllocatedStorageGiB: 100,
	DatabaseReplicas:               1,
	BackupRetention:                7 * day,
	LogRetention:                   30 * day,
	TransferAcceleration:           true,
	WebOrigins:                     []string{"https://staging.example.com"},
	WebsiteCertificateARN: "arn:aws:acm:us-east-1:111111111111:certificate/" +
		"00000000-0000-4000-8000-000000000001",
	WebCallbackURLs:    []string{"https://staging.example.com/signed-in"},
	WebLogoutURLs:      []string{"https://staging.example.com/"},
	MobileCallbackURLs: []string{"ashlar://signed-in"},
	MobileLogoutURLs:   []string{"ashlar://signed-out"},
	SignInDomain:       "ashlar-staging",
	GoogleClientID:     "111111111111-example.apps.googleusercontent.com",
	GoogleSecretName:   "ashlar/google",
	AppleServicesID:    "com.example.staging.signin",
	AppleTeamID:        "EXAMPLE123",
	AppleKeyID:         "EXAMPLE111",
	AppleSecretName:    "ashlar/apple",
	MailIdentity:       "staging.example.com",
	MailFrom:           "Ashlar <hello@staging.example.com>",
	AlarmAddress:       "staging-alarms@example.com",
}

var prod = Environment{ //nolint:gosec // it has names of secrets, not secrets
	Name:                           "Prod",
	Account:                        "222222222222",
	Region:                         "eu-central-1",
	Zones:                          []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"},
	NAT:                            NATPerZone,
	DatabaseClass:                  "m7g.large",
	DatabaseStorageGiB:             100,
	DatabaseMaxAllocatedStorageGiB: 1000,
	DatabaseReplicas:               1,
	DatabaseMultiAZ:                true,
	DatabaseProxy:                  true,
	DatabaseInsights:               true,
	BackupRetention:                35 * day,
	LogRetention:                   365 * day,
	TransferAcceleration:           true,
	WebOrigins:                     []string{"https://app.example.com"},
	WebsiteCertificateARN: "arn:aws:acm:us-east-1:222222222222:certificate/" +
		"00000000-0000-4000-8000-000000000002",
	WebCallbackURLs:    []string{"https://app.example.com/signed-in"},
	WebLogoutURLs:      []string{"https://app.example.com/"},
	MobileCallbackURLs: []string{"ashlar://signed-in"},
	MobileLogoutURLs:   []string{"ashlar://signed-out"},
	SignInDomain:       "ashlar",
	GoogleClientID:     "222222222222-example.apps.googleusercontent.com",
	GoogleSecretName:   "ashlar/google",
	AppleServicesID:    "com.example.app.signin",
	AppleTeamID:        "EXAMPLE123",
	AppleKeyID:         "EXAMPLE222",
	AppleSecretName:    "ashlar/apple",
	MailIdentity:       "example.com",
	MailFrom:           "Ashlar <hello@example.com>",
	AlarmAddress:       "prod-alarms@example.com",
}
