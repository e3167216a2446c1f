// Package identity provisions sign-up and sign-in: a Cognito user pool with a web client and a mobile client.
package identity

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/check"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
)

// Props describes the user pool and its clients. Zero values take the stated default.
type Props struct {
	// Where sign-in may send the user back to, and sign-out. Required. The web client has none of the mobile app's:
	// on a phone, any app can claim another's scheme.
	WebCallbackURLs, WebLogoutURLs       []string
	MobileCallbackURLs, MobileLogoutURLs []string

	AccessTokenValidity  time.Duration // of access and ID tokens; default: 1 h, the service's limits are 5 min and 24 h
	RefreshTokenValidity time.Duration // how long a user stays signed in; default: 30 days, at most 10 years
	Disposable           bool          // delete the users with the stack, for good
}

// An Identity is a user pool and the clients that users sign in with. What a user is identified by cannot be changed
// once the pool exists: CloudFormation would replace it, and all users would be gone.
//
// Sign-in and the recovery of an account tell nobody whether an address has one. Sign-up does, by Cognito's design,
// wherever the address is the user name; ADR 9 says why it is.
type Identity struct {
	UserPool     awscognito.UserPool
	WebClient    awscognito.UserPoolClient
	MobileClient awscognito.UserPoolClient
}

// New declares the user pool under scope.
func New(scope constructs.Construct, id string, props Props) *Identity {
	props = props.withDefaults()
	props.check(id)
	removalPolicy := awscdk.RemovalPolicy_RETAIN
	if props.Disposable {
		removalPolicy = awscdk.RemovalPolicy_DESTROY
	}
	this := constructs.NewConstruct(scope, jsii.String(id))
	pool := awscognito.NewUserPool(this, jsii.String("UserPool"), &awscognito.UserPoolProps{
		SelfSignUpEnabled:   jsii.Bool(true),
		SignInAliases:       &awscognito.SignInAliases{Email: jsii.Bool(true)},
		SignInCaseSensitive: jsii.Bool(false),
		AutoVerify:          &awscognito.AutoVerifiedAttrs{Email: jsii.Bool(true)},
		// A changed address counts only once its owner has confirmed it.
		KeepOriginal: &awscognito.KeepOriginalAttrs{Email: jsii.Bool(true)},
		StandardAttributes: &awscognito.StandardAttributes{
			Email: &awscognito.StandardAttribute{Required: jsii.Bool(true), Mutable: jsii.Bool(true)},
		},
		// Length is what makes a password strong; composition rules make it forgettable: NIST SP 800-63B, 5.1.1.2.
		PasswordPolicy: &awscognito.PasswordPolicy{
			MinLength:            jsii.Number(12),
			RequireLowercase:     jsii.Bool(false),
			RequireUppercase:     jsii.Bool(false),
			RequireDigits:        jsii.Bool(false),
			RequireSymbols:       jsii.Bool(false),
			TempPasswordValidity: convert.Duration(3 * 24 * time.Hour),
		},
		Mfa: awscognito.Mfa_OPTIONAL,
		// No SMS: it costs, it can be intercepted, and it needs a role and a quota of its own.
		MfaSecondFactor:    &awscognito.MfaSecondFactor{Otp: jsii.Bool(true), Sms: jsii.Bool(false)},
		AccountRecovery:    awscognito.AccountRecovery_EMAIL_ONLY,
		DeletionProtection: jsii.Bool(!props.Disposable),
		RemovalPolicy:      removalPolicy,
	})
	return &Identity{
		UserPool:     pool,
		WebClient:    newClient(pool, "Web", props.WebCallbackURLs, props.WebLogoutURLs, props),
		MobileClient: newClient(pool, "Mobile", props.MobileCallbackURLs, props.MobileLogoutURLs, props),
	}
}

// newClient declares a public client: it cannot keep a secret, so it has none and proves itself by PKCE, which
// Cognito asks of the authorisation code grant when a client sends a challenge.
func newClient(pool awscognito.UserPool, id string, callbackURLs, logoutURLs []string, props Props) awscognito.UserPoolClient {
	return pool.AddClient(jsii.String(id), &awscognito.UserPoolClientOptions{
		GenerateSecret:             jsii.Bool(false),
		PreventUserExistenceErrors: jsii.Bool(true),
		EnableTokenRevocation:      jsii.Bool(true),
		AuthFlows:                  &awscognito.AuthFlow{UserSrp: jsii.Bool(true)},
		OAuth: &awscognito.OAuthSettings{
			Flows:        &awscognito.OAuthFlows{AuthorizationCodeGrant: jsii.Bool(true)},
			Scopes:       &[]awscognito.OAuthScope{awscognito.OAuthScope_OPENID(), awscognito.OAuthScope_EMAIL(), awscognito.OAuthScope_PROFILE()},
			CallbackUrls: jsii.Strings(callbackURLs...),
			LogoutUrls:   jsii.Strings(logoutURLs...),
		},
		SupportedIdentityProviders: &[]awscognito.UserPoolClientIdentityProvider{awscognito.UserPoolClientIdentityProvider_COGNITO()},
		AccessTokenValidity:        convert.Duration(props.AccessTokenValidity),
		IdTokenValidity:            convert.Duration(props.AccessTokenValidity),
		RefreshTokenValidity:       convert.Duration(props.RefreshTokenValidity),
	})
}

func (p Props) withDefaults() Props {
	if p.AccessTokenValidity == 0 {
		p.AccessTokenValidity = time.Hour
	}
	if p.RefreshTokenValidity == 0 {
		p.RefreshTokenValidity = 30 * 24 * time.Hour
	}
	return p
}

// The bounds are the service's: "Quotas in Amazon Cognito" in the Amazon Cognito Developer Guide.
func (p Props) check(id string) {
	const day = 24 * time.Hour
	check.Props("identity", id,
		check.Required("WebCallbackURLs", len(p.WebCallbackURLs) > 0, "pass where sign-in may send the web client's user back to"),
		check.Required("WebLogoutURLs", len(p.WebLogoutURLs) > 0, "pass where sign-out may send the web client's user to"),
		check.Required("MobileCallbackURLs", len(p.MobileCallbackURLs) > 0, "pass where sign-in may send the mobile app's user back to"),
		check.Required("MobileLogoutURLs", len(p.MobileLogoutURLs) > 0, "pass where sign-out may send the mobile app's user to"),
		check.That("AccessTokenValidity", p.AccessTokenValidity, p.AccessTokenValidity >= 5*time.Minute && p.AccessTokenValidity <= day, "5m0s to 24h0m0s"),
		check.That("RefreshTokenValidity", p.RefreshTokenValidity, p.RefreshTokenValidity > p.AccessTokenValidity && p.RefreshTokenValidity <= 3650*day, "more than AccessTokenValidity, at most 87600h0m0s"),
	)
}
