package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/identity"
	"github.com/ashlar-cdk/ashlar/constructs/media"
	"github.com/ashlar-cdk/ashlar/environments"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestUsersSignInWithAVerifiedAddressWhateverItsCase(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			pool := only(t, stack, "AWS::Cognito::UserPool", "")
			want(t, pool, []string{"email"}, "UsernameAttributes")
			want(t, pool, false, "UsernameConfiguration", "CaseSensitive")
			want(t, pool, []string{"email"}, "AutoVerifiedAttributes")
			want(t, pool, []string{"email"}, "UserAttributeUpdateSettings",
				"AttributesRequireVerificationBeforeUpdate")
			want(t, pool, false, "AdminCreateUserConfig", "AllowAdminCreateUserOnly")
			want(t, pool, []any{map[string]any{"Name": "verified_email", "Priority": 1}},
				"AccountRecoverySetting", "RecoveryMechanisms")
			protection := "ACTIVE"
			if environment.Disposable {
				protection = "INACTIVE"
			}
			want(t, pool, protection, "DeletionProtection")
		})
}

func TestASecondFactorIsOfferedAndIsNeverSMS(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			pool := only(t, stack, "AWS::Cognito::UserPool", "")
			want(t, pool, "OPTIONAL", "MfaConfiguration")
			want(t, pool, []string{"SOFTWARE_TOKEN_MFA"}, "EnabledMfas")
			want(t, pool, nil, "SmsConfiguration")
			want(t, pool, 12, "Policies", "PasswordPolicy", "MinimumLength")
		})
}

