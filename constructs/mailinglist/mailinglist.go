// Package mailinglist provisions a mailing list: the table of subscriptions, the welcome mail, the
// SES identity that mails are sent from, and the processing of bounces and complaints.
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
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/internal/check"
	feedbackfn "github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
	welcomefn "github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
)

// Props describes the mailing list. Zero values take the stated default.
type Props struct {
	// Identity is the SES identity of the sender: a domain, which its owner verifies with DNS
	// records (DKIMRecords), or an e-mail address, which its owner verifies with a link from SES.
	// Mails are not sent before the verification. An identity exists once per account and region.
	// Required.
	Identity string
	// From is the sender of mails, an address of Identity: Ashlar <hello@example.com>. Required.
	From string

	// Sandbox is for accounts in SES's sandbox ("Request production access" in the Amazon SES
	// Developer Guide). There, mails can only be sent to identities of the account, and SES
	// requires the permission to send for the recipient's identity as well as the sender's.
	// Functions may therefore use all identities, but still send only from From.
	Sandbox bool

	LogRetention time.Duration // default: the scope's (package defaults)
	Disposable   bool          // delete the subscriptions with the stack
}

// A MailingList is the table of subscriptions, and the resources that send its mails and process
// feedback.
type MailingList struct {
	// Table holds the items of an address, by Address and Kind, and has a stream. Its index Unsent
	// holds items whose mail has not been sent, by CreatedAt. It is encrypted with the AWS managed
	// key for DynamoDB: unlike an AWS owned key, its use is logged in CloudTrail, and unlike a
	// customer managed key, it needs no grants to functions.
	Table awsdynamodb.Table

	Identity awsses.EmailIdentity
	// ConfigurationSet makes SES require TLS, suppress addresses that have bounced or complained,
	// and publish bounce and complaint events.
	ConfigurationSet awsses.ConfigurationSet

	// Welcome sends the mail for a new item in Table, triggered by the table's stream. Records that
	// still fail after retries go to the dead-letter queue of WelcomeRetryQueue, which receives
	// only messages that are redriven from there.
	Welcome           *gofunction.Function
	WelcomeRetryQueue *consumer.Consumer

	// FeedbackTopic receives SES's bounce and complaint events. FeedbackQueue delivers them to the
	// function that suppresses their addresses.
	FeedbackTopic *topic.Topic
	FeedbackQueue *consumer.Consumer

	props Props
	from  *mail.Address
}

// New declares the mailing list under scope.
func New(scope constructs.Construct, id string, props Props) *MailingList {
	from := props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	l := &MailingList{Table: newTable(construct, props), props: props, from: from}
	l.ConfigurationSet = awsses.NewConfigurationSet(construct, jsii.String("ConfigurationSet"),
		&awsses.ConfigurationSetProps{
			ReputationMetrics:  jsii.Bool(true),
			SendingEnabled:     jsii.Bool(true),
			SuppressionReasons: awsses.SuppressionReasons_BOUNCES_AND_COMPLAINTS,
			TlsPolicy:          awsses.ConfigurationSetTlsPolicy_REQUIRE,
		})
	identity := awsses.Identity_Domain(jsii.String(props.Identity))
	if isAddress(props.Identity) {
		identity = awsses.Identity_Email(jsii.String(props.Identity))
	}
	l.Identity = awsses.NewEmailIdentity(construct, jsii.String("Identity"),
		&awsses.EmailIdentityProps{
			Identity:           identity,
			ConfigurationSet:   l.ConfigurationSet, // also for mails that name none
			FeedbackForwarding: jsii.Bool(false),   // the topic replaces feedback by e-mail
		})
	l.addWelcome(construct)
	l.addFeedback(construct)
	return l
}

// DKIMRecords returns the DNS records (CNAME) with which the owner of a domain authorizes SES to
// send from it, each with a name and a value. An identity that is an address has none.
func (l *MailingList) DKIMRecords() []*awsses.DkimRecord {
	if isAddress(l.props.Identity) {
		return nil
	}
	return *l.Identity.DkimRecords()
}

