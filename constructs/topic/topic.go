package topic

import (
	"errors"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/key"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	queues "github.com/ashlar-cdk/ashlar/constructs/internal/queue"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes a topic. Zero values take the stated default.
type Props struct {
	// Publisher is the AWS service that publishes, such as ses.amazonaws.com. Source is the ARN of
	// the resource that it may publish for. Default: principals of the account publish, with
	// GrantPublish.
	Publisher, Source string
	// Disposable deletes the key of a topic with a Publisher with the stack, after KMS's waiting
	// period of a week. Without the topic, the key is not needed.
	Disposable bool
}

// A Topic is an SNS topic and the key that encrypts its messages.
type Topic struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects
	Topic     awssns.Topic
	Key       awskms.Key // nil without Props.Publisher: the key is AWS managed
}

// New declares a topic under scope.
func New(scope constructs.Construct, id string, props Props) *Topic {
	props.check(id)
	construct := node.New(scope, id)
	props.Disposable = defaults.Override(construct, 0, props.Disposable)
	topicProps := &awssns.TopicProps{EnforceSSL: jsii.Bool(true)}
	t := &Topic{Construct: construct}
	if props.Publisher != "" {
		t.Key = newKey(construct, props)
		topicProps.MasterKey = t.Key
	}
	t.Topic = awssns.NewTopic(construct, jsii.String("Topic"), topicProps)
	if props.Publisher == "" {
		// The AWS managed key can be used through SNS by every principal of the account that may
		// publish, so a function needs no permission for it: "Viewing key policies" of AWS managed
		// keys in the AWS KMS Developer Guide. This does not include AWS services, which could not
		// publish here.
		t.Topic.Node().DefaultChild().(awssns.CfnTopic).SetKmsMasterKeyId(
			jsii.String("alias/aws/sns"))
		return t
	}
	t.Topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: servicePrincipal(props.Publisher),
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{t.Topic.TopicArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{
			"aws:SourceAccount": awscdk.Stack_Of(scope).Account(),
			"aws:SourceArn":     props.Source,
		}},
	}))
	return t
}

// GrantPublish lets grantee publish to a topic without Props.Publisher, and fills the setting
// TOPIC_ARN of a gofunction.Function, which must have it. In a VPC without NAT, a function needs
// the interface endpoint of sns.
func (t *Topic) GrantPublish(grantee awsiam.IGrantable) awsiam.Grant {
	const method = "GrantPublish"
	grant.Require("topic", t.Construct, method, grantee)
	if t.Key != nil {
		t.check(method, errors.New("the topic's key is for its Publisher; "+
			"declare a topic without Publisher"))
	}
	grant.Settings(grantee, struct {
		ARN string `env:"TOPIC_ARN"`
	}{*t.Topic.TopicArn()})
	return grant.To(grantee, []string{"sns:Publish"}, *t.Topic.TopicArn())
}

// AddQueueSubscription subscribes queue to the topic. It receives the messages as they were
// published (raw delivery). filter limits them to those whose attributes have, for each name, one
// of its values; nil lets all through. Messages that SNS cannot deliver go to deadLetterQueue. The
// policies of both queues let SNS send; the owner of an imported queue adds that.
func (t *Topic) AddQueueSubscription(
	queue, deadLetterQueue awssqs.IQueue, filter map[string][]string,
) {
	const remedy = "pass a queue, of this app or imported"
	t.check("AddQueueSubscription",
		check.NotNil("queue", queue, remedy),
		check.NotNil("deadLetterQueue", deadLetterQueue, remedy),
		check.FilterPolicy("filter", filter),
	)
	queues.Subscribe(t.Topic, queue, deadLetterQueue, filter)
}

// newKey declares a key that the publisher may use for the account's topics: a service may not use
// AWS managed keys.
//
// The condition is the encryption context that SNS passes: "Encryption context" in the Amazon SNS
// Developer Guide. It does not name the topic, because the topic refers to the key. The source
// account and source ARN, which the topic's policy requires, are not passed to KMS by all services:
// "Enable compatibility between event sources from AWS services and encrypted topics", there.
func newKey(scope constructs.Construct, props Props) awskms.Key {
	k := key.New(scope, "Encrypts messages from "+props.Publisher, props.Disposable)
	k.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: servicePrincipal(props.Publisher),
		Actions:    jsii.Strings("kms:GenerateDataKey", "kms:Decrypt"),
		Resources:  jsii.Strings("*"), // the key itself, in its policy
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"kms:EncryptionContext:aws:sns:topicArn": awscdk.Stack_Of(scope).FormatArn(
				&awscdk.ArnComponents{
					Service: jsii.String("sns"), Resource: jsii.String("*"),
					ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
				}),
		}},
	}), nil)
	return k
}

func servicePrincipal(service string) *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(service), nil)}
}

func (t *Topic) check(method string, problems ...error) {
	check.Call("topic", *t.Construct.Node().Path(), method, problems...)
}

func (p Props) check(id string) {
	check.Props("topic", id,
		check.That("Publisher", p.Publisher,
			p.Publisher == "" || strings.HasSuffix(p.Publisher, ".amazonaws.com"),
			"a service such as ses.amazonaws.com"),
		check.That("Source", p.Source, (p.Source == "") == (p.Publisher == ""),
			"the ARN of the resource that Publisher publishes for, or neither"),
	)
}
