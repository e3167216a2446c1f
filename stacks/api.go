package stacks

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/restapi"
	"github.com/ashlar-cdk/ashlar/constructs/topic"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/api/accountsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/eventsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/postsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/rest"
	"github.com/ashlar-cdk/ashlar/internal/api/subscriptionsapi"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/api/uploadsapi"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	accountsfn "github.com/ashlar-cdk/ashlar/lambdas/accounts/contract"
	postsfn "github.com/ashlar-cdk/ashlar/lambdas/posts/contract"
	subscriptionsfn "github.com/ashlar-cdk/ashlar/lambdas/subscriptions/contract"
	uploadsfn "github.com/ashlar-cdk/ashlar/lambdas/uploads/contract"
)

// API is the stack of what clients call.
type API struct {
	RestAPI  *restapi.API
	TokenKey awssecretsmanager.Secret // seals what the API gives out, and links in mails that lead to it
	Activity *topic.Topic             // hears of what users do, by the attribute event
}

// NewAPI declares the REST API and its functions.
func NewAPI(stage awscdk.Stage, env environments.Environment, network *Network, data *Data, schema *Schema, identity *Identity, media *Media, mail *Mail, telemetry *Telemetry, website *Website) *API {
	stack := newStack(stage, "API", "REST API and its functions", env)
	stack.AddStackDependency(schema.Stack, jsii.String("functions expect the schema that they were written for"))
	users := identity.Identity
	api := restapi.New(stack, "API", restapi.Props{
		UserPool:       users.UserPool,
		AllowedOrigins: website.Origins(env),
		AllowedHeaders: []string{rest.IdempotencyKeyHeader},
		LogRetention:   env.LogRetention,
		Disposable:     env.Disposable,
	})
	// Its id is from when there were only cursors; another one would be another key.
	tokenKey := awssecretsmanager.NewSecret(stack, jsii.String("CursorKey"), &awssecretsmanager.SecretProps{
		Description:          jsii.String("Seals the cursors and links that the API gives out"),
		GenerateSecretString: &awssecretsmanager.SecretStringGenerator{PasswordLength: jsii.Number(64), ExcludePunctuation: jsii.Bool(true)},
	})
	if !env.Disposable { // with another key, every client would fetch everything anew, and no link in a mail would open
		tokenKey.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE)
	}
	settings := rest.Settings{
		AllowedOrigins: website.Origins(env),
		ClientIDs:      []string{*users.WebClient.UserPoolClientId(), *users.MobileClient.UserPoolClientId()},
	}
	tokens := token.Settings{KeyARN: *tokenKey.SecretArn()}
	originals := *media.Media.Originals.BucketName()
	mediaURL := pictures.Delivery(media.Media.URL())
	newFunction := func(id, description, path string, settings any) *gofunction.Function {
		fn := gofunction.New(stack, id, gofunction.Props{
			Package:      path,
			Settings:     settings,
			Description:  description,
			VPC:          network.VPC,
			LogRetention: env.LogRetention,
			Disposable:   env.Disposable,
		})
		data.Database.ConnectFrom(fn)
		fn.Allow([]string{"secretsmanager:GetSecretValue"}, *tokenKey.SecretArn())
		return fn
	}

	accounts := newFunction("Accounts", "Profiles, sync, and the end of an account", accountsfn.Package, accountsfn.Settings{
		API:      settings,
		Tokens:   tokens,
		Users:    cognito.Settings{UserPoolID: *users.UserPool.UserPoolId()},
		Pictures: s3store.Settings{Bucket: originals},
		Media:    mediaURL,
	})
	users.AllowDeletingUsers(accounts)
	media.Media.AllowLettingGo(accounts)
	handle(api, accounts, accountsapi.Routes.Operations())

	posts := newFunction("Posts", "Posts and comments", postsfn.Package, postsfn.Settings{
		API:      settings,
		Tokens:   tokens,
		Pictures: s3store.Settings{Bucket: originals},
		Media:    mediaURL,
	})
	media.Media.AllowKeeping(posts)
	activity := topic.New(stack, "Activity", topic.Props{})
	activity.AllowPublishing(posts)
	handle(api, posts, postsapi.Routes.Operations())

	// It has neither the database nor the VPC: what it signs, the world can do.
	uploads := gofunction.New(stack, "Uploads", gofunction.Props{
		Package: uploadsfn.Package,
		Settings: uploadsfn.Settings{
			API:     settings,
			Uploads: s3store.UploadSettings{Bucket: originals, Lifetime: uploadLifetime, Accelerate: media.Media.TransferAcceleration},
			Media:   mediaURL,
		},
		Description:  "Forms to upload pictures with",
		LogRetention: env.LogRetention,
		Disposable:   env.Disposable,
	})
	media.Media.AllowUploading(uploads)
	handle(api, uploads, uploadsapi.Routes.Operations())

	// It has neither the database nor the VPC either: strangers call it.
	subscriptions := gofunction.New(stack, "Subscriptions", gofunction.Props{
		Package: subscriptionsfn.Package,
		Settings: subscriptionsfn.Settings{
			API:                 settings,
			Tokens:              tokens,
			Endpoint:            api.URL(),
			DisableConfirmation: env.DisableSubscriptionConfirmation,
		},
		Description:  "Who gets the mailing list's mails",
		LogRetention: env.LogRetention,
		Disposable:   env.Disposable,
	})
	subscriptions.Allow([]string{"secretsmanager:GetSecretValue"}, *tokenKey.SecretArn())
	mail.MailingList.AllowSubscribing(subscriptions)
	handle(api, subscriptions, subscriptionsapi.Routes.Operations())

	for _, route := range eventsapi.Routes.Operations() {
		telemetry.Telemetry.AddEventsMethod(api, method(route))
	}

	output(stack, "APIEndpoint", "Where clients call the API; ends with a slash", jsii.String(api.URL()))
	return &API{RestAPI: api, TokenKey: tokenKey, Activity: activity}
}

// uploadLifetime is how long a browser may wait before it begins an upload that it has asked for.
const uploadLifetime = 5 * time.Minute

// throttles are of routes that take less than the others, in requests a second and at once. Whoever subscribes an address has
// a mail sent to it, without having signed in: this is what bounds how many strangers get one, and what SES thinks of us. Events
// come from anybody too, a hundred in a request: 2,000 a second are half of what a new stream on demand takes ("Choose the right
// mode in Kinesis Data Streams" in its developer guide), so they leave room for what devices send.
var throttles = map[string]struct{ rate, burst int }{
	"POST /events":        {rate: 20, burst: 40},
	"POST /subscriptions": {rate: 5, burst: 10},
}

// handle lets fn answer its routes.
func handle(api *restapi.API, fn *gofunction.Function, routes []rest.Operation) {
	for _, route := range routes {
		answered := method(route)
		answered.Function = fn
		api.Handle(answered)
	}
}

// method is a route as the gateway is told of it, but for what answers it.
func method(route rest.Operation) restapi.Method {
	return restapi.Method{
		HTTPMethod:      route.Method,
		Path:            route.Path,
		Public:          route.Access == rest.Public,
		QueryParameters: route.Query,
		Headers:         route.Headers,
		Body:            route.Body,
		RateLimit:       throttles[route.Method+" "+route.Path].rate,
		BurstLimit:      throttles[route.Method+" "+route.Path].burst,
	}
}