// GrantSubscribe lets fn, which must have the setting MAILING_LIST_TABLE, read, add and delete
// subscriptions, and fills the setting.
func (l *MailingList) GrantSubscribe(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"},
		*l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
}

// GrantReadSuppressions lets fn, which must have the setting MAILING_LIST_TABLE, check whether an
// address is suppressed, and fills the setting. In a VPC, fn needs the gateway endpoint of
// dynamodb, or NAT.
func (l *MailingList) GrantReadSuppressions(fn *gofunction.Function) {
	fn.AddToRolePolicy([]string{"dynamodb:GetItem"}, *l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
}

// GrantSendEmail lets fn, which must have the settings MAIL_FROM and MAIL_CONFIGURATION_SET, send
// mails from Props.From, and fills both. In a VPC without NAT, fn needs the interface endpoint of
// email.
func (l *MailingList) GrantSendEmail(fn *gofunction.Function) {
	// By name: a reference to the identity in fn's stack, which is deployed later, would prevent
	// CloudFormation from changing Identity or Sandbox.
	identities := l.arn("identity", l.props.Identity)
	if l.props.Sandbox {
		identities = l.arn("identity", "*")
	}
	fn.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("ses:SendEmail"),
		Resources: jsii.Strings(identities, l.configurationSetARN()),
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"ses:FromAddress": l.from.Address},
		},
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
		Service: jsii.String("ses"), Resource: jsii.String(resource),
		ResourceName: jsii.String(name),
	})
}

// newTable declares the table. A change of its keys replaces the table.
func newTable(scope constructs.Construct, props Props) awsdynamodb.Table {
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{
			Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING,
		}
	}
	// With deletion protection, a failed first deployment cannot remove the table: an empty table
	// remains.
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

// Both limits allow for slow calls of SES, and for waiting on each other's leases.
const (
	// leaseDuration is for one mail; another run waits for the lease if its timeout allows.
	leaseDuration = 30 * time.Second
	// timeout is for a batch of 25 mails, at SES's sandbox rate of one a second.
	timeout = 2 * time.Minute
)

// addWelcome declares the function that sends welcome mails, and its event sources: the table's
// stream, and the queue for messages that are redriven.
func (l *MailingList) addWelcome(scope constructs.Construct) {
	l.Welcome = gofunction.New(scope, "Welcome", gofunction.Props{
		Package:     welcomefn.Package,
		Settings:    welcomefn.Settings{LeaseDuration: leaseDuration},
		Description: "Sends confirmation and welcome mails of the mailing list",
		Timeout:     timeout,
	})
	l.Welcome.AddToRolePolicy([]string{"dynamodb:GetItem", "dynamodb:UpdateItem"},
		*l.Table.TableArn())
	l.Welcome.AddToRolePolicy([]string{"dynamodb:Query"}, *l.Table.TableArn()+"/index/Unsent")
	l.Welcome.AddSettings(l.tableSettings())
	l.GrantSendEmail(l.Welcome)
	l.WelcomeRetryQueue = consumer.New(scope, "WelcomeRetry", consumer.Props{
		Function: l.Welcome, MaxConcurrency: 2, // the minimum
	})
	l.WelcomeRetryQueue.GrantSendToDLQ()

	// Lambda reads the stream with the function's role. The CDK's grant would let it list all
	// streams of the account: "IAM policy to allow a Lambda function to access DynamoDB stream
	// records" in the Amazon DynamoDB Developer Guide.
	l.Welcome.AddToRolePolicy([]string{
		"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
		"dynamodb:ListStreams",
	}, *l.Table.TableStreamArn())
	// Matches new items that a mail follows. The function's own updates do not invoke it again.
	const newItems = `{"eventName":["INSERT"],` +
		`"dynamodb":{"Keys":{"Kind":{"S":["pending","subscription"]}}}}`
	// The CDK's event source would let the function read the queue's attributes.
	awslambda.NewCfnEventSourceMapping(scope, jsii.String("WelcomeStreamMapping"),
		&awslambda.CfnEventSourceMappingProps{
			FunctionName:     l.Welcome.Function.FunctionName(),
			EventSourceArn:   l.Table.TableStreamArn(),
			Enabled:          jsii.Bool(true),
			StartingPosition: jsii.String("TRIM_HORIZON"), // includes items from before the mapping

			FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{Filters: &[]any{
				&awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(newItems)},
			}},
			BatchSize:                      jsii.Number(25),
			MaximumBatchingWindowInSeconds: jsii.Number(1),
			ParallelizationFactor:          jsii.Number(2), // batches of a shard, by address
			// A batch that fails completely, such as out of memory, is split in half and retried;
			// otherwise the function returns the record to continue from.
			BisectBatchOnFunctionError: jsii.Bool(true),
			FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
			// Whichever is reached first. A stream keeps records for a day, which leaves time to
			// examine them.
			MaximumRetryAttempts:      jsii.Number(10),
			MaximumRecordAgeInSeconds: jsii.Number((6 * time.Hour).Seconds()),
			DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
				OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{
					Destination: l.WelcomeRetryQueue.DeadLetterQueue.QueueArn(),
				},
			},
		})
}

