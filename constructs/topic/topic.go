// Package topic provisions SNS topics with encryption at rest that require TLS.
package topic

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// Props describes a topic. Zero values take the stated default.
type Props struct {
	// Publisher is the AWS service that publishes, such as ses.amazonaws.com. Source is the ARN of
	// the resource that it may publish for. Default: functions publish, with GrantPublish.
	Publisher, Source string
	// Disposable deletes the key of a topic with a Publisher with the stack, after KMS's waiting
	// period of a week. Without the topic, the key is not needed.
	Disposable bool
}

// A Topic is an SNS topic and the key that encrypts its messages.
type Topic struct {
	Topic awssns.Topic
	Key   awskms.Key // nil without Props.Publisher: the key is AWS managed
}

// New declares a topic under scope.
func New(scope constructs.Construct, id string, props Props) *Topic {
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	props.Disposable = defaults.Override(construct, 0, props.Disposable)
	topicProps := &awssns.TopicProps{EnforceSSL: jsii.Bool(true)}
	t := &Topic{}
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

// GrantPublish lets fn, which must have the setting TOPIC_ARN, publish to a topic without
// Props.Publisher, and fills the setting. In a VPC without NAT, fn needs the interface endpoint of
// sns.
func (t *Topic) GrantPublish(fn *gofunction.Function) {
	if t.Key != nil {
		path := *t.Topic.Node().Scope().Node().Path()
		panic(fmt.Errorf("topic: %s cannot use the key of %s, which is for a service; "+
			"declare a topic without Publisher", fn.Path(), path))
	}
	fn.AddToRolePolicy([]string{"sns:Publish"}, *t.Topic.TopicArn())
	fn.AddSettings(struct {
		ARN string `env:"TOPIC_ARN"`
	}{*t.Topic.TopicArn()})
}

// AddQueueSubscription subscribes queue to the topic. It receives the messages as they were
// published (raw delivery). filter limits them to those whose attributes have, for each name, one
// of its values; nil lets all through. Messages that SNS cannot deliver go to deadLetterQueue.
func (t *Topic) AddQueueSubscription(
	queue, deadLetterQueue awssqs.Queue, filter map[string][]string,
) {
	props := &awssnssubscriptions.SqsSubscriptionProps{
		RawMessageDelivery: jsii.Bool(true),
		DeadLetterQueue:    deadLetterQueue,
	}
	if filter != nil {
		policy := map[string]awssns.SubscriptionFilter{}
		for name, values := range filter {
			conditions := &awssns.StringConditions{Allowlist: jsii.Strings(values...)}
			policy[name] = awssns.SubscriptionFilter_StringFilter(conditions)
		}
		props.FilterPolicy = &policy
	}
	t.Topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(queue, props))
}

// newKey declares a key that the publisher may use for the account's topics: a service may not use
// AWS managed keys.
//
// The condition is the encryption context that SNS passes: "Encryption context" in the Amazon SNS
// Developer Guide. It does not name the topic, because the topic refers to the key. The source
// account and source ARN, which the topic's policy requires, are not passed to KMS by all services:
// "Enable compatibility between event sources from AWS services and encrypted topics", there.
func newKey(scope constructs.Construct, props Props) awskms.Key {
	removal := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	key := awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts messages from " + props.Publisher),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removal,
		// The minimum; the default is 30 days.
		PendingWindow: awscdk.Duration_Days(jsii.Number(7)),
	})
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
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
	return key
}

func servicePrincipal(service string) *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(service), nil)}
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
