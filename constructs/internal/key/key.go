// Package key declares the KMS keys of the other constructs.
package key

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// New declares a key under scope, with the id Key, that KMS rotates each year. It outlives its
// stack, and so what it encrypts stays readable, unless it is disposable: then KMS deletes it after
// the shortest pending window, 7 days.
func New(scope constructs.Construct, description string, disposable bool) awskms.Key {
	removal := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if disposable {
		removal = awscdk.RemovalPolicy_DESTROY
	}
	return awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String(description),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removal,
		PendingWindow:     awscdk.Duration_Days(jsii.Number(7)),
	})
}
