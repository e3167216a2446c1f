package test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3notifications"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/dashboards"
	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/constructs/warehouse"
	"github.com/ashlar-cdk/ashlar/constructs/website"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports/queries"
	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/records"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
	"github.com/ashlar-cdk/ashlar/rest"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// A wrongUse of a construct fails the synth with a message that names the construct's package, its
// id, the prop or the method, and the remedy.
type wrongUse struct {
	name    string
	declare func(stack awscdk.Stack, id string)
	problem string // a part of the message, without the construct's package and id
}

// wrongUses are those of each construct's package. Rules of values are tested with package check;
// here is one case for each prop and argument that has a rule.
var wrongUses = map[string][]wrongUse{
	"consumer": {
		consumerUse("without Function", func(p *consumer.Props) { p.Function = nil },
			"Function is required; pass the function that consumes the messages"),
		consumerUse("Filter without Topic",
			func(p *consumer.Props) { p.Filter = map[string][]string{"event": {"a"}} },
			"Filter: map[event:[a]], want none without a Topic"),
		consumerUse("Delay too long", func(p *consumer.Props) { p.Delay = 16 * time.Minute },
			"Delay: 16m0s, want whole seconds, "),
		consumerUse("Delay negative", func(p *consumer.Props) { p.Delay = -time.Second },
			"Delay: -1s, want whole seconds, "),
		consumerUse("Delay in part", func(p *consumer.Props) { p.Delay = time.Millisecond },
			"Delay: 1ms, want whole seconds, "),
		consumerUse("BatchSize too large", func(p *consumer.Props) { p.BatchSize = 11 },
			"BatchSize: 11, want 1 to 10, or to 10000 with a BatchingWindow"),
		consumerUse("BatchSize too large for a window",
			func(p *consumer.Props) { p.BatchSize, p.BatchingWindow = 10001, time.Second },
			"BatchSize: 10001, want 1 to 10000"),
		consumerUse("BatchSize negative", func(p *consumer.Props) { p.BatchSize = -1 },
			"BatchSize: -1, want 1 to 10"),
		consumerUse("BatchingWindow too long",
			func(p *consumer.Props) { p.BatchingWindow = 301 * time.Second },
			"BatchingWindow: 5m1s, want whole seconds, "),
		consumerUse("MaxConcurrency too small", func(p *consumer.Props) { p.MaxConcurrency = 1 },
			"MaxConcurrency: 1, want 2 to 1000"),
		consumerUse("MaxConcurrency too large",
			func(p *consumer.Props) { p.MaxConcurrency = 1001 },
			"MaxConcurrency: 1001, want 2 to 1000"),
		consumerUse("Filter with an empty list", func(p *consumer.Props) {
			p.Topic, p.Filter = topicFor(p), map[string][]string{"event": {}}
		}, "Filter"),
		consumerUse("Filter with an empty name", func(p *consumer.Props) {
			p.Topic, p.Filter = topicFor(p), map[string][]string{"": {"a"}}
		}, "Filter"),
		consumerUse("DeadLetterQueue without Queue", func(p *consumer.Props) {
			p.DeadLetterQueue = newQueue(p.Function.Stack(), "DLQ")
		}, "DeadLetterQueue: a queue, want none without Queue"),
		consumerUse("Delay with Queue", func(p *consumer.Props) {
			p.Queue, p.Delay = newQueue(p.Function.Stack(), "Queue"), time.Second
		}, "Delay: 1s, want whole seconds, at most 15m0s, and none with Queue"),
		consumerUse("VisibilityTimeout shorter than the function's",
			func(p *consumer.Props) { p.VisibilityTimeout = time.Second },
			"VisibilityTimeout: 1s, want at least the Function's timeout, 10s"),
		consumerUse("VisibilityTimeout too long",
			func(p *consumer.Props) { p.VisibilityTimeout = 13 * time.Hour },
			"VisibilityTimeout: 13h0m0s, want whole seconds, at most 12h0m0s"),
		consumerUse("VisibilityTimeout unknown", func(p *consumer.Props) {
			p.Function = awslambda.Function_FromFunctionName(
				p.Function.Stack(), jsii.String("Imported"), jsii.String("imported"))
		}, "VisibilityTimeout is required; pass six times the timeout of the imported Function"),
		{"AddSchedule too often", func(stack awscdk.Stack, id string) {
			newConsumer(stack, id).AddSchedule("Often", time.Minute, "{}")
		}, "every: 1m0s, want whole minutes, at least 2m0s"},
		{"AddSchedule of no JSON", func(stack awscdk.Stack, id string) {
			newConsumer(stack, id).AddSchedule("Hourly", time.Hour, "{day: yesterday}")
		}, "want JSON"},
		{"AddSchedule without id", func(stack awscdk.Stack, id string) {
			newConsumer(stack, id).AddSchedule("", time.Hour, "{}")
		}, "id is required; pass an id that is unique in"},
		{"GrantSendToDLQ to nil", func(stack awscdk.Stack, id string) {
			newConsumer(stack, id).GrantSendToDLQ(nil)
		}, "GrantSendToDLQ: grantee is required; pass "},
	},
	"dashboards": {
		dashboardsUse("without Owner", func(p *dashboards.Props) { p.Owner = "" },
			"Owner is required; pass the ARN of a QuickSight user or group"),
		dashboardsUse("Owner is no ARN", func(p *dashboards.Props) { p.Owner = "analysts" },
			"want the ARN of a QuickSight user or group"),
		dashboardsUse("without Name", func(p *dashboards.Props) { p.Name = "" },
			"Name is required; pass the display name"),
		dashboardsUse("without WorkGroup", func(p *dashboards.Props) { p.WorkGroup = "" },
			"WorkGroup is required; pass the name of the Athena workgroup"),
		dashboardsUse("without Database", func(p *dashboards.Props) { p.Database = "" },
			"Database is required; pass the name of the reports' database"),
		dashboardsUse("without Reports", func(p *dashboards.Props) { p.Reports = nil },
			"Reports is required; pass the reports of the telemetry construct"),
		dashboardsUse("Definition is no JSON",
			func(p *dashboards.Props) { p.Definition = "{" }, "want a JSON object"),
		dashboardsUse("Definition of another data set",
			func(p *dashboards.Props) {
				p.Definition = `{"Sheets":[{"DataSetIdentifier":"sales"}]}`
			}, `Definition: data set "sales", want names of Reports`),
	},
	"defaults": {
		// For every construct with this prop.
		functionUse("LogRetention between CloudWatch's steps",
			func(p *gofunction.Props) { p.LogRetention = 2 * day },
			"LogRetention: 48h0m0s, want one of CloudWatch's steps"),
		{"Set between CloudWatch's steps", func(stack awscdk.Stack, id string) {
			defaults.Set(constructs.NewConstruct(stack, jsii.String(id)),
				defaults.Values{LogRetention: 36 * time.Hour})
		}, "LogRetention: 36h0m0s, want one of CloudWatch's steps"},
		{"Set too late", func(stack awscdk.Stack, id string) {
			scope := constructs.NewConstruct(stack, jsii.String(id))
			constructs.NewConstruct(scope, jsii.String("Child"))
			defaults.Set(scope, defaults.Values{})
		}, "has 1 children; call defaults.Set first"},
	},
	"gofunction": {
		functionUse("without Package", func(p *gofunction.Props) { p.Package = "" },
			"Package is required; pass the import path of the function's package main"),
		functionUse("MemoryMiB too small", func(p *gofunction.Props) { p.MemoryMiB = 64 },
			"MemoryMiB: 64, want 128 to 10240"),
		functionUse("MemoryMiB too large", func(p *gofunction.Props) { p.MemoryMiB = 10241 },
			"MemoryMiB: 10241, want 128 to 10240"),
		functionUse("Timeout too long", func(p *gofunction.Props) { p.Timeout = time.Hour },
			"Timeout: 1h0m0s, want whole seconds, 1s to 15m0s"),
		functionUse("Timeout in part",
			func(p *gofunction.Props) { p.Timeout = 1500 * time.Millisecond },
			"Timeout: 1.5s, want whole seconds, 1s to 15m0s"),
		functionUse("ReservedConcurrency negative",
			func(p *gofunction.Props) { p.ReservedConcurrency = -1 },
			"ReservedConcurrency: -1, want 0 for no reservation, or more"),
		functionUse("VPCSubnets without VPC", func(p *gofunction.Props) {
			p.VPCSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PUBLIC}
		}, "VPCSubnets: set, want none without a VPC"),
		functionUse("SecurityGroups without VPC", func(p *gofunction.Props) {
			p.SecurityGroups = []awsec2.ISecurityGroup{}
		}, "SecurityGroups: set, want none without a VPC"),
		{"SecurityGroups with nil", func(stack awscdk.Stack, id string) {
			gofunction.New(stack, id, gofunction.Props{
				Package: functionPackage, VPC: existingVPC(stack, "VPC", 2),
				SecurityGroups: []awsec2.ISecurityGroup{nil},
			})
		}, "SecurityGroups[0] is required; pass a security group of the VPC"},
		{"VPC without private subnets", func(stack awscdk.Stack, id string) {
			gofunction.New(stack, id, gofunction.Props{
				Package: functionPackage,
				VPC: awsec2.NewVpc(stack, jsii.String("VPC"),
					&awsec2.VpcProps{NatGateways: jsii.Number(0)}),
			})
		}, "; pass subnets that the VPC has"},
		functionUse("settings that Lambda rejects", func(p *gofunction.Props) {
			p.Settings = struct {
				Name string `env:"AWS_REGION"`
			}{"x"}
		}, "AWS_REGION"),
		functionUse("settings of another name that Lambda rejects", func(p *gofunction.Props) {
			p.Settings = struct {
				Name string `env:"MY-NAME"`
			}{"x"}
		}, "MY-NAME"),
		functionUse("settings that are no struct",
			func(p *gofunction.Props) { p.Settings = "settings" }, "struct"),
		functionUse("a required setting that stays zero", func(p *gofunction.Props) {
			p.Settings = struct {
				Name string `env:"NAME"`
			}{}
		}, "NAME (.Name): is missing; set it, or call the grant that fills it"),
		functionUse("variables of more than 4 KB", func(p *gofunction.Props) {
			p.Settings = struct {
				Name string `env:"NAME"`
			}{strings.Repeat("a", 4097)}
		}, "want at most 4096; pass long values as Props.Files"),
		{"AddEnvironment replaces a setting", func(stack awscdk.Stack, id string) {
			fn := gofunction.New(stack, id, gofunction.Props{
				Package: functionPackage, Settings: struct {
					Name string `env:"NAME"`
				}{"a"},
			})
			fn.Function.AddEnvironment(jsii.String("NAME"), jsii.String("b"), nil)
		}, "NAME: AddEnvironment replaces the setting's value; pass it in Props.Settings"},
		{"AddSettings that the function does not have", func(stack awscdk.Stack, id string) {
			newFunction(stack, id).AddSettings(mysqlconn.AppUser{SecretARN: "arn"})
		}, "DATABASE_APP_SECRET_ARN (struct {}): no field reads it; add the struct that has it"},
		{"AddSettings of two databases", func(stack awscdk.Stack, id string) {
			fn := newFunction(stack, id)
			fn.AddSettings(mysqlconn.AppUser{SecretARN: "arn"})
			fn.AddSettings(mysqlconn.AppUser{SecretARN: "other"})
		}, `AddSettings: DATABASE_APP_SECRET_ARN is already "arn" and cannot become "other"; ` +
			"use WithPrefix for a second one"},
		{"AddSettings of nil", func(stack awscdk.Stack, id string) {
			newFunction(stack, id).AddSettings(nil)
		}, "AddSettings"},
		{"Connections outside a VPC", func(stack awscdk.Stack, id string) {
			newFunction(stack, id).Connections()
		}, "Connections: VPC is required; pass it in Props"},
		{"AddToRolePolicy without actions", func(stack awscdk.Stack, id string) {
			newFunction(stack, id).AddToRolePolicy(nil, "*")
		}, "AddToRolePolicy: actions is required; pass actions such as s3:GetObject"},
		{"AddToRolePolicy without resources", func(stack awscdk.Stack, id string) {
			newFunction(stack, id).AddToRolePolicy([]string{"s3:GetObject"})
		}, "AddToRolePolicy: resources is required; pass their ARNs"},
	},
	"identity": {
		identityUse("without DomainPrefix", func(p *identity.Props) { p.DomainPrefix = "" },
			"DomainPrefix is required; pass the first label of the managed login domain"),
		identityUse("DomainPrefix reserved",
			func(p *identity.Props) { p.DomainPrefix = "my-cognito" },
			"DomainPrefix: "),
		identityUse("prefix twice", func(p *identity.Props) {
			p.ProtectedPrefix, p.PrivatePrefix = "own/", "own/"
		}, "PrivatePrefix: own/, want a prefix different from ProtectedPrefix"),
		identityUse("without Google's client id",
			func(p *identity.Props) { p.GoogleSecretName = "google" },
			"GoogleClientID"),
		identityUse("without Google's secret", func(p *identity.Props) {
			p.GoogleClientID = "1-a.apps.googleusercontent.com"
		}, "GoogleSecretName"),
		identityUse("without Apple's Services ID",
			func(p *identity.Props) { p.AppleKeyID = "EXAMPLE123" }, "AppleServicesID"),
		identityUse("without Apple's team",
			func(p *identity.Props) { p.AppleKeyID = "EXAMPLE123" }, "AppleTeamID"),
		identityUse("without Apple's key",
			func(p *identity.Props) { p.AppleTeamID = "EXAMPLE123" }, "AppleKeyID"),
		identityUse("without Apple's secret",
			func(p *identity.Props) { p.AppleKeyID = "EXAMPLE123" }, "AppleSecretName"),
		identityUse("a secret's ARN instead of its name", func(p *identity.Props) {
			p.GoogleClientID = "1-a.apps.googleusercontent.com"
			p.GoogleSecretName = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:a"
		}, "GoogleSecretName: "),
		identityUse("AccessTokenValidity too short",
			func(p *identity.Props) { p.AccessTokenValidity = time.Minute },
			"AccessTokenValidity: 1m0s, want "),
		identityUse("AccessTokenValidity too long",
			func(p *identity.Props) { p.AccessTokenValidity = 25 * time.Hour },
			"AccessTokenValidity: 25h0m0s, want "),
		identityUse("RefreshTokenValidity too long",
			func(p *identity.Props) { p.RefreshTokenValidity = 3651 * day },
			"RefreshTokenValidity: 87624h0m0s, want "),
		identityUse("RefreshTokenValidity shorter than the access token's",
			func(p *identity.Props) {
				p.AccessTokenValidity, p.RefreshTokenValidity = 24*time.Hour, 2*time.Hour
			},
			"RefreshTokenValidity: 2h0m0s, want more than AccessTokenValidity"),
		identityUse("without a client", func(p *identity.Props) {
			p.WebCallbackURLs, p.WebLogoutURLs = nil, nil
			p.MobileCallbackURLs, p.MobileLogoutURLs = nil, nil
		}, "WebCallbackURLs"),
		identityUse("without sign-out URLs", func(p *identity.Props) { p.WebLogoutURLs = nil },
			"WebLogoutURLs"),
		identityUse("without callback URLs",
			func(p *identity.Props) { p.MobileCallbackURLs = nil }, "MobileCallbackURLs"),
		identityUse("callback with http",
			func(p *identity.Props) { p.WebCallbackURLs = []string{"http://example.com/in"} },
			`WebCallbackURLs[0]: "http://example.com/in", want an https URL (http for localhost`),
		identityUse("callback with a fragment",
			func(p *identity.Props) { p.WebCallbackURLs = []string{"https://example.com/#in"} },
			`WebCallbackURLs[0]: "https://example.com/#in", want an https URL`),
		identityUse("callback with a wildcard",
			func(p *identity.Props) { p.WebLogoutURLs = []string{"https://*.example.com/"} },
			`WebLogoutURLs[0]: "https://*.example.com/", want an https URL`),
		identityUse("the app's callback with http",
			func(p *identity.Props) { p.MobileCallbackURLs = []string{"http://localhost/"} },
			`MobileCallbackURLs[0]: "http://localhost/", want an https URL or one with the app's`),
		identityUse("the app's callback with a fragment",
			func(p *identity.Props) { p.MobileLogoutURLs = []string{"app://out#x"} },
			`MobileLogoutURLs[0]: "app://out#x", want an https URL or one with the app's`),
		identityUse("callback twice", func(p *identity.Props) {
			p.WebCallbackURLs = []string{"https://example.com/in", "https://example.com/in"}
		}, "WebCallbackURLs[1]: \"https://example.com/in\", want no duplicates"),
		{"GrantDeleteUsers to nil", func(stack awscdk.Stack, id string) {
			identityNamed(stack, id).GrantDeleteUsers(nil)
		}, "GrantDeleteUsers: grantee is required; pass "},
		{"GrantListUsers to nil", func(stack awscdk.Stack, id string) {
			identityNamed(stack, id).GrantListUsers(nil)
		}, "GrantListUsers: grantee is required; pass "},
		{"GrantSignedInReadWrite of nil", func(stack awscdk.Stack, id string) {
			identityNamed(stack, id).GrantSignedInReadWrite(nil)
		}, "GrantSignedInReadWrite: bucket is required; pass "},
		{"GrantSignedInRead of nil", func(stack awscdk.Stack, id string) {
			identityNamed(stack, id).GrantSignedInRead(nil)
		}, "GrantSignedInRead: bucket is required; pass "},
	},
	"mailinglist": {
		{"Identity of another list", func(stack awscdk.Stack, id string) {
			mailinglist.New(stack, "First", listProps)
			mailinglist.New(stack, id, listProps)
		}, "is another construct's; set ExistingIdentity for all lists but one"},
		listUse("without Identity", func(p *mailinglist.Props) { p.Identity = "" },
			"Identity is required; pass the sender's domain or e-mail address"),
		listUse("Identity is neither", func(p *mailinglist.Props) { p.Identity = "example" },
			"want a domain such as example.com, or an e-mail address"),
		listUse("Identity with a name",
			func(p *mailinglist.Props) { p.Identity = "Example <hello@example.com>" },
			"want a domain such as example.com, or an e-mail address"),
		listUse("without From", func(p *mailinglist.Props) { p.From = "" },
			"From is required; pass the sender of mails"),
		listUse("From is no address", func(p *mailinglist.Props) { p.From = "Example" },
			"want an address, optionally with a name"),
		listUse("From of another domain",
			func(p *mailinglist.Props) { p.From = "hello@badexample.com" },
			"want an address of example.com"),
		listUse("From of another address", func(p *mailinglist.Props) {
			p.Identity, p.From = "hello@example.com", "bye@example.com"
		}, "want an address of hello@example.com"),
		listUse("without Templates", func(p *mailinglist.Props) { p.Templates = nil },
			"Templates is required; pass the texts of the mails"),
		listUse("Templates without a language",
			func(p *mailinglist.Props) { p.Templates = fstest.MapFS{} }, "Templates"),
		listUse("Templates without a text", func(p *mailinglist.Props) {
			files := mails()
			delete(files, "en/welcome.txt")
			p.Templates = files
		}, "en/welcome.txt"),
		listUse("Templates that do not parse", func(p *mailinglist.Props) {
			files := mails()
			files["en/welcome.txt"] = &fstest.MapFile{Data: []byte("{{")}
			p.Templates = files
		}, "en/welcome.txt"),
		{"GrantSubscribe to nil", func(stack awscdk.Stack, id string) {
			newList(stack, id).GrantSubscribe(nil)
		}, "GrantSubscribe: grantee is required; pass "},
		{"GrantReadSuppressions to nil", func(stack awscdk.Stack, id string) {
			newList(stack, id).GrantReadSuppressions(nil)
		}, "GrantReadSuppressions: grantee is required; pass "},
		{"GrantSendEmail to nil", func(stack awscdk.Stack, id string) {
			newList(stack, id).GrantSendEmail(nil)
		}, "GrantSendEmail: grantee is required; pass "},
	},
	"media": {
		mediaUse("origin with a slash",
			func(p *media.Props) { p.AllowedOrigins = []string{"https://app.example.com/"} },
			`AllowedOrigins[0]: "https://app.example.com/", want an https origin without a path`),
		mediaUse("any origin", func(p *media.Props) { p.AllowedOrigins = []string{"*"} },
			`AllowedOrigins[0]: "*", want an https origin`),
		mediaUse("origin without a scheme",
			func(p *media.Props) { p.AllowedOrigins = []string{"app.example.com"} },
			`AllowedOrigins[0]: "app.example.com", want an https origin`),
		mediaUse("width 0", func(p *media.Props) { p.Widths = []int{320, 0} },
			"Widths[1]: 0, want 1 to 65535"),
		mediaUse("width of more than JPEG has", func(p *media.Props) { p.Widths = []int{65536} },
			"Widths[0]: 65536, want 1 to 65535"),
		mediaUse("width twice", func(p *media.Props) { p.Widths = []int{320, 320} },
			"Widths[1]: 320, want no duplicates"),
		mediaUse("MaxBytes negative", func(p *media.Props) {
			p.MaxBytes = -1
		}, "MaxBytes: -1, want "),
		mediaUse("MaxPixels negative",
			func(p *media.Props) { p.MaxPixels = -1 }, "MaxPixels: -1, want "),
		mediaUse("MaxPixels of more than the memory holds",
			func(p *media.Props) { p.MaxPixels = 1e9 }, "MaxPixels: 1000000000, want "),
		mediaUse("TempRetention in part",
			func(p *media.Props) { p.TempRetention = 36 * time.Hour },
			"TempRetention: 36h0m0s, want whole days, at least 24h0m0s"),
		mediaUse("TempRetention negative", func(p *media.Props) { p.TempRetention = -day },
			"TempRetention: -24h0m0s, want whole days, at least 24h0m0s"),
		mediaUse("prefix without a slash", func(p *media.Props) { p.TempPrefix = "temp" },
			`TempPrefix: "temp", want letters, digits, - and _, then a slash`),
		mediaUse("prefix with a wildcard", func(p *media.Props) { p.PermanentPrefix = "*/" },
			`PermanentPrefix: "*/", want letters, digits, - and _, then a slash`),
		mediaUse("prefix of two folders", func(p *media.Props) { p.ProtectedPrefix = "a/b/" },
			`ProtectedPrefix: "a/b/", want letters, digits, - and _, then a slash`),
		mediaUse("prefix twice", func(p *media.Props) { p.PrivatePrefix = "protected/" },
			"PrivatePrefix: protected/, want a prefix different from ProtectedPrefix"),
		mediaUse("prefix of the temporary uploads twice",
			func(p *media.Props) { p.PermanentPrefix = "temp/" },
			"PermanentPrefix: temp/, want a prefix different from TempPrefix"),
		{"AddEventNotification on Originals", func(stack awscdk.Stack, id string) {
			newMedia(stack, id).Originals.AddEventNotification(awss3.EventType_OBJECT_CREATED,
				awss3notifications.NewSqsDestination(newQueue(stack, "Queue")))
		}, "EventBridge"},
		{"GrantUpload to nil", func(stack awscdk.Stack, id string) {
			newMedia(stack, id).GrantUpload(nil)
		}, "GrantUpload: grantee is required; pass "},
		{"GrantPromoteUploads to nil", func(stack awscdk.Stack, id string) {
			newMedia(stack, id).GrantPromoteUploads(nil)
		}, "GrantPromoteUploads: grantee is required; pass "},
		{"GrantDeletePictures to nil", func(stack awscdk.Stack, id string) {
			newMedia(stack, id).GrantDeletePictures(nil)
		}, "GrantDeletePictures: grantee is required; pass "},
	},
	"mysql": {
		databaseUse("without VPC", func(p *mysql.Props) { p.VPC = nil },
			"VPC is required; pass network.VPC"),
		databaseUse("Version out of support", func(p *mysql.Props) { p.Version = "5.7" },
			"Version: 5.7, want 8.4 or 8.0"),
		databaseUse("InstanceClass with its prefix",
			func(p *mysql.Props) { p.InstanceClass = "db.t4g.micro" },
			"without the prefix db., such as t4g.micro"),
		databaseUse("StorageGiB too small", func(p *mysql.Props) { p.StorageGiB = 10 },
			"StorageGiB: 10, want 20 to 65536"),
		databaseUse("MaxAllocatedStorageGiB too small",
			func(p *mysql.Props) { p.MaxAllocatedStorageGiB = 21 },
			"MaxAllocatedStorageGiB: 21, want at least 10 % above StorageGiB, at most 65536"),
		databaseUse("Replicas negative", func(p *mysql.Props) { p.Replicas = -1 },
			"Replicas: -1, want 0 to 15"),
		databaseUse("Replicas too many", func(p *mysql.Props) { p.Replicas = 16 },
			"Replicas: 16, want 0 to 15"),
		databaseUse("DatabaseInsights of a small class",
			func(p *mysql.Props) { p.DatabaseInsights = true },
			"DatabaseInsights: true, want false with t4g.micro, or a class from medium up"),
		databaseUse("BackupRetention too short",
			func(p *mysql.Props) { p.BackupRetention = time.Hour },
			"BackupRetention: 1h0m0s, want whole days, 24h0m0s to 840h0m0s"),
		databaseUse("BackupRetention too long",
			func(p *mysql.Props) { p.BackupRetention = 36 * day },
			"BackupRetention: 864h0m0s, want whole days, 24h0m0s to 840h0m0s"),
		databaseUse("RotationInterval too short",
			func(p *mysql.Props) { p.RotationInterval = time.Hour },
			"RotationInterval: 1h0m0s, want whole days, 24h0m0s to 24000h0m0s"),
		databaseUse("DatabaseName with a hyphen",
			func(p *mysql.Props) { p.DatabaseName = "my-app" }, `DatabaseName: "my-app", want `),
		databaseUse("DatabaseName is a reserved word",
			func(p *mysql.Props) { p.DatabaseName = "order" },
			`DatabaseName: "order", want `),
		databaseUse("DatabaseName of the server's own",
			func(p *mysql.Props) { p.DatabaseName = "mysql" }, `DatabaseName: "mysql", want `),
		databaseUse("VPC without isolated subnets", func(p *mysql.Props) {
			p.VPC = vpcOf(p.VPC.Stack(), "PublicOnly", func(a *awsec2.VpcAttributes) {
				a.IsolatedSubnetIds, a.IsolatedSubnetRouteTableIds = nil, nil
			})
		}, "VPCSubnets"),
		{"GrantConnect to nil", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).GrantConnect(nil)
		}, "GrantConnect: "},
		{"GrantConnect outside the VPC", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).GrantConnect(newFunction(stack, "Outside"))
		}, "is not in a VPC and cannot reach the database; pass gofunction.Props.VPC"},
		{"GrantConnect in another VPC", func(stack awscdk.Stack, id string) {
			other := vpcOf(stack, "OtherVPC", func(a *awsec2.VpcAttributes) {
				a.VpcId = jsii.String("vpc-0123456789abcdef1")
			})
			newDatabase(stack, id).GrantConnect(clientIn(stack, other))
		}, "pass the same VPC to both"},
		{"GrantConnect without migrations", func(stack awscdk.Stack, id string) {
			d := newDatabase(stack, id)
			d.GrantConnect(clientIn(stack, existingVPC(stack, "SameVPC", 2)))
		}, "AddMigrations"},
		{"AddMigrations of nil", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "Migrations", nil)
		}, "files"},
		{"AddMigrations without a file", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "Migrations",
				fstest.MapFS{"migrations/0001_a.sql": goose})
		}, "fs.Sub"},
		{"AddMigrations of a file without a number", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "Migrations", fstest.MapFS{"a.sql": goose})
		}, "a.sql"},
		{"AddMigrations of two files with a number", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "Migrations",
				fstest.MapFS{"1_a.sql": goose, "01_b.sql": goose})
		}, "01_b.sql"},
		{"AddMigrations twice", func(stack awscdk.Stack, id string) {
			d := newDatabase(stack, id)
			d.AddMigrations(stack, "Migrations", migrations)
			d.AddMigrations(stack, "Other", migrations)
		}, "the database has the migrations"},
		{"AddMigrations without id", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "", migrations)
		}, "AddMigrations: id is required; pass an id that is unique in its scope"},
		{"AddMigrations without scope", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(nil, "Migrations", migrations)
		}, "AddMigrations: scope is required; pass a stack"},
		{"AddMigrations of a file without Up", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigrations(stack, "Migrations",
				fstest.MapFS{"1_a.sql": &fstest.MapFile{Data: []byte("SELECT 1;")}})
		}, `1_a.sql has no line "-- +goose Up"; write it above the statement`},
		{"AddMigration outside the VPC", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigration(
				stack, "Migration", newFunction(stack, "Outside"), "1")
		}, "is not in a VPC and cannot reach the database; pass gofunction.Props.VPC"},
		attributesUse("VPC is required; pass the VPC of the database"),
		attributesUse("SecurityGroups is required; pass those of the database"),
		attributesUse("WriterHost is required; pass the endpoint of the instance"),
		attributesUse("Port: -1, want 1 to 65535"),
		attributesUse("DatabaseName is required; pass the name of the schema"),
		attributesUse("AppSecret is required; pass the secret of the functions' user"),
		{"AddMigration without function", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigration(stack, "Migration", nil, "1")
		}, "AddMigration: "},
		{"AddMigration without version", func(stack awscdk.Stack, id string) {
			newDatabase(stack, id).AddMigration(stack, "Migration",
				clientIn(stack, existingVPC(stack, "SameVPC", 2)), "")
		}, "AddMigration: version is required; pass a text that changes with the schema"},
	},
	"network": {
		networkUse("CIDR too large", func(p *network.Props) { p.CIDR = "10.0.0.0/8" },
			"CIDR: 10.0.0.0/8, want a private /16 such as 10.0.0.0/16"),
		networkUse("CIDR public", func(p *network.Props) { p.CIDR = "8.8.0.0/16" },
			"CIDR: 8.8.0.0/16, want a private /16 such as 10.0.0.0/16"),
		networkUse("CIDR of a host", func(p *network.Props) { p.CIDR = "10.0.0.1/16" },
			"CIDR: 10.0.0.1/16, want a private /16 such as 10.0.0.0/16"),
		networkUse("one zone", func(p *network.Props) {
			p.AvailabilityZones = []string{"eu-central-1a"}
		}, "AvailabilityZones: [eu-central-1a], want 2"),
		networkUse("zone twice", func(p *network.Props) {
			p.AvailabilityZones = []string{"eu-central-1a", "eu-central-1a"}
		}, `"eu-central-1a"`),
		networkUse("zone empty", func(p *network.Props) {
			p.AvailabilityZones = []string{"eu-central-1a", ""}
		}, `""`),
		networkUse("zone of another region", func(p *network.Props) {
			p.AvailabilityZones = []string{"eu-central-1a", "eu-west-1b"}
		}, `"eu-west-1b", want a zone of the`),
		networkUse("NATGateways negative", func(p *network.Props) { p.NATGateways = -1 },
			"NATGateways: -1, want 0 to one per zone"),
		networkUse("NATGateways too many", func(p *network.Props) { p.NATGateways = 3 },
			"NATGateways: 3, want 0 to one per zone"),
		networkUse("endpoint of nil", func(p *network.Props) {
			p.InterfaceEndpoints = map[string]awsec2.InterfaceVpcEndpointAwsService{"SQS": nil}
		}, "SQS is nil; pass a service such as"),
		networkUse("endpoint twice", func(p *network.Props) {
			p.InterfaceEndpoints = map[string]awsec2.InterfaceVpcEndpointAwsService{
				"A": awsec2.InterfaceVpcEndpointAwsService_SQS(),
				"B": awsec2.InterfaceVpcEndpointAwsService_SQS(),
			}
		}, "InterfaceEndpoints"),
		networkUse("endpoint without id", func(p *network.Props) {
			p.InterfaceEndpoints = map[string]awsec2.InterfaceVpcEndpointAwsService{
				"": awsec2.InterfaceVpcEndpointAwsService_SQS(),
			}
		}, "InterfaceEndpoints"),
	},
	"restapi": {
		apiUse("origin with a slash",
			func(p *restapi.Props) { p.AllowedOrigins = []string{"https://a.example.com/"} },
			`AllowedOrigins[0]: "https://a.example.com/", want an https origin`),
		apiUse("any origin", func(p *restapi.Props) { p.AllowedOrigins = []string{"*"} },
			`AllowedOrigins[0]: "*", want an https origin`),
		apiUse("origin with quotes",
			func(p *restapi.Props) { p.AllowedOrigins = []string{"https://a'.example.com"} },
			`AllowedOrigins[0]: "https://a'.example.com", want an https origin`),
		apiUse("origin without a scheme",
			func(p *restapi.Props) { p.AllowedOrigins = []string{"a.example.com"} },
			`AllowedOrigins[0]: "a.example.com", want an https origin`),
		apiUse("Version of two segments", func(p *restapi.Props) { p.Version = "v1/x" },
			`Version: "v1/x", want `),
		apiUse("RateLimit negative", func(p *restapi.Props) { p.RateLimit = -1 },
			"RateLimit: -1, want at least 1"),
		apiUse("BurstLimit negative", func(p *restapi.Props) { p.BurstLimit = -1 },
			"BurstLimit: -1, want at least 1"),
		methodUse("without HTTPMethod", func(m *restapi.Method) { m.HTTPMethod = "" },
			"HTTPMethod"),
		methodUse("HTTPMethod in lower case", func(m *restapi.Method) { m.HTTPMethod = "get" },
			`HTTPMethod: "get", want GET`),
		methodUse("HTTPMethod unknown", func(m *restapi.Method) { m.HTTPMethod = "FETCH" },
			`HTTPMethod: "FETCH", want one of`),
		methodUse("Path without a slash", func(m *restapi.Method) { m.Path = "posts" }, "Path"),
		methodUse("Path with an open variable", func(m *restapi.Method) { m.Path = "/{id" },
			`Path: "/{id", want a path such as`),
		methodUse("without Function", func(m *restapi.Method) { m.Function = nil },
			"Function is required; pass a Function or a Service"),
		methodUse("RateLimit negative", func(m *restapi.Method) { m.RateLimit = -1 },
			"RateLimit: -1, want at least 1, or 0 for the API's"),
		methodUse("BurstLimit negative", func(m *restapi.Method) { m.BurstLimit = -1 },
			"BurstLimit: -1, want at least 1, or 0 for the API's"),
		methodUse("Function and Service",
			func(m *restapi.Method) { m.Service = &restapi.Service{} },
			"Function: set together with Service, want one of them"),
		methodUse("Service without Name", service, "Service.Name is required; pass "),
		methodUse("Service without Action", service, "Service.Action is required; pass "),
		methodUse("Service without Role", service, "Service.Role is required; pass "),
		methodUse("Service without ContentType", service,
			"Service.ContentType is required; pass "),
		methodUse("Service without Request", service, "Service.Request is required; pass "),
		methodUse("Service without Response", service, "Service.Response is required; pass "),
		methodUse("schema of an unknown type", func(m *restapi.Method) {
			m.HTTPMethod, m.Body = "POST", map[string]any{"type": "thing"}
		}, `"thing"`),
		methodUse("schema of an unknown type within", func(m *restapi.Method) {
			m.HTTPMethod, m.Body = "POST", map[string]any{
				"type": "array", "items": map[string]any{"type": "thing"},
			}
		}, `"thing"`),
		{"variables of two names at one place", func(stack awscdk.Stack, id string) {
			api, method := newAPI(stack, id), newMethod(stack)
			method.Path = "/a/{x}"
			api.Handle(method)
			method.Path = "/a/{y}/b"
			api.Handle(method)
		}, "/a/{y}/b"},
		{"method twice", func(stack awscdk.Stack, id string) {
			api, method := newAPI(stack, id), newMethod(stack)
			api.Handle(method)
			api.Handle(method)
		}, "GET /posts"},
		{"AddRoutes without function", func(stack awscdk.Stack, id string) {
			newAPI(stack, id).AddRoutes(nil, []rest.Operation{{Method: "GET", Path: "/"}})
		}, "AddRoutes: function is required; pass the function that handles the routes"},
		{"AddRoutes without routes", func(stack awscdk.Stack, id string) {
			newAPI(stack, id).AddRoutes(newFunction(stack, "Function"), nil)
		}, "AddRoutes: routes is required; pass the Operations of a table of routes"},
		{"AddRoutes without Clients", func(stack awscdk.Stack, id string) {
			newAPI(stack, id).AddRoutes(newFunction(stack, "Function"),
				[]rest.Operation{{Method: "GET", Path: "/"}})
		}, "Props.Clients is required; pass "},
		{"method of signed-in users without UserPool", func(stack awscdk.Stack, id string) {
			restapi.New(stack, id, restapi.Props{
				AllowedOrigins: []string{"https://a.example.com"},
			}).Handle(newMethod(stack))
		}, "UserPool"},
	},
	"telemetry": {
		{"Topic of another Telemetry", func(stack awscdk.Stack, id string) {
			newTelemetry(stack, "First")
			newTelemetry(stack, id)
		}, "is another construct's; pass a topic that no other Telemetry has"},
		telemetryUse("without Topic", func(p *telemetry.Props) { p.Topic = "" },
			"Topic is required; pass the prefix of the devices' topics, such as"),
		topicPrefixUse("/ashlar"), topicPrefixUse("ashlar/"), topicPrefixUse("ashlar//dev"),
		topicPrefixUse("Ashlar"), topicPrefixUse("ashlar/+"), topicPrefixUse("ash-lar"),
		topicPrefixUse(strings.Repeat("a", 101)),
		telemetryUse("Shards negative", func(p *telemetry.Props) { p.Shards = -1 },
			"Shards: -1, want 0 for on-demand mode, or the number of shards"),
		telemetryUse("Retention too long",
			func(p *telemetry.Props) { p.Retention = 366 * day },
			"Retention: 8784h0m0s, want whole hours, 24h0m0s to 8760h0m0s"),
		telemetryUse("Retention in part",
			func(p *telemetry.Props) { p.Retention = 1501 * time.Minute },
			"Retention: 25h1m0s, want whole hours, 24h0m0s to 8760h0m0s"),
		telemetryUse("BufferingSizeMiB too small",
			func(p *telemetry.Props) { p.BufferingSizeMiB = 63 },
			"BufferingSizeMiB: 63, want 64 to 128"),
		telemetryUse("BufferingSizeMiB too large",
			func(p *telemetry.Props) { p.BufferingSizeMiB = 129 },
			"BufferingSizeMiB: 129, want 64 to 128"),
		telemetryUse("BufferingInterval too short",
			func(p *telemetry.Props) { p.BufferingInterval = 59 * time.Second },
			"BufferingInterval: 59s, want whole seconds, 1m0s to 15m0s"),
		telemetryUse("BufferingInterval too long",
			func(p *telemetry.Props) { p.BufferingInterval = 16 * time.Minute },
			"BufferingInterval: 16m0s, want whole seconds, 1m0s to 15m0s"),
		telemetryUse("RawRetention in part",
			func(p *telemetry.Props) { p.RawRetention = 36 * time.Hour },
			"RawRetention: 36h0m0s, want whole days, at least 24h0m0s"),
		telemetryUse("RawRetention negative",
			func(p *telemetry.Props) { p.RawRetention = -day },
			"RawRetention: -24h0m0s, want whole days, at least 24h0m0s"),
		telemetryUse("BytesScannedCutoffPerQuery too small",
			func(p *telemetry.Props) { p.BytesScannedCutoffPerQuery = 9_999_999 },
			"BytesScannedCutoffPerQuery: 9999999, want at least 10000000"),
		telemetryUse("without Types", func(p *telemetry.Props) { p.Types = nil },
			"Types is required; pass the types of records"),
		telemetryUse("type without a name", func(p *telemetry.Props) {
			p.Types = []telemetryschema.Type{{Source: telemetryschema.Device}}
		}, "Types[0].Name"),
		telemetryUse("column of the library's name", func(p *telemetry.Props) {
			p.Columns = []telemetryschema.Column{{Name: "id", Type: telemetryschema.String}}
		}, "Columns[0].Name"),
		telemetryUse("column of an unknown type", func(p *telemetry.Props) {
			p.Columns = []telemetryschema.Column{{Name: "x", Type: "thing"}}
		}, "Columns[0].Type"),
		telemetryUse("report of the table's name", func(p *telemetry.Props) {
			p.Reports = queries.Reports()
			p.Reports[0].Name = "telemetry"
		}, "Reports[0].Name"),
		telemetryUse("report twice", func(p *telemetry.Props) {
			p.Reports = append(queries.Reports(), queries.Reports()[0])
		}, "Reports["),
		telemetryUse("report without SQL", func(p *telemetry.Props) {
			p.Reports = queries.Reports()
			p.Reports[0].SQL = ""
		}, "Reports[0].SQL"),
		telemetryUse("FirstDay is no day",
			func(p *telemetry.Props) { p.FirstDay = "yesterday" },
			`FirstDay: "yesterday", want a day such as`),
		{"AddEventNotification on Ingestion", func(stack awscdk.Stack, id string) {
			newTelemetry(stack, id).Ingestion.AddEventNotification(
				awss3.EventType_OBJECT_CREATED,
				awss3notifications.NewSqsDestination(newQueue(stack, "Queue")))
		}, "notification"},
		{"GrantReadReports to nil", func(stack awscdk.Stack, id string) {
			newTelemetry(stack, id).GrantReadReports(nil)
		}, "GrantReadReports: grantee is required; pass "},
		{"GrantQueryReports to nil", func(stack awscdk.Stack, id string) {
			newTelemetry(stack, id).GrantQueryReports(nil)
		}, "GrantQueryReports: grantee is required; pass "},
		{"AddEventsMethod of no API", func(stack awscdk.Stack, id string) {
			newTelemetry(stack, id).AddEventsMethod(nil, eventsMethod("/events"))
		}, "AddEventsMethod: api is required; pass "},
		eventsUse("GET", func(m *restapi.Method) { m.HTTPMethod = "GET" },
			`HTTPMethod: "GET", want POST`),
		eventsUse("without body", func(m *restapi.Method) { m.Body = nil }, "Body"),
		eventsUse("body without events",
			func(m *restapi.Method) { m.Body = map[string]any{"type": "object"} }, "Body"),
		eventsUse("5000 events", func(m *restapi.Method) {
			m.Body = eventsMethod("/events").Body
			m.Body["properties"].(map[string]any)["events"].(map[string]any)["maxItems"] = 5000
		}, "500"),
		eventsUse("events without limit", func(m *restapi.Method) {
			m.Body = eventsMethod("/events").Body
			delete(m.Body["properties"].(map[string]any)["events"].(map[string]any), "maxItems")
		}, "500"),
	},
	"topic": {
		topicUse("Publisher is no service", topic.Props{Publisher: "ses", Source: "arn"},
			"Publisher: ses, want a service such as ses.amazonaws.com"),
		topicUse("Publisher without Source", topic.Props{Publisher: "ses.amazonaws.com"},
			"Source: , want the ARN of the resource that Publisher publishes for, or neither"),
		topicUse("Source without Publisher", topic.Props{Source: "arn:aws:s3:::bucket"},
			"Source: arn:aws:s3:::bucket, want the ARN of the resource that Publisher publishes "+
				"for, or neither"),
		{"GrantPublish to nil", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{}).GrantPublish(nil)
		}, "GrantPublish: grantee is required; pass "},
		{"GrantPublish of a service's topic", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{Publisher: "ses.amazonaws.com", Source: "arn"}).
				GrantPublish(newFunction(stack, "Function"))
		}, "declare a topic without Publisher"},
		{"AddQueueSubscription of nil", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{}).AddQueueSubscription(nil, nil, nil)
		}, "AddQueueSubscription: queue is required; pass "},
		{"AddQueueSubscription without dead-letter queue", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{}).AddQueueSubscription(newQueue(stack, "Queue"), nil,
				nil)
		}, "AddQueueSubscription: deadLetterQueue is required; pass "},
		{"AddQueueSubscription with an empty list", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{}).AddQueueSubscription(
				newQueue(stack, "Queue"), newQueue(stack, "DLQ"), map[string][]string{"event": {}})
		}, "AddQueueSubscription: filter"},
		{"AddQueueSubscription with an empty name", func(stack awscdk.Stack, id string) {
			topic.New(stack, id, topic.Props{}).AddQueueSubscription(
				newQueue(stack, "Queue"), newQueue(stack, "DLQ"), map[string][]string{"": {"a"}})
		}, "AddQueueSubscription: filter"},
	},
	"warehouse": {
		warehouseUse("without VPC", func(p *warehouse.Props) { p.VPC = nil },
			"VPC is required; pass network.VPC"),
		warehouseUse("VPC of two zones", func(p *warehouse.Props) {
			p.VPC = existingVPC(p.VPC.Stack(), "TwoZones", 2)
		}, "VPC: 2 isolated subnets, want 3 or more, in three zones"),
		warehouseUse("BaseCapacity between", func(p *warehouse.Props) { p.BaseCapacity = 12 },
			"BaseCapacity: 12, want 4, or a multiple of 8 up to 512"),
		warehouseUse("BaseCapacity too large",
			func(p *warehouse.Props) { p.BaseCapacity = 520 },
			"BaseCapacity: 520, want 4, or a multiple of 8 up to 512"),
		warehouseUse("MaxCapacity below BaseCapacity",
			func(p *warehouse.Props) { p.BaseCapacity, p.MaxCapacity = 16, 8 },
			"MaxCapacity: 8, want at least BaseCapacity"),
		warehouseUse("QueryTimeout in part",
			func(p *warehouse.Props) { p.QueryTimeout = 1500 * time.Millisecond },
			"QueryTimeout: 1.5s, want whole seconds, 1s to 23h59m59s"),
		warehouseUse("QueryTimeout too long",
			func(p *warehouse.Props) { p.QueryTimeout = 24 * time.Hour },
			"QueryTimeout: 24h0m0s, want whole seconds, 1s to 23h59m59s"),
		{"AddExternalSchema in upper case", func(stack awscdk.Stack, id string) {
			newWarehouse(stack, id).AddExternalSchema("Reports", "reports")
		}, `schema: "Reports", want a lower-case letter, then up to 126 lower-case letters, ` +
			"digits and underscores"},
		{"AddExternalSchema without catalog", func(stack awscdk.Stack, id string) {
			newWarehouse(stack, id).AddExternalSchema("reports", "")
		}, "catalog is required; pass the name of a database of the Glue Data Catalog"},
		{"AddExternalSchema twice", func(stack awscdk.Stack, id string) {
			w := newWarehouse(stack, id)
			w.AddExternalSchema("reports", "reports")
			w.AddExternalSchema("reports", "other")
		}, "schema"},
		{"GrantConnect to nil", func(stack awscdk.Stack, id string) {
			newWarehouse(stack, id).GrantConnect(nil)
		}, "GrantConnect: "},
	},
	"website": {
		websiteUse("without Content", func(p *website.Props) { p.Content = nil },
			"Content is required; pass an embed.FS, or os.DirFS of the folder"),
		websiteUse("without index.html",
			func(p *website.Props) { p.Content = fstest.MapFS{"readme.txt": {}} },
			"Content: open index.html: file does not exist, want an index.html"),
		websiteUse("Content with a CDK token", func(p *website.Props) {
			p.Content = fstest.MapFS{"index.html": {}, "config.js": {
				Data: []byte("const api = '" + *awscdk.Aws_REGION() + "'"),
			}}
		}, "config.js"),
		websiteUse("wildcard in DomainNames",
			func(p *website.Props) { p.DomainNames = []string{"*.example.com"} },
			"want a domain name such as app.example.com"),
		websiteUse("URL in DomainNames",
			func(p *website.Props) { p.DomainNames = []string{"https://example.com"} },
			"want a domain name such as app.example.com"),
		websiteUse("DomainNames twice", func(p *website.Props) {
			p.DomainNames = []string{"a.example.com", "a.example.com"}
		}, `DomainNames[1]: "a.example.com", want no duplicates`),
		websiteUse("DomainNames without certificate",
			func(p *website.Props) { p.DomainNames = []string{"app.example.com"} },
			`CertificateARN: "", want a certificate for the DomainNames, or neither`),
		websiteUse("certificate without DomainNames",
			func(p *website.Props) {
				p.CertificateARN = "arn:aws:acm:us-east-1:111111111111:certificate/0"
			}, "want a certificate for the DomainNames, or neither"),
		websiteUse("certificate of another region", func(p *website.Props) {
			p.CertificateARN = "arn:aws:acm:eu-central-1:111111111111:certificate/0"
		}, "want the ARN of an ACM certificate in us-east-1"),
		websiteUse("regional web ACL", func(p *website.Props) {
			p.WebACLARN = "arn:aws:wafv2:us-east-1:111111111111:regional/webacl/a/0"
		}, "want the ARN of a web ACL with scope CLOUDFRONT, which is in us-east-1"),
		cspUse("unquoted keyword", "img-src", []string{"self"}, "'self'"),
		cspUse("two sources in one", "img-src", []string{"'self' 'unsafe-inline'"}, "in quotes"),
		cspUse("semicolon", "img-src", []string{"data:;"}, "source"),
		cspUse("no sources", "img-src", nil, "at least one"),
		cspUse("directive in capitals", "Font-Src", []string{"'self'"}, "directive"),
		cspUse("unknown directive", "script_src", []string{"'self'"}, "directive"),
	},
}

