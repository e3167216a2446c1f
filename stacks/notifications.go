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
	notificationsfn "github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
)

const (
	// notificationWindow is how long the first comment of a burst waits for the others. SQS delays no longer than 15 minutes.
	notificationWindow = 5 * time.Minute
	// overdueInterval is how often everybody is looked for who should have been told, and was not.
	overdueInterval = 15 * time.Minute
	// notificationLease is what one run has for one mail. Should it die, the next comes in vain for so long.
	notificationLease = 30 * time.Second
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
	fn := gofunction.New(stack, "Notifications", gofunction.Props{
		Package: notificationsfn.Package,
		Settings: notificationsfn.Settings{
			Users:         cognito.Settings{UserPoolID: *props.Users.UserPool.UserPoolId()},
			Tokens:        token.Settings{KeyARN: *props.API.TokenKey.SecretArn()},
			Endpoint:      props.API.RestAPI.URL(),
			Website:       props.Website.Origin,
			Window:        notificationWindow,
			LeaseDuration: notificationLease,
		},
		Description: "Tells authors of the comments on their posts",
		VPC:         props.VPC,
		Timeout:     2 * time.Minute, // for a batch of mails
	})
	props.Database.GrantConnect(fn)
	props.Users.GrantListUsers(fn)
	props.MailingList.GrantSendEmail(fn)
	props.MailingList.GrantReadSuppressions(fn)
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *props.API.TokenKey.SecretArn())

	commentNotifications := consumer.New(stack, "CommentNotifications", consumer.Props{
		Function:       fn,
		Topic:          props.API.CommentEvents,
		Filter:         map[string][]string{notifications.EventAttribute: {notifications.CommentCreated}},
		Delay:          notificationWindow,
		MaxConcurrency: 2, // the least that there is: nobody waits, and connections to the database are the API's first
	})
	overdue, err := json.Marshal(notifications.Message{Overdue: true})
	if err != nil {
		panic(err) // a struct of strings and bools has an encoding
	}
	commentNotifications.AddSchedule("SendOverdue", overdueInterval, string(overdue))
	outputDLQ(stack, "CommentNotifications", commentNotifications.DeadLetterQueue)
}