func TestClientsArePublicAndSignInDoesNotRevealUsers(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			clients := stack.Template.OfType("AWS::Cognito::UserPoolClient")
			if len(clients) != 2 {
				t.Fatalf("there are %d clients, want one for the web and one for mobile",
					len(clients))
			}
			for _, client := range clients {
				want(t, client, false, "GenerateSecret")
				want(t, client, "ENABLED", "PreventUserExistenceErrors")
				want(t, client, true, "EnableTokenRevocation")
				// The implicit flow puts tokens into URLs.
				want(t, client, []string{"code"}, "AllowedOAuthFlows")
				want(t, client, []string{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
					"ExplicitAuthFlows")
				callbackURLs, logoutURLs := environment.WebCallbackURLs, environment.WebLogoutURLs
				if strings.HasPrefix(client.ID, "IdentityUserPoolMobile") {
					callbackURLs = environment.MobileCallbackURLs
					logoutURLs = environment.MobileLogoutURLs
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

func TestTheSignInPagesHaveAUniqueDomain(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			domain := only(t, stack, "AWS::Cognito::UserPoolDomain", "")
			prefix := any(environment.SignInDomain + "-" + environment.Account)
			if environment.Account == "" {
				prefix = map[string]any{"Fn::Join": []any{
					"",
					[]any{environment.SignInDomain + "-", map[string]any{"Ref": "AWS::AccountId"}},
				}}
			}
			want(t, domain, prefix, "Domain")
			want(t, domain, 2, "ManagedLoginVersion")
			// Lite has no managed login
			want(t, only(t, stack, "AWS::Cognito::UserPool", ""), "ESSENTIALS", "UserPoolTier")
			clients := map[string]bool{}
			for _, branding := range stack.Template.OfType("AWS::Cognito::ManagedLoginBranding") {
				want(t, branding, true, "UseCognitoProvidedValues")
				clients[assembly.Refers(branding.At("ClientId"))] = true
			}
			for _, client := range stack.Template.OfType("AWS::Cognito::UserPoolClient") {
				if !clients[client.ID] {
					t.Errorf("%s has no branding: its sign-in pages would be unavailable",
						client.ID)
				}
			}
		})
}

func TestGoogleAndAppleAreConfiguredPerEnvironment(t *testing.T) {
	forEachEnvironment(t, "Identity", func(
		t *testing.T, environment environments.Environment, stack assembly.Stack,
	) {
		supported, providers := []string{"COGNITO"}, []string{}
		if environment.GoogleClientID != "" {
			google := only(t, stack, "AWS::Cognito::UserPoolIdentityProvider", "IdentityGoogle")
			want(t, google, "Google", "ProviderName")
			want(t, google, map[string]any{
				"authorize_scopes": "openid email profile",
				"client_id":        environment.GoogleClientID,
				"client_secret": "{{resolve:secretsmanager:" + environment.GoogleSecretName +
					":SecretString:::}}",
			}, "ProviderDetails")
			want(t, google, map[string]string{
				"email": "email", "email_verified": "email_verified", "name": "name",
				"given_name": "given_name", "family_name": "family_name",
				"custom:hd": "hd",
			}, "AttributeMapping")
			supported, providers = append(supported, "Google"), append(providers, google.ID)
		}
		if environment.AppleServicesID != "" {
			apple := only(t, stack, "AWS::Cognito::UserPoolIdentityProvider", "IdentityApple")
			want(t, apple, "SignInWithApple", "ProviderName")
			want(t, apple, map[string]any{
				"authorize_scopes": "email name",
				"client_id":        environment.AppleServicesID,
				"team_id":          environment.AppleTeamID,
				"key_id":           environment.AppleKeyID,
				"private_key": "{{resolve:secretsmanager:" + environment.AppleSecretName +
					":SecretString:::}}",
			}, "ProviderDetails")
			want(t, apple, map[string]string{
				"email": "email", "email_verified": "email_verified", "given_name": "firstName",
				"family_name": "lastName",
			}, "AttributeMapping")
			supported, providers = append(supported, "SignInWithApple"), append(providers, apple.ID)
		}
		found := stack.Template.OfType("AWS::Cognito::UserPoolIdentityProvider")
		if len(found) != len(providers) {
			t.Errorf("there are %d identity providers, want %q", len(found), providers)
		}
		for _, client := range stack.Template.OfType("AWS::Cognito::UserPoolClient") {
			want(t, client, supported, "SupportedIdentityProviders")
			for _, provider := range providers {
				if !slices.Contains(oneOrMore(client.DependsOn), any(provider)) {
					t.Errorf("%s does not depend on %s, and the first deployment would fail",
						client.ID, provider)
				}
			}
		}
	})
}

// TestClientsMayWriteMappedAttributes: otherwise Cognito fails the sign-in.
func TestClientsMayWriteMappedAttributes(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, environment environments.Environment, stack assembly.Stack) {
			attributes := []any{
				map[string]any{"Name": "email", "Mutable": true, "Required": true},
				map[string]any{"Name": "hd", "AttributeDataType": "String", "Mutable": true},
			}
			want(t, only(t, stack, "AWS::Cognito::UserPool", ""), attributes, "Schema")
			for _, client := range stack.Template.OfType("AWS::Cognito::UserPoolClient") {
				if environment.GoogleClientID == "" {
					want(t, client, nil, "WriteAttributes")
					continue
				}
				want(t, client, []string{
					"address", "birthdate", "custom:hd", "email", "family_name", "gender",
					"given_name", "locale", "middle_name", "name", "nickname",
					"phone_number", "picture", "preferred_username", "profile", "updated_at",
					"website", "zoneinfo",
				}, "WriteAttributes")
			}
		})
}

func TestSocialSignInsAreLinkedWhereProvidersAreConfigured(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			pool := only(t, stack, "AWS::Cognito::UserPool", "")
			if len(stack.Template.OfType("AWS::Cognito::UserPoolIdentityProvider")) == 0 {
				want(t, pool, nil, "LambdaConfig", "PreSignUp")
				return
			}
			function := only(t, stack, "AWS::Lambda::Function", "IdentityPreSignUp")
			want(t, pool, []string{function.ID, "Arn"}, "LambdaConfig", "PreSignUp", "Fn::GetAtt")
			want(t, function, 5, "Timeout")
			want(t, function, nil, "VpcConfig")
			policy := only(t, stack, "AWS::IAM::Policy", "IdentityLinkSignIns")
			want(t, policy, []any{map[string]any{
				"Effect": "Allow", "Action": []string{
					"cognito-idp:AdminGetUser", "cognito-idp:AdminLinkProviderForUser",
					"cognito-idp:ListUsers",
				},
				"Resource": map[string]any{"Fn::GetAtt": []string{pool.ID, "Arn"}},
			}}, "PolicyDocument", "Statement")
		})
}

