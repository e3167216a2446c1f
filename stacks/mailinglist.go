package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist/templates"
)

// NewMailingList declares the stack of the mailing list, and of the SES identity of all mails.
func NewMailingList(stage awscdk.Stage, env environments.Environment) *mailinglist.MailingList {
	stack := newStack(stage, "MailingList", "Mailing list, its mails, bounces and complaints")
	list := mailinglist.New(stack, "MailingList", mailinglist.Props{
		Identity:  env.MailIdentity,
		From:      env.MailFrom,
		Templates: templates.Files,
		Sandbox:   env.MailSandbox,
	})
	for i, record := range list.DKIMRecords() {
		output(stack, fmt.Sprintf("MailDNSRecord%d", i+1), "DKIM record for "+env.MailIdentity,
			jsii.String(*record.Name+" CNAME "+*record.Value))
	}
	outputDLQ(stack, "Welcome", list.WelcomeRetryQueue.DeadLetterQueue)
	outputDLQ(stack, "Feedback", list.FeedbackQueue.DeadLetterQueue)
	return list
}
