package stacks

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/environments"
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

// NewNotifications declares what tells authors of the comments on their posts.
func NewNotifications(stage awscdk.Stage, env environments.Environment, network *Network, data *Data, schema *Schema, identity *Identity, mail *MailingList, api *API, website *Website) {
	stack := newStack(stage, "Notifications", "Mails to authors whose posts got comments", env)
	stack.AddStackDependency(schema.Stack, jsii.String("the function expects the schema that it was written for"))
	fn := gofunction.New(stack, "Notifications", gofunction.Props{
		Package: notificationsfn.Package,
		Settings: notificationsfn.Settings{
			Users:         cognito.Settings{UserPoolID: *identity.Identity.UserPool.UserPoolId()},
			Tokens:        token.Settings{KeyARN: *api.TokenKey.SecretArn()},
			Endpoint:      api.RestAPI.URL(),
			Website:       website.Site.Origin(),
			Window:        notificationWindow,
			LeaseDuration: notificationLease,
		},
		Description:  "Tells authors of the comments on their posts",
		VPC:          network.VPC,
		Timeout:      2 * time.Minute, // for a batch of mails
		LogRetention: env.LogRetention,
		Disposable:   env.Disposable,
	})
	data.Database.ConnectFrom(fn)
	identity.Identity.AllowFindingUsers(fn)
	mail.MailingList.GrantSendEmail(fn)
	mail.MailingList.GrantReadSuppressions(fn)
	fn.Allow([]string{"secretsmanager:GetSecretValue"}, *api.TokenKey.SecretArn())

	commentNotifications := consumer.New(stack, "CommentNotifications", consumer.Props{
		Function:       fn,
		Topic:          api.CommentEvents,
		Filter:         map[string][]string{notifications.EventAttribute: {notifications.CommentCreated}},
		Delay:          notificationWindow,
		MaxConcurrency: 2, // the least that there is: nobody waits, and connections to the database are the API's first
	})
	overdue, err := json.Marshal(notifications.Message{Overdue: true})
	if err != nil {
		panic(err) // a struct of strings and bools has an encoding
	}
	commentNotifications.AddSchedule("SendOverdue", overdueInterval, string(overdue))
	deadLetters(stack, "CommentNotifications", commentNotifications.DeadLetterQueue)
}
