package identity

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/internal/check"
	presignupfn "github.com/ashlar-cdk/ashlar/lambdas/presignup/contract"
)

// Props describes the user pool and its clients. Zero values take the stated default.
type Props struct {
	// DomainPrefix is the first label of the domain of the managed login pages:
	// <DomainPrefix>.auth.<region>.amazoncognito.com. It must be unique among the user pools of the
	// region, across all accounts. Clients, Google and Apple are configured with it. A user pool
	// has one domain, and CloudFormation creates the new one before it deletes the old one, so a
	// change fails until the old domain is deleted by hand. Required.
	DomainPrefix string

	// Allowed callback URLs of sign-in and of sign-out: https, or http for localhost. A client with
	// neither is not declared; at least one client is required. The web client does not allow the
	// mobile app's URLs, which may have the app's own scheme: on a phone, any app can register
	// another app's scheme.
	WebCallbackURLs, WebLogoutURLs       []string
	MobileCallbackURLs, MobileLogoutURLs []string

	// Sign-in with Google: the id of an OAuth client of type "Web application", and the name of the
	// secret in Secrets Manager that holds its client secret and nothing else. Default: none.
	GoogleClientID, GoogleSecretName string
	// Sign in with Apple: a Services ID of a team, the id of a key of the team, and the name of the
	// secret in Secrets Manager that holds the private key and nothing else. Default: none.
	AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName string

	// Prefixes of the folders in which each signed-in client reads and writes its own objects.
	ProtectedPrefix string // default: protected/
	PrivatePrefix   string // default: private/

	// AccessTokenValidity is the validity of access and ID tokens. Default: 1 h; 5 min to 24 h.
	AccessTokenValidity time.Duration
	// RefreshTokenValidity is how long a user stays signed in. Default: 30 days; at most 10 years.
	RefreshTokenValidity time.Duration
	// LogRetention applies to the function that links sign-ins. Default: the scope's (package
	// defaults).
	LogRetention time.Duration
	// Disposable deletes the users with the stack, irrevocably.
	Disposable bool
}

// An Identity is a user pool and the clients that users sign in with. The sign-in attributes of a
// user pool cannot be changed: CloudFormation would replace the pool, and all users would be lost.
//
// Sign-in and account recovery do not reveal whether an address has an account. Sign-up does, by
// Cognito's design, wherever the address is the user name; ADR 9 gives the reasons for it.
//
// With Google or Apple, a function links a user's first social sign-in to the existing user with
// the same e-mail address, if the provider is authoritative for the address, and the existing user
// has verified it and has no second factor.
type Identity struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects

	UserPool     awscognito.UserPool
	Domain       awscognito.UserPoolDomain
	WebClient    awscognito.UserPoolClient // nil without WebCallbackURLs
	MobileClient awscognito.UserPoolClient // nil without MobileCallbackURLs

	// IdentityPool gives signed-in clients the credentials of SignedInRole; guests get none.
	IdentityPool awscognito.CfnIdentityPool
	SignedInRole awsiam.Role

	protectedPrefix, privatePrefix string
}

// New declares the user pool under scope.
func New(scope constructs.Construct, id string, props Props) *Identity {
	props = props.withDefaults()
	props.check(id)
	construct := node.New(scope, id)
	props.Disposable = defaults.Override(construct, props.LogRetention, props.Disposable)
	i := &Identity{
		Construct:       construct,
		UserPool:        newUserPool(construct, props),
		protectedPrefix: props.ProtectedPrefix,
		privatePrefix:   props.PrivatePrefix,
	}
	i.Domain = i.UserPool.AddDomain(jsii.String("Domain"), &awscognito.UserPoolDomainOptions{
		CognitoDomain: &awscognito.CognitoDomainOptions{
			DomainPrefix: jsii.String(props.DomainPrefix),
		},
		ManagedLoginVersion: awscognito.ManagedLoginVersion_NEWER_MANAGED_LOGIN,
	})
	providers := i.addProviders(construct, props)
	if len(props.WebCallbackURLs) > 0 {
		i.WebClient = i.newClient("Web", props.WebCallbackURLs, props.WebLogoutURLs,
			providers, props)
	}
	if len(props.MobileCallbackURLs) > 0 {
		i.MobileClient = i.newClient("Mobile", props.MobileCallbackURLs, props.MobileLogoutURLs,
			providers, props)
	}
	if len(providers) > 0 {
		i.linkSignIns(construct)
	}
	i.IdentityPool = i.newIdentityPool(construct, props)
	i.SignedInRole = i.newSignedInRole(construct)
	return i
}

