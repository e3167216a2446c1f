// Package telemetry provisions the stream of readings.
package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props describes the stream.
type Props struct{}

// Telemetry is the stream.
type Telemetry struct {
	Key    awskms.Key
	Stream awskinesis.Stream
}

// New declares the stream under scope.
func New(scope constructs.Construct, id string, _ Props) *Telemetry {
	this := constructs.NewConstruct(scope, jsii.String(id))
	key := awskms.NewKey(this, jsii.String("Key"), &awskms.KeyProps{EnableKeyRotation: jsii.Bool(true)})
	return &Telemetry{Key: key, Stream: awskinesis.NewStream(this, jsii.String("Stream"), &awskinesis.StreamProps{
		Encryption: awskinesis.StreamEncryption_KMS, EncryptionKey: key,
	})}
}

func (t *Telemetry) allowPutting(role awsiam.IRole, action string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(action), Resources: &[]*string{t.Stream.StreamArn()},
	}))
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("kms:GenerateDataKey"), Resources: &[]*string{t.Key.KeyArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{
				"kms:ViaService":                        "kinesis." + *awscdk.Stack_Of(t.Key).Region() + ".amazonaws.com",
				"kms:EncryptionContext:aws:kinesis:arn": t.Stream.StreamArn(),
			},
		},
	}))
}
