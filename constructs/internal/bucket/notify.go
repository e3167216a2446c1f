package bucket

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Notifications describes the event notifications of a bucket. Zero values take the stated default.
type Notifications struct {
	Queue  awssqs.IQueue // receives Events; default: none
	Events []string      // such as s3:ObjectCreated:*; required with Queue
	Prefix string        // of the objects' keys; default: all objects

	// EventBridge sends all events of the bucket to the account's default event bus as well.
	EventBridge bool
	// Remedy says what to use instead of the methods of the bucket that Notify refuses; required.
	Remedy string
}

// Notify sets the bucket's event notifications. Call it once for a bucket.
//
// They are a property of the bucket. The CDK's own methods (AddEventNotification,
// EnableEventBridgeNotification) declare a custom resource, with a function in Python (ADR 4),
// which would replace the property's value at deployment: Notify makes their use an error at
// synthesis. S3 checks the queue when the notifications are set, so the queue's policy must exist
// first; it admits S3 for any bucket of the account.
func Notify(bucket awss3.Bucket, notifications Notifications) {
	bucket.Node().AddValidation(&onlyNotifications{bucket: bucket, remedy: notifications.Remedy})
	if notifications.Queue == nil && !notifications.EventBridge {
		return
	}
	configuration := &awss3.CfnBucket_NotificationConfigurationProperty{}
	if notifications.EventBridge {
		configuration.EventBridgeConfiguration =
			&awss3.CfnBucket_EventBridgeConfigurationProperty{EventBridgeEnabled: jsii.Bool(true)}
	}
	cfnBucket := resource(bucket)
	if notifications.Queue != nil {
		configuration.QueueConfigurations = notifications.queueConfigurations()
		cfnBucket.Node().AddDependency(allowS3(notifications.Queue))
	}
	cfnBucket.SetNotificationConfiguration(configuration)
}

// allowS3 lets S3 send messages to the queue for any bucket of the account, and returns the queue's
// policy.
func allowS3(queue awssqs.IQueue) constructs.IDependable {
	return queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{
			awsiam.NewServicePrincipal(jsii.String("s3.amazonaws.com"), nil),
		},
		Actions:   jsii.Strings("sqs:SendMessage"),
		Resources: &[]*string{queue.QueueArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(queue).Account()},
		},
	})).PolicyDependable
}

func (n Notifications) queueConfigurations() []any {
	var filter *awss3.CfnBucket_NotificationFilterProperty
	if n.Prefix != "" {
		filter = &awss3.CfnBucket_NotificationFilterProperty{
			S3Key: &awss3.CfnBucket_S3KeyFilterProperty{
				Rules: []any{&awss3.CfnBucket_FilterRuleProperty{
					Name: jsii.String("prefix"), Value: jsii.String(n.Prefix),
				}},
			},
		}
	}
	var configurations []any
	for _, event := range n.Events {
		configuration := &awss3.CfnBucket_QueueConfigurationProperty{
			Event: jsii.String(event), Queue: n.Queue.QueueArn(),
		}
		if filter != nil { // a nil pointer in an interface is not nil
			configuration.Filter = filter
		}
		configurations = append(configurations, configuration)
	}
	return configurations
}

// onlyNotifications is a validation that fails if the CDK would replace the bucket's notifications.
type onlyNotifications struct {
	bucket awss3.Bucket
	remedy string
}

// cdkNotificationsID is the id of the construct below a bucket with which the CDK declares
// notifications.
const cdkNotificationsID = "Notifications"

// Validate implements constructs.IValidation.
func (v *onlyNotifications) Validate() *[]*string {
	if v.bucket.Node().TryFindChild(jsii.String(cdkNotificationsID)) == nil {
		return &[]*string{}
	}
	return jsii.Strings("a method of the bucket that adds event notifications " +
		"(AddEventNotification, EnableEventBridgeNotification) would replace those of its " +
		"construct; " + v.remedy)
}