// lines are those of a message: a panic has one for each problem, and so has a failed synth.
var lines = regexp.MustCompile(`[^\n]+`)

func TestWrongUsesFailTheSynth(t *testing.T) {
	const id = "Wrong"
	for construct, uses := range wrongUses {
		for _, use := range uses {
			t.Run(construct+"/"+use.name, func(t *testing.T) {
				app := newApp()
				stack := awscdk.NewStack(app, jsii.String("Stack"), &awscdk.StackProps{
					Env: &awscdk.Environment{
						Account: jsii.String("111111111111"), Region: jsii.String("eu-central-1"),
					},
				})
				message := panicMessage(func() {
					use.declare(stack, id)
					app.Synth(nil)
				})
				for _, line := range lines.FindAllString(message, -1) {
					if strings.Contains(line, construct) && strings.Contains(line, id) &&
						strings.Contains(line, use.problem) {
						return
					}
				}
				if message == "" {
					message = "nothing"
				}
				t.Errorf("reported:\n%s\nwant a line with %s, %s and %q", message, construct, id,
					use.problem)
			})
		}
	}
}

func TestWrongScopesAndIDsAreRefused(t *testing.T) {
	for construct, declare := range map[string]func(scope, stack awscdk.Stack, id string){
		"consumer": func(scope, stack awscdk.Stack, id string) {
			consumer.New(scope, id, consumerProps(stack))
		},
		"dashboards": func(scope, _ awscdk.Stack, id string) {
			dashboards.New(scope, id, dashboardsProps)
		},
		"gofunction": func(scope, _ awscdk.Stack, id string) {
			gofunction.New(scope, id, gofunction.Props{Package: functionPackage})
		},
		"identity": func(scope, _ awscdk.Stack, id string) {
			identity.New(scope, id, identityProps)
		},
		"mailinglist": func(scope, _ awscdk.Stack, id string) {
			mailinglist.New(scope, id, listProps)
		},
		"media": func(scope, _ awscdk.Stack, id string) { media.New(scope, id, pictureProps) },
		"mysql": func(scope, stack awscdk.Stack, id string) {
			mysql.New(scope, id, mysql.Props{VPC: existingVPC(stack, "VPC", 2)})
		},
		"network": func(scope, _ awscdk.Stack, id string) {
			network.New(scope, id, network.Props{})
		},
		"restapi": func(scope, stack awscdk.Stack, id string) {
			restapi.New(scope, id, apiProps(stack))
		},
		"telemetry": func(scope, _ awscdk.Stack, id string) {
			telemetry.New(scope, id, telemetryProps)
		},
		"topic": func(scope, _ awscdk.Stack, id string) {
			topic.New(scope, id, topic.Props{})
		},
		"warehouse": func(scope, stack awscdk.Stack, id string) {
			warehouse.New(scope, id, warehouseProps(stack))
		},
		"website": func(scope, _ awscdk.Stack, id string) {
			website.New(scope, id, website.Props{Content: content})
		},
	} {
		stack := awscdk.NewStack(newApp(), jsii.String("Stack"), nil)
		got := panicMessage(func() { declare(nil, stack, "Wrong") })
		const noScope = "scope is required; pass a stack, or a construct in a stack"
		if !strings.Contains(got, noScope) {
			t.Errorf("%s without scope panics with %q, want %q", construct, got, noScope)
		}
		stack = awscdk.NewStack(newApp(), jsii.String("Stack"), nil)
		got = panicMessage(func() { declare(stack, stack, "") })
		const noID = "id is required; pass an id that is unique in its scope"
		if !strings.Contains(got, noID) {
			t.Errorf("%s without id panics with %q, want %q", construct, got, noID)
		}
	}
	got := panicMessage(func() { defaults.Set(nil, defaults.Values{}) })
	const noScope = "defaults: Set: scope is required; pass an app, a stage, a stack or a construct"
	if got != noScope {
		t.Errorf("defaults without scope panics with %q, want %q", got, noScope)
	}
}

