package mailinglist

import (
	"errors"
	"io/fs"
	"net/mail"
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/internal/check"
	feedbackfn "github.com/ashlar-cdk/ashlar/lambdas/feedback/contract"
	welcomefn "github.com/ashlar-cdk/ashlar/lambdas/welcome/contract"
)

// Props describes the mailing list. Zero values take the stated default.
type Props struct {
	// Identity is the SES identity of the sender: a domain, which its owner verifies with DNS
	// records (DKIMRecords), or an e-mail address, which its owner verifies with a link from SES.
	// Mails are not sent before the verification. Required.
	Identity string
	// ExistingIdentity is for an identity that exists, such as another mailing list's: the
	// construct does not declare it. An identity exists once per account and region.
	ExistingIdentity bool
	// From is the sender of mails, an address of Identity: Example <hello@example.com>. Required.
	From string

	// Templates are the texts of the mails in each language: en/confirm.subject.txt and so on, as
	// lambdas/welcome/contract.CheckTemplates describes. Required.
	Templates fs.FS
	// DefaultLanguage is the language of mails to subscribers whose language Templates do not have.
	// Default: en.
	DefaultLanguage string

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
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	// Table holds the items of addresses (package mailinglisttable), and has a stream. It is
	// encrypted with the AWS managed key for DynamoDB: unlike an AWS owned key, its use is logged
	// in CloudTrail, and unlike a customer managed key, it needs no grants to functions.
	Table awsdynamodb.Table

	Identity awsses.IEmailIdentity
	// ConfigurationSet makes SES require TLS, suppress addresses that have bounced or complained,
	// and publish bounce and complaint events.
	ConfigurationSet awsses.ConfigurationSet

	// Welcome sends the mail for a new item in Table, triggered by the table's stream. Records that
	// still fail after retries go to the dead-letter queue of WelcomeRetryQueue, which receives
	// only messages that are redriven from there.
	Welcome           *gofunction.Function
	WelcomeRetryQueue *consumer.Consumer

	// FeedbackTopic receives SES's bounce and complaint events. FeedbackQueue delivers them to
	// Feedback, which suppresses their addresses.
	FeedbackTopic *topic.Topic
	FeedbackQueue *consumer.Consumer
	Feedback      *gofunction.Function

	props       Props
	from        *mail.Address
	dkimRecords []*awsses.DkimRecord
}

// New declares the mailing list under scope.
func New(scope constructs.Construct, id string, props Props) *MailingList {
	props = props.withDefaults()
	from := props.check(id)
	construct := node.New(scope, id)
	if !props.ExistingIdentity {
		check.Props("mailinglist", id, node.Claim(construct, "Identity", props.Identity,
			"set ExistingIdentity for all lists but one"))
	}
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	l := &MailingList{
		Construct: construct,
		Table:     newTable(construct, props),
		props:     props,
		from:      from,
	}
	l.ConfigurationSet = awsses.NewConfigurationSet(construct, jsii.String("ConfigurationSet"),
		&awsses.ConfigurationSetProps{
			ReputationMetrics:  jsii.Bool(true),
			SendingEnabled:     jsii.Bool(true),
			SuppressionReasons: awsses.SuppressionReasons_BOUNCES_AND_COMPLAINTS,
			TlsPolicy:          awsses.ConfigurationSetTlsPolicy_REQUIRE,
		})
	l.addIdentity()
	l.addWelcome()
	l.addFeedback()
	return l
}

// DKIMRecords returns the DNS records (CNAME) with which the owner of a domain authorizes SES to
// send from it, each with a name and a value. An identity that is an address, or that is declared
// elsewhere, has none.
func (l *MailingList) DKIMRecords() []*awsses.DkimRecord { return l.dkimRecords }

// GrantSubscribe lets grantee read, add and delete subscriptions, and fills the setting
// MAILING_LIST_TABLE of a gofunction.Function, which must have it. A new item triggers its mail:
// package mailinglisttable.
func (l *MailingList) GrantSubscribe(grantee awsiam.IGrantable) awsiam.Grant {
	return l.grantTable("GrantSubscribe", grantee,
		"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
}

// GrantReadSuppressions lets grantee check whether an address is suppressed, and fills the setting
// MAILING_LIST_TABLE of a gofunction.Function, which must have it. In a VPC, a function needs the
// gateway endpoint of dynamodb, or NAT.
func (l *MailingList) GrantReadSuppressions(grantee awsiam.IGrantable) awsiam.Grant {
	return l.grantTable("GrantReadSuppressions", grantee, "dynamodb:GetItem")
}

// GrantSendEmail lets grantee send mails from Props.From, and fills the settings MAIL_FROM and
// MAIL_CONFIGURATION_SET of a gofunction.Function, which must have both. In a VPC without NAT, a
// function needs the interface endpoint of email.
func (l *MailingList) GrantSendEmail(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("mailinglist", l.Construct, "GrantSendEmail", grantee)
	grant.Settings(grantee, struct {
		From             string `env:"MAIL_FROM"`
		ConfigurationSet string `env:"MAIL_CONFIGURATION_SET"`
	}{l.from.String(), *l.ConfigurationSet.ConfigurationSetName()})
	// By name: a reference to the identity in grantee's stack, which is deployed later, would
	// prevent CloudFormation from changing Identity or Sandbox.
	identities := l.arn("identity", l.props.Identity)
	if l.props.Sandbox {
		identities = l.arn("identity", "*")
	}
	conditions := grant.Conditions{"StringEquals": {"ses:FromAddress": l.from.Address}}
	return grant.Where(grantee, conditions, []string{"ses:SendEmail"},
		identities, l.configurationSetARN())
}

func (l *MailingList) grantTable(
	method string, grantee awsiam.IGrantable, actions ...string,
) awsiam.Grant {
	grant.Require("mailinglist", l.Construct, method, grantee)
	grant.Settings(grantee, struct {
		Table string `env:"MAILING_LIST_TABLE"`
	}{*l.Table.TableName()})
	return grant.To(grantee, actions, *l.Table.TableArn())
}

func (l *MailingList) configurationSetARN() string {
	return l.arn("configuration-set", *l.ConfigurationSet.ConfigurationSetName())
}

func (l *MailingList) arn(resource, name string) string {
	return *awscdk.Stack_Of(l.Construct).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String(resource),
		ResourceName: jsii.String(name),
	})
}