// GrantDeleteUsers lets grantee delete users permanently. The Cognito user name of a user who
// signed up with an identity provider is not the sub: pass the token's cognito:username. In a VPC
// without NAT, a function needs the interface endpoint of cognito-idp.
func (i *Identity) GrantDeleteUsers(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("identity", i.Construct, "GrantDeleteUsers", grantee)
	return grant.To(grantee, []string{"cognito-idp:AdminDeleteUser"}, *i.UserPool.UserPoolArn())
}

// GrantListUsers lets grantee look up users, including their addresses. In a VPC without NAT, a
// function needs the interface endpoint of cognito-idp.
func (i *Identity) GrantListUsers(grantee awsiam.IGrantable) awsiam.Grant {
	grant.Require("identity", i.Construct, "GrantListUsers", grantee)
	return grant.To(grantee, []string{"cognito-idp:ListUsers"}, *i.UserPool.UserPoolArn())
}

func newUserPool(scope constructs.Construct, props Props) awscognito.UserPool {
	return awscognito.NewUserPool(scope, jsii.String("UserPool"), &awscognito.UserPoolProps{
		SelfSignUpEnabled:   jsii.Bool(true),
		SignInAliases:       &awscognito.SignInAliases{Email: jsii.Bool(true)},
		SignInCaseSensitive: jsii.Bool(false),
		AutoVerify:          &awscognito.AutoVerifiedAttrs{Email: jsii.Bool(true)},
		// A changed address takes effect only after its owner has confirmed it, because social
		// sign-ins are linked by address. The address of a linked user follows the provider at each
		// sign-in; the provider has verified it.
		KeepOriginal: &awscognito.KeepOriginalAttrs{Email: jsii.Bool(true)},
		StandardAttributes: &awscognito.StandardAttributes{
			Email: &awscognito.StandardAttribute{
				Required: jsii.Bool(true), Mutable: jsii.Bool(true),
			},
		},
		// The user's Google organisation, without which the function cannot determine whether
		// Google is authoritative for an address. It must be mutable, because Cognito writes mapped
		// attributes at each sign-in. Every pool has it, also without Google: Cognito never removes
		// an attribute, and CloudFormation would fail to.
		CustomAttributes: &map[string]awscognito.ICustomAttribute{
			strings.TrimPrefix(presignupfn.HostedDomain, "custom:"): awscognito.NewStringAttribute(
				&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		},
		// Length makes a password strong; composition rules make it hard to remember: NIST SP
		// 800-63B, 5.1.1.2.
		PasswordPolicy: &awscognito.PasswordPolicy{
			MinLength:            jsii.Number(12),
			RequireLowercase:     jsii.Bool(false),
			RequireUppercase:     jsii.Bool(false),
			RequireDigits:        jsii.Bool(false),
			RequireSymbols:       jsii.Bool(false),
			TempPasswordValidity: convert.Duration(3 * 24 * time.Hour),
		},
		Mfa: awscognito.Mfa_OPTIONAL,
		// No SMS: it costs money, it can be intercepted, and it needs a role and a quota of its
		// own.
		MfaSecondFactor: &awscognito.MfaSecondFactor{Otp: jsii.Bool(true), Sms: jsii.Bool(false)},
		AccountRecovery: awscognito.AccountRecovery_EMAIL_ONLY,
		// Lite has no managed login: "User pool feature plans" in the Amazon Cognito Developer
		// Guide.
		FeaturePlan:        awscognito.FeaturePlan_ESSENTIALS,
		DeletionProtection: jsii.Bool(!props.Disposable),
		RemovalPolicy:      props.removalPolicy(awscdk.RemovalPolicy_RETAIN),
	})
}

// writeAttributes returns the attributes that clients may write: all that exist. Cognito fails the
// sign-in where a client may not write a mapped attribute (WriteAttributes of CreateUserPoolClient
// in the Amazon Cognito API Reference), and a client that existed before a custom attribute may not
// write it until the attribute is named.
//
// Users can therefore write any organisation into their profiles, without effect: the function that
// links sign-ins reads the organisation only from the event, before a profile exists. No other code
// may trust the attribute, including in a token.
func writeAttributes(props Props) awscognito.ClientAttributes {
	if props.GoogleClientID == "" {
		return nil
	}
	return awscognito.NewClientAttributes().WithStandardAttributes(
		&awscognito.StandardAttributesMask{
			Address:           jsii.Bool(true),
			Birthdate:         jsii.Bool(true),
			Email:             jsii.Bool(true),
			FamilyName:        jsii.Bool(true),
			Fullname:          jsii.Bool(true),
			Gender:            jsii.Bool(true),
			GivenName:         jsii.Bool(true),
			LastUpdateTime:    jsii.Bool(true),
			Locale:            jsii.Bool(true),
			MiddleName:        jsii.Bool(true),
			Nickname:          jsii.Bool(true),
			PhoneNumber:       jsii.Bool(true),
			PreferredUsername: jsii.Bool(true),
			ProfilePage:       jsii.Bool(true),
			ProfilePicture:    jsii.Bool(true),
			Timezone:          jsii.Bool(true),
			Website:           jsii.Bool(true),
		}).WithCustomAttributes(jsii.String(presignupfn.HostedDomain))
}

// A provider is an identity provider of the user pool, and the name by which clients refer to it.
type provider struct {
	resource awscognito.IUserPoolIdentityProvider
	name     awscognito.UserPoolClientIdentityProvider
}

// addProviders declares Google and Apple, where they are configured. Their secrets are dynamic
// references that CloudFormation resolves when it calls Cognito.
//
// The provider's email_verified claim is mapped too. By default Cognito marks the address as
// unverified, also for a user that the sign-in is linked to: it writes all mapped attributes at
// each sign-in ("Mapping IdP attributes to profiles and tokens" in the Amazon Cognito Developer
// Guide).
func (i *Identity) addProviders(scope constructs.Construct, props Props) []provider {
	var providers []provider
	if props.GoogleClientID != "" {
		providers = append(providers, provider{
			name: awscognito.UserPoolClientIdentityProvider_GOOGLE(),
			resource: awscognito.NewUserPoolIdentityProviderGoogle(scope, jsii.String("Google"),
				&awscognito.UserPoolIdentityProviderGoogleProps{
					UserPool: i.UserPool,
					ClientId: jsii.String(props.GoogleClientID),
					ClientSecretValue: awscdk.SecretValue_SecretsManager(
						jsii.String(props.GoogleSecretName), nil),
					Scopes: jsii.Strings("openid", "email", "profile"),
					AttributeMapping: &awscognito.AttributeMapping{
						Email:         awscognito.ProviderAttribute_GOOGLE_EMAIL(),
						EmailVerified: awscognito.ProviderAttribute_GOOGLE_EMAIL_VERIFIED(),
						Fullname:      awscognito.ProviderAttribute_GOOGLE_NAME(),
						GivenName:     awscognito.ProviderAttribute_GOOGLE_GIVEN_NAME(),
						FamilyName:    awscognito.ProviderAttribute_GOOGLE_FAMILY_NAME(),
						Custom: &map[string]awscognito.ProviderAttribute{
							presignupfn.HostedDomain: awscognito.ProviderAttribute_Other(
								jsii.String("hd")),
						},
					},
				}),
		})
	}
	if props.AppleServicesID != "" {
		providers = append(providers, provider{
			name: awscognito.UserPoolClientIdentityProvider_APPLE(),
			resource: awscognito.NewUserPoolIdentityProviderApple(scope, jsii.String("Apple"),
				&awscognito.UserPoolIdentityProviderAppleProps{
					UserPool: i.UserPool,
					ClientId: jsii.String(props.AppleServicesID),
					TeamId:   jsii.String(props.AppleTeamID),
					KeyId:    jsii.String(props.AppleKeyID),
					PrivateKeyValue: awscdk.SecretValue_SecretsManager(
						jsii.String(props.AppleSecretName), nil),
					Scopes: jsii.Strings("email", "name"),
					AttributeMapping: &awscognito.AttributeMapping{
						Email:         awscognito.ProviderAttribute_APPLE_EMAIL(),
						EmailVerified: awscognito.ProviderAttribute_APPLE_EMAIL_VERIFIED(),
						// Apple sends names only at the first sign-in
						GivenName:  awscognito.ProviderAttribute_APPLE_FIRST_NAME(),
						FamilyName: awscognito.ProviderAttribute_APPLE_LAST_NAME(),
					},
				}),
		})
	}
	return providers
}

// newClient declares a public client. It has no secret, because it could not keep one, and uses
// PKCE, which Cognito enforces for the authorization code grant when a client sends a challenge.
func (i *Identity) newClient(
	id string, callbackURLs, logoutURLs []string, providers []provider, props Props,
) awscognito.UserPoolClient {
	supported := []awscognito.UserPoolClientIdentityProvider{
		awscognito.UserPoolClientIdentityProvider_COGNITO(),
	}
	for _, provider := range providers {
		supported = append(supported, provider.name)
	}
	client := i.UserPool.AddClient(jsii.String(id), &awscognito.UserPoolClientOptions{
		GenerateSecret:             jsii.Bool(false),
		PreventUserExistenceErrors: jsii.Bool(true),
		EnableTokenRevocation:      jsii.Bool(true),
		AuthFlows:                  &awscognito.AuthFlow{UserSrp: jsii.Bool(true)},
		OAuth: &awscognito.OAuthSettings{
			Flows: &awscognito.OAuthFlows{AuthorizationCodeGrant: jsii.Bool(true)},
			Scopes: &[]awscognito.OAuthScope{
				awscognito.OAuthScope_OPENID(), awscognito.OAuthScope_EMAIL(),
				awscognito.OAuthScope_PROFILE(),
			},
			CallbackUrls: jsii.Strings(callbackURLs...),
			LogoutUrls:   jsii.Strings(logoutURLs...),
		},
		SupportedIdentityProviders: &supported,
		WriteAttributes:            writeAttributes(props),
		AccessTokenValidity:        convert.Duration(props.AccessTokenValidity),
		IdTokenValidity:            convert.Duration(props.AccessTokenValidity),
		RefreshTokenValidity:       convert.Duration(props.RefreshTokenValidity),
	})
	for _, provider := range providers {
		// A client can only support a provider that exists.
		client.Node().AddDependency(provider.resource)
	}
	// A client without a style has no sign-in pages: "Apply branding to managed login pages" in the
	// Amazon Cognito Developer Guide.
	awscognito.NewCfnManagedLoginBranding(client, jsii.String("Branding"),
		&awscognito.CfnManagedLoginBrandingProps{
			UserPoolId:               i.UserPool.UserPoolId(),
			ClientId:                 client.UserPoolClientId(),
			UseCognitoProvidedValues: jsii.Bool(true),
		})
	return client
}

// linkSignIns makes Cognito call a function before it creates a user for a first social sign-in.
func (i *Identity) linkSignIns(scope constructs.Construct) {
	fn := gofunction.New(scope, "PreSignUp", gofunction.Props{
		Package:     presignupfn.Package,
		Description: "Links social sign-ins to existing users with the same address",
		Timeout:     5 * time.Second, // Cognito waits no longer
	})
	i.UserPool.AddTrigger(awscognito.UserPoolOperation_PRE_SIGN_UP(), fn.Function,
		awscognito.LambdaVersion_V1_0)
	// A separate policy: the function depends on the policies of its role, and the user pool
	// depends on the function.
	statement := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("cognito-idp:ListUsers", "cognito-idp:AdminGetUser",
			"cognito-idp:AdminLinkProviderForUser"),
		Resources: jsii.Strings(*i.UserPool.UserPoolArn()),
	})
	awsiam.NewPolicy(scope, jsii.String("LinkSignIns"), &awsiam.PolicyProps{
		Roles:      &[]awsiam.IRole{fn.Role},
		Statements: &[]awsiam.PolicyStatement{statement},
	})
}