func TestEveryNewUserGetsAProfile(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			pool := only(t, stack, "AWS::Cognito::UserPool", "")
			function := only(t, stack, "AWS::Lambda::Function", "PostConfirmation")
			want(t, pool, []string{function.ID, "Arn"}, "LambdaConfig", "PostConfirmation",
				"Fn::GetAtt")
			want(t, function, 5, "Timeout")
			if !slices.Contains(stack.DependsOn, "Schema") {
				t.Errorf("the stack depends on %q, want Schema among them", stack.DependsOn)
			}
		})
}

func TestOnlyTheUserPoolCallsItsFunctions(t *testing.T) {
	forEachEnvironment(t, "Identity",
		func(t *testing.T, _ environments.Environment, stack assembly.Stack) {
			pool := only(t, stack, "AWS::Cognito::UserPool", "")
			called := map[string]bool{}
			for _, permission := range stack.Template.OfType("AWS::Lambda::Permission") {
				want(t, permission, "cognito-idp.amazonaws.com", "Principal")
				want(t, permission, map[string]any{"Fn::GetAtt": []string{pool.ID, "Arn"}},
					"SourceArn")
				called[assembly.Refers(permission.At("FunctionName"))] = true
			}
			for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
				if !called[function.ID] {
					t.Errorf("the user pool may not call %s", function.ID)
				}
			}
		})
}

func TestOnlySignedInClientsGetAWSCredentials(t *testing.T) {
	forEachEnvironment(t, "Identity", func(
		t *testing.T, _ environments.Environment, stack assembly.Stack,
	) {
		pool := only(t, stack, "AWS::Cognito::IdentityPool", "")
		want(t, pool, false, "AllowUnauthenticatedIdentities")
		want(t, pool, false, "AllowClassicFlow")
		users := only(t, stack, "AWS::Cognito::UserPool", "")
		clients := map[string]bool{}
		for _, provider := range oneOrMore(pool.At("CognitoIdentityProviders")) {
			name := map[string]any{"Fn::GetAtt": []string{users.ID, "ProviderName"}}
			if assembly.At(provider, "ServerSideTokenCheck") != true ||
				text(assembly.At(provider, "ProviderName")) != text(name) {
				t.Errorf("the identity pool trusts %s, want the environment's user pool",
					text(provider))
			}
			clients[assembly.Refers(assembly.At(provider, "ClientId"))] = true
		}
		for _, client := range stack.Template.OfType("AWS::Cognito::UserPoolClient") {
			if !clients[client.ID] {
				t.Errorf("%s is not a client of the identity pool", client.ID)
			}
		}
		if len(clients) != 2 {
			t.Errorf("the identity pool has %d clients, want 2", len(clients))
		}
		role := only(t, stack, "AWS::IAM::Role", "IdentitySignedInRole")
		roles := only(t, stack, "AWS::Cognito::IdentityPoolRoleAttachment", "")
		want(t, roles,
			map[string]any{"authenticated": map[string]any{"Fn::GetAtt": []string{role.ID, "Arn"}}},
			"Roles")
		want(t, roles, pool.ID, "IdentityPoolId", "Ref")
		want(t, role, []any{map[string]any{
			"Action": "sts:AssumeRoleWithWebIdentity", "Effect": "Allow",
			"Principal": map[string]any{"Federated": "cognito-identity.amazonaws.com"},
			"Condition": map[string]any{
				"StringEquals": map[string]any{
					"cognito-identity.amazonaws.com:aud": map[string]any{"Ref": pool.ID},
				},
				"ForAnyValue:StringLike": map[string]any{
					"cognito-identity.amazonaws.com:amr": "authenticated",
				},
			},
		}}, "AssumeRolePolicyDocument", "Statement")
		want(t, role, nil, "ManagedPolicyArns")
		if actions := allowed(t, stack, role.ID); len(actions) > 0 {
			t.Errorf("signed-in clients may %q without a grant, want nothing", actions)
		}
	})
}

// newIdentity declares an identity with the required props only, without identity providers.
func newIdentity(stack awscdk.Stack) *identity.Identity {
	return identity.New(stack, "Identity", identity.Props{
		DomainPrefix:       "example",
		WebCallbackURLs:    []string{"https://example.com/in"},
		WebLogoutURLs:      []string{"https://example.com/out"},
		MobileCallbackURLs: []string{"example://in"},
		MobileLogoutURLs:   []string{"example://out"},
	})
}

