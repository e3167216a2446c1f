// Package environments holds the settings of every environment that Ashlar is deployed to. It is plain Go: no CDK,
// no look-ups, no files. All settings are checked together, before the first construct exists.
package environments

import "time"

// NAT says how functions in private subnets reach the internet.
type NAT string

// The NAT modes. A NAT gateway is billed by the hour and by the gigabyte, so the mode is a choice between cost and
// what still works when a zone is lost.
const (
	NATNone    NAT = "none"     // no way out; AWS services are reached through VPC endpoints
	NATOne     NAT = "one"      // one gateway for all zones: its zone's failure cuts the others off too
	NATPerZone NAT = "per-zone" // one gateway in every zone
)

// An Environment is one deployment of the whole platform, isolated from the others.
type Environment struct {
	Name string // names the CDK stage, and so the stacks: Prod

	// Account and Region are where the environment lives. Both empty means wherever the CDK CLI's credentials and
	// default region point, which lets anybody deploy it; only a disposable environment may leave that open.
	Account string
	Region  string
	// Zones are the Availability Zones by name. Empty, with an empty Region, means the region's first two.
	Zones []string

	NAT NAT

	DatabaseClass                  string        // an RDS instance class without its "db.": t4g.micro
	DatabaseStorageGiB             int           // allocated at first; RDS grows it up to DatabaseMaxAllocatedStorageGiB
	DatabaseMaxAllocatedStorageGiB int           // where storage autoscaling stops
	DatabaseReplicas               int           // read replicas; 0 sends reads to the writer
	DatabaseMultiAZ                bool          // a standby in a second zone
	DatabaseProxy                  bool          // RDS Proxy between the functions and the writer
	DatabaseInsights               bool          // Database Insights; not offered for micro and small burstable classes
	BackupRetention                time.Duration // how long automated backups are kept; whole days

	LogRetention time.Duration // of all logs; whole days, one of CloudWatch's steps

	// TransferAcceleration takes uploads at CloudFront's edges. It is billed by the gigabyte, where it is faster, and not
	// offered in every region: "Configuring fast, secure file transfers using Amazon S3 Transfer Acceleration" in the Amazon
	// S3 User Guide.
	TransferAcceleration bool

	WebOrigins []string // where the web client is served from: https://app.example.com
	// WebsiteCertificateARN names a certificate of ACM for the hosts of WebOrigins, in us-east-1, where CloudFront looks
	// for it. Empty means that the website has CloudFront's name only, and WebOrigins are others' that may call the API.
	WebsiteCertificateARN string
	// Where sign-in may send the user back to, and sign-out: addresses of the web client, and of the mobile app.
	WebCallbackURLs, WebLogoutURLs       []string
	MobileCallbackURLs, MobileLogoutURLs []string

	// SignInDomain is where the sign-in pages are: a prefix that is the environment's own, to which its account's number
	// and Cognito's domain are added. Google and Apple know the whole. It cannot be changed by a deployment: the old domain
	// has to be deleted by hand first, and nobody signs in meanwhile.
	SignInDomain string
	// Sign-in by Google and with Apple; empty is without. A secret is named as it is in the environment's Secrets Manager,
	// and holds the OAuth client's secret, or the private key, and nothing else.
	GoogleClientID, GoogleSecretName                          string
	AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName string

	// MailIdentity is what SES knows the sender of mails by: a domain, which its owner confirms by the DNS records that the
	// deployment's outputs name, or an address, to which SES sends a link. Nothing is sent before. MailFrom, which is of that
	// identity, is whom mails are from: Ashlar <hello@example.com>.
	MailIdentity, MailFrom string
	// MailSandbox is for an account that AWS has not let out of SES's sandbox: mails go to addresses that the account has
	// confirmed as well, and to no other.
	MailSandbox bool
	// SingleOptIn has whoever is subscribed, by anybody, welcomed at once. Without it, the address's owner
	// has to confirm it by a link in a mail.
	SingleOptIn bool

	// TelemetryShards is how many shards the stream of readings has, each for a megabyte or 1,000 readings a second. 0
	// leaves it to Kinesis, which bills a stream on demand by the hour more than one shard and by the gigabyte.
	TelemetryShards int
	// Warehouse is a data warehouse, Redshift Serverless, over the telemetry's reports. It is billed by the second while it
	// answers, and wants three Zones.
	Warehouse bool
	// DashboardsOwner is the ARN of the user or the group of Amazon QuickSight (Amazon Quick Suite since) to whom
	// dashboards of the reports belong: arn:aws:quicksight:eu-central-1:222222222222:group/default/analysts. The account
	// has to have subscribed to QuickSight before. Empty is without.
	DashboardsOwner string

	AlarmAddress string // the e-mail address that alarms will go to; nothing reads it yet

	// Disposable environments are deleted with all their data by cdk destroy, without a snapshot.
	Disposable bool
}

