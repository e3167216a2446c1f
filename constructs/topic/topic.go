// Package topic provisions SNS topics that are encrypted and take nothing without TLS.
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
	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
)

// Props describes a topic. Zero values take the stated default.
type Props struct {
	// Publisher is the service of AWS that publishes, such as ses.amazonaws.com, and Source the ARN of what it publishes
	// for: nobody else's may. Default: functions publish, by AllowPublishing.
	Publisher, Source string
	// Disposable deletes the key, which a topic with a Publisher has, with the stack. Nothing needs it by then; KMS waits a
	// week.
	Disposable bool
}

// A Topic is an SNS topic with the key that its messages are encrypted by.
type Topic struct {
	Topic awssns.Topic
	Key   awskms.Key // nil without Props.Publisher: the key is AWS's own
}

// New declares a topic under scope.
func New(scope constructs.Construct, id string, props Props) *Topic {
	props.check(id)
	construct := constructs.NewConstruct(scope, jsii.String(id))
	_, props.Disposable = defaults.Override(construct, 0, props.Disposable)
	topicProps := &awssns.TopicProps{EnforceSSL: jsii.Bool(true)}
	t := &Topic{}
	if props.Publisher != "" {
		t.Key = newKey(construct, props)
		topicProps.MasterKey = t.Key
	}
	t.Topic = awssns.NewTopic(construct, jsii.String("Topic"), topicProps)
	if props.Publisher == "" {
		// The key that AWS manages lets every principal of the account use it through SNS who may publish, so a function needs
		// no right to it: "Viewing key policies" of AWS managed keys in the AWS KMS Developer Guide. Services are no such
		// principals: they could not publish here.
		t.Topic.Node().DefaultChild().(awssns.CfnTopic).SetKmsMasterKeyId(jsii.String("alias/aws/sns"))
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

// GrantPublish lets fn, which must have the setting TOPIC_ARN, publish to a topic without Props.Publisher, and tells it
// which that is. In a VPC without NAT, fn needs the interface endpoint of sns.
func (t *Topic) GrantPublish(fn *gofunction.Function) {
	if t.Key != nil {
		panic(fmt.Errorf("topic: %s could not use the key of %s, where a service publishes; declare a topic without Publisher", fn.Path(), *t.Topic.Node().Scope().Node().Path()))
	}
	fn.AddToRolePolicy([]string{"sns:Publish"}, *t.Topic.TopicArn())
	fn.AddSettings(struct {
		ARN string `env:"TOPIC_ARN"`
	}{*t.Topic.TopicArn()})
}

// AddQueueSubscription subscribes queue: it gets the messages as they were published, without SNS's envelope, as long as their attributes
// have one of the values for each name in filter; nil lets all through. What SNS cannot deliver goes to deadLetterQueue.
func (t *Topic) AddQueueSubscription(queue, deadLetterQueue awssqs.Queue, filter map[string][]string) {
	props := &awssnssubscriptions.SqsSubscriptionProps{RawMessageDelivery: jsii.Bool(true), DeadLetterQueue: deadLetterQueue}
	if filter != nil {
		policy := map[string]awssns.SubscriptionFilter{}
		for name, values := range filter {
			policy[name] = awssns.SubscriptionFilter_StringFilter(&awssns.StringConditions{Allowlist: jsii.Strings(values...)})
		}
		props.FilterPolicy = &policy
	}
	t.Topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(queue, props))
}

// newKey declares a key that the publisher may use for the account's topics: a service may not use those that AWS manages.
//
// The condition is what SNS says of itself in each call, "Encryption context" in the Amazon SNS Developer Guide. It does not
// name the topic, which names the key. The caller's account and resource, which the topic's policy asks for, are not in the
// calls of all services: "Enable compatibility between event sources from AWS services and encrypted topics", there.
func newKey(scope constructs.Construct, props Props) awskms.Key {
	removal := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if props.Disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	key := awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts what " + props.Publisher + " publishes"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removal,
		PendingWindow:     awscdk.Duration_Days(jsii.Number(7)), // the shortest; 30 days are the default
	})
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: servicePrincipal(props.Publisher),
		Actions:    jsii.Strings("kms:GenerateDataKey", "kms:Decrypt"),
		Resources:  jsii.Strings("*"), // in a key's policy, the key
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"kms:EncryptionContext:aws:sns:topicArn": awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("sns"), Resource: jsii.String("*"), ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
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
		check.That("Publisher", p.Publisher, p.Publisher == "" || strings.HasSuffix(p.Publisher, ".amazonaws.com"), "a service such as ses.amazonaws.com"),
		check.That("Source", p.Source, (p.Source == "") == (p.Publisher == ""), "the ARN of what Publisher publishes for, or none of both"),
	)
}