func TestSignedInClientsUploadToTheirOwnFolders(t *testing.T) {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	identityStack := awscdk.NewStack(stage, jsii.String("Identity"), nil)
	media := awscdk.NewStack(stage, jsii.String("Media"), nil)
	bucket := awss3.NewBucket(media, jsii.String("Uploads"), nil)
	newIdentity(identityStack).GrantSignedInReadWrite(bucket)
	stacks := synth(app)
	policy := only(t, stacks[1], "AWS::IAM::Policy", "")
	objects := func(pattern string) any {
		id := *media.GetLogicalId(bucket.Node().DefaultChild().(awscdk.CfnElement))
		return map[string]any{
			"Fn::Join": []any{
				"", []any{map[string]any{"Fn::GetAtt": []string{id, "Arn"}}, pattern},
			},
		}
	}
	own := []any{
		objects("/private/${cognito-identity.amazonaws.com:sub}/*"),
		objects("/protected/${cognito-identity.amazonaws.com:sub}/*"),
	}
	want(t, policy, []any{
		map[string]any{
			"Effect": "Allow", "Action": []string{"s3:DeleteObject", "s3:GetObject"},
			"Resource": own,
		},
		map[string]any{
			"Effect": "Allow", "Action": "s3:PutObject", "Resource": own,
			"Condition": map[string]any{
				"StringEqualsIfExists": map[string]any{"s3:x-amz-storage-class": "STANDARD"},
			},
		},
	}, "PolicyDocument", "Statement")
	role := only(t, stacks[0], "AWS::IAM::Role", "IdentitySignedInRole")
	if imported := text(policy.At("Roles")); !strings.Contains(imported, role.ID) {
		t.Errorf("the role %s may upload, want %s", imported, role.ID)
	}
	if !slices.Equal(stacks[1].DependsOn, []string{"Identity"}) || stacks[0].DependsOn != nil {
		t.Errorf("Media depends on %q and Identity on %q, want Media on Identity",
			stacks[1].DependsOn, stacks[0].DependsOn)
	}
}

// TestSignedInClientsHaveOnePolicyForEachBucket: the buckets of two media constructs have the same
// ids, and a role has one policy of a name.
func TestSignedInClientsHaveOnePolicyForEachBucket(t *testing.T) {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	users := newIdentity(awscdk.NewStack(stage, jsii.String("Identity"), nil))
	for _, id := range []string{"Media", "Archive"} {
		stack := awscdk.NewStack(stage, jsii.String(id), nil)
		for _, id := range []string{"One", "Other"} {
			m := media.New(stack, id, media.Props{})
			users.GrantSignedInReadWrite(m.Originals).AssertSuccess()
			users.GrantSignedInRead(m.Thumbnails).AssertSuccess()
		}
	}
	names := map[string]bool{}
	for _, stack := range synth(app) {
		for _, policy := range stack.Template.OfType("AWS::IAM::Policy") {
			if strings.Contains(policy.ID, "SignedIn") {
				names[policy.At("PolicyName").(string)] = true
			}
		}
	}
	if len(names) != 8 {
		t.Errorf("the policies have %d names, want 8: %v", len(names), names)
	}
}

func TestAFunctionOrARoleCanBeGrantedUsers(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		users := newIdentity(stack)
		users.GrantDeleteUsers(
			gofunction.New(stack, "Accounts", gofunction.Props{Package: "example.com/accounts"}))
		users.GrantListUsers(awsiam.NewRole(stack, jsii.String("Support"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewAccountRootPrincipal(),
		}))
	})
	pool := only(t, stack, "AWS::Cognito::UserPool", "")
	for grantee, action := range map[string]string{
		"AccountsRole": "cognito-idp:AdminDeleteUser", "Support": "cognito-idp:ListUsers",
	} {
		policy := only(t, stack, "AWS::IAM::Policy", grantee)
		statements := text(policy.At("PolicyDocument", "Statement"))
		statement := `"Action":"` + action + `","Effect":"Allow",` +
			`"Resource":{"Fn::GetAtt":["` + pool.ID + `","Arn"]}`
		if !strings.Contains(statements, statement) {
			t.Errorf("%s may %s, want %s", grantee, statements, action)
		}
	}
}