const (
	day             = 24 * time.Hour
	functionPackage = "example.com/function" // not built: bundling is off
)

var (
	goose      = &fstest.MapFile{Data: []byte("-- +goose Up\nSELECT 1;\n")}
	migrations = fstest.MapFS{"0001_a.sql": goose}
)

func newFunction(stack awscdk.Stack, id string) *gofunction.Function {
	return gofunction.New(stack, id, gofunction.Props{Package: functionPackage})
}

// clientIn returns a function in a VPC that has a connection's settings.
func clientIn(stack awscdk.Stack, vpc awsec2.IVpc) *gofunction.Function {
	return gofunction.New(stack, "Client", gofunction.Props{
		Package: functionPackage, VPC: vpc, Settings: mysqlconn.Settings{},
	})
}

func newQueue(stack awscdk.Stack, id string) awssqs.Queue {
	return awssqs.NewQueue(stack, jsii.String(id), nil)
}

// topicFor returns a topic in the function's stack.
func topicFor(p *consumer.Props) awssns.ITopic {
	return awssns.NewTopic(p.Function.Stack(), jsii.String("Topic"), nil)
}

func functionUse(name string, change func(*gofunction.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := gofunction.Props{Package: functionPackage}
		change(&props)
		gofunction.New(stack, id, props)
	}, problem}
}

