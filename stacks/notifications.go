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

// NewNotifications declares what tells authors of the comments on their posts.
func NewNotifications(stage awscdk.Stage, env environments.Environment, network *Network, data *Data, schema *Schema, identity *Identity, mail *Mail, api *API, website *Website) {
	stack := newStack(stage, "Notifications", "Mails to authors whose posts got comments", env)
	stack.AddStackDependency(schema.Stack, jsii.String("the function expects the schema that it was written for"))
	fn := gofunction.New(stack, "Notify", gofunction.Props{
		Package: notifyfn.Package,
		Settings: notifyfn.Settings{
			Users:    cognito.Settings{UserPoolID: *identity.Identity.UserPool.UserPoolId()},
			Tokens:   token.Settings{KeyARN: *api.TokenKey.SecretArn()},
			Endpoint: api.RestAPI.URL(),
			Website:  website.Website.Origin(),
			Window:   noticeWindow,
			Lease:    noticeLease,
		},
		Description:  "Tells authors of the comments on their posts",
		VPC:          network.VPC,
		Timeout:      2 * time.Minute, // for a batch of mails
		LogRetention: env.LogRetention,
		Disposable:   env.Disposable,
	})
	data.Database.ConnectFrom(fn)
	identity.Identity.AllowFindingUsers(fn)
	mail.MailingList.AllowSending(fn)
	mail.MailingList.AllowReadingSuppressions(fn)
	fn.Allow([]string{"secretsmanager:GetSecretValue"}, *api.TokenKey.SecretArn())

	commentNotices := consumer.New(stack, "CommentNotices", consumer.Props{
		Function:       fn,
		Topic:          api.Activity,
		Filter:         map[string][]string{notifications.EventAttribute: {notifications.CommentCreated}},
		Delay:          noticeWindow,
		MaxConcurrency: 2, // the least that there is: nobody waits, and connections to the database are the API's first
	})
	sweep, err := json.Marshal(notifications.Message{Sweep: true})
	if err != nil {
		panic(err) // a struct of strings and bools has an encoding
	}
	commentNotices.Repeat("Sweep", sweepInterval, string(sweep))
	deadLetters(stack, "CommentNotices", commentNotices.DeadLetters)
}