// addFeedback declares the bounce and complaint events of SES, and the function that suppresses
// their addresses.
func (l *MailingList) addFeedback(scope constructs.Construct) {
	fn := gofunction.New(scope, "Feedback", gofunction.Props{
		Package:     feedbackfn.Package,
		Settings:    feedbackfn.Settings{},
		Description: "Suppresses addresses that bounce or complain",
	})
	fn.AddToRolePolicy([]string{"dynamodb:PutItem", "dynamodb:DeleteItem"}, *l.Table.TableArn())
	fn.AddSettings(l.tableSettings())
	l.FeedbackTopic = topic.New(scope, "FeedbackTopic", topic.Props{
		Publisher: "ses.amazonaws.com", Source: l.configurationSetARN(),
	})
	l.FeedbackQueue = consumer.New(scope, "FeedbackEvents", consumer.Props{
		Function: fn, Topic: l.FeedbackTopic,
	})
	l.FeedbackQueue.GrantSendToDLQ()
	destination := awsses.NewCfnConfigurationSetEventDestination(scope,
		jsii.String("FeedbackDestination"), &awsses.CfnConfigurationSetEventDestinationProps{
			ConfigurationSetName: l.ConfigurationSet.ConfigurationSetName(),
			EventDestination: &awsses.CfnConfigurationSetEventDestination_EventDestinationProperty{
				Enabled:            jsii.Bool(true),
				MatchingEventTypes: jsii.Strings("bounce", "complaint"),
				SnsDestination: &awsses.CfnConfigurationSetEventDestination_SnsDestinationProperty{
					TopicArn: l.FeedbackTopic.Topic.TopicArn(),
				},
			},
		})
	// Includes the topic's policy: SES tests the topic first.
	destination.Node().AddDependency(l.FeedbackTopic.Topic)
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)

// isAddress reports whether text is an e-mail address and nothing else.
func isAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

// check validates the props and returns From, parsed.
func (p Props) check(id string) *mail.Address {
	from, err := mail.ParseAddress(p.From)
	covered := false
	if err == nil {
		_, host, _ := strings.Cut(from.Address, "@")
		covered = from.Address == p.Identity || host == p.Identity ||
			strings.HasSuffix(host, "."+p.Identity)
	}
	check.Props("mailinglist", id,
		check.Required("Identity", p.Identity != "", "pass the sender's domain or e-mail address"),
		check.Required("From", p.From != "",
			"pass the sender of mails, such as Ashlar <hello@example.com>"),
		check.That("Identity", p.Identity,
			p.Identity == "" || domainPattern.MatchString(p.Identity) || isAddress(p.Identity),
			"a domain such as example.com, or an e-mail address"),
		check.That("From", p.From, p.From == "" || err == nil,
			"an address, optionally with a name: Ashlar <hello@example.com>"),
		check.That("From", p.From, err != nil || covered || p.Identity == "",
			"an address of "+p.Identity),
	)
	return from
}
