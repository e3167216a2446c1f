package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiot"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/bucket"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	transformfn "github.com/ashlar-cdk/ashlar/lambdas/transform/contract"
)

// thingName is a policy variable: IoT Core replaces it with the name of the thing whose certificate
// the device has connected with.
const thingName = "${iot:Connection.Thing.ThingName}"

// declareDevices declares the thing type, the policy of devices, and the rule for their messages.
func (t *Telemetry) declareDevices(scope constructs.Construct) {
	t.ThingType = awsiot.NewCfnThingType(scope, jsii.String("ThingType"), &awsiot.CfnThingTypeProps{
		ThingTypeProperties: &awsiot.CfnThingType_ThingTypePropertiesProperty{
			ThingTypeDescription: jsii.String("Sends readings"),
		},
	})
	// The variable is set when the certificate is attached to a thing and the client id is the
	// thing's name: "Thing policy variables" in the AWS IoT Core Developer Guide.
	connect := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("iot:Connect"),
		Resources: jsii.Strings(t.arn("iot", "client", thingName)),
		Conditions: &map[string]any{
			"Bool": map[string]any{"iot:Connection.Thing.IsAttached": "true"},
		},
	})
	publish := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("iot:Publish"),
		Resources: jsii.Strings(t.arn("iot", "topic", t.Topic+"/"+thingName+"/readings")),
	})
	t.ThingPolicy = awsiot.NewCfnPolicy(scope, jsii.String("ThingPolicy"), &awsiot.CfnPolicyProps{
		PolicyDocument: awsiam.NewPolicyDocument(
			&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{connect, publish}}),
	})
	t.declareRule(scope)
}

// declareRule declares the rule. Its role can be assumed by this rule only ("Granting an AWS IoT
// rule the access it requires" in the AWS IoT Core Developer Guide), so the role names the rule
// before it exists.
func (t *Telemetry) declareRule(scope constructs.Construct) {
	name := t.name("_") + "_readings"
	role := awsiam.NewRole(scope, jsii.String("RuleRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("iot.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{Conditions: &map[string]any{
				"StringEquals": map[string]any{
					"aws:SourceAccount": awscdk.Stack_Of(scope).Account(),
				},
				"ArnEquals": map[string]any{"aws:SourceArn": t.arn("iot", "rule", name)},
			}}),
	})
	t.grantPut(role, "kinesis:PutRecord")
	grant.To(role, []string{"s3:PutObject"},
		*t.Ingestion.ArnForObjects(jsii.String(transformfn.RuleErrorsPrefix + "*")))
	t.grantKeyForObjects(role, t.Ingestion, "kms:GenerateDataKey")
	t.Rule = awsiot.NewCfnTopicRule(scope, jsii.String("Rule"), &awsiot.CfnTopicRuleProps{
		RuleName: jsii.String(name),
		TopicRulePayload: &awsiot.CfnTopicRule_TopicRulePayloadProperty{
			Description:      jsii.String("Puts messages of devices into the telemetry stream"),
			AwsIotSqlVersion: jsii.String("2016-03-23"),
			// Functions only, so that any payload passes unchanged: "Working with binary payloads".
			// The topic identifies the sender, because ThingPolicy restricts it.
			Sql: jsii.String("SELECT encode(*, 'base64') AS data, topic() AS topic, " +
				"timestamp() AS received_at FROM '" + t.Topic + "/+/readings'"),
			Actions: []any{&awsiot.CfnTopicRule_ActionProperty{
				Kinesis: &awsiot.CfnTopicRule_KinesisActionProperty{
					RoleArn:    role.RoleArn(),
					StreamName: t.Stream.StreamName(),
					// Spreads a device's messages over all shards.
					PartitionKey: jsii.String("${newuuid()}"),
				},
			}},
			// The object holds the payload and the reason of the failure: "Error handling (error
			// action)".
			ErrorAction: &awsiot.CfnTopicRule_ActionProperty{
				S3: &awsiot.CfnTopicRule_S3ActionProperty{
					RoleArn:    role.RoleArn(),
					BucketName: t.Ingestion.BucketName(),
					Key: jsii.String(transformfn.RuleErrorsPrefix +
						`day=${parse_time("yyyy-MM-dd", timestamp())}/${newuuid()}.json`),
				},
			},
		},
	})
	t.Rule.Node().AddDependency(role)       // and its policy
	t.Rule.Node().AddDependency(t.Delivery) // it reads only records that arrive after its creation
	bucket.EmptyAfter(t.Ingestion, t.Rule)
}
