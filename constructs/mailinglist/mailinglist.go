// Package mailinglist provisions a mailing list: who has subscribed, the mail that welcomes them, how mails are sent, and what
// comes of those that do not arrive.
package mailinglist

import (
	"net/mail"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	feedbackfn "github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
	welcomefn "github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
)

// Props describes the mailing list. Zero values take the stated default.
type Props struct {
	// Identity is what SES knows the sender by: a domain, which its owner confirms by DNS records (DKIMRecords), or one
	// address, to which SES sends a link. Nothing is sent before. An account and region has it once. Required.
	Identity string
	From     string // whom mails are from: Ashlar <hello@example.com>; required, and of Identity

	// Sandbox is for accounts that AWS has not let out of SES's sandbox ("Request production access" in the Amazon SES
	// Developer Guide). There, mails go to identities of the account alone, and SES asks for the right to send on the
	// recipient's as well as on the sender's: so functions may use all of them, and still send from From alone.
	Sandbox bool

	LogRetention time.Duration // default: the scope's (package defaults)
	Disposable   bool          // delete the subscriptions with the stack
}

// A MailingList is the table of subscriptions, and everything that happens to its mails.
type MailingList struct {
	// Table holds what is kept of an address, by Address and Kind, and has a stream. Its index Unsent has those whose mail
	// has not gone out, by CreatedAt. It is encrypted by the key that AWS manages for DynamoDB: its use is in CloudTrail, as
	// that of AWS's own key is not, and functions need no right to it, as they would to one of ours.
	Table awsdynamodb.Table

	Identity awsses.EmailIdentity
	// ConfigurationSet has SES refuse to deliver without TLS, leave out whoever has bounced or complained, and tell of it.
	ConfigurationSet awsses.ConfigurationSet

	// Welcome sends the mail that a new item in Table asks for, as the table's stream delivers it.
	// Records that still fail after retries go to the dead-letter queue of WelcomeRetryQueue, which
	// gets only messages that are redriven from there.
	Welcome           *gofunction.Function
	WelcomeRetryQueue *consumer.Consumer

	// FeedbackTopic has SES's bounce and complaint events. FeedbackQueue delivers them to the function
	// that suppresses their addresses.
	FeedbackTopic *topic.Topic
	FeedbackQueue *consumer.Consumer

	props Props
	from  *mail.Address
}

// New declares the mailing list under scope.
func New(scope constructs.Construct, id string, props Props) *MailingList {
	from := props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.LogRetention, props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	l := &MailingList{Table: newTable(construct, props), props: props, from: from}
	l.ConfigurationSet = awsses.NewConfigurationSet(construct, jsii.String("ConfigurationSet"), &awsses.ConfigurationSetProps{
		ReputationMetrics:  jsii.Bool(true),
		SendingEnabled:     jsii.Bool(true),
		SuppressionReasons: awsses.SuppressionReasons_BOUNCES_AND_COMPLAINTS,
		TlsPolicy:          awsses.ConfigurationSetTlsPolicy_REQUIRE,
	})
	identity := awsses.Identity_Domain(jsii.String(props.Identity))
	if isAddress(props.Identity) {
		identity = awsses.Identity_Email(jsii.String(props.Identity))
	}
	l.Identity = awsses.NewEmailIdentity(construct, jsii.String("Identity"), &awsses.EmailIdentityProps{
		Identity:           identity,
		ConfigurationSet:   l.ConfigurationSet, // also of mails that name none
		FeedbackForwarding: jsii.Bool(false),   // the topic is told; nobody need read the sender's mail
	})
	l.addWelcome(construct)
	l.addFeedback(construct)
	return l
}

// DKIMRecords are the DNS records (CNAME) by which the owner of a domain confirms that SES may send in its name, each as a
// name and a value. An identity that is an address has none.
func (l *MailingList) DKIMRecords() []*awsses.DkimRecord {
	if isAddress(l.props.Identity) {
		return nil
	}
	return *l.Identity.DkimRecords()
}

// GrantSubscribe lets fn, which must have the setting MAILING_LIST_TABLE, put subscriptions into the table and take them
// out, and tells it where it is.
func (l *MailingList) GrantSubscribe(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"}, *l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
}

// GrantReadSuppressions lets fn, which must have the setting MAILING_LIST_TABLE, ask whether nothing may be sent to an
// address. In a VPC, fn needs the gateway endpoint of dynamodb, or NAT.
func (l *MailingList) GrantReadSuppressions(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"dynamodb:GetItem"}, *l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
}