// NATGateways is the number of NAT gateways that the environment's mode asks for.
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

// All lists the environments, in the order in which a change travels through them.
func All() []Environment {
	return []Environment{dev, staging, prod}
}

// Complete is an environment that has what All leave off. It is synthesised and checked with them, by a program of its own
// ([github.com/ashlar-cdk/ashlar/test/complete]), so that nobody deploys it; switching something on is then no adventure.
func Complete() Environment {
	complete := prod
	complete.Name = "Complete"
	complete.Account = "333333333333"
	complete.WebsiteCertificateARN = "arn:aws:acm:us-east-1:333333333333:certificate/00000000-0000-4000-8000-000000000003"
	complete.SignInDomain = "ashlar-complete"
	complete.MailIdentity, complete.MailFrom = "complete.example.com", "Ashlar <hello@complete.example.com>"
	complete.Warehouse = true
	complete.DashboardsOwner = "arn:aws:quicksight:eu-central-1:333333333333:group/default/analysts"
	return complete
}

const day = 24 * time.Hour

// dev is everybody's own: it has no account of its own, costs little and leaves little behind.
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
	MailIdentity:                   "ashlar-dev@example.com", // put your own, which a link is sent to
	MailFrom:                       "Ashlar <ashlar-dev@example.com>",
	MailSandbox:                    true,

	SingleOptIn: true,

	TelemetryShards: 1,

	AlarmAddress: "dev-alarms@example.com",
	Disposable:   true,
}

// staging has prod's shape at a smaller size, so that what passes here passes there.
var staging = Environment{ //nolint:gosec // it names secrets and holds none
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
	WebsiteCertificateARN:          "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-4000-8000-000000000001",
	WebCallbackURLs:                []string{"https://staging.example.com/signed-in"},
	WebLogoutURLs:                  []string{"https://staging.example.com/"},
	MobileCallbackURLs:             []string{"ashlar://signed-in"},
	MobileLogoutURLs:               []string{"ashlar://signed-out"},
	SignInDomain:                   "ashlar-staging",
	GoogleClientID:                 "111111111111-example.apps.googleusercontent.com",
	GoogleSecretName:               "ashlar/google",
	AppleServicesID:                "com.example.staging.signin",
	AppleTeamID:                    "EXAMPLE123",
	AppleKeyID:                     "EXAMPLE111",
	AppleSecretName:                "ashlar/apple",
	MailIdentity:                   "staging.example.com",
	MailFrom:                       "Ashlar <hello@staging.example.com>",
	AlarmAddress:                   "staging-alarms@example.com",
}

var prod = Environment{ //nolint:gosec // it names secrets and holds none
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
	WebsiteCertificateARN:          "arn:aws:acm:us-east-1:222222222222:certificate/00000000-0000-4000-8000-000000000002",
	WebCallbackURLs:                []string{"https://app.example.com/signed-in"},
	WebLogoutURLs:                  []string{"https://app.example.com/"},
	MobileCallbackURLs:             []string{"ashlar://signed-in"},
	MobileLogoutURLs:               []string{"ashlar://signed-out"},
	SignInDomain:                   "ashlar",
	GoogleClientID:                 "222222222222-example.apps.googleusercontent.com",
	GoogleSecretName:               "ashlar/google",
	AppleServicesID:                "com.example.app.signin",
	AppleTeamID:                    "EXAMPLE123",
	AppleKeyID:                     "EXAMPLE222",
	AppleSecretName:                "ashlar/apple",
	MailIdentity:                   "example.com",
	MailFrom:                       "Ashlar <hello@example.com>",
	AlarmAddress:                   "prod-alarms@example.com",
}
