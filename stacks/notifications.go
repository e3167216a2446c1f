package stacks

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	notifyfn "github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
)

const (
	// noticeWindow is how long the first comment of a burst waits for the others. SQS delays no longer than 15 minutes.
	noticeWindow = 5 * time.Minute
	// sweepInterval is how often everybody is looked for who should have been told, and was not.
	sweepInterval = 15 * time.Minute
	// noticeLease is what one run has for one mail. Should it die, the next comes in vain for so long.
	noticeLease = 30 * time.Second
)

// NotificationsProps are the parts of other stacks that notifications need. All are required.
type NotificationsProps struct {
	VPC         awsec2.IVpc
	Database    *mysql.Database
	Schema      awscdk.Stack // deployed before
	Users       *identity.Identity
	MailingList *mailinglist.MailingList
	API         *API
	Website     *Website
}

// NewNotifications declares what tells authors of the comments on their posts.
func NewNotifications(stage awscdk.Stage, props NotificationsProps) {
	stack := newStack(stage, "Notifications", "Mails to authors whose posts got comments")
	stack.AddStackDependency(props.Schema, jsii.String("the function expects the schema that it was written for"))
	fn := gofunction.New(stack, "Notify", gofunction.Props{
		Package: notifyfn.Package,
		Settings: notifyfn.Settings{
			Users:    cognito.Settings{UserPoolID: *props.Users.UserPool.UserPoolId()},
			Tokens:   token.Settings{KeyARN: *props.API.TokenKey.SecretArn()},
			Endpoint: props.API.RestAPI.URL(),
			Website:  props.Website.Origin,
			Window:   noticeWindow,
			Lease:    noticeLease,
		},
		Description: "Tells authors of the comments on their posts",
		VPC:         props.VPC,
		Timeout:     2 * time.Minute, // for a batch of mails
	})
	props.Database.GrantConnect(fn)
	props.Users.GrantListUsers(fn)
	props.MailingList.AllowSending(fn)
	props.MailingList.AllowReadingSuppressions(fn)
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *props.API.TokenKey.SecretArn())

	commentNotices := consumer.New(stack, "CommentNotices", consumer.Props{
		Function:       fn,
		Topic:          props.API.Activity,
		Filter:         map[string][]string{notifications.EventAttribute: {notifications.CommentCreated}},
		Delay:          noticeWindow,
		MaxConcurrency: 2, // the least that there is: nobody waits, and connections to the database are the API's first
	})
	sweep, err := json.Marshal(notifications.Message{Sweep: true})
	if err != nil {
		panic(err) // a struct of strings and bools has an encoding
	}
	commentNotices.Repeat("Sweep", sweepInterval, string(sweep))
	outputDLQ(stack, "CommentNotices", commentNotices.DeadLetters)
}