// GrantSendEmail lets fn, which must have the settings MAIL_FROM and MAIL_CONFIGURATION_SET, send mails from Props.From, and
// tells it both. In a VPC without NAT, fn needs the interface endpoint of email.
func (l *MailingList) GrantSendEmail(fn *gofunction.Function) {
	// By its name: CloudFormation would let neither Identity nor Sandbox change as long as fn's stack, which is deployed later,
	// has a reference to the identity.
	identities := l.arn("identity", l.props.Identity)
	if l.props.Sandbox {
		identities = l.arn("identity", "*")
	}
	fn.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("ses:SendEmail"),
		Resources:  jsii.Strings(identities, l.configurationSetARN()),
		Conditions: &map[string]any{"StringEquals": map[string]any{"ses:FromAddress": l.from.Address}},
	}))
	fn.AddSettings(struct {
		From             string `env:"MAIL_FROM"`
		ConfigurationSet string `env:"MAIL_CONFIGURATION_SET"`
	}{l.from.String(), *l.ConfigurationSet.ConfigurationSetName()})
}

func (l *MailingList) tableSettings() any {
	return struct {
		Table string `env:"MAILING_LIST_TABLE"`
	}{*l.Table.TableName()}
}

func (l *MailingList) configurationSetARN() string {
	return l.arn("configuration-set", *l.ConfigurationSet.ConfigurationSetName())
}

func (l *MailingList) arn(resource, name string) string {
	return *awscdk.Stack_Of(l.Identity).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String(resource), ResourceName: jsii.String(name),
	})
}

// newTable declares the table. Its keys cannot be changed without a new one.
func newTable(scope constructs.Construct, props Props) awsdynamodb.Table {
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
	}
	// Deletion protection would keep a first deployment that fails from taking the table away again: it stays, empty.
	removal := awscdk.RemovalPolicy_RETAIN
	if props.Disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	table := awsdynamodb.NewTable(scope, jsii.String("Table"), &awsdynamodb.TableProps{
		PartitionKey:        text("Address"),
		SortKey:             text("Kind"),
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:          awsdynamodb.TableEncryption_AWS_MANAGED,
		TimeToLiveAttribute: jsii.String("ExpiresAt"),
		Stream:              awsdynamodb.StreamViewType_NEW_AND_OLD_IMAGES,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true), // 35 days back, the default
		},
		DeletionProtection: jsii.Bool(!props.Disposable),
		RemovalPolicy:      removal,
	})
	table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:        jsii.String("Unsent"),
		PartitionKey:     text("Unsent"),
		SortKey:          text("CreatedAt"),
		ProjectionType:   awsdynamodb.ProjectionType_INCLUDE,
		NonKeyAttributes: jsii.Strings("ID"),
	})
	return table
}

// The functions wait for SES, and for each other's mails.
const (
	leaseDuration = 30 * time.Second // what one run has for one mail; the next waits for it, if its own time allows
	timeout       = 2 * time.Minute  // for a batch; of 25 mails, at the one a second that SES's sandbox allows
)