func consumerProps(stack awscdk.Stack) consumer.Props {
	return consumer.Props{Function: newFunction(stack, "Function").Function}
}

func newConsumer(stack awscdk.Stack, id string) *consumer.Consumer {
	return consumer.New(stack, id, consumerProps(stack))
}

func consumerUse(name string, change func(*consumer.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := consumerProps(stack)
		change(&props)
		consumer.New(stack, id, props)
	}, problem}
}

var dashboardsProps = dashboards.Props{
	Owner: "arn:aws:quicksight:eu-central-1:111111111111:group/default/analysts", Name: "Reports",
	WorkGroup: "reports", Database: "reports", Reports: queries.Reports(),
}

func dashboardsUse(name string, change func(*dashboards.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := dashboardsProps
		change(&props)
		dashboards.New(stack, id, props)
	}, problem}
}

var identityProps = identity.Props{
	DomainPrefix:       "example",
	WebCallbackURLs:    []string{"https://example.com/in"},
	WebLogoutURLs:      []string{"https://example.com/out"},
	MobileCallbackURLs: []string{"example://in"},
	MobileLogoutURLs:   []string{"example://out"},
}

func identityNamed(stack awscdk.Stack, id string) *identity.Identity {
	return identity.New(stack, id, identityProps)
}

