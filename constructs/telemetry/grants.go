package telemetry

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// allow lets role do actions on resources, which are ARNs.
func allow(role awsiam.IRole, actions []string, resources ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...),
	}))
}

// allowPutting lets role put readings into the stream, by PutRecord or by PutRecords. KMS is asked in its name: "Permissions to
// use user-generated KMS keys" in the Amazon Kinesis Data Streams Developer Guide.
func (t *Telemetry) allowPutting(role awsiam.IRole, action string) {
	allow(role, []string{action}, *t.Stream.StreamArn())
	t.allowKey(role, "kinesis", map[string][]string{"kms:EncryptionContext:aws:kinesis:arn": {*t.Stream.StreamArn()}}, "kms:GenerateDataKey")
}

// allowObjects lets role use the key for objects of a bucket: GenerateDataKey to write them, Decrypt to read them.
func (t *Telemetry) allowObjects(role awsiam.IRole, of awss3.Bucket, actions ...string) {
	// The context is the bucket, with its bucket key, and the object without: "Using Amazon S3 Bucket Keys".
	t.allowKey(role, "s3", map[string][]string{"kms:EncryptionContext:aws:s3:arn": {*of.BucketArn(), *of.ArnForObjects(jsii.String("*"))}}, actions...)
}

// allowKey lets role use the key through a service alone, for what the service says in the encryption context.
func (t *Telemetry) allowKey(role awsiam.IRole, service string, context map[string][]string, actions ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{t.Key.KeyArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": service + "." + *awscdk.Stack_Of(t.Key).Region() + ".amazonaws.com"},
			"StringLike":   context,
		},
	}))
}
