package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/mailinglist"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/constructs/mysql"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/eventsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	accountsfn "github.com/ashlar-cdk/ashlar/lambdas/accounts/contract"
	postsfn "github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
	subscriptionsfn "github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
	uploadsfn "github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
	"github.com/ashlar-cdk/ashlar/rest"
)

// API is the stack of the REST API.
type API struct {
	RestAPI       *restapi.API
	TokenKey      awssecretsmanager.Secret // seals tokens: cursors, and links in mails
	CommentEvents *topic.Topic             // the message attribute event is the kind
}

// APIProps are the resources of other stacks that the API needs. All are required.
type APIProps struct {
	VPC         awsec2.IVpc
	Database    *mysql.Database
	Schema      awscdk.Stack // deployed before
	Users       *identity.Identity
	Media       *media.Media
	MailingList *mailinglist.MailingList
	Telemetry   *telemetry.Telemetry
	Website     *Website
}

// NewAPI declares the REST API and its functions.
func NewAPI(stage awscdk.Stage, env environments.Environment, props APIProps) *API {
	stack := newStack(stage, "API", "REST API and its functions")
	stack.AddStackDependency(props.Schema,
		jsii.String("functions need the schema of their version"))
	users, media := props.Users, props.Media
	api := restapi.New(stack, "API", restapi.Props{
		UserPool:       users.UserPool,
		Clients:        []awscognito.IUserPoolClient{users.WebClient, users.MobileClient},
		AllowedOrigins: props.Website.Origins,
		AllowedHeaders: []string{rest.IdempotencyKeyHeader},
	})

	tokenKey := awssecretsmanager.NewSecret(stack, jsii.String("TokenKey"),
		&awssecretsmanager.SecretProps{
			Description: jsii.String("Seals the cursors and links of the API"),
			GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
				PasswordLength: jsii.Number(64), ExcludePunctuation: jsii.Bool(true),
			},
		})
	if !env.Disposable {
		// A new key invalidates all cursors, so clients sync from the start, and all links in
		// mails.
		tokenKey.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
	}
	originals := *media.Originals.BucketName()
	newFunction := func(id, description, path string, settings any) *gofunction.Function {
		fn := gofunction.New(stack, id, gofunction.Props{
			Package:     path,
			Settings:    settings,
			Description: description,
			VPC:         props.VPC,
		})
		props.Database.GrantConnect(fn)
		fn.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *tokenKey.SecretArn())
		return fn
	}

	accounts := newFunction("Accounts", "Profiles, sync and account deletion", accountsfn.Package,
		accountsfn.Settings{
			TokenKeyARN:     *tokenKey.SecretArn(),
			UserPoolID:      *users.UserPool.UserPoolId(),
			OriginalsBucket: originals,
			MediaURL:        media.URL(),
		})
	users.GrantDeleteUsers(accounts)
	media.GrantDeletePictures(accounts)
	api.AddRoutes(accounts, accountsapi.Routes.Operations())

	posts := newFunction("Posts", "Posts and comments", postsfn.Package, postsfn.Settings{
		TokenKeyARN:     *tokenKey.SecretArn(),
		OriginalsBucket: originals,
		MediaURL:        media.URL(),
	})
	media.GrantPromoteUploads(posts)
	commentEvents := topic.New(stack, "CommentEvents", topic.Props{})
	commentEvents.GrantPublish(posts)
	api.AddRoutes(posts, postsapi.Routes.Operations())

	// The function has no access to the database or the VPC: anyone can use the forms that it
	// signs.
	uploads := gofunction.New(stack, "Uploads", gofunction.Props{
		Package: uploadsfn.Package,
		Settings: uploadsfn.Settings{
			OriginalsBucket:      originals,
			MediaURL:             media.URL(),
			UploadLifetime:       uploadLifetime,
			TransferAcceleration: media.TransferAcceleration,
		},
		Description: "Signs upload forms for pictures",
	})
	media.GrantUpload(uploads)
	api.AddRoutes(uploads, uploadsapi.Routes.Operations())

	// The function has no access to the database or the VPC either: its callers are not signed in.
	subscriptions := gofunction.New(stack, "Subscriptions", gofunction.Props{
		Package: subscriptionsfn.Package,
		Settings: subscriptionsfn.Settings{
			TokenKeyARN: *tokenKey.SecretArn(),
			Endpoint:    api.URL(),
			SingleOptIn: env.SingleOptIn,
		},
		Description: "Subscriptions of the mailing list",
	})
	subscriptions.AddToRolePolicy([]string{"secretsmanager:GetSecretValue"}, *tokenKey.SecretArn())
	props.MailingList.GrantSubscribe(subscriptions)
	api.AddRoutes(subscriptions, subscriptionsapi.Routes.Operations())

	for _, route := range eventsapi.Routes.Operations() {
		props.Telemetry.AddEventsMethod(api, restapi.NewMethod(route))
	}

	output(stack, "APIEndpoint", "Base URL of the API, with a slash at the end",
		jsii.String(api.URL()))
	return &API{RestAPI: api, TokenKey: tokenKey, CommentEvents: commentEvents}
}

// uploadLifetime is how long a browser has to begin an upload after it has requested the form.
const uploadLifetime = 5 * time.Minute