func TestAUserPoolMayHaveOneClient(t *testing.T) {
	for id, props := range map[string]identity.Props{
		"Web": {
			WebCallbackURLs: []string{"http://localhost:5173/in"},
			WebLogoutURLs:   []string{"https://example.com/out"},
		},
		"Mobile": {
			MobileCallbackURLs: []string{"example://in"},
			MobileLogoutURLs:   []string{"com.example:/out"},
		},
	} {
		t.Run(id, func(t *testing.T) {
			props.DomainPrefix = "example"
			var users *identity.Identity
			stack := synthStack(func(stack awscdk.Stack) {
				users = identity.New(stack, "Identity", props)
			})
			if (users.WebClient != nil) != (id == "Web") ||
				(users.MobileClient != nil) != (id == "Mobile") {
				t.Errorf("web client %v, mobile client %v", users.WebClient, users.MobileClient)
			}
			client := only(t, stack, "AWS::Cognito::UserPoolClient", "IdentityUserPool"+id)
			pool := only(t, stack, "AWS::Cognito::IdentityPool", "")
			if clients := oneOrMore(pool.At("CognitoIdentityProviders")); len(clients) != 1 ||
				assembly.Refers(assembly.At(clients[0], "ClientId")) != client.ID {
				t.Errorf("the identity pool trusts %s, want %s", text(clients), client.ID)
			}
		})
	}
}

func TestIdentityDefaults(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) { newIdentity(stack) })
	if functions := stack.Template.OfType("AWS::Lambda::Function"); len(functions) != 0 {
		t.Errorf("there are %d functions, want none without identity providers", len(functions))
	}
	providers := stack.Template.OfType("AWS::Cognito::UserPoolIdentityProvider")
	if len(providers) != 0 {
		t.Errorf("there are %d identity providers, want none", len(providers))
	}
	want(t, only(t, stack, "AWS::Cognito::UserPool", ""), "ACTIVE", "DeletionProtection")
	for resourceType, policy := range map[string]string{
		"AWS::Cognito::UserPool": "Retain", "AWS::Cognito::IdentityPool": "RetainExceptOnCreate",
	} {
		if kept := only(t, stack, resourceType, ""); kept.DeletionPolicy != policy {
			t.Errorf("%s: on deletion %s, want %s", kept.ID, kept.DeletionPolicy, policy)
		}
	}
}

