package node

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Claim claims the value of a prop that names physical resources, of which the account and region
// have one each, for a construct in scope. It returns a problem if another construct of the stage
// has claimed it: its deployment would fail. The claim is metadata of the stage, which is not part
// of a template.
func Claim(scope constructs.Construct, prop, value, remedy string) error {
	stack := awscdk.Stack_Of(scope)
	key := fmt.Sprintf("ashlar:%s %s in %s %s", prop, value, *stack.Account(), *stack.Region())
	stage := awscdk.Stage_Of(scope).Node()
	for _, entry := range *stage.Metadata() {
		if *entry.Type == key {
			return fmt.Errorf("%s: %q is another construct's; %s", prop, value, remedy)
		}
	}
	stage.AddMetadata(jsii.String(key), true, nil)
	return nil
}
