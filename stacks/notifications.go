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
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	notificationsfn "github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
)

const (
	// notificationWindow is how long the first comment of a burst waits for the others. The
	// maximum delay of SQS is 15 minutes.
	notificationWindow = 5 * time.Minute
	// overdueInterval is how often overdue notifications are sent.
	overdueInterval = 15 * time.Minute
	// notificationLease is the lease of one mail. If a run dies, no other run sends its mail before
	// the lease expires.
	notificationLease = 30 * time.Second
)

// NotificationsProps are the resources of other stacks that notifications need. All are required.
type NotificationsProps struct {
	VPC         awsec2.IVpc
	Database    *mysql.Database
	Schema      awscdk.Stack // deployed before
	Users       *identity.Identity
	MailingList *mailinglist.MailingList
	API         *API
	Website     *Website
}

// NewNotifications declares the stack of notifications: mails to authors about comments on their
// posts.
func NewNotifications(stage awscdk.Stage, props NotificationsProps) {
	stack := newStack(stage, "Notifications", "Mails to authors about comments on their posts")
	stack.AddStackDependency(props.Schema,
		jsii.String("the function needs the schema of its version"))
	fn := gofunction.New(stack, "Notifications", gofunction.Props{
		Package: notificationsfn.Package,
		Settings: notificationsfn.Settings{
			UserPoolID:    *props.Users.UserPool.UserPoolId(),
			TokenKeyARN:   *props.API.TokenKey.SecretArn(),
			Endpoint:      props.API.RestAPI.URL(),
			Website:       props.Website.Origin,
			Window:        notificationWindow,
			LeaseDuration: notificationLease,
		},
		Description: "Sends mails about comments to the authors of posts",
		VPC:         props.VPC,
		Timeout:     2 * time.Minute, // for a batch of mails
	})
	props.Database.GrantConnect(fn)
	props.Users.GrantListUsers(fn)
	props.MailingList.GrantSendEmail(fn)
	props.MailingList.GrantReadSuppressions(fn)
	fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *props.API.TokenKey.SecretArn())

	commentNotifications := consumer.New(stack, "CommentNotifications", consumer.Props{
		Function: fn.Function,
		Topic:    props.API.CommentEvents.Topic,
		Filter:   map[string][]string{notifications.EventAttribute: {notifications.CommentCreated}},
		Delay:    notificationWindow,
		// The minimum: mails are not urgent, and the API has priority for database connections.
		MaxConcurrency: 2,
	})
	overdue, err := json.Marshal(notifications.Message{Overdue: true})
	if err != nil {
		panic(err) // a struct of strings and bools always has an encoding
	}
	commentNotifications.AddSchedule("SendOverdue", overdueInterval, string(overdue))
	outputDLQ(stack, "CommentNotifications", commentNotifications.DeadLetterQueue)
}