func TestIdentityPropsAreValidated(t *testing.T) {
	const (
		google = "; or leave GoogleClientID, GoogleSecretName empty"
		apple  = "; or leave AppleServicesID, AppleTeamID, AppleKeyID, AppleSecretName empty"
	)
	wantPanic(t, func(stack awscdk.Stack) {
		identity.New(stack, "Identity", identity.Props{
			DomainPrefix: "cognito_", GoogleSecretName: "google", AppleKeyID: "EXAMPLE123",
			WebCallbackURLs:    []string{"https://example.com"},
			WebLogoutURLs:      []string{"https://example.com"},
			MobileCallbackURLs: []string{"example://in"},
			MobileLogoutURLs:   []string{"example://out"},
			ProtectedPrefix:    "${aws:username}/", PrivatePrefix: "*",
		})
	},
		`identity: Identity: DomainPrefix: "cognito_", want 1 to 63 lower-case letters, digits `+
			"and inner hyphens, without aws, amazon or cognito",
		`identity: Identity: GoogleClientID: "", want the OAuth client's id, which ends with `+
			".apps.googleusercontent.com"+google,
		`identity: Identity: AppleServicesID: "", want a Services ID such as com.example.signin`+
			apple,
		`identity: Identity: AppleTeamID: "", want 10 capitals and digits`+apple,
		`identity: Identity: AppleSecretName: "", want the name, not the ARN, of a secret`+apple,
		`identity: Identity: ProtectedPrefix: "${aws:username}/", want letters, digits, - and _, `+
			"then a slash",
		`identity: Identity: PrivatePrefix: "*", want letters, digits, - and _, then a slash`,
	)
	wantPanic(t, func(stack awscdk.Stack) {
		identity.New(stack, "Identity", identity.Props{
			GoogleClientID:  "1-a.apps.googleusercontent.com",
			AppleServicesID: "com.example.app", AppleTeamID: "EXAMPLE123", AppleSecretName: "apple",
			AccessTokenValidity: time.Minute, RefreshTokenValidity: time.Second,
		})
	},
		"identity: Identity: DomainPrefix is required; pass the first label of the managed login "+
			"domain, such as example-dev",
		"identity: Identity: WebCallbackURLs is required; pass the callback URLs of the web "+
			"client, or MobileCallbackURLs",
		`identity: Identity: GoogleSecretName: "", want the name, not the ARN, of a secret`+google,
		`identity: Identity: AppleKeyID: "", want 10 capitals and digits`+apple,
		"identity: Identity: AccessTokenValidity: 1m0s, want whole minutes, 5m0s to 24h0m0s",
		"identity: Identity: RefreshTokenValidity: 1s, want whole minutes, 1h0m0s to 87600h0m0s",
		"identity: Identity: RefreshTokenValidity: 1s, want more than AccessTokenValidity",
	)
	const (
		web    = ", want an https URL (http for localhost only) without a fragment or *"
		mobile = ", want an https URL or one with the app's own scheme, without a fragment or *"
	)
	wantPanic(t, func(stack awscdk.Stack) {
		identity.New(stack, "Identity", identity.Props{
			DomainPrefix: "example",
			WebCallbackURLs: []string{
				"http://example.com/in", "https://example.com/in#", "https://*.example.com/in",
				"example://in", "https://example.com/", "https://example.com/",
			},
			MobileLogoutURLs: []string{"http://example.com/out"},
		})
	},
		"identity: Identity: WebLogoutURLs is required; pass the callback URLs of sign-out, or "+
			"leave WebCallbackURLs empty",
		`identity: Identity: WebCallbackURLs[0]: "http://example.com/in"`+web,
		`identity: Identity: WebCallbackURLs[1]: "https://example.com/in#"`+web,
		`identity: Identity: WebCallbackURLs[2]: "https://*.example.com/in"`+web,
		`identity: Identity: WebCallbackURLs[3]: "example://in"`+web,
		`identity: Identity: WebCallbackURLs[5]: "https://example.com/", want no duplicates`,
		"identity: Identity: MobileCallbackURLs is required; pass the callback URLs of sign-in, "+
			"or leave MobileLogoutURLs empty",
		`identity: Identity: MobileLogoutURLs[0]: "http://example.com/out"`+mobile,
	)
}

func TestIdentityArgumentsAreValidated(t *testing.T) {
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	users := newIdentity(stack)
	bucket := awss3.NewBucket(stack, jsii.String("Uploads"), nil)
	users.GrantSignedInRead(bucket)
	encrypted := awss3.NewBucket(stack, jsii.String("Encrypted"), &awss3.BucketProps{
		Encryption: awss3.BucketEncryption_KMS,
	})
	for wanted, call := range map[string]func(){
		"GrantDeleteUsers: grantee is required; pass the function or the role that gets the " +
			"permissions": func() { users.GrantDeleteUsers(nil) },
		"GrantListUsers: grantee is required; pass the function or the role that gets the " +
			"permissions": func() { users.GrantListUsers(nil) },
		"GrantSignedInRead: bucket is required; pass an S3 bucket": func() {
			users.GrantSignedInRead(nil)
		},
		"GrantSignedInReadWrite: bucket is required; pass an S3 bucket": func() {
			users.GrantSignedInReadWrite(nil)
		},
		"GrantSignedInRead: bucket: Stack/Uploads, want one call for each bucket": func() {
			users.GrantSignedInRead(bucket)
		},
		"GrantSignedInReadWrite: bucket: Stack/Encrypted, want a bucket without a KMS key, which " +
			"signed-in clients could not use; encrypt it with S3's key": func() {
			users.GrantSignedInReadWrite(encrypted)
		},
	} {
		got := panicMessage(call)
		if !strings.HasPrefix(got, "identity: Stack/Identity") || !strings.HasSuffix(got, wanted) {
			t.Errorf("panics with %q, want identity: Stack/Identity… %q", got, wanted)
		}
	}
}