// addWelcome declares the function that sends mails, and what tells it of new items: the table's stream, and the queue into
// which letters are moved back that were given up.
func (l *MailingList) addWelcome(scope constructs.Construct) {
	l.Welcome = gofunction.New(scope, "Welcome", gofunction.Props{
		Package:     welcomefn.Package,
		Settings:    welcomefn.Settings{LeaseDuration: leaseDuration},
		Description: "Sends the mails that new subscribers get",
		Timeout:     timeout,
	})
	l.Welcome.AddToRolePolicy([]string{"dynamodb:GetItem", "dynamodb:UpdateItem"}, *l.Table.TableArn())
	l.Welcome.AddToRolePolicy([]string{"dynamodb:Query"}, *l.Table.TableArn()+"/index/Unsent")
	l.Welcome.AddSettings(l.tableSettings())
	l.GrantSendEmail(l.Welcome)
	l.WelcomeRetryQueue = consumer.New(scope, "WelcomeRetry", consumer.Props{Function: l.Welcome, MaxConcurrency: 2}) // the least that there is
	l.WelcomeRetryQueue.GrantSendToDLQ()

	// Lambda reads the stream in the function's name. The CDK's own grant would let it list every stream of the account: "IAM
	// policy to allow a Lambda function to access DynamoDB stream records" in the Amazon DynamoDB Developer Guide.
	l.Welcome.AddToRolePolicy([]string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
		*l.Table.TableStreamArn())
	// The CDK's own source would let the function ask for the queue's attributes.
	awslambda.NewCfnEventSourceMapping(scope, jsii.String("StreamToWelcome"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     l.Welcome.Function.FunctionName(),
		EventSourceArn:   l.Table.TableStreamArn(),
		Enabled:          jsii.Bool(true),
		StartingPosition: jsii.String("TRIM_HORIZON"), // what was put before the mapping was there is welcomed too
		// What is new and is followed by a mail. The function itself writes to the items: its own changes do not come back.
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{Filters: &[]any{
			&awslambda.CfnEventSourceMapping_FilterProperty{
				Pattern: jsii.String(`{"eventName":["INSERT"],"dynamodb":{"Keys":{"Kind":{"S":["pending","subscription"]}}}}`),
			},
		}},
		BatchSize:                      jsii.Number(25),
		MaximumBatchingWindowInSeconds: jsii.Number(1),
		ParallelizationFactor:          jsii.Number(2), // batches of a shard at a time, each of other addresses
		// A batch that fails as a whole, out of memory say, is tried in halves; of all others, the function says where to go on.
		BisectBatchOnFunctionError: jsii.Bool(true),
		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		// Either ends it. A stream keeps records for a day, so there is time left in which they can be looked at.
		MaximumRetryAttempts:      jsii.Number(10),
		MaximumRecordAgeInSeconds: jsii.Number((6 * time.Hour).Seconds()),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: l.WelcomeRetryQueue.DeadLetterQueue.QueueArn()},
		},
	})
}

// addFeedback has SES tell of bounces and complaints, and declares the function that takes it to heart.
func (l *MailingList) addFeedback(scope constructs.Construct) {
	fn := gofunction.New(scope, "Feedback", gofunction.Props{
		Package:     feedbackfn.Package,
		Settings:    feedbackfn.Settings{},
		Description: "Sends nothing more to addresses that bounce or complain",
	})
	fn.AddToRolePolicy([]string{"dynamodb:PutItem", "dynamodb:DeleteItem"}, *l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
	l.FeedbackTopic = topic.New(scope, "FeedbackTopic", topic.Props{
		Publisher: "ses.amazonaws.com", Source: l.configurationSetARN(),
	})
	l.FeedbackQueue = consumer.New(scope, "FeedbackEvents", consumer.Props{Function: fn, Topic: l.FeedbackTopic})
	l.FeedbackQueue.GrantSendToDLQ()
	destination := awsses.NewCfnConfigurationSetEventDestination(scope, jsii.String("FeedbackDestination"), &awsses.CfnConfigurationSetEventDestinationProps{
		ConfigurationSetName: l.ConfigurationSet.ConfigurationSetName(),
		EventDestination: &awsses.CfnConfigurationSetEventDestination_EventDestinationProperty{
			Enabled:            jsii.Bool(true),
			MatchingEventTypes: jsii.Strings("bounce", "complaint"),
			SnsDestination:     &awsses.CfnConfigurationSetEventDestination_SnsDestinationProperty{TopicArn: l.FeedbackTopic.Topic.TopicArn()},
		},
	})
	destination.Node().AddDependency(l.FeedbackTopic.Topic) // and its policy, since SES tries the topic first
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)

// isAddress tells whether text is one address and nothing else.
func isAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

// check returns From, taken apart.
func (p Props) check(id string) *mail.Address {
	from, err := mail.ParseAddress(p.From)
	covered := false
	if err == nil {
		_, host, _ := strings.Cut(from.Address, "@")
		covered = from.Address == p.Identity || host == p.Identity || strings.HasSuffix(host, "."+p.Identity)
	}
	check.Props("mailinglist", id,
		check.Required("Identity", p.Identity != "", "pass the sender's domain, or its address"),
		check.Required("From", p.From != "", "pass whom mails are from, such as Ashlar <hello@example.com>"),
		check.That("Identity", p.Identity, p.Identity == "" || domainPattern.MatchString(p.Identity) || isAddress(p.Identity), "a domain such as example.com, or an address"),
		check.That("From", p.From, p.From == "" || err == nil, "an address, or a name with one: Ashlar <hello@example.com>"),
		check.That("From", p.From, err != nil || covered || p.Identity == "", "an address of "+p.Identity),
	)
	return from
}