func identityUse(name string, change func(*identity.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := identityProps
		change(&props)
		identity.New(stack, id, props)
	}, problem}
}

var listProps = mailinglist.Props{
	Identity: "example.com", From: "Example <hello@example.com>", Templates: mails(),
}

func newList(stack awscdk.Stack, id string) *mailinglist.MailingList {
	return mailinglist.New(stack, id, listProps)
}

func listUse(name string, change func(*mailinglist.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := listProps
		change(&props)
		mailinglist.New(stack, id, props)
	}, problem}
}

func newMedia(stack awscdk.Stack, id string) *media.Media {
	return media.New(stack, id, pictureProps)
}

func mediaUse(name string, change func(*media.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := pictureProps
		change(&props)
		media.New(stack, id, props)
	}, problem}
}

// vpcOf returns an existing VPC with changed attributes.
func vpcOf(stack awscdk.Stack, id string, change func(*awsec2.VpcAttributes)) awsec2.IVpc {
	attributes := vpcAttributes(2)
	change(attributes)
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String(id), attributes)
}

func newDatabase(stack awscdk.Stack, id string) *mysql.Database {
	return mysql.New(stack, id, mysql.Props{VPC: existingVPC(stack, "VPC", 2)})
}

func databaseUse(name string, change func(*mysql.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := mysql.Props{VPC: existingVPC(stack, "VPC", 2)}
		change(&props)
		mysql.New(stack, id, props)
	}, problem}
}

