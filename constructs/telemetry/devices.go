package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiot"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

// thingName is what IoT Core puts the name of the thing for, whose certificate a device has connected by.
const thingName = "${iot:Connection.Thing.ThingName}"

// declareDevices declares what a device is, what it may do, and the rule that takes what it says.
func (t *Telemetry) declareDevices(scope constructs.Construct) {
	t.ThingType = awsiot.NewCfnThingType(scope, jsii.String("ThingType"), &awsiot.CfnThingTypeProps{
		ThingTypeProperties: &awsiot.CfnThingType_ThingTypePropertiesProperty{ThingTypeDescription: jsii.String("Sends readings")},
	})
	// The variable has a value for a certificate that is attached to a thing and connects by its name: "Thing policy variables" in
	// the AWS IoT Core Developer Guide.
	connect := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("iot:Connect"),
		Resources:  jsii.Strings(t.arn("iot", "client", thingName)),
		Conditions: &map[string]any{"Bool": map[string]any{"iot:Connection.Thing.IsAttached": "true"}},
	})
	publish := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("iot:Publish"),
		Resources: jsii.Strings(t.arn("iot", "topic", t.Topic+"/"+thingName+"/readings")),
	})
	t.ThingPolicy = awsiot.NewCfnPolicy(scope, jsii.String("ThingPolicy"), &awsiot.CfnPolicyProps{
		PolicyDocument: awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{connect, publish}}),
	})
	t.declareRule(scope)
}

// declareRule declares the rule, whose role is its own alone: "Granting an AWS IoT rule the access it requires" in the AWS IoT
// Core Developer Guide. So the role knows the rule's name before there is the rule.
func (t *Telemetry) declareRule(scope constructs.Construct) {
	name := t.name("_") + "_readings"
	role := awsiam.NewRole(scope, jsii.String("RuleRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("iot.amazonaws.com"), &awsiam.ServicePrincipalOpts{Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(scope).Account()},
			"ArnEquals":    map[string]any{"aws:SourceArn": t.arn("iot", "rule", name)},
		}}),
	})
	t.grantPutRecords(role, "kinesis:PutRecord")
	grant(role, []string{"s3:PutObject"}, *t.Ingestion.ArnForObjects(jsii.String(transformfn.RuleErrorsPrefix + "*")))
	t.grantKeyForObjects(role, t.Ingestion, "kms:GenerateDataKey")
	t.Rule = awsiot.NewCfnTopicRule(scope, jsii.String("Rule"), &awsiot.CfnTopicRuleProps{
		RuleName: jsii.String(name),
		TopicRulePayload: &awsiot.CfnTopicRule_TopicRulePayloadProperty{
			Description:      jsii.String("Puts what devices publish into the stream"),
			AwsIotSqlVersion: jsii.String("2016-03-23"),
			// Functions alone, so that a payload comes through whatever it is: "Working with binary payloads". The topic is who it
			// is from, by ThingPolicy.
			Sql: jsii.String("SELECT encode(*, 'base64') AS data, topic() AS topic, timestamp() AS received_at FROM '" + t.Topic + "/+/readings'"),
			Actions: []any{&awsiot.CfnTopicRule_ActionProperty{Kinesis: &awsiot.CfnTopicRule_KinesisActionProperty{
				RoleArn:      role.RoleArn(),
				StreamName:   t.Stream.StreamName(),
				PartitionKey: jsii.String("${newuuid()}"), // over all shards, however much one device has to say
			}}},
			// It has the payload, and why the action failed: "Error handling (error action)".
			ErrorAction: &awsiot.CfnTopicRule_ActionProperty{S3: &awsiot.CfnTopicRule_S3ActionProperty{
				RoleArn:    role.RoleArn(),
				BucketName: t.Ingestion.BucketName(),
				Key:        jsii.String(transformfn.RuleErrorsPrefix + `day=${parse_time("yyyy-MM-dd", timestamp())}/${newuuid()}.json`),
			}},
		},
	})
	t.Rule.Node().AddDependency(role)       // and its policy
	t.Rule.Node().AddDependency(t.Delivery) // which reads what comes after it was made
	bucket.EmptyAfter(t.Ingestion, t.Rule)
}