func (l *MailingList) addIdentity() {
	name, id := jsii.String(l.props.Identity), jsii.String("Identity")
	if l.props.ExistingIdentity {
		l.Identity = awsses.EmailIdentity_FromEmailIdentityName(l.Construct, id, name)
		return
	}
	isDomain := !strings.Contains(l.props.Identity, "@")
	identity := awsses.Identity_Email(name)
	if isDomain {
		identity = awsses.Identity_Domain(name)
	}
	declared := awsses.NewEmailIdentity(l.Construct, id, &awsses.EmailIdentityProps{
		Identity:           identity,
		ConfigurationSet:   l.ConfigurationSet, // also for mails that name none
		FeedbackForwarding: jsii.Bool(false),   // the topic replaces feedback by e-mail
	})
	l.Identity = declared
	if isDomain {
		l.dkimRecords = *declared.DkimRecords()
	}
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
func (l *MailingList) addWelcome() {
	l.Welcome = gofunction.New(l.Construct, "Welcome", gofunction.Props{
		Package: welcomefn.Package,
		Settings: welcomefn.Settings{
			DefaultLanguage: l.props.DefaultLanguage, LeaseDuration: leaseDuration,
		},
		Files:       l.props.Templates,
		Description: "Sends confirmation and welcome mails of the mailing list",
		Timeout:     timeout,
	})
	l.grantTable("New", l.Welcome, "dynamodb:GetItem", "dynamodb:UpdateItem")
	l.Welcome.AddToRolePolicy([]string{"dynamodb:Query"}, *l.Table.TableArn()+"/index/Unsent")
	l.GrantSendEmail(l.Welcome)
	l.WelcomeRetryQueue = consumer.New(l.Construct, "WelcomeRetry", consumer.Props{
		Function: l.Welcome.Function, MaxConcurrency: 2, // the minimum
	})
	l.WelcomeRetryQueue.GrantSendToDLQ(l.Welcome)

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
	awslambda.NewCfnEventSourceMapping(l.Construct, jsii.String("WelcomeStreamMapping"),
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
func (l *MailingList) addFeedback() {
	l.Feedback = gofunction.New(l.Construct, "Feedback", gofunction.Props{
		Package:     feedbackfn.Package,
		Settings:    feedbackfn.Settings{},
		Description: "Suppresses addresses that bounce or complain",
	})
	l.grantTable("New", l.Feedback, "dynamodb:PutItem", "dynamodb:DeleteItem")
	l.FeedbackTopic = topic.New(l.Construct, "FeedbackTopic", topic.Props{
		Publisher: "ses.amazonaws.com", Source: l.configurationSetARN(),
	})
	l.FeedbackQueue = consumer.New(l.Construct, "FeedbackEvents", consumer.Props{
		Function: l.Feedback.Function, Topic: l.FeedbackTopic.Topic,
	})
	l.FeedbackQueue.GrantSendToDLQ(l.Feedback)
	destination := awsses.NewCfnConfigurationSetEventDestination(l.Construct,
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

func (p Props) withDefaults() Props {
	if p.DefaultLanguage == "" {
		p.DefaultLanguage = "en"
	}
	return p
}

// check validates the props and returns From, parsed.
func (p Props) check(id string) *mail.Address {
	const known = "pass a value that is known at synthesis"
	check.Props("mailinglist", id,
		check.Required("Identity", p.Identity != "", "pass the sender's domain or e-mail address"),
		check.Required("From", p.From != "",
			"pass the sender of mails, such as Example <hello@example.com>"),
		check.NoToken("Identity", p.Identity, known),
		check.NoToken("From", p.From, known),
		check.IfSet("Identity", p.Identity, check.MailIdentity),
		check.IfSet("From", p.From, func(prop, from string) error {
			return check.MailSender(prop, from, p.Identity)
		}),
		p.checkTemplates(),
	)
	from, err := mail.ParseAddress(p.From)
	if err != nil {
		panic(err) // unreachable: it was checked
	}
	return from
}

// checkTemplates returns one error for each problem of the templates.
func (p Props) checkTemplates() error {
	err := check.NotNil("Templates", p.Templates, "pass the texts of the mails, such as "+
		"os.DirFS(\"mails\") or an embed.FS: lambdas/welcome/contract.CheckTemplates")
	if err != nil {
		return err
	}
	err = welcomefn.CheckTemplates(p.Templates, p.DefaultLanguage)
	return errors.Join(check.Named("Templates", err)...)
}