// newIdentityPool declares the identity pool. Its identity ids name the folders of clients'
// uploads, so it is retained like the users. The classic flow would let a client choose its role.
func (i *Identity) newIdentityPool(
	scope constructs.Construct, props Props,
) awscognito.CfnIdentityPool {
	var clients []any
	for _, client := range []awscognito.UserPoolClient{i.WebClient, i.MobileClient} {
		if client == nil {
			continue
		}
		clients = append(clients, &awscognito.CfnIdentityPool_CognitoIdentityProviderProperty{
			ClientId:     client.UserPoolClientId(),
			ProviderName: i.UserPool.UserPoolProviderName(),
			// No credentials after sign-out, disabling or deletion.
			ServerSideTokenCheck: jsii.Bool(true),
		})
	}
	pool := awscognito.NewCfnIdentityPool(scope, jsii.String("IdentityPool"),
		&awscognito.CfnIdentityPoolProps{
			AllowUnauthenticatedIdentities: jsii.Bool(false),
			AllowClassicFlow:               jsii.Bool(false),
			CognitoIdentityProviders:       &clients,
		})
	pool.ApplyRemovalPolicy(props.removalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE),
		nil)
	return pool
}

// newSignedInRole declares the role of signed-in clients in AWS. It has no permissions by default.
func (i *Identity) newSignedInRole(scope constructs.Construct) awsiam.Role {
	role := awsiam.NewRole(scope, jsii.String("SignedInRole"), &awsiam.RoleProps{
		Description: jsii.String("Signed-in clients of the identity pool"),
		AssumedBy: awsiam.NewWebIdentityPrincipal(jsii.String(
			"cognito-identity.amazonaws.com"), &map[string]any{
			"StringEquals": map[string]any{
				"cognito-identity.amazonaws.com:aud": i.IdentityPool.Ref(),
			},
			"ForAnyValue:StringLike": map[string]any{
				"cognito-identity.amazonaws.com:amr": "authenticated",
			},
		}),
	})
	awscognito.NewCfnIdentityPoolRoleAttachment(scope, jsii.String("IdentityPoolRoles"),
		&awscognito.CfnIdentityPoolRoleAttachmentProps{
			IdentityPoolId: i.IdentityPool.Ref(),
			Roles:          map[string]any{"authenticated": role.RoleArn()},
		})
	return role
}