// attributesUse imports a database without attributes.
func attributesUse(problem string) wrongUse {
	return wrongUse{"FromAttributes without: " + problem, func(stack awscdk.Stack, id string) {
		mysql.FromAttributes(stack, id, mysql.Attributes{Port: -1})
	}, problem}
}

func networkUse(name string, change func(*network.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		var props network.Props
		change(&props)
		network.New(stack, id, props)
	}, problem}
}

func apiProps(stack awscdk.Stack) restapi.Props {
	return restapi.Props{
		UserPool:       identityNamed(stack, "Identity").UserPool,
		AllowedOrigins: []string{"https://a.example.com"},
	}
}

func newAPI(stack awscdk.Stack, id string) *restapi.API {
	return restapi.New(stack, id, apiProps(stack))
}

func apiUse(name string, change func(*restapi.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := apiProps(stack)
		change(&props)
		restapi.New(stack, id, props)
	}, problem}
}

func newMethod(stack awscdk.Stack) restapi.Method {
	return restapi.Method{
		HTTPMethod: "GET", Path: "/posts", Function: newFunction(stack, "Function").Function,
	}
}

func methodUse(name string, change func(*restapi.Method), problem string) wrongUse {
	return wrongUse{"method " + name, func(stack awscdk.Stack, id string) {
		method := newMethod(stack)
		change(&method)
		newAPI(stack, id).Handle(method)
	}, problem}
}

