package test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestUsersSignInWithAVerifiedAddressWhateverItsCase(t *testing.T) {
	inEvery(t, "Identity", func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
		pool := only(t, stack, "AWS::Cognito::UserPool", "")
		want(t, pool, []string{"email"}, "UsernameAttributes")
		want(t, pool, false, "UsernameConfiguration", "CaseSensitive")
		want(t, pool, []string{"email"}, "AutoVerifiedAttributes")
		want(t, pool, []string{"email"}, "UserAttributeUpdateSettings", "AttributesRequireVerificationBeforeUpdate")
		want(t, pool, false, "AdminCreateUserConfig", "AllowAdminCreateUserOnly")
		want(t, pool, []any{map[string]any{"Name": "verified_email", "Priority": 1}}, "AccountRecoverySetting", "RecoveryMechanisms")
		protection := "ACTIVE"
		if environment.Disposable {
			protection = "INACTIVE"
		}
		want(t, pool, protection, "DeletionProtection")
	})
}

func TestASecondFactorIsOfferedAndIsNeverSMS(t *testing.T) {
	inEvery(t, "Identity", func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
		pool := only(t, stack, "AWS::Cognito::UserPool", "")
		want(t, pool, "OPTIONAL", "MfaConfiguration")
		want(t, pool, []string{"SOFTWARE_TOKEN_MFA"}, "EnabledMfas")
		want(t, pool, nil, "SmsConfiguration")
		want(t, pool, 12, "Policies", "PasswordPolicy", "MinimumLength")
	})
}

func TestClientsArePublicAndSignInTellsNobodyWhoIsAUser(t *testing.T) {
	inEvery(t, "Identity", func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
		clients := stack.Template.OfType("AWS::Cognito::UserPoolClient")
		if len(clients) != 2 {
			t.Fatalf("there are %d clients, want one for the web and one for mobile", len(clients))
		}
		for _, client := range clients {
			want(t, client, false, "GenerateSecret")
			want(t, client, "ENABLED", "PreventUserExistenceErrors")
			want(t, client, true, "EnableTokenRevocation")
			want(t, client, []string{"code"}, "AllowedOAuthFlows") // the implicit flow puts tokens into addresses
			want(t, client, []string{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}, "ExplicitAuthFlows")
			callbackURLs, logoutURLs := environment.WebCallbackURLs, environment.WebLogoutURLs
			if strings.HasPrefix(client.ID, "IdentityUserPoolMobile") {
				callbackURLs, logoutURLs = environment.MobileCallbackURLs, environment.MobileLogoutURLs
			}
			want(t, client, callbackURLs, "CallbackURLs")
			want(t, client, logoutURLs, "LogoutURLs")
			want(t, client, 60, "AccessTokenValidity")
			want(t, client, 60, "IdTokenValidity")
			want(t, client, 30*24*60, "RefreshTokenValidity")
			for _, token := range []string{"AccessToken", "IdToken", "RefreshToken"} {
				want(t, client, "minutes", "TokenValidityUnits", token)
			}
		}
	})
}

func TestAnIdentityThatCannotBeIsRefused(t *testing.T) {
	refused(t, func(stack awscdk.Stack) {
		identity.New(stack, "Identity", identity.Props{AccessTokenValidity: time.Minute, RefreshTokenValidity: time.Second})
	},
		"identity: Identity: WebCallbackURLs is required; pass where sign-in may send the web client's user back to",
		"identity: Identity: WebLogoutURLs is required; pass where sign-out may send the web client's user to",
		"identity: Identity: MobileCallbackURLs is required; pass where sign-in may send the mobile app's user back to",
		"identity: Identity: MobileLogoutURLs is required; pass where sign-out may send the mobile app's user to",
		"identity: Identity: AccessTokenValidity: 1m0s, want 5m0s to 24h0m0s",
		"identity: Identity: RefreshTokenValidity: 1s, want more than AccessTokenValidity, at most 87600h0m0s",
	)
}