// removalPolicy returns retained, or DESTROY for a disposable user pool.
func (p Props) removalPolicy(retained awscdk.RemovalPolicy) awscdk.RemovalPolicy {
	if p.Disposable {
		return awscdk.RemovalPolicy_DESTROY
	}
	return retained
}

func (p Props) withDefaults() Props {
	p.ProtectedPrefix = cmp.Or(p.ProtectedPrefix, "protected/")
	p.PrivatePrefix = cmp.Or(p.PrivatePrefix, "private/")
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
		check.Required("DomainPrefix", p.DomainPrefix != "",
			"pass the first label of the managed login domain, such as example-dev"),
		check.IfSet("DomainPrefix", p.DomainPrefix, func(prop, value string) error {
			return check.DomainPrefix(prop, value, 63)
		}),
		check.Required("WebCallbackURLs",
			len(p.WebCallbackURLs) > 0 || len(p.MobileCallbackURLs) > 0,
			"pass the callback URLs of the web client, or MobileCallbackURLs"),
		check.Together(
			check.Text{Prop: "GoogleClientID", Value: p.GoogleClientID, Rule: check.GoogleClientID},
			check.Text{Prop: "GoogleSecretName", Value: p.GoogleSecretName, Rule: check.SecretName},
		),
		check.Together(
			check.Text{
				Prop: "AppleServicesID", Value: p.AppleServicesID, Rule: check.AppleServicesID,
			},
			check.Text{Prop: "AppleTeamID", Value: p.AppleTeamID, Rule: check.AppleID},
			check.Text{Prop: "AppleKeyID", Value: p.AppleKeyID, Rule: check.AppleID},
			check.Text{Prop: "AppleSecretName", Value: p.AppleSecretName, Rule: check.SecretName},
		),
		check.Duration("AccessTokenValidity", p.AccessTokenValidity, 5*time.Minute, day,
			time.Minute),
		check.Duration("RefreshTokenValidity", p.RefreshTokenValidity, time.Hour, 3650*day,
			time.Minute),
		check.That("RefreshTokenValidity", p.RefreshTokenValidity,
			p.RefreshTokenValidity > p.AccessTokenValidity, "more than AccessTokenValidity"),
		checkClient("Web", p.WebCallbackURLs, p.WebLogoutURLs, check.CallbackURL),
		checkClient("Mobile", p.MobileCallbackURLs, p.MobileLogoutURLs, check.AppCallbackURL),
		check.KeyPrefix("ProtectedPrefix", p.ProtectedPrefix),
		check.KeyPrefix("PrivatePrefix", p.PrivatePrefix),
		check.That("PrivatePrefix", p.PrivatePrefix, p.PrivatePrefix != p.ProtectedPrefix,
			"a prefix different from ProtectedPrefix"),
	)
}

// checkClient checks the URLs of a client, which has both kinds or is left out.
func checkClient(
	client string, callbackURLs, logoutURLs []string, rule func(prop, value string) error,
) error {
	callback, logout := client+"CallbackURLs", client+"LogoutURLs"
	return errors.Join(
		check.Required(callback, len(callbackURLs) > 0 || len(logoutURLs) == 0,
			"pass the callback URLs of sign-in, or leave "+logout+" empty"),
		check.Required(logout, len(logoutURLs) > 0 || len(callbackURLs) == 0,
			"pass the callback URLs of sign-out, or leave "+callback+" empty"),
		check.Each(callback, callbackURLs, rule),
		check.NoDuplicates(callback, callbackURLs),
		check.Each(logout, logoutURLs, rule),
		check.NoDuplicates(logout, logoutURLs),
	)
}