// service integrates a method with a service that has no values.
func service(m *restapi.Method) { m.Function, m.Service = nil, &restapi.Service{} }

var telemetryProps = telemetry.Props{
	Topic: "example/dev", Columns: records.Schema().Columns, Types: records.Schema().Types,
	Reports: queries.Reports(),
}

func newTelemetry(stack awscdk.Stack, id string) *telemetry.Telemetry {
	return telemetry.New(stack, id, telemetryProps)
}

func telemetryUse(name string, change func(*telemetry.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := telemetryProps
		change(&props)
		telemetry.New(stack, id, props)
	}, problem}
}

func topicPrefixUse(prefix string) wrongUse {
	return telemetryUse("Topic "+prefix, func(p *telemetry.Props) { p.Topic = prefix },
		"want lower-case letters and digits with slashes between, at most 100 characters")
}

// wrongEventsMethod returns a method for events, changed.
func wrongEventsMethod(change func(*restapi.Method)) restapi.Method {
	m := eventsMethod("/events")
	if change != nil {
		change(&m)
	}
	return m
}

func eventsUse(name string, change func(*restapi.Method), problem string) wrongUse {
	return wrongUse{"AddEventsMethod " + name, func(stack awscdk.Stack, id string) {
		newTelemetry(stack, id).AddEventsMethod(newAPI(stack, "API"), wrongEventsMethod(change))
	}, problem}
}

func topicUse(name string, props topic.Props, problem string) wrongUse {
	return wrongUse{
		name, func(stack awscdk.Stack, id string) { topic.New(stack, id, props) }, problem,
	}
}

func newWarehouse(stack awscdk.Stack, id string) *warehouse.Warehouse {
	return warehouse.New(stack, id, warehouseProps(stack))
}

func warehouseUse(name string, change func(*warehouse.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := warehouseProps(stack)
		change(&props)
		warehouse.New(stack, id, props)
	}, problem}
}

func websiteUse(name string, change func(*website.Props), problem string) wrongUse {
	return wrongUse{name, func(stack awscdk.Stack, id string) {
		props := website.Props{Content: content}
		change(&props)
		website.New(stack, id, props)
	}, problem}
}

func cspUse(name, directive string, sources []string, problem string) wrongUse {
	return websiteUse("ContentSecurityPolicy with "+name, func(p *website.Props) {
		p.ContentSecurityPolicy = map[string][]string{directive: sources}
	}, problem)
}
